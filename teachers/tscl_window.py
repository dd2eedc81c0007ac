"""TSCL, window: arms are judged by the slope of their latest scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.tscl_online import Policy
from teachers.tscl_slopes import TsclSlopes, slope


class TsclWindow(TsclSlopes):
    """TSCL, window algorithm (Matiisen et al., arXiv 1707.00183, algorithm 3).

    The reward of an arm is the slope of a straight line through its last ``window`` scores over
    the times they came, counted in outcomes of all arms. Arms are chosen as in
    :class:`teachers.tscl_online.TsclOnline`; one with fewer than two scores is taken to have a
    slope of 1, the largest there can be, as in the authors' code.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        window: Scores of a slope, at least 2.
        rate: Step size of ``Q``, in (0, 1]: 0.1 in the paper; 1, as in the authors' code, makes
            it the slope.
        policy: See :class:`teachers.tscl_online.TsclOnline`, as for the rest.
        epsilon: See there.
        temperature: See there.
        absolute: See there.

    Raises:
        ValueError: for values out of range.
    """

    id = "tscl-window"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "matiisen2017": {"rate": 0.1},
        "matiisen2017-code": {"rate": 1.0},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        window: int = 10,
        rate: float = 1.0,
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
            window=window,
            rate=rate,
            policy=policy,
            epsilon=epsilon,
            temperature=temperature,
            absolute=absolute,
        )
        self._times = np.zeros_like(self._scores)

    def _values(self) -> NDArray[np.float64]:
        return np.where(self.visits < 2, 1.0, super()._values())

    def _slope(self, arm: int, place: int) -> float | None:
        self._times[arm, place] = self._counts["ok"]
        n = min(int(self.visits[arm]), self._scores.shape[1])
        return slope(self._times[arm, :n], self._scores[arm, :n]) if n > 1 else None

    def _state(self) -> State:
        return {**super()._state(), "times": self._times}

    def _load_state(self, state: State) -> None:
        times = state["times"]
        super()._load_state(state)
        self._times = times
