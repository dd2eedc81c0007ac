"""TSCL, naive: an arm is practised several times and judged by the slope of its scores."""

from __future__ import annotations

import numpy as np

from teachenv.protocols import State
from teachers.bandits import Choice
from teachers.tscl_slopes import TsclSlopes, slope


class TsclNaive(TsclSlopes):
    """TSCL, naive algorithm (Matiisen et al., arXiv 1707.00183, algorithm 2).

    An arm is chosen as in :class:`teachers.tscl_online.TsclOnline` and pulled ``window`` times in
    a row. Once ``window`` scores of an arm are in, the slope of a straight line through them is
    the reward. Scores that are lost on the way are made up for when the arm is chosen again. Slow
    on many arms: an arm that was learnt keeps a ``Q`` above those of arms that never moved, and is
    repeated until ``epsilon`` finds another.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        window: Pulls in a row, and scores of a slope; at least 2.
        rate: Step size of ``Q``, in (0, 1].
        policy: See :class:`teachers.tscl_online.TsclOnline`, as for the rest.
        epsilon: See there.
        temperature: See there.
        absolute: See there.

    Raises:
        ValueError: for values out of range.
    """

    id = "tscl-naive"

    _arm, _left = 0, 0  # the arm that is practised, and pulls of it to come

    def _choose(self) -> Choice:
        if self._left == 0:
            self._arm, self._left = super()._choose().arm, self._scores.shape[1]
        self._left -= 1
        return Choice(self._arm, f"arm {self._arm}")

    def _slope(self, arm: int, place: int) -> float | None:
        window = self._scores.shape[1]
        if place + 1 < window:
            return None
        return slope(np.arange(window, dtype=np.float64), self._scores[arm])

    def _state(self) -> State:
        return {**super()._state(), "arm": self._arm, "left": self._left}

    def _load_state(self, state: State) -> None:
        arm, left = int(state["arm"]), int(state["left"])
        super()._load_state(state)
        self._arm, self._left = arm, left
