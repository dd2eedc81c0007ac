"""EXP3.S: an adversarial bandit over learning progress, for gains that change with time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.arms import GainKind, Rescaler, draw
from teachers.bandits import BanditTeacher, Choice
from teachers.values import number_problems


class Exp3s(BanditTeacher):
    """EXP3.S (Auer et al. 2002) as an automated curriculum (Graves et al., ICML 2017, 2.2-2.3).

    Arm ``i`` is pulled with probability ``(1 - epsilon) softmax(w)_i + epsilon / N``. A gain,
    rescaled to [-1, 1] (:class:`teachers.arms.Rescaler`) and divided by the probability its arm
    was pulled with, is ``r``; with ``v = w + eta * r`` on that arm and ``v = w`` on the others,
    the new log-weights are ``log((1 - a) exp(v_i) + a / (N - 1) sum_{j != i} exp(v_j))``: a
    share ``a`` of every weight is spread over the others, so that no arm is out of reach.

    Deviations: the paper's ``beta`` is its default 0; the share is constant by default, where
    the paper's falls as 1/t and with it the speed at which later changes are followed
    (``share=None``); the probability is the one at the time of the pull, however late the
    outcome. Log-weights are shifted so that the largest is 0, which changes nothing. The
    default ``gain``, ``eta`` and ``epsilon`` are ours, for runs of thousands of episodes; the
    paper's are the preset "graves2017".

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        gain: Reward, one of :data:`teachers.arms.GAINS`.
        eta: Step size, positive.
        epsilon: Share of uniform pulls, in (0, 1].
        share: Share ``a`` of a weight that goes to the others at each outcome, in [0, 1];
            ``None``: 1/(t + 1) at the t-th (the paper counts from the first weights).

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "exp3s"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "graves2017": {"gain": "lp", "eta": 1e-3, "epsilon": 0.05, "share": None}
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        gain: GainKind = "alp",
        eta: float = 1e-2,
        epsilon: float = 0.1,
        share: float | None = 1e-3,
    ) -> None:
        problems = [
            *number_problems(1e-12, np.inf, eta=eta),
            *number_problems(1e-6, 1.0, epsilon=epsilon),
            *([] if share is None else number_problems(0.0, 1.0, share=share)),
        ]
        super().__init__(
            space, seed=seed, bins=bins, max_arms=max_arms, gain=gain, problems=problems
        )
        self._eta, self._epsilon, self._share = eta, epsilon, share
        self._log_weights = np.zeros(len(self.arms))
        self._rescaler = Rescaler()
        self._n_gains = 0

    def _weights(self) -> NDArray[np.float64]:
        weights = np.exp(self._log_weights)
        weights *= (1.0 - self._epsilon) / weights.sum()
        return weights + self._epsilon / len(weights)

    def _values(self) -> NDArray[np.float64]:
        return self._log_weights

    def _choose(self) -> Choice:
        weights = self._weights()
        arm = draw(weights, self._rng)
        return Choice(arm, f"arm {arm}", float(weights[arm]))

    def _reward(self, arm: int, gain: float, probability: float) -> None:
        self._n_gains += 1
        share = 1.0 / (self._n_gains + 1) if self._share is None else self._share
        values = self._log_weights
        values[arm] += self._eta * self._rescaler.add(gain) / probability
        weights = np.exp(values - values.max())
        n = len(weights)
        if n > 1:
            others = weights.sum() - weights
            weights = (1.0 - share) * weights + share / (n - 1) * others
        # Far behind the best, a weight without a share of it would leave the doubles.
        self._log_weights = np.log(np.maximum(weights, 1e-300))
        self._log_weights -= self._log_weights.max()

    def _state(self) -> State:
        return {
            **super()._state(),
            "log_weights": self._log_weights,
            "rescaler": self._rescaler.state_dict(),
            "n_gains": self._n_gains,
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._log_weights = state["log_weights"]
        self._rescaler.load_state_dict(state["rescaler"])
        self._n_gains = int(state["n_gains"])
