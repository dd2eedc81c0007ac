"""Kernel regression: what a number is worth at tasks that were not played."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachers.mixture import one_thread

Floats = NDArray[np.float64]

MAX_PAIRS = 2**19
"""Pairs of points held in memory at a time."""


def squared_distances(first: Floats, second: Floats) -> Floats:
    """Return squared Euclidean distances, shape ``(n, m)``, of ``(n, dim)`` and ``(m, dim)``."""
    squares: Floats = (first * first).sum(axis=1)[:, None] + (second * second).sum(axis=1)
    squares -= 2.0 * (first @ second.T)
    return np.maximum(squares, 0.0, out=squares)


def kernel_means(points: Floats, values: Floats, at: Floats, bandwidth: float) -> Floats:
    """Nadaraya-Watson means with a Gaussian kernel.

    Far from all points the mean is the value of the nearest one. Runs on one thread, so that
    the result does not depend on the machine's load.

    Args:
        points: Where the values are known, shape ``(m, dim)``, at least one.
        values: Shape ``(m,)``.
        at: Where they are wanted, shape ``(n, dim)``.
        bandwidth: Standard deviation of the kernel, above 0.

    Returns:
        Shape ``(n,)``, between the least and the greatest value.
    """
    means = np.empty(len(at))
    rows = max(1, MAX_PAIRS // len(points))
    with one_thread():
        for start in range(0, len(at), rows):
            part = slice(start, start + rows)
            weights = squared_distances(at[part], points)
            weights -= weights.min(axis=1, keepdims=True)
            weights /= -2.0 * bandwidth * bandwidth
            np.exp(weights, out=weights)
            means[part] = weights @ values / weights.sum(axis=1)
    return np.clip(means, values.min(), values.max(), out=means)
