"""What teachers have in common that weigh cells by what the student can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from teachenv.lesson import DataPlan, Lesson, Reading, Syllabus
from teachenv.protocols import State
from teachers.data.base import Cells, WeightTeacher
from teachers.data.estimates import ESTIMATES, Unprobed, make_estimate
from teachers.values import one_of_problems, refuse

__all__ = ["SignalTeacher"]


class SignalTeacher(WeightTeacher):
    """Weighs cells by accuracy or its change; estimates both where a cell is never probed.

    A method implements :meth:`_weights` (it gets a reading without gaps) and, where it remembers
    something, :meth:`_met`, :meth:`_learned`, :meth:`_memory` and :meth:`_load_memory`.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
        problems: What the method found wrong with its own hyper-parameters.
    """

    needs = frozenset({"cells"})

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.1,
        unprobed: Unprobed = "tracing",
        problems: Iterable[str] = (),
    ) -> None:
        super().__init__(syllabus, seed=seed, explore=explore)
        refuse(self.id, [*problems, *one_of_problems("unprobed", unprobed, ESTIMATES)])
        self._estimate = make_estimate(unprobed, syllabus, self._rng)
        self._before = self._estimate.accuracy
        self._started = False

    @abstractmethod
    def _weights(self, reading: Reading) -> Cells:
        """Return the weight of every cell: finite, at least 0."""

    def _met(self, reading: Reading) -> None:
        """Take a student's first reading."""

    def _learned(self, lesson: Lesson) -> None:
        """Learn from a lesson, whose reading has no gaps."""

    def _memory(self) -> State:
        """Return what the method remembers; arrays may be shared."""
        return {}

    def _load_memory(self, state: State) -> None:
        """Take over what :meth:`_memory` returned."""

    def _begin(self) -> None:
        self._estimate.begin()
        self._started = False

    def _plan(self, reading: Reading) -> DataPlan:
        if not self._started:
            self._estimate.observe(np.zeros(self.syllabus.shape, np.int64), reading)
            self._before, self._started = self._estimate.accuracy, True
            self._met(self._filled(reading))
        return super()._plan(self._filled(reading))

    def _learn(self, lesson: Lesson) -> None:
        self._before = self._estimate.accuracy
        self._estimate.observe(lesson.taught, lesson.reading)
        self._learned(replace(lesson, reading=self._filled(lesson.reading)))

    def _filled(self, reading: Reading) -> Reading:
        probed = reading.visible > 0.0
        if probed.all():
            return reading
        now = self._estimate.accuracy
        accuracy = np.where(probed, reading.accuracy, now)
        delta = np.where(probed, reading.delta, now - self._before)
        return replace(reading, accuracy=accuracy, delta=delta)

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "estimate": self._estimate.accuracy}

    def _state(self) -> State:
        return {
            **super()._state(),
            "estimate": self._estimate.state_dict(),
            "before": self._before,
            "started": self._started,
            "memory": self._memory(),
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._estimate.load_state_dict(state["estimate"])
        self._before, self._started = state["before"], bool(state["started"])
        self._load_memory(state["memory"])
