"""What ``reset`` of the vector walkers is asked for, read and checked before anything changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.env import read_level_seed
from teachenv.envs.bipedal.terrain import Terrain
from teachenv.envs.bipedal.walkers import read_terrain
from teachenv.seeding import check_seed
from teachenv.space import TaskError, TaskSpace

_KNOWN = ("level_seed", "reset_mask", "task", "terrain")
_SEQUENCES = (list, tuple, np.ndarray)


@dataclass(frozen=True)
class Orders:
    """A checked reset of ``n`` lanes; entries of lanes outside the mask mean nothing.

    Attributes:
        mask: Which lanes to reset, shape ``(n,)``.
        seeds: Seed of each lane that gets one.
        tasks: Tasks, shape ``(n, dim)``; ``None`` keeps what each lane would play next.
        level_seeds: Level seeds, shape ``(n,)``; ``None`` as for tasks.
        terrains: Hand-made terrain of each lane that gets one.
    """

    mask: NDArray[np.bool_]
    seeds: Mapping[int, int]
    tasks: NDArray[np.float64] | None
    level_seeds: NDArray[np.int64] | None
    terrains: Mapping[int, Terrain]


def read_orders(space: TaskSpace, n: int, seed: Any, options: Mapping[str, Any] | None) -> Orders:
    """Read the arguments of ``reset``.

    Raises:
        TaskError: for a bad option, naming the field and, where each has its own, the lane.
        ValueError: for a bad seed.
    """
    options = options or {}
    strange = [name for name in options if name not in _KNOWN]
    if strange:
        raise TaskError(f"reset: unknown options {strange}; known: {list(_KNOWN)}")
    mask = _read_mask(n, options.get("reset_mask"))
    lanes = np.flatnonzero(mask).tolist()
    return Orders(
        mask,
        _read_seeds(n, lanes, seed),
        _read_tasks(space, n, lanes, options.get("task")),
        _read_level_seeds(n, lanes, options.get("level_seed")),
        _read_terrains(n, lanes, options.get("terrain")),
    )


def _read_mask(n: int, given: Any) -> NDArray[np.bool_]:
    if given is None:
        return np.ones(n, np.bool_)
    if not isinstance(given, np.ndarray) or given.shape != (n,) or given.dtype != np.bool_:
        raise TaskError(f"reset_mask: expected a bool array of shape ({n},), got {given!r:.80}")
    if not given.any():
        raise TaskError("reset_mask: expected at least one lane to reset")
    return given.copy()


def _read_seeds(n: int, lanes: Sequence[int], given: Any) -> dict[int, int]:
    if given is None:
        return {}
    if not isinstance(given, _SEQUENCES):
        first = check_seed(given)
        return {lane: first + lane for lane in lanes}
    given = _one_each("seed", n, given)
    return {
        lane: check_seed(given[lane], f"seed of lane {lane}")
        for lane in lanes
        if given[lane] is not None
    }


def _read_tasks(
    space: TaskSpace, n: int, lanes: Sequence[int], given: Any
) -> NDArray[np.float64] | None:
    if given is None:
        return None
    tasks = np.empty((n, space.dim))
    if not _per_lane(given):
        tasks[:] = space.task(given)
        return tasks
    given = _one_each("task", n, given)
    for lane in lanes:
        try:
            tasks[lane] = space.task(given[lane])
        except TaskError as error:
            raise TaskError(f"lane {lane}: {error}") from None
    return tasks


def _per_lane(given: Any) -> bool:
    """Whether ``given`` holds one task per lane, and is not itself a task."""
    if isinstance(given, np.ndarray):
        return given.ndim > 1
    return isinstance(given, list | tuple) and any(
        isinstance(item, (Mapping, *_SEQUENCES)) for item in given
    )


def _read_level_seeds(n: int, lanes: Sequence[int], given: Any) -> NDArray[np.int64] | None:
    if given is None:
        return None
    if not isinstance(given, _SEQUENCES):
        return np.full(n, read_level_seed(given))
    given = _one_each("level_seed", n, given)
    level_seeds = np.empty(n, np.int64)
    for lane in lanes:
        level_seeds[lane] = read_level_seed(given[lane], f"level_seed of lane {lane}")
    return level_seeds


def _read_terrains(n: int, lanes: Sequence[int], given: Any) -> dict[int, Terrain]:
    if given is None:
        return {}
    if not isinstance(given, list | tuple):
        terrain = read_terrain(given)
        return dict.fromkeys(lanes, terrain)
    given = _one_each("terrain", n, given)
    terrains = {}
    for lane in lanes:
        if given[lane] is not None:
            try:
                terrains[lane] = read_terrain(given[lane])
            except TaskError as error:
                raise TaskError(f"lane {lane}: {error}") from None
    return terrains


def _one_each(name: str, n: int, given: Any) -> Any:
    if len(given) != n:
        raise TaskError(f"{name}: expected one for each of the {n} lanes, got {len(given)}")
    return given


def read_actions(given: ArrayLike, out: NDArray[np.float32]) -> None:
    """Clip actions to [-1, 1] and write them to ``out``, shape ``(n, n_joints)``.

    Raises:
        ValueError: for a wrong shape or dtype, or a number that is not finite, naming its lane;
            ``out`` is unchanged.
    """
    actions = np.asarray(given)
    if actions.shape != out.shape or actions.dtype.kind not in "fiu":
        raise ValueError(
            f"actions: expected numbers in [-1, 1] of shape {out.shape}, "
            f"got {actions.dtype} of shape {actions.shape}"
        )
    if not np.isfinite(actions).all():
        lane = np.flatnonzero(~np.isfinite(actions).all(axis=1)).item(0)
        raise ValueError(
            f"actions of lane {lane}: expected numbers in [-1, 1], got {actions[lane].tolist()}"
        )
    np.clip(actions, -1.0, 1.0, out=out, casting="same_kind")
