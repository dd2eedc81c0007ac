"""Bidirectional learning progress: where success rates rise or fall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.arms import draw
from teachers.bandits import BanditTeacher, Choice
from teachers.signal import IN_UNIT, Signal, signal_of, signal_problems
from teachers.values import number_problems

CENTRE, SATURATED = 0.90, 0.95
"""Quantiles of the progress at which its sigmoid is 1/2 and ``LEVEL``."""

LEVEL = 0.95


class LpBins(BanditTeacher):
    """Bidirectional learning progress (Kanitscheider et al., arXiv 2106.14876, section 3.2).

    The success rate of an arm is followed by a fast exponential average, and that one by a slow
    one. Both are reweighted by ``f(p) = (1 - theta) p / (p + theta (1 - 2 p))``, which
    magnifies changes of small rates; the progress of the arm is
    ``|f(fast) - f(slow)|``, whether it learns or forgets. Among the arms that move, the
    probability is in proportion to a sigmoid of the progress that is centred on the 90 %
    quantile and saturated at the 95 % quantile, so that about a tenth get most of the pulls.
    While none moves, all are equally likely.

    Deviations: a share ``explore`` of pulls is uniform, so that arms without progress are seen
    again; progress below ``floor`` counts as none, else the last remains of what one arm once
    learnt outweigh the nothing of all others; averages move at every outcome of their arm, and
    start at its first; where the two quantiles are equal, the arms from there on share the
    pulls. The paper's z-scores are left out, as they cancel. By default the averages follow the
    score, which moves before the first success.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        bins: Bins of a continuous parameter; see :class:`teachers.arms.Arms`.
        max_arms: Bound of the number of arms.
        signal: What the averages follow: "success" (0 or 1, as in the paper) or "score".
        rate: Rate of both averages, in (0, 1].
        theta: Strength of the reweighting, in (0, 0.5]; at 0.5 there is none.
        explore: Share of uniform pulls, in [0, 1].
        floor: Progress below this counts as none, in [0, 1].

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "lp-bins"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "kanitscheider2021": {"signal": "success", "theta": 0.1, "floor": 0.0}
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        bins: int = 10,
        max_arms: int = 1000,
        signal: Signal = "score",
        rate: float = 0.1,
        theta: float = 0.1,
        explore: float = 0.2,
        floor: float = 0.01,
    ) -> None:
        problems = [
            *signal_problems(signal, IN_UNIT),
            *number_problems(1e-9, 1.0, rate=rate),
            *number_problems(1e-9, 0.5, theta=theta),
            *number_problems(0.0, 1.0, explore=explore, floor=floor),
        ]
        super().__init__(space, seed=seed, bins=bins, max_arms=max_arms, problems=problems)
        self._signal, self._rate, self._theta = signal, rate, theta
        self._explore, self._floor = explore, floor
        self._fast = np.zeros(len(self.arms))
        self._slow = np.zeros(len(self.arms))
        self._probabilities = self._distribution()

    def _values(self) -> NDArray[np.float64]:
        progress = np.abs(self._reweighted(self._fast) - self._reweighted(self._slow))
        return np.where(progress < self._floor, 0.0, progress)

    def _reweighted(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1.0 - self._theta) * p / (p + self._theta * (1.0 - 2.0 * p))

    def _distribution(self) -> NDArray[np.float64]:
        n = len(self.arms)
        focused, moving = np.full(n, 1.0 / n), self._values()
        where = np.flatnonzero(moving)
        if len(where):
            weights = focus(moving[where])
            focused[:] = 0.0
            focused[where] = weights / weights.sum()
        return np.asarray((1.0 - self._explore) * focused + self._explore / n)

    def _weights(self) -> NDArray[np.float64]:
        return self._probabilities.copy()

    def _choose(self) -> Choice:
        arm = draw(self._probabilities, self._rng)
        return Choice(arm, f"arm {arm}", float(self._probabilities[arm]))

    def _pulled(self, arm: int, outcome: Outcome, probability: float) -> None:
        value = signal_of(outcome, self._signal)
        if self.visits[arm] == 1:
            self._fast[arm] = self._slow[arm] = value
        self._fast[arm] += self._rate * (value - self._fast[arm])
        self._slow[arm] += self._rate * (self._fast[arm] - self._slow[arm])
        self._probabilities = self._distribution()

    def _state(self) -> State:
        return {**super()._state(), "fast": self._fast, "slow": self._slow}

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        self._fast, self._slow = state["fast"], state["slow"]
        self._probabilities = self._distribution()


def focus(progress: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sigmoid of the progress of at least one arm, shape ``(n,)``, not normalised."""
    places = [math.ceil(quantile * (len(progress) - 1)) for quantile in (CENTRE, SATURATED)]
    centre, saturated = np.partition(progress, places)[places]
    if saturated - centre < 1e-300:
        return np.asarray(progress >= centre, dtype=np.float64)
    slope = math.log(LEVEL / (1.0 - LEVEL)) / (saturated - centre)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(slope * (centre - progress), -50.0, 50.0))))
