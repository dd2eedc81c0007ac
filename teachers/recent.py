"""The last tasks and a number for each."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State

Floats = NDArray[np.float64]


class Recent:
    """The last tasks with one value each, oldest first.

    Args:
        dim: Dimensions of the unit cube.
        window: Tasks remembered; memory is ``16 * window * (dim + 1)`` bytes, taken at
            construction.
    """

    def __init__(self, dim: int, window: int) -> None:
        self.window = window
        # Twice the window, so that the rows in use are always contiguous and in order; they
        # move to the front once per window.
        self._rows = np.zeros((2 * window, dim + 1))
        self._first = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    def add(self, point: Floats, value: float) -> None:
        """Store a unit point of shape ``(dim,)`` and its value; the oldest may go."""
        if self._end == len(self._rows):
            self._rows[: self.window - 1] = self._rows[self._first + 1 :]
            self._first, self._end = 0, self.window - 1
        self._rows[self._end, :-1] = point
        self._rows[self._end, -1] = value
        self._end += 1
        self._first = max(self._first, self._end - self.window)

    def clear(self) -> None:
        """Forget everything."""
        self._first = self._end = 0

    @property
    def points(self) -> Floats:
        """The unit points, shape ``(n, dim)``; a view."""
        return self._rows[self._first : self._end, :-1]

    @property
    def values(self) -> Floats:
        """The values, shape ``(n,)``; a view."""
        return self._rows[self._first : self._end, -1]

    def state_dict(self) -> State:
        """Return the rows in use: shape ``(n, dim + 1)``, oldest first, the value last."""
        return {"rows": self._rows[self._first : self._end]}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: if the rows do not fit the dimensions and the window.
        """
        rows = cast(Floats, state["rows"])
        width = self._rows.shape[1]
        if rows.ndim != 2 or rows.shape[1] != width or len(rows) > self.window:
            raise ValueError(
                f"recent tasks: expected shape (at most {self.window}, {width}), got {rows.shape}"
            )
        self._first, self._end = 0, len(rows)
        self._rows[: self._end] = rows
