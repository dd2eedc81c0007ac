"""A binary tree of boxes that remembers what was played in each, for RIAC."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State

Floats = NDArray[np.float64]


def absolute_progress(scores: Floats) -> float:
    """Return how far apart the mean scores of the older and the newer half are.

    Args:
        scores: Oldest first, shape ``(n,)``; of an odd number the older half has one more.

    Returns:
        ``|mean older - mean newer|``; 0 for up to two scores.
    """
    if len(scores) <= 2:
        return 0.0
    half = len(scores) // 2
    return abs(float(scores[:-half].mean()) - float(scores[-half:].mean()))


class Regions:
    """Boxes numbered from the root (0) on; every box keeps its latest outcomes.

    Args:
        dim: Dimensions of the unit cube, which is the root's box.
        capacity: Outcomes a box keeps.
        max_regions: Boxes there may be; memory for all of them is taken at construction:
            ``8 * max_regions * (capacity * (dim + 1) + 2 * dim + 6)`` bytes.

    Attributes:
        low, high: Corners of the boxes, shape ``(max_regions, dim)``.
        alp: Absolute learning progress of each box, shape ``(max_regions,)``.
        n: Boxes there are.
    """

    def __init__(self, dim: int, capacity: int, max_regions: int) -> None:
        self.n = 1
        self.low = np.zeros((max_regions, dim))
        self.high = np.ones((max_regions, dim))
        self.alp = np.zeros(max_regions)
        # Of inner nodes: the dimension and threshold of the cut, and the first child, which has
        # the lower side and is followed by the other. Leaves have child 0.
        self._cut_dim = np.zeros(max_regions, dtype=np.int64)
        self._cut_at = np.zeros(max_regions)
        self._child = np.zeros(max_regions, dtype=np.int64)
        # Rings of outcomes: the next place to write and how many places are in use.
        self._points = np.zeros((max_regions, capacity, dim))
        self._scores = np.zeros((max_regions, capacity))
        self._next = np.zeros(max_regions, dtype=np.int64)
        self._used = np.zeros(max_regions, dtype=np.int64)

    @property
    def capacity(self) -> int:
        """Outcomes a box keeps."""
        return self._scores.shape[1]

    @property
    def full(self) -> bool:
        """Whether there is no room for two more boxes."""
        return self.n + 2 > len(self.alp)

    def leaves(self) -> NDArray[np.int64]:
        """Return the numbers of the boxes that are not divided."""
        return np.flatnonzero(self._child[: self.n] == 0)

    def path(self, point: Floats) -> list[int]:
        """Return the boxes that hold a point, from the root to a leaf."""
        found = [0]
        while child := int(self._child[found[-1]]):
            node = found[-1]
            found.append(child + int(point[self._cut_dim[node]] > self._cut_at[node]))
        return found

    def size(self, i: int) -> int:
        """Return how many outcomes box ``i`` holds."""
        return int(self._used[i])

    def add(self, i: int, point: Floats, score: float) -> None:
        """Store an outcome in box ``i``, in the place of its oldest if it is full."""
        place = self._next[i]
        self._points[i, place], self._scores[i, place] = point, score
        self._next[i] = (place + 1) % self.capacity
        self._used[i] = min(self._used[i] + 1, self.capacity)

    def outcomes(self, i: int) -> tuple[Floats, Floats]:
        """Return points, shape ``(m, dim)``, and scores, ``(m,)``, of box ``i``, oldest first."""
        places = self._places(i)
        return self._points[i, places], self._scores[i, places]

    def scores(self, i: int) -> Floats:
        """Return the scores of box ``i`` alone, shape ``(m,)``, oldest first."""
        return cast(Floats, self._scores[i, self._places(i)])

    def _places(self, i: int) -> NDArray[np.int64]:
        return cast(NDArray[np.int64], np.arange(self._next[i] - self._used[i], self._next[i]))

    def forget(self, i: int, m: int) -> None:
        """Drop the oldest ``m`` outcomes of box ``i``."""
        self._used[i] -= m

    def split(self, i: int, dim: int, threshold: float, alp: tuple[float, float]) -> None:
        """Divide leaf ``i``: points up to the threshold go to its first child."""
        points, scores = self.outcomes(i)
        lower = points[:, dim] <= threshold
        self._cut_dim[i], self._cut_at[i], self._child[i] = dim, threshold, self.n
        for side, progress in zip((lower, ~lower), alp, strict=True):
            new, m = self.n, int(side.sum())
            self.low[new], self.high[new] = self.low[i], self.high[i]
            (self.high if side is lower else self.low)[new, dim] = threshold
            self._points[new, :m], self._scores[new, :m] = points[side], scores[side]
            self._next[new], self._used[new] = m % self.capacity, m
            self.alp[new] = progress
            self.n += 1

    def state_dict(self) -> State:
        """Return the boxes in use."""
        return {name: getattr(self, name)[: self.n] for name in _ARRAYS}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: if there are too many boxes, or they do not fit dimensions and capacity.
        """
        arrays = {name: cast(Floats, state[name]) for name in _ARRAYS}
        n = len(arrays["alp"])
        for name, array in arrays.items():
            expected = (n, *getattr(self, name).shape[1:])
            if array.shape != expected or not 1 <= n <= len(self.alp):
                raise ValueError(
                    f"regions: {name}: expected shape {expected} and up to {len(self.alp)} "
                    f"regions, got {array.shape}"
                )
        self.n = n
        for name, array in arrays.items():
            getattr(self, name)[:n] = array
        self._child[n:] = 0  # what this tree held before


_ARRAYS = (
    "low", "high", "alp", "_cut_dim", "_cut_at", "_child", "_points", "_scores", "_next", "_used",
)  # fmt: skip
