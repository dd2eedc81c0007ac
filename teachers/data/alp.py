"""Absolute learning progress."""

from __future__ import annotations

import numpy as np

from teachenv.lesson import Lesson, Reading, Syllabus
from teachenv.protocols import State
from teachers.data.base import Cells
from teachers.data.estimates import Unprobed
from teachers.data.signal import SignalTeacher
from teachers.values import number_problems

__all__ = ["Alp"]


class Alp(SignalTeacher):
    """``w = |Q|``, ``Q <- rate * delta + (1 - rate) * Q`` with the change of the accuracy.

    TSCL's online algorithm (Matiisen et al., arXiv 1707.00183, algorithm 1) in proportion to
    ``|Q|`` instead of greedily: all cells are probed after every lesson, so that shares can
    follow all of them. What is being forgotten is practised as well.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
        rate: Step size of ``Q``, in (0, 1].
    """

    id = "alp"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.1,
        unprobed: Unprobed = "tracing",
        rate: float = 0.3,
    ) -> None:
        super().__init__(
            syllabus,
            seed=seed,
            explore=explore,
            unprobed=unprobed,
            problems=number_problems(1e-12, 1.0, rate=rate),
        )
        self._rate = rate
        self._q = np.zeros(syllabus.shape)

    def _met(self, reading: Reading) -> None:
        self._q = np.zeros(self.syllabus.shape)

    def _learned(self, lesson: Lesson) -> None:
        self._q += self._rate * (lesson.reading.delta - self._q)

    def _weights(self, reading: Reading) -> Cells:
        return np.abs(self._q)

    def _memory(self) -> State:
        return {"q": self._q}

    def _load_memory(self, state: State) -> None:
        self._q = state["q"]
