"""Infos of vector environments: one array over the lanes per name, its mask after "_"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Infos = dict[str, Any]


def select_lanes(infos: Mapping[str, Any], mask: NDArray[np.bool_]) -> Infos:
    """Return vector infos of the lanes of a mask only; values of others are 0 or ``None``.

    Args:
        infos: Arrays over the lanes, and their masks under the same name after "_".
        mask: The lanes, shape ``(n,)``.
    """
    chosen: Infos = {}
    for key, value in infos.items():
        if isinstance(value, Mapping):
            chosen[key] = select_lanes(value, mask)
        else:
            blank = np.empty if value.dtype == object else np.zeros  # empty: full of None
            chosen[key] = blank(value.shape, value.dtype)
            chosen[key][mask] = value[mask]
    return chosen


def mix_lanes(old: Mapping[str, Any], new: Mapping[str, Any], mask: NDArray[np.bool_]) -> Infos:
    """Return the infos of ``new``, outside the mask with the values they have in ``old``."""
    mixed: Infos = {}
    for key, value in new.items():
        if key not in old:
            mixed[key] = value
        elif isinstance(value, Mapping):
            mixed[key] = mix_lanes(old[key], value, mask)
        else:
            mixed[key] = old[key].copy()
            mixed[key][mask] = value[mask]
    return mixed
