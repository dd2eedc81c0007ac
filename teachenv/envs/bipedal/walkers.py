"""The walkers as Gymnasium environments, on either physics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.env import Level, TaskEnv
from teachenv.envs.bipedal.bodies import BODIES, FPS, Body
from teachenv.envs.bipedal.engine import BACKENDS, NativePhysics, choose_backend
from teachenv.envs.bipedal.lidar import RAYS
from teachenv.envs.bipedal.render import Painter, Scene
from teachenv.envs.bipedal.terrain import FINISH_X, SPAWN_X, Terrain
from teachenv.envs.bipedal.tracks import MASTERY, RETURN_RANGE, Track
from teachenv.errors import one_of
from teachenv.space import TaskError

Floats = NDArray[np.float32]

_BOUNDS = (math.pi, math.pi, 5.0)
"""Gymnasium's, of the head's angle, the joints' angles and the joints' speeds."""


class Physics(Protocol):
    """What a backend does for one walker.

    Attributes:
        x: Horizontal position of the hull, in metres.
    """

    x: float

    def restart(self, level: Level, terrain: Terrain | None) -> Floats:
        """Start an episode and play one step without torque.

        Args:
            level: The level.
            terrain: Valid terrain to play instead of the level's.

        Returns:
            The first observation.
        """

    def step(self, actions: list[float]) -> tuple[Floats, float, bool]:
        """Play 1/50 s with finite actions; return observation, reward, terminated."""

    def scene(self) -> Scene:
        """Return what a picture of the current state shows."""


class BipedalEnv(TaskEnv[Floats, Floats]):
    """A body that walks to the right over a terrain; subclasses say which.

    Observation:
        float32, 24 numbers for the default body, in bounds that hard contacts can exceed. The
        head is the hull of the default body:

        ======= =========================================== ==================================
        numbers what                                        scaled by
        ======= =========================================== ==================================
        1       angle of the head, in radians               1
        1       its angular velocity, in rad/s              2 / 50
        2       its velocity to the right and up, in m/s    0.3 * (20, 13.3) / 50
        1       for each motor: angle, in radians           1; 1 is added to knees
        1       for each motor: angular velocity, in rad/s  1 / its speed limit
        1       for each lower leg: 1 on touching terrain   1; after the motor that moves it
        10      lidar: free share of 5.33 m along rays      1, from straight down to 1.35 rad
                                                            forward
        ======= =========================================== ==================================

    Action:
        float32 in [-1, 1], one per motor: direction and share of the largest torque.

    Reward:
        Change of ``130 x / 30 - 5 |angle|`` of the head, less 0.028 per unit of action (some
        bodies have other weights); -100 instead when a part that must not touch the terrain does,
        or x < 0.

    End:
        After a reward of -100, on crossing the finish line at 88.667 m, or after 2000 steps.

    ``reset`` plays one step without torque, in which a random push acts; its observation is the
    first, and its reward is dropped.

    ``reset(options={"terrain": Terrain(...)})`` plays the episode on a hand-made terrain instead.

    The level seeds of episodes for which none is given follow from the seed of the last seeded
    reset and the number of episodes since.

    Args:
        body: Name of the embodiment.
        track: What it walks on.
        backend: "native" (fast), "reference" (Box2D, equal to Gymnasium bit for bit) or "auto"
            (native where it is built).
        render_mode: ``None``, "rgb_array" or "human".

    Attributes:
        backend: The physics in use, "native" or "reference".

    Raises:
        UserError: for an unknown body, backend or render mode, or if "native" is not built.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": FPS}  # noqa: RUF012
    return_range = RETURN_RANGE
    mastery = MASTERY
    reset_options = frozenset({"terrain"})

    def __init__(self, body: str, track: Track, backend: str, render_mode: str | None) -> None:
        if render_mode is not None:
            one_of("render_mode", render_mode, self.metadata["render_modes"])
        self.body: Body = BODIES[one_of("body", body, BODIES)]
        self.backend = choose_backend(one_of("backend", backend, BACKENDS))
        self.track = track
        self.task_space = track.task_space
        self.harder, self.inert = track.harder, track.inert
        self.render_mode = render_mode
        self.action_space = action_space(self.body)
        self.observation_space = observation_space(self.body)
        self._physics: Physics | None = None
        self._painter: Painter | None = None

    @property
    def progress(self) -> float:
        """Share of the way from the start to the finish line, in [0, 1]."""
        if self._physics is None:
            return 0.0
        return min(1.0, max(0.0, (self._physics.x - SPAWN_X) / (FINISH_X - SPAWN_X)))

    def fingerprint(self, level: Level) -> bytes:
        """Return the vertices of ground and obstacles; see :class:`teachenv.env.TaskEnv`."""
        terrain = self.track.start(level).terrain
        return b"|".join(points.tobytes() for points in (terrain.ground, *terrain.polygons))

    def _draw_level_seed(self, seed: int | None) -> int:
        root = self.np_random_seed
        if root is None or root < 0:  # the generator was put in place of ours
            return super()._draw_level_seed(seed)
        roots = np.array([root % 2**64], np.uint64)
        return int(self.track.level_seeds(roots, np.array([self._episode]))[0])

    def _check_options(self, options: Mapping[str, Any]) -> None:
        if options.get("terrain") is not None:
            read_terrain(options["terrain"])

    def _start(self, level: Level, options: Mapping[str, Any]) -> Floats:
        if self._physics is None:
            self._physics = self._make_physics()
        given = options.get("terrain")
        terrain = None if given is None else read_terrain(given)
        observation = self._physics.restart(level, terrain)
        if self.render_mode == "human":
            self.render()
        return observation

    def _make_physics(self) -> Physics:
        if self.backend == "native":
            return NativePhysics(self.body, self.track)
        from teachenv.envs.bipedal.reference import ReferencePhysics  # imports Box2D

        return ReferencePhysics(self.body, self.track)

    def _check_action(self, action: Floats) -> None:
        """Leave that to :meth:`_read_action`."""

    def _advance(self, action: Floats) -> tuple[Floats, float, bool, bool]:
        if self._physics is None:
            raise ResetNeeded("step: call reset first")
        observation, reward, terminated = self._physics.step(self._read_action(action))
        if self.render_mode == "human":
            self.render()
        return observation, reward, terminated, False

    def _read_action(self, action: Floats) -> list[float]:
        array = np.asarray(action)
        if array.shape != self.action_space.shape or array.dtype.kind not in "fiu":
            raise ValueError(
                f"action: expected {len(self.body.motors)} numbers in [-1, 1], got {action!r}"
            )
        actions: list[float] = array.tolist()
        if not all(map(math.isfinite, actions)):
            raise ValueError(f"action: expected numbers in [-1, 1], got {actions}")
        return actions

    def render(self) -> Any:
        """Draw the current state.

        Returns:
            uint8 of shape ``(400, 600, 3)`` for "rgb_array", otherwise ``None``.
        """
        if self.render_mode is None or self._physics is None:
            return None
        if self._painter is None:
            self._painter = Painter(self.render_mode)
        return self._painter.paint(self._physics.scene())

    def close(self) -> None:
        """Close the window, if any."""
        if self._painter is not None:
            self._painter.close()
            self._painter = None


def read_terrain(value: object) -> Terrain:
    """Return a hand-made terrain, checked.

    Raises:
        TaskError: if it is no terrain, or one that cannot be played.
    """
    if not isinstance(value, Terrain):
        raise TaskError(f"terrain: expected a Terrain, got {type(value).__name__}")
    return value.checked()


def action_space(body: Body) -> spaces.Box:
    """Return the actions of a body: one number in [-1, 1] per motor."""
    return spaces.Box(-1.0, 1.0, (len(body.motors),), np.float32)


def observation_space(body: Body) -> spaces.Box:
    """Return the observations of a body; see :class:`BipedalEnv`."""
    tilt, angle, speed = (100.0 * math.pi, 2.0 * math.pi, 40.0) if body.wild else _BOUNDS
    high = [tilt, 5.0, 5.0, 5.0]
    low = [-bound for bound in high]
    for joint in body.motors:
        high += [angle, speed]
        low += [-angle, -speed]
        if body.parts[joint.child].senses_contact:
            high.append(5.0)
            low.append(0.0)
    high += [1.0] * RAYS
    low += [-1.0] * RAYS
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
