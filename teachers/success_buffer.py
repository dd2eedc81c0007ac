"""CURROT's memory of tasks the student is good at, spread like the target."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachers.kernel import squared_distances

Floats = NDArray[np.float64]

EXPLORE_STD = 0.25
"""Noise added to the worst task of the buffer, as a share of each range."""


def assignment(first: Floats, second: Floats) -> NDArray[np.intp]:
    """Return, for every row of ``first``, a row of ``second``; least total squared distance.

    Args:
        first: Shape ``(n, dim)``.
        second: Shape ``(m, dim)``, ``m >= n``.
    """
    from scipy.optimize import linear_sum_assignment

    return cast(NDArray[np.intp], linear_sum_assignment(squared_distances(first, second))[1])


class SuccessBuffer:
    """Up to ``size`` tasks with their scores.

    As long as the median score is not above ``threshold`` the buffer keeps the better half of
    what it saw. From then on it takes tasks that reach the threshold: in place of ones that do
    not, then until it is full, then those that together lie nearest to a sample of the target.

    Args:
        dim: Dimensions of the unit cube.
        size: Tasks kept, at least 2.
        threshold: Score that counts as a success.
        least_std: Noise added even to successful tasks, as a share of each range.
    """

    def __init__(self, dim: int, size: int, threshold: float, least_std: float) -> None:
        self.size, self.threshold, self._least_std = size, threshold, least_std
        self.points = np.zeros((0, dim))
        self.scores = np.zeros(0)
        self.reached = False
        self.worst = threshold

    def add(self, points: Floats, scores: Floats, target: Floats) -> NDArray[np.bool_]:
        """Take over new tasks.

        Args:
            points: Unit points, shape ``(n, dim)``.
            scores: Shape ``(n,)``.
            target: A sample of the target, shape ``(size, dim)``.

        Returns:
            Which of the new tasks were not kept, shape ``(n,)``.
        """
        self.worst = min(self.worst, float(scores.min()))
        n_old = len(self.scores)
        everything = np.concatenate([self.points, points])
        every_score = np.concatenate([self.scores, scores])
        if not self.reached:
            kept = self._better(every_score, n_old)
        else:
            kept = self._successful(everything, every_score, n_old, target)
        left_out = np.ones(len(every_score), dtype=np.bool_)
        left_out[kept] = False
        self.points, self.scores = everything[kept], every_score[kept]
        self.reached = self.reached or float(np.median(self.scores)) > self.threshold
        return left_out[n_old:]

    def _better(self, scores: Floats, n_old: int) -> NDArray[np.intp]:
        """Return the upper half of the buffer and the new scores not below its median."""
        order = np.argsort(scores[:n_old], kind="stable")
        median = scores[order[n_old // 2]] if n_old else -np.inf
        new = n_old + np.flatnonzero(scores[n_old:] >= median)
        kept = np.concatenate([order[min(n_old // 2 + 1, len(new), n_old) :], new])
        return kept[np.argsort(scores[kept], kind="stable")][-self.size :]

    def _successful(
        self, points: Floats, scores: Floats, n_old: int, target: Floats
    ) -> NDArray[np.intp]:
        good = scores >= self.threshold
        old, new = np.arange(n_old), n_old + np.flatnonzero(good[n_old:])
        bad = old[~good[:n_old]]
        if len(bad):
            dropped = bad[np.argsort(scores[bad], kind="stable")][: len(new)]
            return np.concatenate([np.setdiff1d(old, dropped), new])[: self.size]
        both = np.concatenate([old, new])
        if len(both) <= self.size:
            return both
        return np.sort(both[assignment(target, points[both])])

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw ``size`` tasks with noise that grows with what they lack, ``(size, dim)``.

        Before the threshold is reached tasks are drawn from the upper half in proportion to
        their advantage; then all are there at least once.
        """
        n = len(self.scores)
        if self.reached:
            chosen = np.concatenate([np.arange(n), rng.integers(n, size=self.size - n)])
        else:
            half = n // 2
            advantage = self.scores[half:] - self.scores[max(half - 1, 0)]
            total = advantage.sum()
            odds = advantage / total if total > 0.0 else np.full(n - half, 1.0 / (n - half))
            chosen = half + rng.choice(n - half, size=self.size, p=odds)
        lack = np.maximum(self.threshold - self.scores[chosen], 0.0)
        share = lack / max(self.threshold - self.worst, 1e-12)
        stds = (self._least_std + EXPLORE_STD * share)[:, None]
        centres = self.points[chosen]
        noise = stds * rng.standard_normal(centres.shape)
        tasks: Floats = np.clip(centres + noise, 0.0, 1.0)
        return tasks

    def state_dict(self) -> State:
        """Return points, scores, and how far the student has come."""
        return {
            "points": self.points,
            "scores": self.scores,
            "reached": self.reached,
            "worst": self.worst,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        reached, worst = bool(state["reached"]), float(state["worst"])
        self.points, self.scores = state["points"], state["scores"]
        self.reached, self.worst = reached, worst
