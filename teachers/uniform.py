"""Domain randomisation: every task equally likely."""

from __future__ import annotations

from teachenv.protocols import Outcome
from teachers.base import BaseTeacher, UnitPoint


class Uniform(BaseTeacher):
    """Draws every task uniformly and learns nothing; the baseline of every comparison.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
    """

    id = "uniform"

    def _sample(self) -> tuple[UnitPoint, str]:
        return self._rng.random(self.space.dim), "uniform"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        pass
