"""What bandit teachers share: arms of a task space, gains on them, bookkeeping."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.arms import GAINS, MAX_ARMS, Arms, GainKind, Gains
from teachers.base import BaseTeacher, Pick
from teachers.values import one_of_problems, refuse, whole_problems


class Choice(NamedTuple):
    """The arm a policy chose, why, and with what probability (1 where it does not matter)."""

    arm: int
    reason: str
    probability: float = 1.0


class BanditTeacher(BaseTeacher):
    """Pulls arms of a task space: an arm is a cell of a grid, a task of it is drawn uniformly.

    A policy implements :meth:`_choose` and :meth:`_reward` (or, to see more than gains,
    :meth:`_pulled`). Outcomes are credited to the arm that was pulled, with the probability it
    was pulled with, in whatever order they arrive. The first outcome of an arm has nothing to
    be compared with and gives no gain.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms, at most :data:`teachers.arms.MAX_ARMS`.
        gain: What the policy is rewarded with, one of :data:`teachers.arms.GAINS`.
        problems: What the policy found wrong with its own hyper-parameters.

    Raises:
        ValueError: for hyper-parameters out of range, all named at once.

    Attributes:
        arms: The arms.
        visits: Outcomes of each arm, int64 of shape ``(n_arms,)``.
    """

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int,
        bins: int,
        max_arms: int,
        gain: GainKind = "alp",
        problems: Iterable[str] = (),
    ) -> None:
        super().__init__(space, seed=seed)
        refuse(
            self.id,
            [
                *whole_problems(1, bins=bins),
                *(whole_problems(1, max_arms=max_arms) or too_many(max_arms)),
                *one_of_problems("gain", gain, GAINS),
                *problems,
            ],
        )
        self.arms = Arms(space, bins, max_arms)
        self.visits = np.zeros(len(self.arms), dtype=np.int64)
        self._gains = Gains(gain, len(self.arms))
        self.needs = self._gains.needs

    # -- what a policy implements ----------------------------------------------------------

    @abstractmethod
    def _choose(self) -> Choice:
        """Choose an arm; draw only from ``self._rng``."""

    def _reward(self, arm: int, gain: float, probability: float) -> None:
        """Learn from the gain of an arm that was chosen with ``probability``."""

    def _pulled(self, arm: int, outcome: Outcome, probability: float) -> None:
        """Learn from an outcome of an arm; by default from its gain."""
        gain = self._gains.add(arm, outcome)
        if gain is not None:
            self._reward(arm, gain, probability)

    def _values(self) -> NDArray[np.float64]:
        """Return what the policy believes each arm to be worth, shape ``(n_arms,)``."""
        raise NotImplementedError

    def _weights(self) -> NDArray[np.float64] | None:
        """Return the probability of each arm, where the policy draws from one distribution."""
        return None

    # -- plumbing --------------------------------------------------------------------------

    def _sample(self) -> Pick:
        choice = self._choose()
        point = self.arms.point(choice.arm, self._rng)
        return Pick(point, choice.reason, note=[choice.arm, choice.probability])

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        arm, probability = pick.note
        self.visits[arm] += 1
        self._pulled(arm, outcome, probability)

    def _describe(self) -> dict[str, Any]:
        weights = self._weights()
        return {
            "arms": {
                "bins": self.arms.counts.copy(),
                "visits": self.visits.copy(),
                "values": self._values().copy(),
                **({} if weights is None else {"weights": weights}),
            }
        }

    def _state(self) -> State:
        return {"visits": self.visits, "last": self._gains.last}

    def _load_state(self, state: State) -> None:
        n = len(self.arms)
        if state["visits"].shape != (n,) or state["last"].shape != (n,):
            raise ValueError(
                f"load_state_dict: expected {n} arms, got {len(state['visits'])}; build the "
                "teacher with the same bins and max_arms"
            )
        self.visits, self._gains.last = state["visits"], state["last"]


def too_many(max_arms: int) -> list[str]:
    """Return a problem if there may be more arms than :data:`teachers.arms.MAX_ARMS`."""
    few = max_arms <= MAX_ARMS
    return [] if few else [f"max_arms: expected at most {MAX_ARMS}, got {max_arms}"]
