"""Independent Beta distributions over the unit cube: entropy, divergence, density, gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, polygamma

Floats = NDArray[np.float64]

EDGE = 1e-4
"""Points nearer to the border than this are moved away, so that densities stay finite."""


@dataclass(frozen=True)
class Betas:
    """One Beta distribution per dimension.

    Gradients are with respect to ``(a, b)``, shape ``(2, dim)``.

    Attributes:
        a: Above 0, shape ``(dim,)``.
        b: As ``a``.
    """

    a: Floats
    b: Floats

    def sample(self, rng: np.random.Generator) -> Floats:
        """Draw a point, shape ``(dim,)``."""
        return rng.beta(self.a, self.b)

    @property
    def means(self) -> Floats:
        """Mean of each dimension."""
        return self.a / (self.a + self.b)

    @property
    def variances(self) -> Floats:
        """Variance of each dimension."""
        return self.means * (1.0 - self.means) / (self.a + self.b + 1.0)

    def log_density(self, points: Floats) -> Floats:
        """Return the natural logarithm of the density at ``(n, dim)`` points, shape ``(n,)``."""
        up, down = logarithms(points)
        return up @ (self.a - 1.0) + down @ (self.b - 1.0) - float(betaln(self.a, self.b).sum())

    def log_density_gradient(self, points: Floats) -> Floats:
        """Return the gradient of :meth:`log_density`, shape ``(n, 2, dim)``."""
        up, down = logarithms(points)
        both = digamma(self.a + self.b)
        return np.stack([up - digamma(self.a) + both, down - digamma(self.b) + both], axis=1)

    def entropy(self) -> float:
        """Return the differential entropy; 0 for the uniform distribution, below it else."""
        a, b = self.a, self.b
        terms = betaln(a, b) - (a - 1.0) * digamma(a) - (b - 1.0) * digamma(b)
        return float((terms + (a + b - 2.0) * digamma(a + b)).sum())

    def entropy_gradient(self) -> Floats:
        """Return the gradient of :meth:`entropy`."""
        a, b = self.a, self.b
        both = (a + b - 2.0) * polygamma(1, a + b)
        first = both - (a - 1.0) * polygamma(1, a)
        return np.stack([first, both - (b - 1.0) * polygamma(1, b)])

    def kl(self, other: Betas) -> float:
        """Return the Kullback-Leibler divergence KL(self || other), at least 0."""
        up, down = digamma(self.a), digamma(self.b)
        both = digamma(self.a + self.b)
        terms = betaln(other.a, other.b) - betaln(self.a, self.b)
        terms = terms + (self.a - other.a) * (up - both) + (self.b - other.b) * (down - both)
        return max(0.0, float(terms.sum()))

    def kl_gradient(self, other: Betas) -> Floats:
        """Return the gradient of :meth:`kl` with respect to ``other``."""
        up, down = digamma(self.a), digamma(self.b)
        both, theirs = digamma(self.a + self.b), digamma(other.a + other.b)
        first = digamma(other.a) - theirs - up + both
        return np.stack([first, digamma(other.b) - theirs - down + both])


def logarithms(points: Floats) -> tuple[Floats, Floats]:
    """Return ``log x`` and ``log (1 - x)``, both ``(n, dim)``, of points kept off the border."""
    inside = np.clip(points, EDGE, 1.0 - EDGE)
    return np.log(inside), np.log1p(-inside)
