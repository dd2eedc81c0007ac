"""Data teachers that do without, or with hardly any, knowledge of the student."""

from __future__ import annotations

import numpy as np

from teachenv.lesson import DataPlan, Reading, Syllabus
from teachers.data.base import Cells, DataTeacher, WeightTeacher

__all__ = ["Anti", "Oracle", "Random", "Uniform"]


class Uniform(WeightTeacher):
    """Every cell equally; the baseline of every comparison."""

    id = "uniform"

    def __init__(self, syllabus: Syllabus, *, seed: int = 0) -> None:
        super().__init__(syllabus, seed=seed)

    def _weights(self, reading: Reading) -> Cells:
        return np.ones(self.syllabus.shape)


class Random(DataTeacher):
    """Shares drawn anew for every lesson, evenly from the simplex: acts without looking.

    Against a teacher that looks it is DataEnvGym's "no state" control.
    """

    id = "random"

    def _plan(self, reading: Reading) -> DataPlan:
        shares = self._rng.dirichlet(np.ones(self.syllabus.n_cells))
        counts = self._rng.multinomial(self.syllabus.n_samples, shares)
        return DataPlan.of_counts(counts.reshape(self.syllabus.shape), self.id)


class Anti(WeightTeacher):
    """``w = accuracy``: more of what the student knows; the wrong way round, as a control.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
    """

    id = "anti"
    needs = frozenset({"cells"})

    def __init__(self, syllabus: Syllabus, *, seed: int = 0, explore: float = 0.0) -> None:
        super().__init__(syllabus, seed=seed, explore=explore)

    def _weights(self, reading: Reading) -> Cells:
        return np.clip(reading.accuracy, 0.0, 1.0)


class Oracle(WeightTeacher):
    """``w = learnable * (1 - accuracy)``: told which cells can be learnt; an upper reference.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
    """

    id = "oracle"
    needs = frozenset({"learnable"})

    def __init__(self, syllabus: Syllabus, *, seed: int = 0, explore: float = 0.0) -> None:
        super().__init__(syllabus, seed=seed, explore=explore)

    def _weights(self, reading: Reading) -> Cells:
        learnable = np.clip(reading.privileged["learnable"], 0.0, 1.0)
        left = learnable * (1.0 - np.clip(reading.accuracy, 0.0, 1.0))
        return left if left.sum() > 0.0 else learnable
