"""What the TSCL algorithms share that judge an arm by the slope of its latest scores."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.tscl_online import Policy, TsclOnline
from teachers.values import refuse, whole_problems


class TsclSlopes(TsclOnline):
    """Keeps the last ``window`` scores of each arm; a slope through them is its reward.

    An algorithm implements :meth:`_slope`.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        window: Scores of a slope, at least 2.
        rate: Step size of ``Q``, in (0, 1].
        policy: See :class:`TsclOnline`, as for the rest.
        epsilon: See there.
        temperature: See there.
        absolute: See there.

    Raises:
        ValueError: for values out of range.
    """

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

    @abstractmethod
    def _slope(self, arm: int, place: int) -> float | None:
        """Return the reward of an arm whose latest score is at ``place``, if there is one yet."""

    def _pulled(self, arm: int, outcome: Outcome, probability: float) -> None:
        place = (int(self.visits[arm]) - 1) % self._scores.shape[1]
        self._scores[arm, place] = outcome.score
        reward = self._slope(arm, place)
        if reward is not None:
            self._reward(arm, reward, probability)

    def _state(self) -> State:
        return {**super()._state(), "scores": self._scores}

    def _load_state(self, state: State) -> None:
        scores = state["scores"]
        if scores.shape != self._scores.shape:
            raise ValueError(
                f"{self.id}: scores: expected shape {self._scores.shape}, got {scores.shape}"
            )
        super()._load_state(state)
        self._scores = scores


def slope(times: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Return the slope of the least-squares line through at least two points; times differ."""
    centred = times - times.mean()
    return float(centred @ scores / (centred @ centred))
