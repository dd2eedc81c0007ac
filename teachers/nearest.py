"""Absolute learning progress by comparison with the nearest task played before."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State

MIN_STORED = 5
"""Progress is measured once more than this many tasks are stored (Portelas et al., 2019)."""


class NearestProgress:
    """The last tasks with their scores and learning progress, in order of arrival.

    The search is exact and linear: for windows of this size it costs no more than a tree, needs
    no rebuilding, and settles ties by the latest arrival whatever the order of insertion.

    Args:
        dim: Dimensions of the unit cube.
        window: Tasks remembered; memory is ``16 * window * (dim + 2)`` bytes plus scratch,
            taken at construction.
    """

    def __init__(self, dim: int, window: int) -> None:
        self.window = window
        # Rows: the coordinates, the score, the progress. Twice the window, so that the columns
        # in use are always contiguous and in order; they move back once per window.
        self._columns = np.zeros((dim + 2, 2 * window))
        self._scratch = np.empty((dim, window))
        self._first = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    def add(self, point: NDArray[np.float64], score: float) -> float:
        """Store a task and its score.

        Args:
            point: Unit point of shape ``(dim,)``.
            score: In [0, 1].

        Returns:
            ``|score - score of the nearest stored task|`` in [0, 1], the latest of several
            equally near; 0 while at most ``MIN_STORED`` tasks are stored.
        """
        progress = abs(score - self._nearest_score(point)) if len(self) > MIN_STORED else 0.0
        if self._end == self._columns.shape[1]:
            self._columns[:, : self.window] = self._columns[:, self._first :]
            self._first, self._end = 0, self.window
        self._columns[:-2, self._end] = point
        self._columns[-2, self._end] = score
        self._columns[-1, self._end] = progress
        self._end += 1
        self._first = max(self._first, self._end - self.window)
        return progress

    def last(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the last ``n`` unit points, shape ``(n, dim)``, and their progress, ``(n,)``."""
        part = self._columns[:, max(self._first, self._end - n) : self._end]
        return part[:-2].T.copy(), part[-1].copy()

    def _nearest_score(self, point: NDArray[np.float64]) -> float:
        stored = self._columns[:, self._first : self._end]
        distance = self._scratch[:, : len(self)]
        np.subtract(stored[:-2], point[:, None], out=distance)
        np.multiply(distance, distance, out=distance)
        latest_first = distance.sum(axis=0)[::-1]
        return float(stored[-2, len(self) - 1 - int(latest_first.argmin())])

    def state_dict(self) -> State:
        """Return the columns in use: shape ``(dim + 2, n)``, oldest first."""
        return {"columns": self._columns[:, self._first : self._end]}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: if the columns do not fit the dimensions and the window.
        """
        columns = cast(NDArray[np.float64], state["columns"])
        rows = len(self._columns)
        if columns.ndim != 2 or len(columns) != rows or columns.shape[1] > self.window:
            raise ValueError(
                f"history: expected shape ({rows}, at most {self.window}), got {columns.shape}"
            )
        self._first, self._end = 0, columns.shape[1]
        self._columns[:, : self._end] = columns
