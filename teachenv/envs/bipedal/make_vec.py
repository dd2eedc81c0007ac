"""What ``gymnasium.make_vec`` calls: one function per track."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gymnasium.vector import SyncVectorEnv

from teachenv.env import MakeEnv
from teachenv.envs.bipedal.engine import BACKENDS, choose_backend
from teachenv.envs.bipedal.tracks import (
    Track,
    course_track,
    hexagon_track,
    options_of,
    sequence_track,
    stump_track,
    walker_track,
)
from teachenv.envs.bipedal.vector import Batch, BipedalVectorEnv
from teachenv.errors import at_least, one_of, refuse_unknown

_OF_THE_BATCH = ("autoreset_mode", "copy")
_OF_THE_ENGINE = ("isa", "num_threads")
_SETTINGS: dict[str, Any] = inspect.getfullargspec(BipedalVectorEnv).kwonlydefaults or {}


def walker(num_envs: int = 1, **settings: Any) -> Batch:
    """Return many ``teachenv/Walker-v0``; see :func:`make`."""
    return make("teachenv/Walker-v0", walker_track, num_envs, settings)


def stump_tracks(num_envs: int = 1, **settings: Any) -> Batch:
    """Return many ``teachenv/StumpTracks-v0``; see :func:`make`."""
    return make("teachenv/StumpTracks-v0", stump_track, num_envs, settings)


def hexagon_tracks(num_envs: int = 1, **settings: Any) -> Batch:
    """Return many ``teachenv/HexagonTracks-v0``; see :func:`make`."""
    return make("teachenv/HexagonTracks-v0", hexagon_track, num_envs, settings)


def stump_sequences(num_envs: int = 1, **settings: Any) -> Batch:
    """Return many ``teachenv/StumpSequences-v0``; see :func:`make`."""
    return make("teachenv/StumpSequences-v0", sequence_track, num_envs, settings)


def obstacle_course(num_envs: int = 1, **settings: Any) -> Batch:
    """Return many ``teachenv/ObstacleCourse-v0``; see :func:`make`."""
    return make("teachenv/ObstacleCourse-v0", course_track, num_envs, settings)


def make(
    env_id: str, make_track: Callable[..., Track], num_envs: int, settings: Mapping[str, Any]
) -> Batch:
    """Return lanes of the native engine, or single environments on the reference physics.

    Args:
        env_id: Gymnasium id of one of them.
        make_track: Makes what they walk on, from its options.
        num_envs: Number of lanes.
        settings: ``backend``, options of the track, and settings of :class:`BipedalVectorEnv`.

    Raises:
        UserError: for fewer than one lane, an unknown setting, or one that makes no sense.
    """
    at_least(1, "num_envs", num_envs)
    known = {"backend": "auto", **options_of(make_track), **_SETTINGS}
    refuse_unknown("setting", settings, known)
    backend = one_of("backend", settings.get("backend", "auto"), BACKENDS)
    options = {n: v for n, v in settings.items() if n in options_of(make_track)}
    of_vector = {n: v for n, v in settings.items() if n in _SETTINGS}
    if choose_backend(backend) == "native":
        return BipedalVectorEnv(num_envs, make_track(**options), **of_vector)
    of_batch = {n: of_vector.pop(n) for n in _OF_THE_BATCH if n in of_vector}
    of_one = {n: v for n, v in of_vector.items() if n not in _OF_THE_ENGINE}
    if of_one.get("max_episode_steps", 1) is None:
        of_one["max_episode_steps"] = -1  # how gymnasium.make is told that there is no limit
    one = MakeEnv(env_id, {**options, **of_one, "backend": "reference"})
    return SyncVectorEnv([one] * num_envs, **of_batch)
