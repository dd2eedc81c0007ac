"""What a lesson was worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.classroom import Scores
from teachenv.envs.datagen.coverage import cells_mask
from teachenv.envs.datagen.settings import Settings

__all__ = ["Rewards"]


class Rewards:
    """The metric of a student and the reward of a lesson, unscaled.

    The metric is the mean accuracy on the probe over the goal: the cells that can be taught, or
    ``target_cells`` for the reward mode "target", as far as they are probed.

    Args:
        settings: Reward mode, targets and weights.
        kinds: What each cell is, see :class:`teachenv.envs.datagen.domain.Domain`.
    """

    def __init__(self, settings: Settings, kinds: NDArray[np.str_]) -> None:
        self._settings = settings
        self._wanted = kinds == "taught"
        if settings.reward_mode == "target":
            self._wanted = cells_mask(settings.target_cells, kinds.shape)

    def begin(self, scores: Scores, probed: NDArray[np.bool_]) -> None:
        """Start an episode with its first probe."""
        self._goal = self._wanted & probed
        self._first = self.metric(scores)

    def metric(self, scores: Scores) -> float:
        """Return the mean accuracy over the goal, in [0, 1]; 0 if none of it is probed."""
        accuracy = scores.accuracy[self._goal]
        return float(accuracy.mean()) if accuracy.size else 0.0

    def n_asked(self, scores: Scores) -> int:
        """Return how many questions are behind :meth:`metric`."""
        return int(self._goal[scores.items.skill, scores.items.level].sum())

    def of_lesson(
        self, before: Scores, after: Scores, counts: NDArray[np.int64], spent: float, last: bool
    ) -> float:
        """Return the reward of a lesson.

        Args:
            before: Probe before it.
            after: Probe after it.
            counts: Samples asked for per cell of the domain.
            spent: Share of the episode's budget it took.
            last: Whether the episode is over.
        """
        mode = self._settings.reward_mode
        if mode == "final":
            value = self.metric(after) - self._first if last else 0.0
        elif mode == "lp":
            change = np.abs(after.accuracy - before.accuracy)[self._goal]
            value = float(change.mean()) if change.size else 0.0
        elif mode == "calibration":
            value = self._calibration(before, counts)
        else:
            value = self.metric(after) - self.metric(before)
        return value - self._settings.cost_weight * spent

    def _calibration(self, before: Scores, counts: NDArray[np.int64]) -> float:
        """Return ``1 - |accuracy - target|``, the mean over samples (DARC's questioner)."""
        near = 1.0 - np.abs(before.accuracy - self._settings.calibration)
        return float((near * counts).sum() / counts.sum()) if counts.sum() else 0.0
