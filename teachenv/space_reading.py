"""Tasks and task spaces as they come from outside: vectors, mappings and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.dim import Dim, TaskError
from teachenv.errors import unknown


def read_values(
    dims: Sequence[Dim], value: ArrayLike | Mapping[str, Any], base: NDArray[np.float64]
) -> list[float]:
    """Return a number per parameter, each within its bounds.

    Args:
        dims: The parameters.
        value: A vector of as many numbers, or a mapping from names to values (choice labels
            allowed).
        base: Where a mapping leaves a name out, its value is taken from here; shape ``(dim,)``.

    Raises:
        TaskError: naming every offending field with its bounds and value.
    """
    names = [dim.name for dim in dims]
    if isinstance(value, Mapping):
        strange = [str(name) for name in value if name not in names]
        if strange:
            raise TaskError("; ".join(unknown("task parameter", name, names) for name in strange))
        given: Sequence[Any] = [value.get(name, base[i]) for i, name in enumerate(names)]
    else:
        given = read_vector(names, value)
    numbers, problems = [], []
    for dim, item in zip(dims, given, strict=True):
        try:
            numbers.append(dim.parse(item))
        except TaskError as error:
            problems.append(str(error))
    if problems:
        raise TaskError("; ".join(problems))
    return numbers


def read_vector(names: Sequence[str], value: ArrayLike) -> list[Any]:
    """Return the entries of a vector of numbers, one per name, bounds not looked at.

    Raises:
        TaskError: for another shape or another type of entries.
    """
    expected = f"a vector of {len(names)} numbers ({', '.join(names[:8])})"
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise TaskError(f"task: expected {expected}, got {value!r}") from None
    if array.shape != (len(names),):
        raise TaskError(f"task: expected {expected}, got shape {array.shape}")
    if array.dtype.kind not in "iuf":
        raise TaskError(f"task: expected {expected}, got dtype {array.dtype}")
    return cast(list[Any], array.tolist())


def dims_to_json(dims: Iterable[Dim]) -> str:
    """Return parameters as JSON, readable by :func:`dims_from_json`."""
    rows = [asdict(dim) for dim in dims]
    for row in rows:
        if row["edit"] is None:
            del row["edit"]
    return json.dumps(rows)


def dims_from_json(text: str) -> list[Dim]:
    """Read parameters written by :func:`dims_to_json`.

    Raises:
        TaskError: if the text is nothing of the kind.
    """
    try:
        rows = json.loads(text)
        return [Dim(**{**row, "choices": tuple(row.get("choices", ()))}) for row in rows]
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise TaskError(f"TaskSpace.from_json: not a task space: {error}") from None
