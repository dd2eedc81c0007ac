"""TSCL, online: a bandit on the change of the score."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.arms import GainKind, best, draw
from teachers.bandits import BanditTeacher, Choice
from teachers.values import flag_problems, number_problems, one_of_problems

Policy = Literal["greedy", "boltzmann"]
POLICIES: tuple[Policy, ...] = ("greedy", "boltzmann")


class TsclOnline(BanditTeacher):
    """TSCL, online algorithm (Matiisen et al., arXiv 1707.00183, algorithm 1).

    ``Q_i`` follows the change of the score between two outcomes of an arm:
    ``Q_i <- rate * r + (1 - rate) * Q_i``. Arms are chosen by ``|Q|``, so that what is being
    forgotten is practised as well: epsilon-greedily, or from a Boltzmann distribution. Equal
    arms are drawn evenly.

    Deviation: the first outcome of an arm is compared with nothing and changes no ``Q`` (the
    authors' code compares it with a score of 0, which takes what was known for progress).

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        gain: Reward, one of :data:`teachers.arms.GAINS`.
        rate: Step size of ``Q``, in (0, 1].
        policy: "greedy" (epsilon-greedy) or "boltzmann".
        epsilon: Share of uniform pulls of the greedy policy, in [0, 1].
        temperature: Of the Boltzmann policy, in units of the gain, positive.
        absolute: Whether arms are chosen by ``|Q|`` or ``Q``.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "tscl-online"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        gain: GainKind = "lp",
        rate: float = 0.1,
        policy: Policy = "greedy",
        epsilon: float = 0.1,
        temperature: float = 0.0004,
        absolute: bool = True,
    ) -> None:
        problems = [
            *one_of_problems("policy", policy, POLICIES),
            *number_problems(1e-12, 1.0, rate=rate),
            *number_problems(0.0, 1.0, epsilon=epsilon),
            *number_problems(1e-12, np.inf, temperature=temperature),
            *flag_problems(absolute=absolute),
        ]
        super().__init__(
            space, seed=seed, bins=bins, max_arms=max_arms, gain=gain, problems=problems
        )
        self._rate, self._policy, self._epsilon = rate, policy, epsilon
        self._temperature, self._absolute = temperature, absolute
        self._q = np.zeros(len(self.arms))

    def _values(self) -> NDArray[np.float64]:
        return np.abs(self._q) if self._absolute else self._q

    def _weights(self) -> NDArray[np.float64]:
        values = self._values()
        if self._policy == "boltzmann":
            weights = np.exp((values - values.max()) / self._temperature)
            return np.asarray(weights / weights.sum())
        largest = values == values.max()
        greedy = largest / largest.sum()
        return np.asarray((1.0 - self._epsilon) * greedy + self._epsilon / len(values))

    def _choose(self) -> Choice:
        if self._policy == "boltzmann":
            arm = draw(self._weights(), self._rng)
        elif self._rng.random() < self._epsilon:
            return Choice(int(self._rng.integers(len(self.arms))), "explore")
        else:
            arm = best(self._values(), self._rng)
        return Choice(arm, f"arm {arm}")

    def _reward(self, arm: int, gain: float, probability: float) -> None:
        self._q[arm] += self._rate * (gain - self._q[arm])

    def _state(self) -> State:
        return {**super()._state(), "q": self._q}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._q = state["q"]
