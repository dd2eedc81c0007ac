"""Tier 2: any Python, outside this process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from teachenv.errors import UserError

__all__ = ["ISOLATED", "Limits", "Program", "Result", "Sandbox"]

ISOLATED = "no files"
"""The measure that is in force only if all others are: the program's world is its own."""

_INSIDE = Path(__file__).with_name("inside.py")
_START_S = 20.0  # an interpreter on a loaded machine


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: Of the wall clock: a limit of CPU time does not fire on a loaded machine.
        memory_mb: Address space, the interpreter's 30 MB or so included.
        output_bytes: Length of its result as JSON.
    """

    seconds: float = 1.0
    memory_mb: int = 256
    output_bytes: int = 65_536


@dataclass(frozen=True)
class Program:
    """Some Python, and what to ask it.

    Attributes:
        source: Statements.
        call: Name of a function they define; "" to only run them.
        inputs: Arguments (JSON values) of each call.
    """

    source: str
    call: str = ""
    inputs: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True)
class Result:
    """What came of a program.

    Attributes:
        status: "ok"; "error": it raised; "timeout"; "output": it told too much; "killed": it
            ended without a result.
        value: What each call returned, as JSON values; ``None`` unless "ok". The program made
            this itself: compare it with what is expected outside the sandbox.
        message: The error.
    """

    status: Literal["ok", "error", "timeout", "output", "killed"]
    value: list[Any] | None
    message: str = ""


class Sandbox:
    """Runs programs in processes of their own, one interpreter for a batch of them.

    Args:
        limits: What one program may use.
        modules: Modules of the standard library it may import.
        isolated: Refuse to run anything if the machine does not offer namespaces. Switch this
            off only for programs that may fail but mean no harm.
        fresh: Start an interpreter per program.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        modules: Sequence[str] = ("math",),
        isolated: bool = True,
        fresh: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self.modules = tuple(modules)
        self.isolated = isolated
        self.fresh = fresh
        self._measures: tuple[str, ...] | None = None
        self._problem = ""

    @property
    def measures(self) -> tuple[str, ...]:
        """What protects this machine from programs; probed once."""
        if self._measures is None:
            self._batch([])
        return self._measures or ()

    @property
    def problem(self) -> str:
        """Why programs are not isolated here; "" if they are."""
        return self._problem if ISOLATED not in self.measures else ""

    def run(self, programs: Sequence[Program]) -> list[Result]:
        """Run programs; one result each, in order. None of them ends this process.

        Raises:
            UserError: if isolation is wanted and not to be had.
        """
        if self.isolated and self.problem:
            raise UserError(
                f"this machine cannot isolate programs ({self.problem}): run on Linux with user "
                "namespaces allowed, or say isolated=False if you trust the programs' author"
            )
        size = 1 if self.fresh else max(1, len(programs))
        results: list[Result] = []
        for start in range(0, len(programs), size):
            results += self._batch(programs[start : start + size])
        return results

    def _batch(self, programs: Sequence[Program]) -> list[Result]:
        job = {
            "programs": [asdict(program) for program in programs],
            "limits": asdict(self.limits),
            "modules": self.modules,
            "isolated": self.isolated,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(_INSIDE)],
                input=json.dumps(job).encode(),
                capture_output=True,
                env={},
                cwd="/",
                start_new_session=True,
                timeout=_START_S + len(programs) * (self.limits.seconds + 0.5),
            )
            output, trouble = done.stdout, done.stderr
        except subprocess.TimeoutExpired as late:
            output, trouble = late.stdout or b"", b"it took too long"
        lines = [json.loads(line) for line in output.splitlines() if line.endswith(b"}")]
        if not lines:
            raise RuntimeError(f"the sandbox did not start: {trouble.decode()[-500:]}")
        self._measures, self._problem = tuple(lines[0]["measures"]), lines[0]["problem"]
        results = [Result(**line) for line in lines[1:]]
        lost = Result("killed", None, "its sandbox ended before it")
        return [*results, *[lost] * (len(programs) - len(results))]
