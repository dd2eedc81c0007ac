"""The native physics: finding the compiled engine, and one walker on it."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.env import Level
from teachenv.envs.bipedal.bodies import Body
from teachenv.envs.bipedal.lidar import RAYS
from teachenv.envs.bipedal.render import Scene
from teachenv.envs.bipedal.terrain import Terrain
from teachenv.envs.bipedal.tracks import Track
from teachenv.errors import UserError

BACKENDS = ("auto", "native", "reference")
LEAVE, STEP, RESTART = 0, 1, 2
"""What the engine does with a walker in one call."""

HOW_TO_BUILD = "to build it, install teachenv from source with a C++20 compiler: pip install ."


@functools.cache
def native_module() -> tuple[Any, str]:
    """Return the compiled module and "", or ``None`` and why it cannot be used."""
    try:
        return importlib.import_module("teachenv.envs.bipedal._native"), ""
    except ImportError as error:
        return None, str(error)


def choose_backend(backend: str) -> str:
    """Return the physics to use, "native" or "reference"; warns once where "auto" falls back.

    Args:
        backend: One of ``BACKENDS``.

    Raises:
        UserError: if "native" is asked for and not there.
    """
    if backend == "reference":
        return "reference"
    module, reason = native_module()
    if module is not None:
        return "native"
    if backend == "native":
        raise UserError(f"backend 'native': no compiled engine ({reason}); {HOW_TO_BUILD}")
    _warn_once(reason)
    return "reference"


@functools.cache
def _warn_once(reason: str) -> None:
    warnings.warn(
        f"the walkers run on the slow reference physics: no compiled engine ({reason}); "
        f"{HOW_TO_BUILD}",
        stacklevel=3,
    )


def describe(body: Body) -> tuple[Any, ...]:
    """Return the numbers of a body as the engine reads them."""
    return dataclasses.astuple(body)


def make_engine(
    body: Body, track: Track, num_envs: int, num_threads: int = 1, isa: str = "auto"
) -> Any:
    """Return an engine; see ``_native_baseline.pyi``.

    Args:
        body: The embodiment.
        track: What it walks on.
        num_envs: Number of walkers.
        num_threads: Threads that step them; results do not depend on it.
        isa: Instruction set, "auto" for the fastest; results do not depend on it.

    Raises:
        UserError: if this processor cannot run the instruction set.
    """
    module, _ = native_module()
    return module.load(isa).Engine(describe(body), track.name, num_envs, num_threads)


def engine_scene(body: Body, engine: Any, lane: int, observation: NDArray[np.float32]) -> Scene:
    """Return what a picture of a walker's current state shows."""
    ground, polygons = engine.get_terrain(lane)
    poses = engine.get_bodies(lane)[:, :3]
    return Scene(body, Terrain(ground, tuple(polygons)), poses, observation[-RAYS:])


class NativePhysics:
    """One walker on the native engine.

    Attributes:
        x: Horizontal position of the hull, in metres; 0 before the first episode.
    """

    def __init__(self, body: Body, track: Track) -> None:
        self.x = 0.0
        self._body = body
        self._track = track
        self._engine = make_engine(body, track, 1)
        self._actions = np.zeros((1, len(body.joints)), np.float32)
        self._observation: NDArray[np.float32]

    def restart(self, level: Level, terrain: Terrain | None) -> NDArray[np.float32]:
        """Start an episode; see :class:`teachenv.envs.bipedal.walkers.Physics`."""
        self._level = (level.task.reshape(1, -1), np.array([level.level_seed], np.uint64))
        if terrain is not None:
            push = self._track.start(level).push
            self._engine.set_terrain(0, terrain.ground, list(terrain.polygons), push)
        return self._advance(RESTART)[0]

    def step(self, actions: list[float]) -> tuple[NDArray[np.float32], float, bool]:
        """Play a step; see :class:`teachenv.envs.bipedal.walkers.Physics`."""
        self._actions[0] = actions
        return self._advance(STEP)

    def scene(self) -> Scene:
        """Return what a picture of the current state shows."""
        return engine_scene(self._body, self._engine, 0, self._observation)

    def _advance(self, mode: int) -> tuple[NDArray[np.float32], float, bool]:
        observations = np.empty((1, self._engine.observation_size), np.float32)
        rewards, terminated, positions = np.empty(1), np.empty(1, np.bool_), np.empty(1)
        self._engine.advance(
            np.array([mode], np.uint8),
            self._actions,
            *self._level,
            observations,
            rewards,
            terminated,
            positions,
        )
        self.x = positions.item()
        self._observation = observations[0]
        return self._observation, rewards.item(), terminated.item()
