"""Logistic regression in a few lines of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_logistic", "sigmoid"]

Floats = NDArray[np.float64]

_ROUNDS = 8
"""Newton steps; with a penalty of 1 they reach machine precision sooner."""


def fit_logistic(x: Floats, y: NDArray[Any], ridge: float = 1.0) -> Floats:
    """Return the weights of a logistic regression with an L2 penalty, by Newton's method.

    Args:
        x: Features, shape ``(n, n_features)``; a column of ones for an intercept.
        y: What came of each row, 0 or 1, shape ``(n,)``.
        ridge: Factor of half the squared weights, positive.
    """
    penalty = ridge * np.eye(x.shape[1])
    weights = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        p = sigmoid(x @ weights)
        gradient = x.T @ (y - p) - ridge * weights
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + penalty
        weights = weights + np.linalg.solve(hessian, gradient)
    return weights


def sigmoid(x: Floats) -> Floats:
    """Return ``1 / (1 + exp(-x))`` without overflow."""
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result
