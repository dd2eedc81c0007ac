"""One Gaussian over the unit cube."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_VARIANCE = 1e-6
"""Least variance in any direction."""


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian with its lower Cholesky factor.

    Attributes:
        mean: Shape ``(dim,)``.
        covariance: Shape ``(dim, dim)``, positive definite.
        factor: Lower triangular, ``factor @ factor.T == covariance``.

    Raises:
        numpy.linalg.LinAlgError: if the covariance is not positive definite.
    """

    mean: Floats
    covariance: Floats
    factor: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", np.linalg.cholesky(self.covariance))

    @classmethod
    def floored(cls, mean: Floats, covariance: Floats) -> Gaussian:
        """Return a Gaussian whose variances are raised to ``MIN_VARIANCE`` where below."""
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
        if values[0] < MIN_VARIANCE:
            covariance = (vectors * np.maximum(values, MIN_VARIANCE)) @ vectors.T
        return cls(mean, (covariance + covariance.T) / 2.0)

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw a point, clipped to the unit cube; consumes ``dim`` normals of ``rng``."""
        normals = rng.standard_normal(len(self.mean))
        return np.clip(np.asarray(self.mean + self.factor @ normals, np.float64), 0.0, 1.0)

    def whiten(self, points: Floats) -> Floats:
        """Return ``factor^-1 (points - mean)``, shape ``(n, dim)``."""
        white = np.linalg.solve(self.factor, (points - self.mean).T).T
        return np.asarray(white, np.float64)

    def log_density(self, points: Floats) -> Floats:
        """Return natural logarithms of the density up to a constant, shape ``(n,)``."""
        white = self.whiten(points)
        logarithm = float(np.log(np.diag(self.factor)).sum())
        density: Floats = -0.5 * (white * white).sum(axis=1) - logarithm
        return density

    def kl(self, other: Gaussian) -> float:
        """Return the Kullback-Leibler divergence KL(self || other), at least 0."""
        ratio = np.linalg.solve(other.factor, self.factor)
        offset = other.whiten(self.mean[None])[0]
        logarithms = np.log(np.diag(other.factor)) - np.log(np.diag(self.factor))
        twice = (ratio * ratio).sum() + offset @ offset - len(offset) + 2.0 * logarithms.sum()
        return max(0.0, float(twice) / 2.0)
