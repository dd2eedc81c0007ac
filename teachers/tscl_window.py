"""TSCL, window: arms are judged by the slope of their latest scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.tscl_online import Policy, TsclOnline, slope
from teachers.values import refuse, whole_problems


class TsclWindow(TsclOnline):
    """TSCL, window algorithm (Matiisen et al., arXiv 1707.00183, algorithm 3).

    The reward of an arm is the slope of a straight line through its last ``window`` scores over
    the times they came, counted in outcomes of all arms. Arms are chosen as in
    :class:`TsclOnline`; one with fewer than two scores is taken to have a slope of 1, the
    largest there can be, as in the authors' code.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        window: Scores of a slope, at least 2.
        rate: Step size of ``Q``, in (0, 1]: 0.1 in the paper; 1, as in the authors' code, makes
            it the slope.
        policy: See :class:`TsclOnline`, as for the rest.
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
            rate=rate,
            policy=policy,
            epsilon=epsilon,
            temperature=temperature,
            absolute=absolute,
        )
        refuse(self.id, whole_problems(2, window=window))
        self._scores = np.zeros((len(self.arms), window))
        self._times = np.zeros((len(self.arms), window))

    def _values(self) -> NDArray[np.float64]:
        return np.where(self.visits < 2, 1.0, super()._values())

    def _pulled(self, arm: int, outcome: Outcome, probability: float) -> None:
        visits, window = int(self.visits[arm]), self._scores.shape[1]
        place = (visits - 1) % window
        self._scores[arm, place], self._times[arm, place] = outcome.score, self._counts["ok"]
        n = min(visits, window)
        if n > 1:
            self._reward(arm, slope(self._times[arm, :n], self._scores[arm, :n]), probability)

    def _state(self) -> State:
        return {**super()._state(), "scores": self._scores, "times": self._times}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._scores, self._times = state["scores"], state["times"]
