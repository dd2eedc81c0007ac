"""Two teachers of functions: examples at random, and where the learner is most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.seeding import derive

__all__ = ["GreedyTeaching", "RandomTeaching"]

Observation = Mapping[str, NDArray[Any]]
"""Of ``teachenv/FunctionalTeaching-v0`` and ``teachenv/FunctionalTeachingMulti-v0``."""


class RandomTeaching:
    """Random functional teaching (NIMT): examples drawn evenly from the pool.

    Args:
        n_learners: Learners taught at once.
        seed: Whole number in [0, 2**63].
    """

    def __init__(self, n_learners: int = 1, *, seed: int = 0) -> None:
        self._n_learners = n_learners
        self._rng = derive(seed, "data teacher")

    def act(self, observation: Observation) -> int:
        """Return the index of the next example in the pool."""
        return int(self._rng.integers(observation["error"].size // self._n_learners))


class GreedyTeaching:
    """Greedy functional teaching (NIMT): the example with the largest functional gradient.

    For the squared loss the gradient's norm at ``x`` is ``|f(x) - g(x)| sqrt(K(x, x))``, and
    ``K(x, x) = 1`` for the worlds' Gaussian kernels. For several learners at once (MINT) the
    error is the vector of all of theirs. Nothing is random; among equals the first is taken.

    Args:
        n_learners: Learners taught at once.
    """

    def __init__(self, n_learners: int = 1) -> None:
        self._n_learners = n_learners

    def act(self, observation: Observation) -> int:
        """Return the index of the next example in the pool."""
        error = observation["error"].reshape(self._n_learners, -1).astype(np.float64)
        return int((error**2).sum(axis=0).argmax())
