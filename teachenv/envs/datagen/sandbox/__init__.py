"""Running generated code, never by import into the process that trains.

Three tiers, from the quickest:

1. :mod:`.expressions`: a language of list expressions, checked word by word before Python
   evaluates it in this process. What passes the check ends soon and can reach nothing.
2. :class:`Sandbox`: any Python, in an isolated interpreter per batch and a process per program.
   With namespaces (Linux) that process has no files, no network, no other processes and another
   user; without them it is only a guard against accidents, and :attr:`Sandbox.measures` says so.
3. ``Sandbox(fresh=True)``: an interpreter per program, as a reference for the second.
"""

from __future__ import annotations

from teachenv.envs.datagen.sandbox.runner import ISOLATED, Limits, Program, Result, Sandbox

__all__ = ["ISOLATED", "Limits", "Program", "Result", "Sandbox"]
