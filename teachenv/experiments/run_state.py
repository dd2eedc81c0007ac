"""What every kind of run loop shares: who follows it, what it records, what may change."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from teachenv.errors import UserError
from teachenv.experiments.config import IF_BROKEN, RunConfig
from teachenv.experiments.machine import machine
from teachenv.protocols import Outcome, State

__all__ = [
    "FREE",
    "Clock",
    "Followed",
    "Watcher",
    "as_json",
    "fitting",
    "fixed",
    "refuse_change",
    "versions",
]

LIBRARIES = (
    "teachenv", "numpy", "gymnasium", "box2d", "scipy", "scikit-learn", "torch", "jax", "sbx-rl",
)  # fmt: skip


FREE = ("steps", *IF_BROKEN)
"""Fields of a configuration that may change when a run is resumed: its steps may grow."""


class Followed(Protocol):
    """What a progress bar sees of a run.

    Attributes:
        step: Steps taken so far.
    """

    step: int

    @property
    def recent(self) -> Iterable[Outcome]:
        """The last outcomes."""


class Watcher(Protocol):
    """What follows a run while it works (a progress bar)."""

    def steps(self, run: Followed) -> None:
        """Called as the student takes steps."""

    def evaluated(self, row: dict[str, Any]) -> None:
        """Called after every evaluation with its row."""


class Clock:
    """Measures rounds, one after another, for their rows of ``times.jsonl``.

    One per process that plays a run: the first of its rows says on what machine, so that a run
    that was resumed elsewhere tells which of its rounds were played where.
    """

    def __init__(self) -> None:
        self._first = True

    def start(self, step: int, teacher_s: float = 0.0) -> None:
        """Begin a round.

        Args:
            step: Steps taken before it.
            teacher_s: Seconds the teacher took before it.
        """
        self._began, self._began_cpu, self._step = time.perf_counter(), time.process_time(), step
        self._teacher_s = teacher_s

    def learning(self, student: object) -> None:
        """Note who learns from now on; its ``gradient_steps`` are counted if it has any."""
        self._student, self._updates = student, getattr(student, "gradient_steps", None)

    def learned(self) -> None:
        """Note that learning is over: what follows is evaluation and writing."""
        self._learn_s = time.perf_counter() - self._began
        now = getattr(self._student, "gradient_steps", None)
        self._taken = None if self._updates is None else now - self._updates

    def row(
        self, number: int, step: int, trials: Sequence[dict[str, Any]], teacher_s: float
    ) -> dict[str, Any]:
        """Return the row of round ``number``, which ended at ``step`` with these trials.

        ``teacher_s`` are the seconds the teacher took so far.
        """
        where = {"machine": machine()} if self._first else {}
        self._first = False
        return {
            "round": number,
            "step": step,
            "learn_s": self._learn_s,
            "total_s": time.perf_counter() - self._began,
            "cpu_s": time.process_time() - self._began_cpu,
            "teacher_s": teacher_s - self._teacher_s,
            "steps_per_s": (step - self._step) / self._learn_s,
            "trials": len(trials),
            "lost": sum(row["status"] == "lost" for row in trials),
            "gradient_steps": self._taken,
            **where,
        }


def fixed(config: RunConfig) -> dict[str, Any]:
    """Return the fields that no checkpoint may be resumed with changed: all but ``FREE``."""
    return {name: value for name, value in config.to_json().items() if name not in FREE}


def refuse_change(folder: Path, config: RunConfig, state: State) -> None:
    """Refuse a checkpoint of another configuration.

    Args:
        folder: The run folder.
        config: What it says now.
        state: The checkpoint; its ``config`` is what :func:`fixed` returned at the time.

    Raises:
        UserError: naming every field that changed, or if the checkpoint holds no configuration.
    """
    try:
        saved = {"new_student_every": 0, **state["config"]}
    except (KeyError, TypeError):
        raise UserError(f"{folder}: the checkpoint does not fit: it holds no config") from None
    changed = [
        f"{name}: {saved.get(name)!r} -> {value!r}"
        for name, value in fixed(config).items()
        if saved.get(name) != value
    ]
    if changed:
        raise UserError(
            f"{folder}: config.json was changed since the checkpoint "
            f"({'; '.join(changed)}); undo that, or start a new run"
        )


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Say that the checkpoint does not fit where loading parts of it raises.

    Raises:
        UserError: in the place of whatever parts raise for a state they cannot take.
    """
    try:
        yield
    except UserError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise UserError(f"{folder}: the checkpoint does not fit: {e!r}") from e


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide what a run does."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def as_json(value: Any) -> Any:
    """Return nested JSON values and arrays as JSON values."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return value
