"""Reading what a recorded run played, from the row file in its folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.space import TaskSpace
from teachers.base import LEVEL_SEEDS


@dataclass(frozen=True)
class Record:
    """The trials of a run in the order in which they were issued.

    Attributes:
        tasks: Shape ``(n, dim)``, in the environment's units.
        level_seeds: Shape ``(n,)``, int64.
        train: Whether the student learnt from them, shape ``(n,)``.
    """

    tasks: NDArray[np.float64]
    level_seeds: NDArray[np.int64]
    train: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tasks)

    def digest(self) -> str:
        """Return a hash of the trials."""
        parts = (self.tasks, self.level_seeds, self.train)
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def read_record(path: Path, space: TaskSpace) -> Record:
    """Read the trials of a run; those whose environment broke are left out.

    Args:
        path: A run folder or its ``episodes.jsonl``. A torn last line is dropped.
        space: The tasks expected.

    Raises:
        ValueError: if there is no such file, it is damaged or holds no trial, or its tasks do not
            belong to the space.
    """
    file = path / "episodes.jsonl" if path.is_dir() else path
    _check_names(file.parent / "config.json", space)
    try:
        lines = file.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror}") from None
    rows = {}
    for number, line in enumerate(lines, start=1):
        try:
            trial, row = _row(json.loads(line))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise ValueError(f"{file}, line {number}: not the row of a trial") from None
        if row is not None:
            rows[trial] = row
    if not rows:
        raise ValueError(f"{file}: no trial to replay")
    tasks, level_seeds, train = zip(*(rows[trial] for trial in sorted(rows)), strict=True)
    return Record(
        _tasks(file, list(tasks), space),
        np.array(level_seeds, dtype=np.int64),
        np.array(train, dtype=np.bool_),
    )


def _row(row: Any) -> tuple[int, tuple[list[float], int, bool] | None]:
    if row["status"] == "failed":
        return int(row["trial"]), None
    task = [float(value) for value in row["task"]]
    level_seed = int(row["level_seed"])
    if not 0 <= level_seed < LEVEL_SEEDS:
        raise ValueError("no level seed of a trial")
    return int(row["trial"]), (task, level_seed, bool(row["train"]))


def _tasks(file: Path, rows: list[list[float]], space: TaskSpace) -> NDArray[np.float64]:
    if {len(row) for row in rows} != {space.dim}:
        raise ValueError(f"{file}: expected tasks of {space.dim} numbers ({space.names})")
    tasks = np.array(rows, dtype=np.float64)
    inside = (tasks >= space.low) & (tasks <= space.high)
    whole = np.array([dim.kind != "float" for dim in space])
    inside &= ~whole | (tasks == np.round(tasks))
    if not inside.all():
        worst = tasks[int(np.argmin(inside.all(axis=1)))]
        raise ValueError(f"{file}: task {worst.tolist()} is not in {space!r:.200}")
    return tasks


def _check_names(config: Path, space: TaskSpace) -> None:
    """Refuse a run whose configuration names other parameters."""
    try:
        names = [dim["name"] for dim in json.loads(config.read_text())["task_space"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if names != list(space.names):
        raise ValueError(f"{config}: recorded with the parameters {names}, not {space.names}")
