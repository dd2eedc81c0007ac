"""Deformed task spaces: what teachers see instead of the tasks that are played.

- ``mostly-trivial``: parameters reach far beyond their easy end; what lies there is a success
  whatever is done.
- ``mostly-unfeasible``: they reach far beyond their hard end; what lies there is a failure.
- ``rugged``: each parameter's range is cut into segments that change places.
- ``irrelevant``: there are further parameters, without any effect.

After the challenges of TeachMyAgent (Romac et al., ICML 2021, section 4), which has the first two
in its stump tracks only: heights in [-3, 3] or [0, 9] instead of [0, 3].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachenv.errors import UserError, at_least, one_of
from teachenv.seeding import derive
from teachenv.space import Dim, Task, TaskSpace

Ending = Literal["real", "trivial", "unfeasible"]


class Place(NamedTuple):
    """What is played for a task.

    Attributes:
        task: The task of the original space; of a made-up task the nearest real one.
        ending: "real", or that of a made-up task: "trivial" or "unfeasible".
    """

    task: Task
    ending: Ending = "real"


class Deformation(ABC):
    """Another view of a task space.

    Args:
        inner: The original space.
        outer: The space shown instead.
        harder: Parameters along which the tasks shown get harder, as in
            :class:`teachenv.env.TaskEnv`.

    Attributes:
        inert: Parameters without any effect.
    """

    inert: frozenset[str] = frozenset()

    def __init__(self, inner: TaskSpace, outer: Iterable[Dim], harder: Mapping[str, int]) -> None:
        self.inner = inner
        self.task_space = TaskSpace(list(outer))
        self.harder = dict(harder)

    @abstractmethod
    def place(self, task: NDArray[Any]) -> Place:
        """Return what is played for a task of :attr:`task_space`."""

    @abstractmethod
    def show(self, task: NDArray[Any]) -> Task:
        """Return the task of :attr:`task_space` for which a task of the original is played."""


class Padded(Deformation):
    """Ranges that reach beyond their easy or hard end, into tasks that are made up.

    Args:
        inner: The original space.
        harder: Which of its parameters are ordered, and how. These are extended, all by the same
            factor.
        ending: "trivial" extends the easy ends, "unfeasible" the hard ones.
        share: Share of the new task space that is made up, in (0, 1); parameters of whole numbers
            come as near as they can.

    Raises:
        UserError: without any ordered parameter, or if a choice is among them.
        ValueError: for a share out of range.
    """

    def __init__(
        self,
        inner: TaskSpace,
        harder: Mapping[str, int],
        ending: Literal["trivial", "unfeasible"],
        share: float = 0.75,
    ) -> None:
        if not 0.0 < share < 1.0:
            raise ValueError(f"share: expected a number in (0, 1), got {share!r}")
        if not harder:
            raise UserError(
                f"mostly-{ending}: no order of difficulty is known for {', '.join(inner.names)}; "
                f"say which parameters get harder, such as harder={{{inner.names[0]!r}: 1}}"
            )
        for name in harder:
            one_of("task parameter", name, inner.names)
        factor = (1.0 - share) ** (-1.0 / len(harder))
        upwards = {name: (sign > 0) == (ending == "unfeasible") for name, sign in harder.items()}
        dims = [
            _extended(dim, factor, upwards[dim.name]) if dim.name in upwards else dim
            for dim in inner
        ]
        super().__init__(inner, dims, harder)
        self.ending: Ending = ending

    def place(self, task: NDArray[Any]) -> Place:
        """Return the nearest real task, and whether it is that one."""
        nearest = np.clip(task, self.inner.low, self.inner.high)
        return Place(nearest, "real" if np.array_equal(nearest, task) else self.ending)

    def show(self, task: NDArray[Any]) -> Task:
        """Return the task itself."""
        return self.task_space.task(task)


class Rugged(Deformation):
    """Each parameter's range cut into segments that change places; neighbours become strangers.

    Args:
        inner: The original space.
        n_segments: Segments per parameter, at least 2; whole numbers have at most one per value.
        seed: Of the permutations; none of them leaves everything in its place.
    """

    def __init__(self, inner: TaskSpace, n_segments: int = 5, seed: int = 0) -> None:
        at_least(2, "n_segments", n_segments)
        super().__init__(inner, inner, {})
        self._axes = [
            _Segments(dim, n_segments, derive(seed, "rugged", i)) for i, dim in enumerate(inner)
        ]

    def place(self, task: NDArray[Any]) -> Place:
        """Return the task whose segments lie where these do now."""
        return Place(self._move(task, backwards=False))

    def show(self, task: NDArray[Any]) -> Task:
        """Return where the segments of a task have gone."""
        return self._move(task, backwards=True)

    def _move(self, task: NDArray[Any], backwards: bool) -> Task:
        pairs = zip(self._axes, task.tolist(), strict=True)
        return np.array([axis.move(value, backwards) for axis, value in pairs])


class Irrelevant(Deformation):
    """Further parameters in [0, 1], without any effect.

    Args:
        inner: The original space.
        harder: Its order, which stays.
        n_irrelevant: How many.
    """

    def __init__(self, inner: TaskSpace, harder: Mapping[str, int], n_irrelevant: int = 2) -> None:
        first = sum(name.startswith("irrelevant") for name in inner.names)
        names = [f"irrelevant{first + i}" for i in range(at_least(1, "n_irrelevant", n_irrelevant))]
        super().__init__(inner, [*inner, *map(Dim, names)], harder)
        self.inert = frozenset(names)

    def place(self, task: NDArray[Any]) -> Place:
        """Return the task without what is irrelevant."""
        return Place(task[: self.inner.dim])

    def show(self, task: NDArray[Any]) -> Task:
        """Return the task in the middle of what is irrelevant."""
        extra = self.task_space.dim - self.inner.dim
        return self.task_space.task(np.append(task, np.full(extra, 0.5)))


STRESSES: dict[str, Callable[..., Deformation]] = {
    "mostly-trivial": lambda inner, harder, **how: Padded(inner, harder, "trivial", **how),
    "mostly-unfeasible": lambda inner, harder, **how: Padded(inner, harder, "unfeasible", **how),
    "rugged": lambda inner, harder, **how: Rugged(inner, **how),
    "irrelevant": lambda inner, harder, **how: Irrelevant(inner, harder, **how),
}
"""Name -> deformation, called with a task space and its order of difficulty."""


def deform(stress: str, space: TaskSpace, harder: Mapping[str, int], **how: Any) -> Deformation:
    """Return a deformation by name.

    Args:
        stress: A name of :data:`STRESSES`.
        space: The task space.
        harder: Its order of difficulty; may be empty for "rugged" and "irrelevant".
        how: Arguments of the deformation: ``share``, ``n_segments`` and ``seed``, or
            ``n_irrelevant``.

    Raises:
        UserError: for an unknown name or argument.
        ValueError: for a refused argument.
    """
    make = STRESSES[one_of("stress", stress, STRESSES)]
    try:
        return make(space, harder, **how)
    except TypeError as error:
        raise UserError(f"{stress}: {error}") from None


class _Segments:
    """One axis whose segments change places."""

    def __init__(self, dim: Dim, n_segments: int, rng: np.random.Generator) -> None:
        self._whole = dim.n_values is not None
        if dim.n_values is None:
            edges = np.linspace(dim.low, dim.high, n_segments + 1)
        else:
            n = min(n_segments, dim.n_values)
            edges = dim.low + np.round(np.linspace(0, dim.n_values, n + 1))
        lengths = np.diff(edges)
        order = _permutation(len(lengths), rng)
        moved = np.append(0.0, np.cumsum(lengths[order])) + edges[0]
        self._here = moved  # edges of the segments, as they are shown
        self._starts = edges[:-1][order]  # where each of them comes from
        self._edges = edges
        self._back = np.argsort(order)
        self._bounds = (dim.low, dim.high)

    def move(self, value: float, backwards: bool) -> float:
        """Return where a shown value comes from, or backwards where a value is shown."""
        edges = self._edges if backwards else self._here
        k = int(np.searchsorted(edges[1:-1], value, side="right"))
        to = self._here[self._back[k]] if backwards else self._starts[k]
        low, high = self._bounds
        moved = float(to + (value - edges[k]))
        return min(max(round(moved) if self._whole else moved, low), high)


def _permutation(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    order: NDArray[np.int64] = rng.permutation(n)
    while n > 1 and np.array_equal(order, np.arange(n)):
        order = rng.permutation(n)
    return order


def _extended(dim: Dim, factor: float, upwards: bool) -> Dim:
    if dim.kind == "choice":
        raise UserError(f"{dim.name}: choices are not ordered and cannot be extended")
    extra = (dim.high - dim.low) * (factor - 1.0)
    if dim.n_values is not None:
        extra = float(round(dim.n_values * (factor - 1.0)))
    return replace(dim, high=dim.high + extra) if upwards else replace(dim, low=dim.low - extra)
