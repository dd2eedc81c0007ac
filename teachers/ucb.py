"""Upper confidence bounds over learning progress, over all of the past or a sliding window."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.arms import GainKind, Rescaler, best
from teachers.bandits import BanditTeacher, Choice
from teachers.values import number_problems, refuse, whole_problems


class Ucb(BanditTeacher):
    """UCB1 (Auer, Cesa-Bianchi and Fischer 2002, figure 1).

    Pulls the arm with the largest ``mean_i + sqrt(exploration * log(t) / n_i)``: the mean gain
    and the number of pulls of the arm among all ``t``. Gains are rescaled to [0, 1]
    (:class:`teachers.arms.Rescaler`). Made for gains that do not change; progress does, see
    :class:`SlidingUcb`.

    With trials outstanding, pulls count from when they are issued, so that lanes spread over
    arms; gains count once they arrive. An arm without a gain has a mean of 1. Equal arms are
    drawn evenly.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        gain: Reward, one of :data:`teachers.arms.GAINS`.
        exploration: Factor under the root, at least 0; 2 in the paper.

    Raises:
        ValueError: for values out of range.
    """

    id = "ucb"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        gain: GainKind = "alp",
        exploration: float = 2.0,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            bins=bins,
            max_arms=max_arms,
            gain=gain,
            problems=number_problems(0.0, math.inf, exploration=exploration),
        )
        self._exploration = exploration
        self._rescaler = Rescaler()
        self._pulls = np.zeros(len(self.arms))
        self._rewards = np.zeros(len(self.arms))
        self._sums = np.zeros(len(self.arms))

    def _choose(self) -> Choice:
        arm = best(self._bounds(), self._rng)
        self._pulls[arm] += 1
        return Choice(arm, f"arm {arm}")

    def _bounds(self) -> NDArray[np.float64]:
        """Return the upper bound of each arm; infinite where it was not pulled."""
        seen = self._pulls > 0
        log = math.log(max(1.0, float(self._pulls.sum())))
        bonus = np.sqrt(self._exploration * log / np.where(seen, self._pulls, 1.0))
        return np.where(seen, self._values() + bonus, np.inf)

    def _values(self) -> NDArray[np.float64]:
        means = self._sums / np.maximum(self._rewards, 1.0)
        return np.where(self._rewards > 0, means, 1.0)

    def _reward(self, arm: int, gain: float, probability: float) -> None:
        self._add_reward(arm, 0.5 + 0.5 * self._rescaler.add(gain))

    def _add_reward(self, arm: int, reward: float) -> None:
        self._rewards[arm] += 1
        self._sums[arm] += reward

    def _state(self) -> State:
        return {
            **super()._state(),
            "rescaler": self._rescaler.state_dict(),
            "pulls": self._pulls,
            "rewards": self._rewards,
            "sums": self._sums,
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._rescaler.load_state_dict(state["rescaler"])
        self._pulls, self._rewards = state["pulls"], state["rewards"]
        self._sums = state["sums"]


class SlidingUcb(Ucb):
    """Sliding-window UCB (Garivier and Moulines, ALT 2011, section 3).

    As :class:`Ucb`, but of pulls and gains only the last ``window`` of each count:
    ``mean_i + sqrt(exploration * log(min(t, window)) / n_i)``. The paper's bound ``B`` of
    rewards is 1 after rescaling.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        gain: Reward, one of :data:`teachers.arms.GAINS`.
        exploration: The paper's ``xi``, at least 0; its experiments take 0.6.
        window: The paper's ``tau``; ``None``: ten pulls of every arm, at least 1000.

    Raises:
        ValueError: for values out of range.
    """

    id = "sliding-ucb"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        gain: GainKind = "alp",
        exploration: float = 0.6,
        window: int | None = None,
    ) -> None:
        super().__init__(
            space, seed=seed, bins=bins, max_arms=max_arms, gain=gain, exploration=exploration
        )
        if window is None:
            window = max(1000, 10 * len(self.arms))
        refuse(self.id, whole_problems(1, window=window))
        self._last_pulls: deque[int] = deque(maxlen=window)
        self._last_rewards: deque[tuple[int, float]] = deque(maxlen=window)

    def _choose(self) -> Choice:
        choice = super()._choose()
        if len(self._last_pulls) == self._last_pulls.maxlen:
            self._pulls[self._last_pulls[0]] -= 1
        self._last_pulls.append(choice.arm)
        return choice

    def _add_reward(self, arm: int, reward: float) -> None:
        if len(self._last_rewards) == self._last_rewards.maxlen:
            old, gone = self._last_rewards[0]
            self._rewards[old] -= 1
            # An arm that is left without rewards sheds the rounding errors of its sum.
            self._sums[old] = self._sums[old] - gone if self._rewards[old] else 0.0
        self._last_rewards.append((arm, reward))
        super()._add_reward(arm, reward)

    def _state(self) -> State:
        return {
            **super()._state(),
            "last_pulls": np.array(self._last_pulls, dtype=np.int64),
            "last_rewards": np.array(self._last_rewards, dtype=np.float64).reshape(-1, 2),
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._last_pulls = deque(state["last_pulls"].tolist(), maxlen=self._last_pulls.maxlen)
        pairs = ((int(arm), reward) for arm, reward in state["last_rewards"].tolist())
        self._last_rewards = deque(pairs, maxlen=self._last_rewards.maxlen)
