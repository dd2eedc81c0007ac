"""Errors that are the user's to mend; the command line prints them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something given from outside was refused; the message says what, why and what to do."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name: the nearest match and the known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(names)}."
