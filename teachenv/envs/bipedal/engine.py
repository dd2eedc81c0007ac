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
from teachenv.protocols import State

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


class EngineBatch:
    """Walkers on the engine ("lanes"), with the arrays of its calls: row ``i`` is lane ``i``'s.

    Args:
        body, track, num_envs, num_threads, isa: See :func:`make_engine`.

    Attributes:
        engine: The compiled engine; see ``_native_baseline.pyi``.
        actions: To be set before a step, float32 of shape ``(n, n_motors)``.
        observations: float32 of shape ``(n, size)``.
        rewards: Of the last step, float64 of shape ``(n,)``.
        terminated: Likewise, bool.
        positions: Horizontal positions of the heads, in metres, float64 of shape ``(n,)``.
        isa: Instruction set in use.

    Raises:
        UserError: if this processor cannot run the instruction set.
    """

    def __init__(
        self, body: Body, track: Track, num_envs: int, num_threads: int = 1, isa: str = "auto"
    ) -> None:
        self._body = body
        self._track = track
        self.engine = make_engine(body, track, num_envs, num_threads, isa)
        self.isa: str = self.engine.isa
        self._mode = np.zeros(num_envs, np.uint8)
        self.actions = np.zeros((num_envs, self.engine.num_actions), np.float32)
        self.observations = np.zeros((num_envs, self.engine.observation_size), np.float32)
        self.rewards = np.zeros(num_envs)
        self.terminated = np.zeros(num_envs, np.bool_)
        self.positions = np.zeros(num_envs)
        self._unread = np.zeros(num_envs), np.zeros(num_envs, np.bool_)

    def step(
        self,
        tasks: NDArray[np.float64],
        level_seeds: NDArray[np.int64],
        restarting: NDArray[np.bool_] | None = None,
    ) -> None:
        """Play the actions.

        Args:
            tasks: Of all lanes, shape ``(n, dim)``; read where one restarts, as the next.
            level_seeds: Shape ``(n,)``.
            restarting: Mask of lanes that begin an episode instead.
        """
        self._mode.fill(STEP)
        if restarting is not None:
            self._mode[restarting] = RESTART
        self._advance(tasks, level_seeds, self.rewards, self.terminated)

    def restart(
        self,
        lanes: NDArray[np.int64],
        tasks: NDArray[np.float64],
        level_seeds: NDArray[np.int64],
    ) -> None:
        """Begin episodes in some lanes; the others, and all rewards and ends, stay as they are."""
        self._mode.fill(LEAVE)
        self._mode[lanes] = RESTART
        self._advance(tasks, level_seeds, *self._unread)

    def set_terrain(self, lane: int, terrain: Terrain, level: Level) -> None:
        """Play a hand-made terrain in a lane's next episode, with the push of a level."""
        push = self._track.start(level).push
        self.engine.set_terrain(lane, terrain.ground, list(terrain.polygons), push)

    def scene(self, lane: int) -> Scene:
        """Return what a picture of a lane's current state shows."""
        ground, polygons = self.engine.get_terrain(lane)
        poses = self.engine.get_bodies(lane)[:, :3]
        lidar = self.observations[lane, -RAYS:]
        return Scene(self._body, Terrain(ground, tuple(polygons)), poses, lidar)

    def get_state(self, lane: int) -> State:
        """Return everything a lane's physics depends on, and its observation."""
        return {
            "engine": np.frombuffer(self.engine.get_state(lane), np.uint8),
            "observation": self.observations[lane].copy(),
        }

    def set_state(self, lane: int, state: State) -> None:
        """Put a lane where :meth:`get_state` left one.

        Raises:
            KeyError, TypeError, ValueError: if the state is damaged; the lane is unchanged.
        """
        observation = np.asarray(state["observation"], np.float32)
        if observation.shape != self.observations[lane].shape:
            raise ValueError(f"observation of shape {observation.shape}")
        engine = np.asarray(state["engine"])
        if engine.dtype != np.uint8:
            raise ValueError(f"engine: expected uint8, got {engine.dtype}")
        self.engine.set_state(lane, engine.tobytes())
        self.observations[lane] = observation

    def _advance(
        self,
        tasks: NDArray[np.float64],
        level_seeds: NDArray[np.int64],
        rewards: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> None:
        self.engine.advance(
            self._mode,
            self.actions,
            tasks,
            level_seeds.view(np.uint64),
            self.observations,
            rewards,
            terminated,
            self.positions,
        )


class NativePhysics:
    """One walker on the native engine.

    Attributes:
        x: Horizontal position of the head, in metres; 0 before the first episode.
    """

    def __init__(self, body: Body, track: Track) -> None:
        self.x = 0.0
        self._batch = EngineBatch(body, track, 1)

    def restart(self, level: Level, terrain: Terrain | None) -> NDArray[np.float32]:
        """Start an episode; see :class:`teachenv.envs.bipedal.walkers.Physics`."""
        self._level = (level.task.reshape(1, -1), np.array([level.level_seed], np.int64))
        if terrain is not None:
            self._batch.set_terrain(0, terrain, level)
        self._batch.restart(np.array([0]), *self._level)
        return self._observation()

    def step(self, actions: list[float]) -> tuple[NDArray[np.float32], float, bool]:
        """Play a step; see :class:`teachenv.envs.bipedal.walkers.Physics`."""
        batch = self._batch
        batch.actions[0] = actions
        batch.step(*self._level)
        return self._observation(), batch.rewards.item(), batch.terminated.item()

    def scene(self) -> Scene:
        """Return what a picture of the current state shows."""
        return self._batch.scene(0)

    def _observation(self) -> NDArray[np.float32]:
        self.x = self._batch.positions.item()
        observation: NDArray[np.float32] = self._batch.observations[0].copy()
        return observation
