"""What pictures of data-generation runs need of a run folder, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachenv.errors import UserError
from teachenv.experiments.data_signs import TAUGHT, Signs, data_signs
from teachenv.experiments.plot_data import run_title
from teachenv.experiments.store import Run, read_run
from teachenv.experiments.tree_view import GrownTree, grown_trees

__all__ = ["LessonView", "lesson_view", "load_lessons"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LessonView:
    """A run of lessons as pictures see it: E episodes of at most T lessons, S skills, L levels.

    Attributes:
        title: Teacher, environment and seed in a few words.
        skills: Names of the skills.
        kinds: "taught", "noise" or "known", shape ``(S, L)``.
        prerequisites: ``(cell, cell it needs)`` by number, row by row.
        taught: Samples trained on, ``(E, T, S, L)``; NaN in lessons that were not given.
        accuracy: On the probe, before the first lesson and after each, ``(E, T + 1, S, L)``; NaN
            where not probed.
        before: On the hidden test before each evaluated episode, ``(n, S, L)``; NaN where not
            tested.
        after: The same, after it.
        steps: Samples taught by the end of each evaluated episode, ``(n,)``.
        mastery: Accuracy above which a cell is mastered.
        signs: What showed beside accuracy, see :mod:`teachenv.experiments.data_signs`.
        trees: The skill trees of the last finished episode; none where nothing grew.
    """

    title: str
    skills: tuple[str, ...]
    kinds: NDArray[np.str_]
    prerequisites: tuple[tuple[int, int], ...]
    taught: Floats
    accuracy: Floats
    before: Floats
    after: Floats
    steps: NDArray[np.int64]
    mastery: float
    signs: Signs
    trees: tuple[GrownTree, ...]

    @property
    def n_levels(self) -> int:
        """Levels of every skill."""
        return int(self.kinds.shape[1])

    @property
    def n_lessons(self) -> int:
        """Lessons of an episode at most."""
        return int(self.taught.shape[1])

    @property
    def shares(self) -> Floats:
        """Share of each lesson's samples per cell, mean over episodes, ``(T, S, L)``."""
        sums = self.taught.sum(axis=(2, 3), keepdims=True)
        return mean_over(self.taught / np.where(sums > 0.0, sums, np.nan))


def mean_over(values: Floats) -> Floats:
    """Return the mean over the first axis of what is there; NaN where nothing is."""
    there = np.isfinite(values)
    sums, counts = np.where(there, values, 0.0).sum(axis=0), there.sum(axis=0)
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def load_lessons(folder: str | Path) -> LessonView:
    """Read a run folder for drawing; a run that is still going on is fine.

    Raises:
        StoreError: if it is not a run folder, or a file in it is damaged.
        UserError: if it is not of a data-generation environment.
    """
    return lesson_view(read_run(Path(folder)))


def lesson_view(run: Run) -> LessonView:
    """Return a run of a data-generation environment as pictures see it; see the above."""
    if run.data is None:
        raise UserError(f"{run.folder}: not a run of a data-generation environment")
    kinds = np.array(run.data["kinds"])
    n_episodes, n_lessons = len(run.times), int(run.data["n_steps"])
    taught = np.full((n_episodes, n_lessons, *kinds.shape), np.nan)
    accuracy = np.full((n_episodes, n_lessons + 1, *kinds.shape), np.nan)
    lessons = [row for row in run.teacher if row["round"] < n_episodes]
    for row in lessons:
        at = int(row["round"]), int(row["lesson"])
        taught[at] = 0.0
        accuracy[at[0], at[1] + 1] = np.array(row["accuracy"], dtype=np.float64)
        if "accuracy_before" in row:
            accuracy[at[0], 0] = np.array(row["accuracy_before"], dtype=np.float64)
    for row in run.episodes:
        if row["round"] < n_episodes:
            skill, level = (int(value) for value in row["task"])
            taught[row["round"], row["lesson"], skill, level] = row["episode_length"]
    cells = tuple(run.test_sets[TAUGHT].tasks.astype(np.int64).T)
    evals = [row for row in run.evals if row["test_set"] == TAUGHT]
    before, after = (np.full((len(evals), *kinds.shape), np.nan) for _ in range(2))
    for number, row in enumerate(evals):
        before[number][cells], after[number][cells] = row["before"], row["returns"]
    return LessonView(
        title=run_title(run.config),
        skills=tuple(run.task_space.dims[0].choices),
        kinds=kinds,
        prerequisites=tuple((int(a), int(b)) for a, b in run.data["prerequisites"]),
        taught=taught,
        accuracy=accuracy,
        before=before,
        after=after,
        steps=np.array([row["step"] for row in evals], dtype=np.int64),
        mastery=run.mastery,
        signs=data_signs(run),
        trees=grown_trees(run),
    )
