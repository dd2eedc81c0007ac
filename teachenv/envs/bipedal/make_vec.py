"""What ``gymnasium.make_vec`` calls: one function per track."""

from __future__ import annotations

from typing import Any

from gymnasium.vector import SyncVectorEnv

from teachenv.env import MakeEnv
from teachenv.envs.bipedal.engine import BACKENDS, choose_backend
from teachenv.envs.bipedal.tracks import HARDCORE, STOCK, STUMP_TRACKS, Track
from teachenv.envs.bipedal.vector import Batch, BipedalVectorEnv
from teachenv.errors import one_of

_OF_THE_BATCH = ("autoreset_mode", "copy")
_OF_THE_ENGINE = ("isa", "num_threads")


def walker(num_envs: int = 1, hardcore: bool = False, **settings: Any) -> Batch:
    """Return many ``teachenv/Walker-v0``: the stock terrain of Gymnasium's BipedalWalker-v3.

    Args:
        num_envs: Number of lanes.
        hardcore: Whether the default task is "hardcore".
        **settings: ``backend`` and those of :class:`BipedalVectorEnv`.
    """
    track = HARDCORE if hardcore else STOCK
    return _make("teachenv/Walker-v0", num_envs, track, settings, {"hardcore": hardcore})


def stump_tracks(num_envs: int = 1, **settings: Any) -> Batch:
    """Return many ``teachenv/StumpTracks-v0``.

    Args:
        num_envs: Number of lanes.
        **settings: ``backend`` and those of :class:`BipedalVectorEnv`.
    """
    return _make("teachenv/StumpTracks-v0", num_envs, STUMP_TRACKS, settings, {})


def _make(
    env_id: str, num_envs: int, track: Track, settings: dict[str, Any], kwargs: dict[str, Any]
) -> Batch:
    """Return lanes of the native engine, or single environments on the reference physics."""
    backend = one_of("backend", settings.pop("backend", "auto"), BACKENDS)
    if choose_backend(backend) == "native":
        return BipedalVectorEnv(num_envs, track, **settings)
    for name, value in settings.items():
        if name not in (*_OF_THE_BATCH, *_OF_THE_ENGINE):
            kwargs[name] = value
    make = MakeEnv(env_id, {**kwargs, "backend": "reference"})
    batch = {name: settings[name] for name in _OF_THE_BATCH if name in settings}
    return SyncVectorEnv([make] * num_envs, **batch)
