"""Fitting one Gaussian mixture: k-means, then expectation maximisation.

The method and its constants are scikit-learn's (``GaussianMixture`` with full covariances, one
start), written for the few hundred vectors of a teacher's window: all components at once, which
is about ten times as fast there.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_ITERATIONS = 100
TOLERANCE = 1e-3
"""Least gain of the mean log-likelihood for which it goes on."""
REGULARISATION = 1e-6
"""Added to the diagonal of every covariance."""
KMEANS_ITERATIONS = 300
_TINY = 10.0 * np.finfo(np.float64).eps


def fit_mixture(vectors: Floats, k: int, rng: np.random.Generator) -> tuple[Floats, Floats, float]:
    """Fit ``k`` Gaussians with full covariances.

    Args:
        vectors: Shape ``(n, d)``, of which at least ``k`` distinct.
        k: Number of components.
        rng: For the start.

    Returns:
        Means ``(k, d)``, covariances ``(k, d, d)`` and the log-likelihood of all vectors.

    Raises:
        numpy.linalg.LinAlgError: if a covariance becomes singular.
    """
    labels = kmeans(vectors, k, rng)
    shares = np.equal.outer(np.arange(k), labels).astype(np.float64)
    parameters = _maximise(vectors, shares)
    last = -np.inf
    for _ in range(MAX_ITERATIONS):
        shares, log_likelihood = _expect(vectors, *parameters)
        parameters = _maximise(vectors, shares)
        if abs(log_likelihood - last) < TOLERANCE * len(vectors):
            break
        last = log_likelihood
    _, log_likelihood = _expect(vectors, *parameters)
    return parameters[1], parameters[2], log_likelihood


def _maximise(vectors: Floats, shares: Floats) -> tuple[Floats, Floats, Floats]:
    """Return weights, means and covariances, given how far each component explains each vector.

    Args:
        vectors: Shape ``(n, d)``.
        shares: Shape ``(k, n)``, columns sum to 1.
    """
    sizes = shares.sum(axis=1) + _TINY
    means = shares @ vectors / sizes[:, None]
    offsets = vectors.T - means[:, :, None]
    weighted = shares[:, None, :] * offsets
    covariances = weighted @ offsets.transpose(0, 2, 1) / sizes[:, None, None]
    covariances += REGULARISATION * np.eye(vectors.shape[1])
    return sizes / sizes.sum(), means, covariances


def _expect(
    vectors: Floats, weights: Floats, means: Floats, covariances: Floats
) -> tuple[Floats, float]:
    """Return how far each component explains each vector, and the log-likelihood of them all."""
    factors = np.linalg.cholesky(covariances)
    standard = np.linalg.inv(factors) @ (vectors.T - means[:, :, None])
    log_scale = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    constant = np.log(weights) - log_scale - 0.5 * vectors.shape[1] * np.log(2.0 * np.pi)
    joint = constant[:, None] - 0.5 * (standard * standard).sum(axis=1)
    highest = joint.max(axis=0)
    shares = np.exp(joint - highest)
    total = shares.sum(axis=0)
    return shares / total, float((highest + np.log(total)).sum())


def kmeans(vectors: Floats, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cluster by Lloyd's iterations from a greedy k-means++ start (Arthur and Vassilvitskii, 2007).

    Args:
        vectors: Shape ``(n, d)``, of which at least ``k`` distinct.
        k: Number of clusters; none stays empty.
        rng: For the start.

    Returns:
        The cluster of each vector, shape ``(n,)``.
    """
    centres = _start(vectors, k, rng)
    tolerance = 1e-4 * float(vectors.var(axis=0).mean())
    labels = np.zeros(len(vectors), dtype=np.int64)
    for _ in range(KMEANS_ITERATIONS):
        distances = _squared_distances(vectors, centres)
        labels = distances.argmin(axis=0)
        _fill_empty(labels, distances.min(axis=0), k)
        members = np.equal.outer(np.arange(k), labels).astype(np.float64)
        moved = members @ vectors / members.sum(axis=1)[:, None]
        shift = float(((moved - centres) ** 2).sum())
        centres = moved
        if shift <= tolerance:
            break
    return labels


def _start(vectors: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Draw centres one by one, by squared distance; of several draws keep the best."""
    n_draws = 2 + int(np.log(k))
    chosen = [int(rng.integers(len(vectors)))]
    nearest = _squared_distances(vectors, vectors[chosen])[0]
    for _ in range(1, k):
        cumulative = np.cumsum(nearest)
        places = np.searchsorted(cumulative, rng.random(n_draws) * cumulative[-1], side="right")
        places = np.minimum(places, len(vectors) - 1)
        closer = np.minimum(_squared_distances(vectors, vectors[places]), nearest)
        best = int(closer.sum(axis=1).argmin())
        chosen.append(int(places[best]))
        nearest = closer[best]
    return vectors[chosen]


def _squared_distances(vectors: Floats, centres: Floats) -> Floats:
    """Return the squared distances, shape ``(len(centres), len(vectors))``."""
    offsets = vectors.T - centres[:, :, None]
    return cast(Floats, (offsets * offsets).sum(axis=1))


def _fill_empty(labels: NDArray[np.int64], distance: Floats, k: int) -> None:
    """Give each empty cluster the vector farthest from its centre, of a cluster of several."""
    sizes = np.bincount(labels, minlength=k)
    for empty in np.flatnonzero(sizes == 0):
        spare = np.where(sizes[labels] > 1, distance, -1.0)
        taken = int(spare.argmax())
        sizes[labels[taken]] -= 1
        sizes[empty], labels[taken], distance[taken] = 1, empty, 0.0
