"""Task spaces: named, bounded environment parameters and their map to the unit cube."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.dim import Dim, TaskError
from teachenv.space_reading import dims_from_json, dims_to_json, read_values, read_vector

__all__ = ["MAX_DIM", "Dim", "Task", "TaskError", "TaskSpace"]

Task = NDArray[np.float64]
"""A point of a task space: float64, shape ``(dim,)``, in the environment's units, read-only."""

MAX_DIM = 10_000
"""Largest number of dimensions a space may have; larger is taken for a mistake."""


class TaskSpace:
    """A box of named parameters.

    Args:
        dims: One :class:`Dim` per parameter, in the order of the task vector.

    Raises:
        TaskError: for an empty space, repeated names or more than ``MAX_DIM`` dimensions.

    Attributes:
        dims: The parameters; ``names`` are theirs.
        low: Least value of each, read-only, shape ``(dim,)``; likewise ``high``, ``default``.
        widths: What the whole of the unit cube's side stands for: the range of a continuous
            parameter, the number of values of another; read-only, shape ``(dim,)``.

    Example:
        >>> space = TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0, default=6.0)])
        >>> space.task({"height": 1.5})
        array([1.5, 6. ])
    """

    def __init__(self, dims: Sequence[Dim]) -> None:
        self.dims = tuple(dims)
        if not 1 <= len(self.dims) <= MAX_DIM:
            raise TaskError(f"TaskSpace: expected 1 to {MAX_DIM} dimensions, got {len(self.dims)}")
        self.names = tuple(dim.name for dim in self.dims)
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise TaskError(f"TaskSpace: repeated names {repeated}; every dimension needs its own")
        self.low = _read_only([dim.low for dim in self.dims])
        self.high = _read_only([dim.high for dim in self.dims])
        self.default = _read_only([cast(float, dim.default) for dim in self.dims])
        self.widths = _read_only([dim.n_values or dim.high - dim.low for dim in self.dims])
        self._span = self.high - self.low
        self._counts = np.array([dim.n_values or 0 for dim in self.dims], dtype=np.float64)
        self._whole = self._counts > 0
        self._all_float = not bool(self._whole.any())

    # -- reading tasks ---------------------------------------------------------------------

    def task(self, value: ArrayLike | Mapping[str, Any], base: Task | None = None) -> Task:
        """Return ``value`` as a read-only task.

        Args:
            value: A vector of shape ``(dim,)`` or a mapping from names to values (choice labels
                allowed).
            base: Where a mapping leaves a name out, its value is taken from here; defaults
                otherwise.

        Raises:
            TaskError: naming every offending field with its bounds and value.
        """
        filled = self.default if base is None else base
        return _read_only(read_values(self.dims, value, filled))

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a task of this space (vector or mapping)."""
        try:
            self.task(cast(ArrayLike, value))
        except TaskError:
            return False
        return True

    def clip(self, vector: ArrayLike) -> Task:
        """Return the nearest task: values moved inside the bounds, whole numbers rounded.

        Args:
            vector: Finite numbers of shape ``(dim,)``.

        Raises:
            TaskError: for a wrong shape or a value that is not finite.
        """
        array = np.asarray(read_vector(self.names, vector), dtype=np.float64)
        if not np.isfinite(array).all():
            raise TaskError(f"clip: expected finite numbers, got {array.tolist()}")
        array = np.clip(array, self.low, self.high)
        return _read_only(np.where(self._whole, np.round(array), array))

    # -- unit cube -------------------------------------------------------------------------

    def to_unit(self, task: ArrayLike) -> NDArray[np.float64]:
        """Map a task to the unit cube; whole-number values go to the middle of their bin.

        Args:
            task: Tasks of shape ``(dim,)`` or ``(n, dim)``.

        Returns:
            float64 in [0, 1], same shape.

        Raises:
            TaskError: for a wrong shape or NaN.
        """
        array = self._points(task)
        if self._all_float:
            return cast(NDArray[np.float64], np.clip((array - self.low) / self._span, 0.0, 1.0))
        span = np.where(self._whole, 1.0, self._span)
        scaled = (array - self.low) / span
        binned = (scaled + 0.5) / np.where(self._whole, self._counts, 1.0)
        return cast(NDArray[np.float64], np.clip(np.where(self._whole, binned, scaled), 0.0, 1.0))

    def from_unit(self, unit: ArrayLike) -> Task:
        """Map points of the unit cube to tasks; the inverse of :meth:`to_unit`.

        Args:
            unit: Points of shape ``(dim,)`` or ``(n, dim)``; values are clipped to [0, 1].

        Returns:
            Read-only float64 of the same shape, always inside the space.

        Raises:
            TaskError: for a wrong shape or NaN.
        """
        cube = np.clip(self._points(unit), 0.0, 1.0)
        tasks = self.low + cube * self._span
        if not self._all_float:
            bins = np.minimum(np.floor(cube * self._counts), np.maximum(self._counts - 1, 0))
            tasks = np.where(self._whole, self.low + bins, tasks)
        return _read_only(np.clip(tasks, self.low, self.high))

    def _points(self, value: ArrayLike) -> NDArray[np.float64]:
        array = np.asarray(value, dtype=np.float64)
        if array.shape[-1:] != (self.dim,) or np.isnan(array).any():
            raise TaskError(
                f"expected numbers of shape ({self.dim},) or (n, {self.dim}), "
                f"got shape {array.shape}{': ' + str(array) if array.size < 20 else ''}"
            )
        return array

    # -- points ----------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Task:
        """Draw a task uniformly; consumes ``dim`` doubles of ``rng``."""
        return self.from_unit(rng.random(self.dim))

    def edit(
        self,
        task: ArrayLike,
        rng: np.random.Generator,
        n_edits: int = 1,
        directions: Sequence[int] = (-1, 0, 1),
    ) -> Task:
        """Return a mutated task, one dimension at a time.

        Each edit takes a dimension, a direction and a size (``Dim.edit``), each uniformly, and
        clips to the bounds. Choices are edited by their index.

        Args:
            task: The task to start from.
            rng: Source of the draws.
            n_edits: Number of edits, at least 0.
            directions: What the size is multiplied by. As the published code of ACCEL
                (Parker-Holder et al., 2022) has it, a third of the edits do nothing; the paper
                describes ``(-1, 1)``.

        Raises:
            TaskError: for a task outside the space, a negative ``n_edits`` or no directions.
        """
        if n_edits < 0 or not directions:
            raise TaskError(
                "edit: expected n_edits >= 0 and at least one direction, "
                f"got {n_edits} and {tuple(directions)}"
            )
        values = self.task(task).copy()
        for _ in range(n_edits):
            index = int(rng.integers(self.dim))
            direction = directions[int(rng.integers(len(directions)))]
            moved = values[index] + direction * self.dims[index].draw_edit(rng)
            values[index] = min(max(moved, self.low[index]), self.high[index])
        return _read_only(values)

    def grid(self, n: int | Sequence[int]) -> NDArray[np.float64]:
        """Regular grid including both ends of every dimension.

        Args:
            n: Points per dimension (one number for all, or one each). Whole-number dimensions
                yield at most their number of values. A single point is the middle.

        Returns:
            Read-only float64 of shape ``(n_tasks, dim)``, the last dimension running fastest.

        Raises:
            TaskError: if ``n`` is not positive or has the wrong length.
        """
        counts = [n] * self.dim if isinstance(n, int | np.integer) else list(n)
        if len(counts) != self.dim or min(counts) < 1:
            raise TaskError(f"grid: expected {self.dim} positive numbers, got {n!r}")
        axes = []
        for dim, count in zip(self.dims, counts, strict=True):
            axis = np.linspace(dim.low, dim.high, count) if count > 1 else None
            axis = np.array([(dim.low + dim.high) / 2]) if axis is None else axis
            axes.append(axis if dim.kind == "float" else np.unique(np.round(axis)))
        mesh = np.meshgrid(*axes, indexing="ij")
        return _read_only(np.stack([m.ravel() for m in mesh], axis=1))

    # -- dictionaries, JSON, Gymnasium -----------------------------------------------------

    def to_dict(self, task: ArrayLike) -> dict[str, float | int | str]:
        """Return ``{name: value}``; whole numbers as ``int``, choices as their label."""
        values = self.task(task).tolist()
        return {
            dim.name: value
            if dim.kind == "float"
            else (int(value) if dim.kind == "int" else dim.choices[int(value)])
            for dim, value in zip(self.dims, values, strict=True)
        }

    def to_json(self) -> str:
        """Return the space as JSON, readable by :meth:`from_json`."""
        return self._json

    @functools.cached_property
    def _json(self) -> str:
        return dims_to_json(self.dims)

    @classmethod
    def from_json(cls, text: str) -> TaskSpace:
        """Read a space written by :meth:`to_json`.

        Raises:
            TaskError: if the text is not such a space.
        """
        return cls(dims_from_json(text))

    def to_gymnasium(self) -> Any:
        """Return a ``gymnasium.spaces.Dict`` with a scalar ``Box`` or a ``Discrete`` per name.

        The order of the names is kept; defaults, units and choice labels have no place there.
        """
        from teachenv.space_gymnasium import to_gymnasium

        return to_gymnasium(self.dims)

    @classmethod
    def from_gymnasium(cls, space: Any, names: Sequence[str] | None = None) -> TaskSpace:
        """Build a task space from a bounded ``Box`` (1-D) or a ``Dict`` of scalar Box/Discrete.

        Args:
            space: The Gymnasium space.
            names: Names for the entries of a ``Box`` or ``Discrete``; ``x0, x1, ...`` if left
                out. A ``Dict`` has its own.

        Raises:
            TaskError: for other spaces or unbounded boxes.
        """
        from teachenv.space_gymnasium import from_gymnasium

        return cls(from_gymnasium(space, names))

    # -- plumbing --------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self.dims)

    def __len__(self) -> int:
        return len(self.dims)

    def __iter__(self) -> Iterator[Dim]:
        return iter(self.dims)

    def __reduce__(self) -> tuple[type[TaskSpace], tuple[tuple[Dim, ...]]]:
        return TaskSpace, (self.dims,)  # copies keep their arrays read-only

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskSpace) and self.dims == other.dims

    def __hash__(self) -> int:
        return hash(self.dims)

    def __repr__(self) -> str:
        inside = ", ".join(f"{d.name}: {d.bounds()}" for d in self.dims)
        return f"TaskSpace({inside})"


def _read_only(values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
