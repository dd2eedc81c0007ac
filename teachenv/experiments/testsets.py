"""Test sets: fixed, named, hashed evaluation tasks, each with its level seed.

Level seeds of test sets start at ``teachenv.env.FIRST_TEST_LEVEL``; the broker issues none from
there on, so no level of a test set is ever trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.env import FIRST_TEST_LEVEL
from teachenv.envs.bipedal.levels import FLAT, LEVELS
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


Tasks = NDArray[np.float64]


def _stump_50(space: TaskSpace) -> Tasks:
    """The 50 stump tasks of teachDeepRL: height U(0, 3), then spacing U(0, 6), per task."""
    return _stumps(space, "stump-50-v1", 3.0)


def _stump_50_height_4(space: TaskSpace) -> Tasks:
    """The same draws with heights up to 4: teachDeepRL's set for that task space."""
    return _stumps(space, "stump-50-height-4-v1", 4.0)


def _stump_50_height_5(space: TaskSpace) -> Tasks:
    """The same draws with heights up to 5: teachDeepRL's set for that task space."""
    return _stumps(space, "stump-50-height-5-v1", 5.0)


def _stumps(space: TaskSpace, name: str, highest: float) -> Tasks:
    return _filled(space, name, ("stump_height", "stump_spacing"), _draws([highest, 6.0]))


def _stump_grid(space: TaskSpace) -> Tasks:
    """The 10 x 10 grid of TeachMyAgent: height linspace(0, 3), spacing linspace(0, 6)."""
    mesh = np.meshgrid(np.linspace(0, 3, 10), np.linspace(0, 6, 10), indexing="ij")
    tasks = np.stack([axis.ravel() for axis in mesh], axis=1)
    return _filled(space, "stump-grid-v1", ("stump_height", "stump_spacing"), tasks)


def _hexagon_50(space: TaskSpace) -> Tasks:
    """The 50 hexagon tasks of teachDeepRL: U(0, 4) in 12 dimensions."""
    names = [f"vertex{i}_{axis}" for i in range(1, 7) for axis in ("dx", "dy")]
    return _filled(space, "hexagon-50-v1", names, _draws([4.0] * 12))


def _sequence_50(space: TaskSpace) -> Tasks:
    """The 50 stump sequences of teachDeepRL: U(0, 6) in 10 dimensions."""
    names = [f"stump{i}_{size}" for i in range(1, 6) for size in ("height", "width")]
    return _filled(space, "sequence-50-v1", names, _draws([6.0] * 10))


def _draws(highest: Sequence[float]) -> Tasks:
    """Return 50 tasks drawn as teachDeepRL draws its test sets."""
    draws = np.random.RandomState(4222).random_sample((50, len(highest)))
    return np.asarray(draws * np.array(highest), dtype=np.float64)


def _course_medium(space: TaskSpace) -> Tasks:
    """ACCEL's medium roughness, stumps, pits and stairs, ten levels of each."""
    names = ("med-roughness", "med-stump-height", "med-pit-gap", "med-stairs")
    seeds = [FIRST_TEST_LEVEL + i for i in range(10 * len(names))]
    parts = [
        _of_level(space, "course-medium-v1", name, seeds[10 * i : 10 * i + 10])
        for i, name in enumerate(names)
    ]
    return np.concatenate(parts)


def _of_level(space: TaskSpace, test_set: str, level: str, level_seeds: Sequence[int]) -> Tasks:
    """Return the task of a named level once for each level seed."""
    rows = [LEVELS[level].reset_options(seed)["task"] for seed in level_seeds]
    shown = [n for n in rows[0] if n in space.names or any(row[n] != FLAT.get(n) for row in rows)]
    dims = {dim.name: dim for dim in space}
    tasks = [
        [dims[name].parse(row[name]) if name in dims else np.nan for name in shown] for row in rows
    ]
    return _filled(space, test_set, shown, np.array(tasks))


def _named(level: str) -> Callable[[TaskSpace], Tasks]:
    def tasks(space: TaskSpace) -> Tasks:
        seeds = [FIRST_TEST_LEVEL + i for i in range(20)]
        return _of_level(space, f"{level}-v1", level, seeds)

    tasks.__doc__ = f"20 levels of the named level {level!r}: {LEVELS[level].note}."
    return tasks


def _grid(space: TaskSpace) -> Tasks:
    """About 100 tasks on a regular grid over a space of at most three dimensions."""
    if space.dim > 3:
        raise UserError(f"test set grid-v1: needs at most 3 dimensions, this space has {space.dim}")
    return space.grid({1: 100, 2: 10, 3: 5}[space.dim])


def _uniform_100(space: TaskSpace) -> Tasks:
    """100 tasks drawn uniformly."""
    rng = np.random.Generator(np.random.PCG64(31))
    return np.stack([space.sample(rng) for _ in range(100)])


TEST_SETS: dict[str, Callable[[TaskSpace], Tasks]] = {
    "stump-50-v1": _stump_50,
    "stump-50-height-4-v1": _stump_50_height_4,
    "stump-50-height-5-v1": _stump_50_height_5,
    "stump-grid-v1": _stump_grid,
    "hexagon-50-v1": _hexagon_50,
    "sequence-50-v1": _sequence_50,
    "course-medium-v1": _course_medium,
    **{f"{level}-v1": _named(level) for level in LEVELS},
    "grid-v1": _grid,
    "uniform-100-v1": _uniform_100,
}
"""Name -> tasks for a task space. Those of stumps, hexagons and sequences equal the published ones
exactly."""

DEFAULTS: dict[str, tuple[str, ...]] = {
    "teachenv/StumpTracks-v0": ("stump-50-v1", "stump-grid-v1"),
    "teachenv/HexagonTracks-v0": ("hexagon-50-v1",),
    "teachenv/StumpSequences-v0": ("sequence-50-v1",),
    "teachenv/ObstacleCourse-v0": ("course-medium-v1", "uniform-100-v1"),
    "teachenv/Walker-v0": ("stock-easy-v1", "stock-hardcore-v1"),
}
"""Environment id -> test sets of a run that names none."""


def default_names(env_id: str, space: TaskSpace) -> tuple[str, ...]:
    """Return the test sets of a run that names none: those of the environment that fit."""
    fitting = tuple(name for name in DEFAULTS.get(env_id, ()) if _fits(name, space))
    return fitting or (("grid-v1",) if space.dim <= 3 else ("uniform-100-v1",))


def _fits(name: str, space: TaskSpace) -> bool:
    try:
        load(name, space)
    except UserError:
        return False
    return True


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


def _filled(space: TaskSpace, test_set: str, names: Sequence[str], values: Tasks) -> Tasks:
    """Return tasks with some parameters given and the others at their defaults."""
    missing = [name for name in names if name not in space.names]
    if missing:
        raise UserError(
            f"test set {test_set}: made for {tuple(names)}, this space has {space.names}"
        )
    tasks = np.tile(space.default, (len(values), 1))
    tasks[:, [space.names.index(name) for name in names]] = values
    return tasks
