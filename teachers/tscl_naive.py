"""TSCL, naive: an arm is practised several times and judged by the slope of its scores."""

from __future__ import annotations

import numpy as np

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.bandits import Choice
from teachers.tscl_online import Policy, TsclOnline, slope
from teachers.values import refuse, whole_problems


class TsclNaive(TsclOnline):
    """TSCL, naive algorithm (Matiisen et al., arXiv 1707.00183, algorithm 2).

    An arm is chosen as in :class:`TsclOnline` and pulled ``window`` times in a row. Once
    ``window`` scores of an arm are in, the slope of a straight line through them is the reward.
    Scores that are lost on the way are made up for when the arm is chosen again. Slow on many
    arms: an arm that was learnt keeps a ``Q`` above those of arms that never moved, and is
    repeated until ``epsilon`` finds another.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        window: Pulls in a row, and scores of a slope; at least 2.
        rate: Step size of ``Q``, in (0, 1].
        policy: See :class:`TsclOnline`, as for the rest.
        epsilon: See there.
        temperature: See there.
        absolute: See there.

    Raises:
        ValueError: for values out of range.
    """

    id = "tscl-naive"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        window: int = 10,
        rate: float = 0.1,
        policy: Policy = "greedy",
        epsilon: float = 0.1,
        temperature: float = 0.0004,
        absolute: bool = True,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            bins=bins,
            max_arms=max_arms,
            rate=rate,
            policy=policy,
            epsilon=epsilon,
            temperature=temperature,
            absolute=absolute,
        )
        refuse(self.id, whole_problems(2, window=window))
        self._scores = np.zeros((len(self.arms), window))
        self._n_scores = np.zeros(len(self.arms), dtype=np.int64)
        self._times = np.arange(window, dtype=np.float64)
        self._arm, self._left = 0, 0

    def _choose(self) -> Choice:
        if self._left == 0:
            self._arm, self._left = super()._choose().arm, len(self._times)
        self._left -= 1
        return Choice(self._arm, f"arm {self._arm}")

    def _pulled(self, arm: int, outcome: Outcome, probability: float) -> None:
        n = int(self._n_scores[arm])
        self._scores[arm, n] = outcome.score
        self._n_scores[arm] = (n + 1) % len(self._times)
        if n + 1 == len(self._times):
            self._reward(arm, slope(self._times, self._scores[arm]), probability)

    def _state(self) -> State:
        return {
            **super()._state(),
            "scores": self._scores,
            "n_scores": self._n_scores,
            "arm": self._arm,
            "left": self._left,
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._scores, self._n_scores = state["scores"], state["n_scores"]
        self._arm, self._left = int(state["arm"]), int(state["left"])
