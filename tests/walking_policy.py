"""A policy that walks over uneven grass, to compare what it scores on the two physics.

``golden/walking_policy.npz`` holds the actor of an ``sbx-ppo`` student (two tanh layers of 64) and
its observation statistics after 6.1 M steps of ``teachenv/Walker-v0`` on the native engine, with
learning rate 1e-3, discount 0.99 and 8 epochs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class WalkingPolicy:
    """Maps observations ``(n, 24)`` to actions ``(n, 4)``, without randomness."""

    def __init__(self) -> None:
        with np.load(Path(__file__).parent / "golden" / "walking_policy.npz") as arrays:
            self._arrays: dict[str, NDArray[Any]] = dict(arrays)

    def __call__(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        a = self._arrays
        x = np.clip((observations - a["mean"]) / np.sqrt(a["var"] + 1e-8), -10.0, 10.0)
        for i in range(2):
            x = np.tanh(x @ a[f"kernel{i}"] + a[f"bias{i}"])
        return np.clip(x @ a["kernel2"] + a["bias2"], -1.0, 1.0).astype(np.float32)
