"""A generator of lessons aligned with what its student learns by."""

from __future__ import annotations

from typing import Any

import numpy as np

from teachenv.lesson import DataPlan, Reading, Syllabus
from teachenv.protocols import State
from teachers.data.base import Cells, WeightTeacher
from teachers.data.preference_features import CELL_FEATURES, Floats, cell_features, softmax
from teachers.data.utility_model import fit_logistic
from teachers.values import number_problems, refuse, whole_problems

__all__ = ["Preference"]


class Preference(WeightTeacher):
    """Preferences of the student, turned into a policy (ARTE, Liu et al., 2024; DPO).

    Before every lesson some drafts, a whole lesson on one cell each, are tried on a copy of the
    student; the one after which the probe's mean accuracy is best is preferred to the one after
    which it is worst. The policy is ``p(cell) ~ exp(z / beta)`` with ``z`` linear in what is seen
    of the cell (:data:`teachers.data.preference_features.CELL_FEATURES`), and minimises the DPO
    loss ``-log sigmoid(beta log(p(best) / p(worst)))`` against an even reference, with an L2
    penalty. As the normaliser cancels, this is a Bradley-Terry model of which draft is better,
    and is fitted as such. What was learnt stays for the next student.

    Deviations from ARTE: weights are trained on a draft, not shown it as an example; the probe is
    the environment's, not chosen for discrimination; drafts are cells, not texts. Drafts are
    asked the very questions that follow the coming lesson (:class:`teachenv.lesson.Rehearsal`).

    With several ``students`` a draft is worth what it is worth to them on average: the score of
    learning by teaching (Ning et al., NeurIPS 2024, M1), whose scores as preferences are its M2.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        drafts: Drafts a lesson, at least 2. Half of them are drawn evenly.
        beta: How far the policy may leave the even one, positive; smaller is further.
        ridge: Strength of the penalty, positive.
        memory: Pairs the policy is fitted to, the latest.
        students: Students a draft is tried on, at least 1: the one that is taught, and others of
            its profile who have had the same lessons. Each costs as much as the first.
    """

    id = "preference"
    needs = frozenset({"rehearsal"})

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.1,
        drafts: int = 6,
        beta: float = 0.5,
        ridge: float = 1.0,
        memory: int = 300,
        students: int = 1,
    ) -> None:
        super().__init__(syllabus, seed=seed, explore=explore)
        refuse(
            self.id,
            [
                *whole_problems(2, drafts=drafts),
                *whole_problems(1, memory=memory, students=students),
                *number_problems(1e-6, np.inf, beta=beta, ridge=ridge),
            ],
        )
        self._drafts, self._beta, self._ridge = drafts, beta, ridge
        self._students = students
        self._n_pairs = 0
        self._pairs = np.zeros((memory, len(CELL_FEATURES)))
        """Best less worst, a ring; rows of zeros do not change a fit."""
        self._theta = np.zeros(len(CELL_FEATURES))

    def predicted(self, reading: Reading) -> Cells:
        """Return how good a lesson on each cell looks: log-odds up to a constant."""
        scores: Cells = (cell_features(reading) @ self._theta).reshape(self.syllabus.shape)
        return scores

    def _weights(self, reading: Reading) -> Cells:
        features = cell_features(reading)
        self._compare(features)
        return softmax(features @ self._theta / self._beta).reshape(self.syllabus.shape)

    def _compare(self, features: Floats) -> None:
        """Try drafts, remember the best and the worst, and fit the policy."""
        n = self.syllabus.n_cells
        liked = softmax(features @ self._theta / self._beta)
        even = np.full(n, 1.0 / n)
        shares = 0.5 * liked + 0.5 * even
        cells = self._rng.choice(n, min(self._drafts, n), replace=False, p=shares)
        assert self._rehearse is not None  # begin() has seen to it
        changes = self._rehearse(map(self._draft, cells), self._students)
        gains = [float(change.mean()) for change in changes]
        best, worst = int(np.argmax(gains)), int(np.argmin(gains))
        if gains[best] > gains[worst]:
            row = self._n_pairs % len(self._pairs)
            self._pairs[row] = features[cells[best]] - features[cells[worst]]
            self._n_pairs += 1
            self._theta = fit_logistic(self._pairs, np.ones(len(self._pairs)), self._ridge)

    def _draft(self, cell: int) -> DataPlan:
        counts = np.zeros(self.syllabus.n_cells, dtype=np.int64)
        counts[cell] = self.syllabus.n_samples
        return DataPlan.of_counts(counts.reshape(self.syllabus.shape), "draft")

    def _describe(self) -> dict[str, Any]:
        weights = dict(zip(CELL_FEATURES, self._theta.tolist(), strict=True))
        return {**super()._describe(), "preferences": weights, "n_pairs": self._n_pairs}

    def _state(self) -> State:
        own = {"pairs": self._pairs, "n_pairs": self._n_pairs, "theta": self._theta}
        return {**super()._state(), **own}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._pairs, self._theta = state["pairs"], state["theta"]
        self._n_pairs = int(state["n_pairs"])
