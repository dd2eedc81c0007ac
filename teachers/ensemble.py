"""A small ensemble of regressors that disagree where the data say little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachers.kernel import squared_distances
from teachers.mixture import one_thread

Floats = NDArray[np.float64]

PRIOR = 0.01
"""Weight of the mean of all values, relative to the nearest one."""


def bootstrapped_means(
    points: Floats,
    values: Floats,
    at: Floats,
    bandwidth: float,
    size: int,
    rng: np.random.Generator,
) -> Floats:
    """Kernel means of resampled data, once per member.

    Each member sees each value a Poisson(1) number of times. Distances are measured from the
    nearest point on, which so always counts, and the mean of all values counts ``PRIOR`` times as
    much: members agree where values do, and not where one of them misses the few points there
    are. Runs on one thread.

    Args:
        points: Where the values are known, shape ``(n, dim)``, at least one.
        values: Shape ``(n,)``.
        at: Where they are wanted, shape ``(m, dim)``.
        bandwidth: Standard deviation of the Gaussian kernel, above 0.
        size: Members.
        rng: Draws ``size * n`` Poisson numbers.

    Returns:
        Shape ``(size, m)``.
    """
    counts = rng.poisson(1.0, (size, len(points))).astype(np.float64)
    with one_thread():
        squares = squared_distances(at, points)
        squares -= squares.min(axis=1, keepdims=True)
        kernel = np.exp(squares / (-2.0 * bandwidth * bandwidth))
        sums = (counts * values) @ kernel.T + PRIOR * values.mean()
        means: Floats = sums / (counts @ kernel.T + PRIOR)
    return means
