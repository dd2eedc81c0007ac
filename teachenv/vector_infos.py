"""Infos of vector environments: one array over the lanes per name, its mask after "_"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def stack_lanes(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the states of all lanes in one, with few large arrays instead of many small ones.

    Args:
        states: One per lane, with the same names: JSON values, or arrays that differ in their
            first length at most.
    """
    stacked: dict[str, Any] = {}
    for name, first in states[0].items():
        values = [state[name] for state in states]
        if isinstance(first, np.ndarray):
            ends = np.cumsum([len(value) for value in values])
            stacked[name] = {"values": np.concatenate(values), "ends": ends}
        else:
            stacked[name] = values
    return stacked


def pick_lane(stacked: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """Return the state of one lane from :func:`stack_lanes`."""
    state: dict[str, Any] = {}
    for name, kept in stacked.items():
        if isinstance(kept, Mapping):
            start = int(kept["ends"][lane - 1]) if lane else 0
            state[name] = kept["values"][start : int(kept["ends"][lane])]
        else:
            state[name] = kept[lane]
    return state
