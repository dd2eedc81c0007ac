"""Gaussian mixtures over (task, interest): fitting with model selection, and sampling."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachers.em import fit_mixture

Criterion = Literal["aic", "bic", "aicc"]
CRITERIA: tuple[Criterion, ...] = ("aic", "bic", "aicc")


@dataclass(frozen=True)
class Mixture:
    """The task part of a Gaussian mixture, with an interest per component.

    Attributes:
        means: Unit cube, shape ``(k, dim)``; may lie slightly outside.
        covariances: Shape ``(k, dim, dim)``, positive definite.
        interest: How much each component is worth, shape ``(k,)``, at least 0.

    Raises:
        numpy.linalg.LinAlgError: if a covariance is not positive definite.
    """

    means: NDArray[np.float64]
    covariances: NDArray[np.float64]
    interest: NDArray[np.float64]
    weights: NDArray[np.float64] = field(init=False)
    """Probability with which each component is chosen; even if nothing is of interest."""
    _factors: NDArray[np.float64] = field(init=False)
    _cumulative: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        with one_thread():
            object.__setattr__(self, "_factors", np.linalg.cholesky(self.covariances))
        total = float(self.interest.sum())
        k = len(self.interest)
        weights = self.interest / total if total > 0.0 else np.full(k, 1.0 / k)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "_cumulative", np.cumsum(weights))

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
        """Draw a component by its weight and a point from it, clipped to the unit cube.

        Consumes one double and ``dim`` normals of ``rng``.
        """
        u = rng.random() * self._cumulative[-1]
        i = int(np.searchsorted(self._cumulative, u, side="right"))
        normals = rng.standard_normal(self.means.shape[1])
        return np.clip(self.means[i] + self._factors[i] @ normals, 0.0, 1.0), i


def fit_best(
    vectors: NDArray[np.float64],
    components: Sequence[int],
    criterion: Criterion,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Fit one full-covariance mixture per number of components and keep the best.

    Runs on one thread, so that the result does not depend on the machine's load and small fits
    are not slowed by thread start-up. Consumes one integer of ``rng`` per entry of
    ``components``, whatever happens.

    Args:
        vectors: Shape ``(n, d)``.
        components: Numbers of components to try; those above the number of distinct vectors
            are left out.
        criterion: Information criterion to minimise.
        rng: Source of the seeds of the fits.

    Returns:
        Means ``(k, d)`` and covariances ``(k, d, d)``; ``None`` if no fit was usable.
    """
    n, d = vectors.shape
    seeds = rng.integers(2**31, size=len(components))
    n_distinct = len(np.unique(vectors, axis=0))
    best, best_value = None, math.inf
    with one_thread(), np.errstate(all="ignore"):
        for k, seed in zip(components, seeds, strict=True):
            if k > n_distinct:
                continue
            start = np.random.Generator(np.random.PCG64(int(seed)))
            try:
                means, covariances, log_likelihood = fit_mixture(vectors, k, start)
            except np.linalg.LinAlgError:
                continue
            value = information(log_likelihood, k, n, d, criterion)
            if value < best_value and np.isfinite(covariances).all():
                best, best_value = (means, covariances), value
    return best


def information(log_likelihood: float, k: int, n: int, d: int, criterion: Criterion) -> float:
    """Return an information criterion of a mixture of ``k`` full Gaussians; lower is better.

    Args:
        log_likelihood: Natural logarithm, summed over the data.
        k: Number of components.
        n: Number of vectors.
        d: Dimensions of a vector.
        criterion: "aic"; "bic"; or "aicc", infinite where the correction has no meaning.
    """
    n_parameters = k * d * (d + 1) // 2 + k * d + k - 1
    if criterion == "bic":
        return n_parameters * math.log(n) - 2.0 * log_likelihood
    aic = 2.0 * n_parameters - 2.0 * log_likelihood
    if criterion == "aic":
        return aic
    spare = n - n_parameters - 1
    return aic + 2.0 * n_parameters * (n_parameters + 1) / spare if spare > 0 else math.inf


@functools.cache
def _controller(loaded: tuple[bool, ...]) -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> Any:
    """Return a context in which BLAS and OpenMP use one thread.

    SciPy and scikit-learn bring libraries of their own, which are looked for anew once they are
    loaded.
    """
    brought = ("scipy.special", "scipy.linalg", "sklearn", "torch")
    return _controller(tuple(name in sys.modules for name in brought)).limit(limits=1)
