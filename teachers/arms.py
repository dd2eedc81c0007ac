"""A task space cut into a bounded number of arms, and the learning progress seen on them."""

from __future__ import annotations

import bisect
import math
from collections import deque
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace

GainKind = Literal["lp", "alp", "success", "prediction"]
GAINS: tuple[GainKind, ...] = get_args(GainKind)

LOSS = "value_l1"
"""Signal taken for the student's prediction loss."""

MAX_ARMS = 100_000
"""Most arms there may be: several arrays have an entry for each."""

SUCCESS_RATE = 0.1
"""Rate of the exponential average that success rates are."""


class Arms:
    """The cells of a regular grid over the unit cube.

    Whole-number and choice parameters get one bin for each value where they have at most
    ``max_arms`` of them, other parameters ``bins``. While that makes more than ``max_arms`` cells,
    every parameter is limited to the same number of bins, the largest that fits; what room is
    left then goes to the first parameters, one bin each. With a thousand arms that is 10 bins
    each in three dimensions, 2 bins for nine of twelve. Parameters with one bin are drawn from
    their whole range.

    Args:
        space: The tasks.
        bins: Bins of a continuous parameter, at least 1.
        max_arms: Bound of the number of cells, at least 1.

    Attributes:
        counts: Bins of each parameter, int64 of shape ``(dim,)``.
    """

    def __init__(self, space: TaskSpace, bins: int, max_arms: int) -> None:
        values = [dim.n_values for dim in space.dims]
        wanted = [bins if n is None or n > max_arms else n for n in values]
        self.counts = np.array(_fitted(wanted, max_arms), dtype=np.int64)
        self._dim = space.dim
        self._cut = np.flatnonzero(self.counts > 1)
        self._widths = self.counts[self._cut].astype(np.float64)
        cells = list(np.ndindex(*self.counts[self._cut].tolist()))
        self._cells = np.array(cells, dtype=np.float64).reshape(len(cells), len(self._cut))

    def __len__(self) -> int:
        return len(self._cells)

    def point(self, arm: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw a point of an arm uniformly; consumes ``dim`` doubles of ``rng``."""
        point = rng.random(self._dim)
        point[self._cut] = (self._cells[arm] + point[self._cut]) / self._widths
        return point


def _fitted(wanted: list[int], max_arms: int) -> list[int]:
    limit = bisect.bisect_right(
        range(1, max(wanted) + 1),
        max_arms,
        key=lambda most: math.prod(min(n, most) for n in wanted),
    )
    counts = [min(n, max(1, limit)) for n in wanted]
    total = math.prod(counts)
    for i, count in enumerate(counts):
        if count < wanted[i] and total // count * (count + 1) <= max_arms:
            counts[i], total = count + 1, total // count * (count + 1)
    return counts


class Gains:
    """What each outcome gained over the outcome before it on the same arm.

    Kinds: "lp", the score's change; "alp", its absolute value; "success", the change of an
    exponential average (rate ``SUCCESS_RATE``) of successes; "prediction", the fall of the
    student's value error (signal ``LOSS``), in raw reward units. The last stands in for the
    prediction gain of Graves et al. (2017), which compares the loss on one and the same data
    before and after learning from it.

    Args:
        kind: One of :data:`GAINS`.
        n: Number of arms.
    """

    def __init__(self, kind: GainKind, n: int) -> None:
        self.kind = kind
        self.last = np.full(n, np.nan)
        """What the next outcome of each arm is compared with; NaN before the first."""

    @property
    def needs(self) -> frozenset[str]:
        """Signals that outcomes must carry."""
        return frozenset({LOSS} if self.kind == "prediction" else ())

    def add(self, arm: int, outcome: Outcome) -> float | None:
        """Return the gain of an outcome; ``None`` for the first of its arm."""
        before = float(self.last[arm])
        value = self._value(outcome)
        if self.kind == "success" and not math.isnan(before):
            value = before + SUCCESS_RATE * (value - before)
        self.last[arm] = value
        if math.isnan(before):
            return None
        gain = before - value if self.kind == "prediction" else value - before
        return abs(gain) if self.kind == "alp" else gain

    def _value(self, outcome: Outcome) -> float:
        if self.kind == "success":
            return float(outcome.success)
        return float(outcome.signals[LOSS] if self.kind == "prediction" else outcome.score)


class Rescaler:
    """Brings gains of any size to [-1, 1] (Graves et al. 2017, section 2.3).

    The 20th percentile of the gains goes to -1, the 80th to 1, what lies outside is clipped.
    Where the two are equal (most gains are 0), a gain is -1, 0 or 1 as it is below, at or above
    them.

    Args:
        window: Gains remembered. Deviation: the latest, where the paper samples from all, as
            gains shrink while a student learns.
    """

    LOW, HIGH = 0.2, 0.8

    def __init__(self, window: int = 1000) -> None:
        self._latest: deque[float] = deque(maxlen=window)
        self._sorted: list[float] = []

    def add(self, gain: float) -> float:
        """Remember a gain and return it rescaled."""
        if len(self._latest) == self._latest.maxlen:
            del self._sorted[bisect.bisect_left(self._sorted, self._latest[0])]
        self._latest.append(gain)
        bisect.insort(self._sorted, gain)
        last = len(self._sorted) - 1
        low, high = (self._sorted[round(share * last)] for share in (self.LOW, self.HIGH))
        if low == high:
            return float(np.sign(gain - low))
        return min(1.0, max(-1.0, 2.0 * (gain - low) / (high - low) - 1.0))

    def state_dict(self) -> State:
        """Return the gains, oldest first."""
        return {"latest": np.array(self._latest, dtype=np.float64)}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self._latest = deque(state["latest"].tolist(), maxlen=self._latest.maxlen)
        self._sorted = sorted(self._latest)


def draw(weights: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Draw an index in proportion to weights of at least 0; consumes one double of ``rng``.

    Where all weights are 0, every index is equally likely.
    """
    cumulative = np.cumsum(weights)
    u, total = rng.random(), float(cumulative[-1])
    if total <= 0.0:
        return int(u * len(weights))
    return min(int(cumulative.searchsorted(u * total, side="right")), len(weights) - 1)


def best(values: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Draw one of the indices with the largest value; consumes one double of ``rng``."""
    largest = np.flatnonzero(values == values.max())
    return int(largest[int(rng.random() * len(largest))])
