"""Thompson sampling over learning progress."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.arms import GainKind, best
from teachers.bandits import BanditTeacher, Choice
from teachers.values import number_problems


class Thompson(BanditTeacher):
    """Gaussian Thompson sampling with discounted statistics.

    The belief about the mean gain of an arm is a normal distribution; a value is drawn from the
    belief of every arm and the arm with the largest is pulled (Thompson 1933; Agrawal and Goyal
    2013, algorithm 2). At every gain the counts and sums of all arms are multiplied by
    ``1 - 1 / memory`` (Raj and Kalyani 2017), so beliefs widen again where nothing is learnt
    about an arm and progress that moves is followed.

    With discounted count ``n_i`` and sum ``s_i`` of an arm's gains, and mean ``m`` and variance
    ``v`` of all gains, the belief is ``N((s_i + m) / (n_i + 1), v / (n_i + 1))``: as if each arm
    had shown one average gain. It needs no scale of the gains. While all gains are equal, arms
    are drawn evenly.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        gain: Reward, one of :data:`teachers.arms.GAINS`.
        memory: Gains after which one counts for about a third, at least 1.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "thompson"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        gain: GainKind = "alp",
        memory: float = 1000.0,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            bins=bins,
            max_arms=max_arms,
            gain=gain,
            problems=number_problems(1.0, np.inf, memory=memory),
        )
        self._discount = 1.0 - 1.0 / memory
        # Rows: count, sum and sum of squares of the gains of each arm.
        self._sums = np.zeros((3, len(self.arms)))

    def beliefs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the belief about each arm, ``(n_arms,)``."""
        counts, sums, _ = self._sums
        count, total, squares = self._sums.sum(axis=1).tolist()
        mean = total / count if count > 0.0 else 0.0
        variance = max(0.0, squares / count - mean * mean) if count > 0.0 else 0.0
        return (sums + mean) / (counts + 1.0), np.sqrt(variance / (counts + 1.0))

    def _choose(self) -> Choice:
        means, deviations = self.beliefs()
        values = means + deviations * self._rng.standard_normal(len(means))
        arm = best(values, self._rng)
        return Choice(arm, f"arm {arm}")

    def _values(self) -> NDArray[np.float64]:
        return self.beliefs()[0]

    def _reward(self, arm: int, gain: float, probability: float) -> None:
        self._sums *= self._discount
        self._sums[:, arm] += (1.0, gain, gain * gain)

    def _state(self) -> State:
        return {**super()._state(), "sums": self._sums}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._sums = state["sums"]
