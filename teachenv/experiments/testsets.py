"""Test sets: fixed, named, hashed evaluation tasks, each with its level seed.

Level seeds of test sets start at ``teachenv.env.FIRST_TEST_LEVEL``; the broker issues none from
there on, so no level of a test set is ever trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.env import FIRST_TEST_LEVEL
from teachenv.errors import UserError, unknown
from teachenv.space import TaskSpace


@dataclass(frozen=True)
class TestSet:
    """Tasks to evaluate on.

    Args:
        name: Name with its version ("stump-50-v1"); never reused for other tasks.
        tasks: float64 of shape ``(n, dim)``, in the environment's units.
        level_seeds: One level seed per task.
    """

    __test__ = False  # not a test class, whatever its name says to pytest

    name: str
    tasks: NDArray[np.float64]
    level_seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tasks)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over tasks (little-endian float64) and level seeds, first 16 digits."""
        digest = hashlib.sha256(self.tasks.astype("<f8").tobytes())
        digest.update(np.array(self.level_seeds, dtype="<i8").tobytes())
        return digest.hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return hash, tasks and level seeds as JSON values."""
        return {
            "hash": self.hash,
            "tasks": self.tasks.tolist(),
            "level_seeds": list(self.level_seeds),
        }

    @classmethod
    def from_json(cls, name: str, row: dict[str, Any]) -> TestSet:
        """Read :meth:`to_json` back.

        Raises:
            UserError: if the tasks do not match the hash.
        """
        test_set = cls(name, np.array(row["tasks"], dtype=float), tuple(row["level_seeds"]))
        if test_set.hash != row["hash"]:
            raise UserError(f"test set {name}: the tasks do not match their hash; file damaged?")
        return test_set


def _stump_50(space: TaskSpace) -> NDArray[np.float64]:
    """The 50 stump tasks of teachDeepRL: height U(0, 3), then spacing U(0, 6), per task."""
    _require(space, "stump-50-v1", ("stump_height", "stump_spacing"))
    draws = np.random.RandomState(4222).random_sample((50, 2))
    return np.asarray(draws * np.array([3.0, 6.0]), dtype=np.float64)


def _stump_grid(space: TaskSpace) -> NDArray[np.float64]:
    """The 10 x 10 grid of TeachMyAgent: height linspace(0, 3), spacing linspace(0, 6)."""
    _require(space, "stump-grid-v1", ("stump_height", "stump_spacing"))
    mesh = np.meshgrid(np.linspace(0, 3, 10), np.linspace(0, 6, 10), indexing="ij")
    return np.stack([axis.ravel() for axis in mesh], axis=1)


def _grid(space: TaskSpace) -> NDArray[np.float64]:
    """About 100 tasks on a regular grid over a space of at most three dimensions."""
    if space.dim > 3:
        raise UserError(f"test set grid-v1: needs at most 3 dimensions, this space has {space.dim}")
    return space.grid({1: 100, 2: 10, 3: 5}[space.dim])


def _uniform_100(space: TaskSpace) -> NDArray[np.float64]:
    """100 tasks drawn uniformly."""
    rng = np.random.Generator(np.random.PCG64(31))
    return np.stack([space.sample(rng) for _ in range(100)])


TEST_SETS: dict[str, Callable[[TaskSpace], NDArray[np.float64]]] = {
    "stump-50-v1": _stump_50,
    "stump-grid-v1": _stump_grid,
    "grid-v1": _grid,
    "uniform-100-v1": _uniform_100,
}
"""Name -> tasks for a task space. The stump sets equal the published ones exactly."""

DEFAULTS: dict[str, tuple[str, ...]] = {
    "teachenv/StumpTracks-v0": ("stump-50-v1", "stump-grid-v1"),
    "teachenv/Walker-v0": ("grid-v1",),
}
"""Environment id -> test sets of a run that names none."""


def default_names(env_id: str, space: TaskSpace) -> tuple[str, ...]:
    """Return the test sets of a run that names none."""
    return DEFAULTS.get(env_id, ("grid-v1",) if space.dim <= 3 else ("uniform-100-v1",))


def load(name: str, space: TaskSpace) -> TestSet:
    """Return a test set for a task space.

    Raises:
        UserError: for an unknown name, or a space the set does not fit.
    """
    if name not in TEST_SETS:
        raise UserError(unknown("test set", name, TEST_SETS))
    tasks = TEST_SETS[name](space)
    outside = [task.tolist() for task in tasks if not space.contains(task)]
    if outside:
        raise UserError(f"test set {name}: {len(outside)} tasks lie outside {space}")
    seeds = tuple(FIRST_TEST_LEVEL + i for i in range(len(tasks)))
    return TestSet(name, tasks, seeds)


def _require(space: TaskSpace, name: str, names: tuple[str, ...]) -> None:
    if space.names != names:
        raise UserError(f"test set {name}: made for {names}, this space has {space.names}")
