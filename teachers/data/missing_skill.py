"""Teaching what is missing: bare, and as a profile of missing skills."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from teachenv.lesson import Lesson, Reading, Syllabus
from teachenv.protocols import State
from teachers.data.base import Cells
from teachers.data.estimates import Unprobed
from teachers.data.signal import SignalTeacher
from teachers.values import flag_problems, number_problems, one_of_problems

__all__ = ["MissingSkill", "Mode", "Weakness"]

Mode = Literal["sel", "syn"]
MODES: tuple[Mode, ...] = get_args(Mode)

RISE = 0.05
"""Rise of the accuracy above its best so far that counts as learning, about two standard errors
of a probe of 50 questions in mid range."""


class Weakness(SignalTeacher):
    """``w = 1 - accuracy``: more of what the student cannot do.

    The bare rule: it wins where everything can be learnt, and spends itself on what cannot.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
    """

    id = "weakness"

    def _weights(self, reading: Reading) -> Cells:
        return 1.0 - np.clip(reading.accuracy, 0.0, 1.0)


class MissingSkill(SignalTeacher):
    """Skill-Targeted Adaptive Training, STAT (2025), at the grain of cells.

    The profile is the share of missed questions per cell. Where prerequisites are known and not
    mastered, a cell's misses are laid to them instead. "syn" asks for new items of the cells in
    proportion to the profile. "sel" selects from what there is: skills in proportion to their
    misses, each with the levels its data so far has (evenly at first).

    Deviations: an item is hard if it is answered wrong (no reward model of single steps); items
    always come from the engine, so that "sel" differs from "syn" in what it asks for and not in
    meeting the same items again; and the guard. Without it the profile is drawn to what cannot
    be learnt: a cell counts ``1 / (1 + stalled / patience)``, where ``stalled`` is the samples
    it was taught since its accuracy last rose (by ``RISE`` above its best), in units of an even
    lesson's share of a cell.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
        mode: "sel" or "syn".
        guard: Whether cells that do not improve count less and less.
        patience: Even lessons without improvement after which a cell counts half, positive.
        mastered: Accuracy from which a prerequisite is not to blame, in [0, 1].
    """

    id = "missing-skill"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.1,
        unprobed: Unprobed = "tracing",
        mode: Mode = "syn",
        guard: bool = True,
        patience: float = 3.0,
        mastered: float = 0.8,
    ) -> None:
        problems = [
            *one_of_problems("mode", mode, MODES),
            *flag_problems(guard=guard),
            *number_problems(1e-12, np.inf, patience=patience),
            *number_problems(0.0, 1.0, mastered=mastered),
        ]
        super().__init__(syllabus, seed=seed, explore=explore, unprobed=unprobed, problems=problems)
        self._mode, self._guard, self._mastered = mode, guard, mastered
        self._patience = patience * syllabus.n_samples / syllabus.n_cells
        self._best = np.zeros(syllabus.shape)
        self._stalled = np.zeros(syllabus.shape)

    def _met(self, reading: Reading) -> None:
        self._best = reading.accuracy.copy()
        self._stalled = np.zeros(self.syllabus.shape)

    def _learned(self, lesson: Lesson) -> None:
        accuracy = lesson.reading.accuracy
        rose = accuracy >= self._best + RISE
        self._best = np.where(rose, accuracy, self._best)
        self._stalled = np.where(rose, 0.0, self._stalled + lesson.taught)

    def _weights(self, reading: Reading) -> Cells:
        missed = 1.0 - np.clip(reading.accuracy, 0.0, 1.0)
        if self._guard:
            missed = missed / (1.0 + self._stalled / self._patience)
        profile = self._blamed(missed, reading.accuracy)
        if self._mode == "syn":
            return profile
        has = reading.data_share.sum(axis=1, keepdims=True)
        even = np.full_like(profile, 1.0 / self.syllabus.n_levels)
        levels = np.where(has > 0.0, reading.data_share / np.where(has > 0.0, has, 1.0), even)
        selected: Cells = profile.sum(axis=1, keepdims=True) * levels
        return selected

    def _blamed(self, missed: Cells, accuracy: Cells) -> Cells:
        """Return the misses, laid to unmastered prerequisites as far down as there are any."""
        needs = self.syllabus.prerequisites
        if needs is None:
            return missed
        blame = (needs & (accuracy < self._mastered).reshape(-1)).astype(np.float64)
        fine = blame.sum(axis=1) == 0.0
        blame[fine, fine] = 1.0
        blame /= blame.sum(axis=1, keepdims=True)
        profile = missed.reshape(-1)
        for _ in range(self.syllabus.n_cells):
            profile = profile @ blame
        return profile.reshape(missed.shape)

    def _memory(self) -> State:
        return {"best": self._best, "stalled": self._stalled}

    def _load_memory(self, state: State) -> None:
        self._best, self._stalled = state["best"], state["stalled"]
