"""A pool of candidate tasks, drawn in proportion to a weight."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import TaskSpace

Floats = NDArray[np.float64]


class Candidates:
    """Tasks drawn uniformly, then weighted; nothing is drawn from it before :meth:`weigh`.

    Args:
        space: The tasks.
        n: Size of the pool.
    """

    def __init__(self, space: TaskSpace, n: int) -> None:
        self.n = n
        self.points = np.zeros((n, space.dim))
        self.weights = np.zeros(n)
        self._cumulative = np.zeros(n)
        self._space = space

    @property
    def ready(self) -> bool:
        """Whether there is something to draw."""
        return bool(self._cumulative[-1] > 0.0)

    def draw(self, rng: np.random.Generator) -> Floats:
        """Return ``n`` uniform unit points that are tasks, shape ``(n, dim)``."""
        return self._space.to_unit(self._space.from_unit(rng.random(self.points.shape)))

    def weigh(self, points: Floats, weights: Floats) -> bool:
        """Make a pool of points and their weights.

        Args:
            points: Unit points, shape ``(n, dim)``.
            weights: At least 0, shape ``(n,)``.

        Returns:
            Whether any weight is above 0 and all are finite; otherwise the pool is empty.
        """
        total = float(weights.sum())
        usable = bool(np.isfinite(total)) and total > 0.0
        self.points[:] = points
        self.weights[:] = weights / total if usable else 0.0
        np.cumsum(self.weights, out=self._cumulative)
        return usable

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw a point by its weight; consumes one double of ``rng``."""
        u = rng.random() * self._cumulative[-1]
        i = int(np.searchsorted(self._cumulative, u, side="right"))
        return np.array(self.points[i])

    def state_dict(self) -> State:
        """Return points and weights."""
        return {"points": self.points, "weights": self.weights}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: if the pool has another size.
        """
        points = cast(Floats, state["points"])
        if points.shape != self.points.shape:
            raise ValueError(f"candidates: expected {self.points.shape}, got {points.shape}")
        self.points[:], self.weights[:] = points, state["weights"]
        np.cumsum(self.weights, out=self._cumulative)
