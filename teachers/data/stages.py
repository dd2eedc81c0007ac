"""Fixed schedules over levels."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from teachenv.lesson import Reading, Syllabus
from teachers.data.base import Cells, WeightTeacher
from teachers.values import one_of_problems, refuse

__all__ = ["Order", "Stages"]

Order = Literal["easy-to-hard", "strict", "easy-only", "hard-only"]
ORDERS: tuple[Order, ...] = get_args(Order)


class Stages(WeightTeacher):
    """Levels by the clock, whatever the student can do; skills evenly.

    The episode is cut into as many stages as there are levels. "easy-to-hard": levels up to the
    stage's (a growing prefix, Bengio et al., ICML 2009); "strict": the stage's level alone;
    "easy-only" and "hard-only": the first or the last level throughout.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        order: One of the four.
    """

    id = "stages"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.0,
        order: Order = "easy-to-hard",
    ) -> None:
        super().__init__(syllabus, seed=seed, explore=explore)
        refuse(self.id, one_of_problems("order", order, ORDERS))
        self._order = order

    def _weights(self, reading: Reading) -> Cells:
        levels = np.arange(self.syllabus.n_levels)
        last = self.syllabus.n_levels - 1
        stage = min(reading.step * self.syllabus.n_levels // self.syllabus.n_steps, last)
        taught = {
            "easy-to-hard": levels <= stage,
            "strict": levels == stage,
            "easy-only": levels == 0,
            "hard-only": levels == last,
        }[self._order]
        return np.broadcast_to(taught, self.syllabus.shape).astype(np.float64)
