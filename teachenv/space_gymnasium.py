"""Task spaces as Gymnasium's spaces, and the other way round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from teachenv.dim import Dim, Kind, TaskError


def to_gymnasium(dims: Iterable[Dim]) -> spaces.Dict:
    """Return a scalar ``Box`` or a ``Discrete`` per name, in order."""
    items: dict[str, spaces.Space[Any]] = {}
    for dim in dims:
        items[dim.name] = (
            spaces.Box(dim.low, dim.high, (), np.float64)
            if dim.kind == "float"
            else spaces.Discrete(int(dim.high - dim.low) + 1, start=int(dim.low))
        )
    return spaces.Dict(list(items.items()))  # a plain dict would be sorted by name


def from_gymnasium(space: Any, names: Sequence[str] | None = None) -> list[Dim]:
    """Return the parameters of a bounded ``Box`` (1-D) or a ``Dict`` of scalar Box/Discrete.

    Args:
        space: The Gymnasium space.
        names: Names for the entries of a ``Box`` or ``Discrete``; ``x0, x1, ...`` if left out.

    Raises:
        TaskError: for other spaces or unbounded boxes.
    """
    if isinstance(space, spaces.Box) and len(space.shape) <= 1:
        return _of_box(space, names)
    if isinstance(space, spaces.Discrete):
        space = spaces.Dict({(names or ["x0"])[0]: space})
    if isinstance(space, spaces.Dict):
        return [_of_scalar(name, item) for name, item in space.spaces.items()]
    raise TaskError(f"from_gymnasium: expected Box, Discrete or Dict, got {space}")


def _of_box(box: spaces.Box, names: Sequence[str] | None) -> list[Dim]:
    low, high = np.atleast_1d(box.low), np.atleast_1d(box.high)
    labels = list(names) if names is not None else [f"x{i}" for i in range(len(low))]
    if len(labels) != len(low):
        raise TaskError(f"from_gymnasium: expected {len(low)} names, got {labels}")
    rows = zip(labels, low, high, strict=True)
    return [Dim(name, lo.item(), hi.item(), kind=_kind(box)) for name, lo, hi in rows]


def _of_scalar(name: str, item: Any) -> Dim:
    if isinstance(item, spaces.Discrete):
        first = int(item.start)
        return Dim(name, first, first + int(item.n) - 1, kind="int")
    if isinstance(item, spaces.Box) and item.shape in ((), (1,)):
        return Dim(name, item.low.item(), item.high.item(), kind=_kind(item))
    raise TaskError(f"from_gymnasium: {name!r} is {item}; need Box() or Discrete")


def _kind(box: Any) -> Kind:
    return "int" if box.dtype.kind in "iu" else "float"
