"""A sampler of cells that learns by the gradient of Meta Pseudo Labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from teachenv.lesson import Lesson, Reading, Syllabus
from teachenv.protocols import State
from teachers.data.base import Cells, WeightTeacher
from teachers.data.preference_features import CELL_FEATURES, cell_features, softmax
from teachers.values import number_problems, refuse

__all__ = ["MetaLabel"]


class MetaLabel(WeightTeacher):
    """The teacher's gradient of Meta Pseudo Labels (Pham et al., CVPR 2021) for a sampler.

    There a teacher that labels is moved by ``h * grad log p(what it gave)``, where ``h`` is, to
    first order, how much the student's step on it lowered the labelled loss. Here it gives
    samples of cells, ``p(cell) = softmax(theta . features)``, and after a lesson of ``n`` samples
    ``theta`` moves by ``rate * advantage * sum over cells of (taught / n - p) features``.
    The advantage is ``h`` on the probe less the mean of ``h`` so far at the same lesson of an
    episode, over its spread. What was learnt stays for the next student.

    Deviations: there are no labels to invent, and the supervised and consistency losses of the
    paper's teacher have no counterpart.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        rate: Size of the steps, positive.
        decay: Share of ``theta`` that every lesson takes away, in [0, 1].
    """

    id = "meta-label"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.1,
        rate: float = 0.5,
        decay: float = 0.0,
    ) -> None:
        super().__init__(syllabus, seed=seed, explore=explore)
        refuse(
            self.id,
            [*number_problems(1e-9, np.inf, rate=rate), *number_problems(0.0, 1.0, decay=decay)],
        )
        self._rate, self._decay = rate, decay
        self._theta = np.zeros(len(CELL_FEATURES))
        self._drops = np.zeros((syllabus.n_steps, 3))
        """Of every lesson of an episode: how often it was given, mean and sum of squared
        deviations of the drops of the loss."""
        self._features = np.zeros((syllabus.n_cells, len(CELL_FEATURES)))
        self._loss = 0.0

    def predicted(self, reading: Reading) -> Cells:
        """Return how good samples of each cell look: log-probabilities up to a constant."""
        scores: Cells = (cell_features(reading) @ self._theta).reshape(self.syllabus.shape)
        return scores

    def _weights(self, reading: Reading) -> Cells:
        self._features, self._loss = cell_features(reading), _mean_loss(reading)
        return softmax(self._features @ self._theta).reshape(self.syllabus.shape)

    def _learn(self, lesson: Lesson) -> None:
        advantage = self._advantage(self._loss - _mean_loss(lesson.reading), lesson.reading.step)
        n = int(lesson.taught.sum())
        if n == 0:
            return
        surprise = lesson.taught.reshape(-1) / n - self._shares.reshape(-1)
        self._theta *= 1.0 - self._decay
        self._theta += self._rate * advantage * (surprise @ self._features)

    def _advantage(self, drop: float, lessons: int) -> float:
        """Return a drop of the loss in standard deviations of those before at this lesson."""
        row = self._drops[min(max(lessons, 1), len(self._drops)) - 1]
        count, mean, squares = row.tolist()
        spread = math.sqrt(squares / (count - 1.0)) if count > 1.0 else 0.0
        row[:] = count + 1.0, mean + (drop - mean) / (count + 1.0), squares
        row[2] += (drop - mean) * (drop - row[1])
        return min(3.0, max(-3.0, (drop - mean) / spread)) if spread > 0.0 else 0.0

    def _describe(self) -> dict[str, Any]:
        weights = dict(zip(CELL_FEATURES, self._theta.tolist(), strict=True))
        return {**super()._describe(), "preferences": weights}

    def _state(self) -> State:
        return {
            **super()._state(),
            "theta": self._theta,
            "drops": self._drops,
            "features": self._features,
            "loss": self._loss,
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._theta, self._drops = state["theta"], state["drops"]
        self._features, self._loss = state["features"], float(state["loss"])


def _mean_loss(reading: Reading) -> float:
    probed = reading.visible > 0.0
    return float(reading.loss[probed].mean()) if probed.any() else 0.0
