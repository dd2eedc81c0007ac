"""Finished runs of studies, as a report sees them: figures, settings, returns on the test tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.experiments.config import IF_BROKEN
from teachenv.experiments.metrics import RunMetrics, run_metrics
from teachenv.experiments.store import Run, read_run
from teachenv.experiments.study_status import CellStatus, study_status
from teachenv.experiments.study_store import StudyFolder
from teachenv.space import TaskSpace

Floats = NDArray[np.float64]

_VARIED = ("teacher", "teacher_args", "seed", "max_failed", *IF_BROKEN)
"""What runs that compare may differ in."""


@dataclass(frozen=True)
class World:
    """What the runs of a group have in common, as pictures need it.

    Attributes:
        space: The task space.
        return_range: Episode returns of score 0 and 1.
        mastery: Episode return above which a task is mastered.
        test_tasks: By test set, shape ``(n_tasks, dim)``; the first is the one judged.
        lessons: Whether it generates data, so that steps are samples.
    """

    space: TaskSpace
    return_range: tuple[float, float]
    mastery: float
    test_tasks: Mapping[str, Floats]
    lessons: bool

    def score(self, returns: Floats) -> Floats:
        """Map episode returns to scores in [0, 1]."""
        low, high = self.return_range
        return np.clip((returns - low) / (high - low), 0.0, 1.0)


@dataclass(frozen=True)
class Entry:
    """A finished run.

    Attributes:
        study: The study it is of, or the reference.
        teacher: Its teacher's name in the report.
        environment: Its environment's name.
        student: Its student's name.
        seed: Its seed.
        teacher_args: Hyper-parameters that were given.
        settings: Everything else that decides what it comes to, test sets by hash.
        versions: Of Python and libraries.
        metrics: Its figures.
        returns: Test set -> final return of each task.
        learn_s: Seconds of training, the teacher's time in it; evaluations are no part of it.
        machines: Where it was played, as :func:`teachenv.experiments.machine.machine` says; several
            if it was resumed elsewhere; an empty one if that was not recorded.
    """

    study: str
    teacher: str
    environment: str
    student: str
    seed: int
    teacher_args: Mapping[str, Any]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    metrics: RunMetrics
    returns: Mapping[str, tuple[float, ...]]
    learn_s: float
    machines: tuple[Mapping[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Equal for runs that compare."""
        return json.dumps([self.environment, self.student, self.settings], sort_keys=True)


@dataclass(frozen=True)
class Unfinished:
    """A cell without a result: its name, how far it is, and why."""

    cell: str
    status: str
    reason: str


@dataclass(frozen=True)
class StudyRuns:
    """What a study came to.

    Attributes:
        name: What the report calls it.
        teachers: Names of its teachers in the report, in order.
        entries: Its finished runs.
        unfinished: The other cells.
        folders: Run folder of every entry, in the same order.
        worlds: By :attr:`Entry.key`.
    """

    name: str
    teachers: tuple[str, ...]
    entries: tuple[Entry, ...]
    unfinished: tuple[Unfinished, ...]
    folders: tuple[Path, ...]
    worlds: Mapping[str, World]


@dataclass(frozen=True)
class Group:
    """Runs that compare: the same environment, student, steps and test sets.

    Attributes:
        name: Environment and student; a number is added where others have the same.
        world: What they share.
        test_set: The one judged.
        entries: The runs, by seed.
    """

    name: str
    world: World
    test_set: str
    entries: tuple[Entry, ...]

    def of(self, teacher: str) -> list[Entry]:
        """Return a teacher's runs."""
        return [entry for entry in self.entries if entry.teacher == teacher]

    def teachers(self, names: Iterable[str]) -> list[str]:
        """Return those of the teachers that have a run here."""
        there = {entry.teacher for entry in self.entries}
        return [name for name in names if name in there]


def read_study(path: Path, name: str, prefix: str = "") -> StudyRuns:
    """Read the runs of a study folder, one at a time.

    Args:
        path: The study folder; the study may still be going on.
        name: What to call it.
        prefix: Put before its teachers' names.

    Raises:
        UserError: if it is not a study folder, or is damaged.
    """
    folder = StudyFolder.read(path)
    entries, unfinished, folders = [], [], []
    teachers: dict[str, None] = {}
    worlds: dict[str, World] = {}
    for status in study_status(folder).cells:
        environment, teacher, student, _ = status.cell.name.split("/")
        teachers[prefix + teacher] = None
        run = read_run(folder.runs / status.cell.name) if status.status == "finished" else None
        metrics = run_metrics(run) if run is not None else None
        if run is None or metrics is None or not metrics.complete or not metrics.test_sets:
            unfinished.append(_unfinished(prefix, status))
            continue
        entry = _entry(run, metrics, (name, prefix + teacher, environment, student))
        worlds.setdefault(entry.key, _world(run))
        entries.append(entry)
        folders.append(run.folder)
    return StudyRuns(
        name, tuple(teachers), tuple(entries), tuple(unfinished), tuple(folders), worlds
    )


def groups(studies: Sequence[StudyRuns], kept: Sequence[Entry] = ()) -> list[Group]:
    """Return the groups of runs that compare, those of earlier studies first.

    Args:
        studies: The studies.
        kept: Runs from earlier; those that compare with none of the studies' are left out.
    """
    worlds: dict[str, World] = {}
    for study in studies:
        worlds = {**study.worlds, **worlds}
    entries = [entry for study in studies for entry in study.entries] + list(kept)
    found: list[Group] = []
    for key, world in worlds.items():
        mine = sorted((e for e in entries if e.key == key), key=lambda entry: entry.seed)
        name = f"{mine[0].environment}, {mine[0].student}"
        same = sum(group.name.split(" #")[0] == name for group in found)
        numbered = f"{name} #{same + 1}" if same else name
        found.append(Group(numbered, world, next(iter(world.test_tasks)), tuple(mine)))
    return found


def _entry(run: Run, metrics: RunMetrics, named: tuple[str, str, str, str]) -> Entry:
    config = {k: v for k, v in run.config.to_json().items() if k not in _VARIED}
    hashes = {name: test_set.hash for name, test_set in run.test_sets.items()}
    returns = {
        row["test_set"]: tuple(map(float, row["returns"]))
        for row in run.evals
        if row["status"] == "ok"
    }
    return Entry(
        *named,
        run.config.seed,
        run.config.teacher_args,
        {**config, "test_sets": hashes},
        run.versions,
        metrics,
        returns,
        math.fsum(row["learn_s"] for row in run.times),
        _machines(run),
    )


def _machines(run: Run) -> tuple[Mapping[str, str], ...]:
    """Return the machines a run was played on, each once, in their order."""
    rows = [row.get("machine") or {} for row in run.times]
    found = rows[:1] + [one for one in rows[1:] if one]
    return tuple(one for k, one in enumerate(found) if one not in found[:k])


def _world(run: Run) -> World:
    tasks = {name: test_set.tasks for name, test_set in run.test_sets.items()}
    return World(run.task_space, run.return_range, run.mastery, tasks, run.data is not None)


def _unfinished(prefix: str, status: CellStatus) -> Unfinished:
    environment, teacher, student, seed = status.cell.name.split("/")
    name = f"{environment}/{prefix}{teacher}/{student}/{seed}"
    reason = status.reason or ("no evaluation at its end" if status.status == "finished" else "")
    return Unfinished(name, status.status, reason)
