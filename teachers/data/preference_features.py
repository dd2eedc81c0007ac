"""What a teacher sees of a cell, for models that shall hold for every cell and student."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.lesson import Reading

__all__ = ["CELL_FEATURES", "cell_features", "softmax"]

Floats = NDArray[np.float64]

CELL_FEATURES = (
    "accuracy",
    "accuracy (1 - accuracy)",
    "change",
    "loss",
    "confidence",
    "data",
    "level",
    "skill's accuracy",
    "probed",
)
"""Columns of :func:`cell_features`."""


def cell_features(reading: Reading) -> Floats:
    """Return a row for every cell, less the mean row: only differences of cells can matter.

    Returns:
        Float64 of shape ``(n_cells, len(CELL_FEATURES))``. Before the mean is taken off, columns
        are in [0, 1] but for the change, in [-1, 1]. Losses and data shares ``x`` enter as
        ``x / (1 + x)``, the share as a multiple of an even one.
    """
    p = reading.accuracy
    n_levels = p.shape[1]
    data = reading.data_share * p.size
    level = np.broadcast_to(np.arange(n_levels) / max(1, n_levels - 1), p.shape)
    skill = np.broadcast_to(p.mean(axis=1, keepdims=True), p.shape)
    maps = (
        p,
        4.0 * p * (1.0 - p),
        reading.delta,
        reading.loss / (1.0 + reading.loss),
        reading.confidence,
        data / (1.0 + data),
        level,
        skill,
        reading.visible,
    )
    rows: Floats = np.stack([values.reshape(-1) for values in maps], axis=1)
    centred: Floats = rows - rows.mean(axis=0)
    return centred


def softmax(logits: Floats) -> Floats:
    """Return probabilities in proportion to ``exp(logits)``."""
    raised: Floats = np.exp(logits - logits.max())
    shares: Floats = raised / raised.sum()
    return shares
