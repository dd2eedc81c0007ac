"""Two teachers of functions: examples at random, and where the learner is most wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.errors import at_least
from teachenv.seeding import derive

__all__ = ["GreedyTeaching", "RandomTeaching"]

Floats = NDArray[np.float64]
Observation = Mapping[str, NDArray[Any]]
"""Of ``teachenv/FunctionalTeaching-v0`` and ``teachenv/FunctionalTeachingMulti-v0``."""


class FunctionalTeacher(ABC):
    """Chooses examples by what is seen of the learners.

    Args:
        n_learners: Learners taught at once.
        seed: Whole number in [0, 2**63].
    """

    def __init__(self, n_learners: int = 1, *, seed: int = 0) -> None:
        self._n_learners = at_least(1, "n_learners", n_learners)
        self._rng = derive(seed, "data teacher")

    def act(self, observation: Observation) -> int:
        """Return the index of the next example in the pool."""
        return self._choose(observation["error"].reshape(self._n_learners, -1).astype(np.float64))

    def tell(self, info: Mapping[str, Any]) -> None:  # noqa: B027  (nothing to override)
        """Learn nothing: all there is to know is observed."""

    @abstractmethod
    def _choose(self, error: Floats) -> int:
        """Return an example by the learners' errors, shape ``(n_learners, pool_size)``."""


class RandomTeaching(FunctionalTeacher):
    """Random functional teaching (NIMT): examples drawn evenly from the pool."""

    def _choose(self, error: Floats) -> int:
        return int(self._rng.integers(error.shape[1]))


class GreedyTeaching(FunctionalTeacher):
    """Greedy functional teaching (NIMT): the example with the largest functional gradient.

    For the squared loss the gradient's norm at ``x`` is ``|f(x) - g(x)| sqrt(K(x, x))``, and
    ``K(x, x) = 1`` for the worlds' Gaussian kernels. For several learners at once (MINT) the
    error is the vector of all of theirs. Nothing is random; among equals the first is taken.
    """

    def _choose(self, error: Floats) -> int:
        return int((error**2).sum(axis=0).argmax())
