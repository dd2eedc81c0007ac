"""What every kind of run loop shares: who follows it, what it records, what may change."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from teachenv.errors import UserError
from teachenv.experiments.config import RunConfig
from teachenv.protocols import Outcome

__all__ = ["Followed", "Watcher", "as_json", "fixed", "refuse_change", "versions"]

LIBRARIES = (
    "teachenv", "numpy", "gymnasium", "box2d", "scipy", "scikit-learn", "torch", "jax", "sbx-rl",
)  # fmt: skip


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


def fixed(config: RunConfig) -> dict[str, Any]:
    """Return the fields that no checkpoint may be resumed with changed: all but ``steps``."""
    return {name: value for name, value in config.to_json().items() if name != "steps"}


def refuse_change(folder: Path, config: RunConfig, saved: dict[str, Any]) -> None:
    """Refuse a checkpoint of another configuration.

    Args:
        folder: The run folder.
        config: What it says now.
        saved: What :func:`fixed` returned when the checkpoint was written.

    Raises:
        UserError: naming every field that changed.
    """
    saved = {"new_student_every": 0, **saved}
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
