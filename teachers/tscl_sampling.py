"""TSCL, sampling: the arm with the largest of gains drawn from the latest of each arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.arms import GainKind, best
from teachers.bandits import BanditTeacher, Choice
from teachers.values import flag_problems, number_problems, whole_problems


class TsclSampling(BanditTeacher):
    """TSCL, sampling algorithm (Matiisen et al., arXiv 1707.00183, algorithm 4).

    Keeps the last ``window`` gains of each arm, draws one of them for every arm, and pulls the
    arm whose gain has the largest absolute value; an arm without gains counts as 1. Equal arms
    are drawn evenly.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        gain: Reward, one of :data:`teachers.arms.GAINS`.
        window: Gains kept of each arm, at least 1.
        epsilon: Share of uniform pulls, in [0, 1]: none in the paper, 0.1 in the authors' code.
        absolute: Whether arms are compared by the absolute gain or the gain.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "tscl-sampling"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "matiisen2017": {"epsilon": 0.0},
        "matiisen2017-code": {"epsilon": 0.1},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        gain: GainKind = "lp",
        window: int = 10,
        epsilon: float = 0.0,
        absolute: bool = True,
    ) -> None:
        problems = [
            *whole_problems(1, window=window),
            *number_problems(0.0, 1.0, epsilon=epsilon),
            *flag_problems(absolute=absolute),
        ]
        super().__init__(
            space, seed=seed, bins=bins, max_arms=max_arms, gain=gain, problems=problems
        )
        self._epsilon, self._absolute = epsilon, absolute
        self._kept = np.zeros((len(self.arms), window))
        self._n_gains = np.zeros(len(self.arms), dtype=np.int64)
        self._rows = np.arange(len(self.arms))

    def _choose(self) -> Choice:
        if self._epsilon > 0.0 and self._rng.random() < self._epsilon:
            return Choice(int(self._rng.integers(len(self.arms))), "explore")
        n = np.minimum(self._n_gains, self._kept.shape[1])
        drawn = self._kept[self._rows, (self._rng.random(len(n)) * n).astype(np.int64)]
        values = np.where(n > 0, np.abs(drawn) if self._absolute else drawn, 1.0)
        arm = best(values, self._rng)
        return Choice(arm, f"arm {arm}")

    def _values(self) -> NDArray[np.float64]:
        n = np.minimum(self._n_gains, self._kept.shape[1])
        kept = np.abs(self._kept) if self._absolute else self._kept
        return np.where(n > 0, kept.sum(axis=1) / np.maximum(n, 1), 1.0)

    def _reward(self, arm: int, gain: float, probability: float) -> None:
        self._kept[arm, self._n_gains[arm] % self._kept.shape[1]] = gain
        self._n_gains[arm] += 1

    def _state(self) -> State:
        return {**super()._state(), "kept": self._kept, "n_gains": self._n_gains}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._kept, self._n_gains = state["kept"], state["n_gains"]
