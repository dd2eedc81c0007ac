"""The walker environments on the reference physics (the ``box2d`` wheel)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import EzPickle, seeding
from numpy.typing import NDArray

from teachenv.env import MAX_LEVEL_SEED, Level, TaskEnv
from teachenv.envs.bipedal import terrain as terrains
from teachenv.envs.bipedal.bodies import BODIES, Body
from teachenv.envs.bipedal.lidar import RAYS
from teachenv.envs.bipedal.simulation import FPS, Simulation
from teachenv.envs.bipedal.terrain import FINISH_X, SCALE, SPAWN_X, Start, Terrain
from teachenv.errors import UserError, unknown
from teachenv.space import Dim, TaskError, TaskSpace

if TYPE_CHECKING:
    from teachenv.envs.bipedal.render import Painter

Floats = NDArray[np.float32]

BACKENDS = ("auto", "reference")


class BipedalEnv(TaskEnv[Floats, Floats]):
    """A body that walks to the right over a terrain; subclasses say which.

    Observation (float32, 24 numbers for the default body): hull angle, angular velocity * 2/50,
    velocity * 0.3 * (20, 13.3)/50; per leg hip angle, hip speed / 4, knee angle + 1, knee speed
    / 6, contact of the lower leg; ten lidar fractions from straight down to 1.35 rad forward.
    Bounds are those of Gymnasium's BipedalWalker, which hard contacts can exceed.

    Action (float32 in [-1, 1], one per joint): direction and share of the largest torque.

    Reward: change of ``130 x / 30 - 5 |hull angle|``, less 0.028 per unit of action; -100
    instead when the hull touches the terrain or x < 0, which ends the episode, as does crossing
    the finish line at 88.667 m.

    ``reset`` plays one step without torque, in which a random push acts; its observation is the
    first, and its reward is dropped.

    ``reset(options={"terrain": Terrain(...)})`` plays the episode on a hand-made terrain instead.

    Args:
        body: Name of the embodiment.
        backend: "reference" or "auto".
        render_mode: ``None``, "rgb_array" or "human".

    Raises:
        UserError: for an unknown body, backend or render mode.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": FPS}  # noqa: RUF012
    return_range = (-150.0, 350.0)
    mastery = 230.0
    reset_options = frozenset({"terrain"})

    def __init__(self, body: str, backend: str, render_mode: str | None) -> None:
        _known("backend", backend, BACKENDS)
        _known("body", body, tuple(BODIES))
        if render_mode is not None:
            _known("render_mode", render_mode, tuple(self.metadata["render_modes"]))
        self.body: Body = BODIES[body]
        self.render_mode = render_mode
        self.action_space = spaces.Box(-1.0, 1.0, (len(self.body.joints),), np.float32)
        self.observation_space = _observation_space(self.body)
        self._simulation: Simulation | None = None
        self._shaping = 0.0
        self._painter: Painter | None = None

    def _level_start(self, level: Level) -> Start:
        """Return the terrain and the push that a level fixes."""
        raise NotImplementedError

    @property
    def progress(self) -> float:
        """Share of the way from the start to the finish line, in [0, 1]."""
        if self._simulation is None:
            return 0.0
        return min(1.0, max(0.0, (self._simulation.x - SPAWN_X) / (FINISH_X - SPAWN_X)))

    def _check_options(self, options: Mapping[str, Any]) -> None:
        given = options.get("terrain")
        if given is None:
            return
        if not isinstance(given, Terrain):
            raise TaskError(f"terrain: expected a Terrain, got {type(given).__name__}")
        given.checked()

    def _start(self, level: Level, options: Mapping[str, Any]) -> Floats:
        terrain, push = self._level_start(level)
        given = options.get("terrain")
        if given is not None:
            terrain = given.checked()
        self._simulation = simulation = Simulation(self.body, terrain, push)
        observation = simulation.step([0.0] * len(self.body.joints))
        self._shaping = 130.0 * simulation.x / SCALE - 5.0 * abs(simulation.angle)
        if self.render_mode == "human":
            self.render()
        return observation

    def _advance(self, action: Floats) -> tuple[Floats, float, bool, bool]:
        simulation = self._simulation
        if simulation is None:
            raise ResetNeeded("step: call reset first")
        actions, effort = self._read_action(action)
        observation = simulation.step(actions)
        shaping = 130.0 * simulation.x / SCALE - 5.0 * abs(simulation.angle)
        reward = shaping - self._shaping - self.body.torque_penalty * effort
        self._shaping = shaping
        if self.render_mode == "human":
            self.render()
        if simulation.fallen or simulation.x < 0.0:
            return observation, -100.0, True, False
        return observation, reward, simulation.x > FINISH_X, False

    def _read_action(self, action: Floats) -> tuple[list[float], float]:
        """Return the action as numbers, and the sum of their clipped magnitudes."""
        array = np.asarray(action)
        if array.shape != self.action_space.shape or array.dtype.kind not in "fiu":
            raise ValueError(
                f"action: expected {len(self.body.joints)} numbers in [-1, 1], got {action!r}"
            )
        actions: list[float] = array.tolist()
        effort = 0.0
        for value in actions:
            effort += min(abs(value), 1.0)
        if effort != effort:  # NaN; min() keeps it as its first argument
            raise ValueError(f"action: expected numbers in [-1, 1], got {actions}")
        return actions, effort

    def render(self) -> Any:
        """Draw the current state.

        Returns:
            uint8 of shape ``(400, 600, 3)`` for "rgb_array", otherwise ``None``.
        """
        if self.render_mode is None or self._simulation is None:
            return None
        if self._painter is None:
            from teachenv.envs.bipedal.render import Painter

            self._painter = Painter(self.render_mode, FPS)
        return self._painter.paint(self._simulation)

    def close(self) -> None:
        """Close the window, if any."""
        if self._painter is not None:
            self._painter.close()
            self._painter = None


def _known(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(unknown(name, str(value), known))


def _observation_space(body: Body) -> spaces.Box:
    high = [math.pi, 5.0, 5.0, 5.0]
    low = [-bound for bound in high]
    for joint in body.joints:
        high += [math.pi, 5.0]
        low += [-math.pi, -5.0]
        if body.parts[joint.child].senses_contact:
            high.append(5.0)
            low.append(0.0)
    high += [1.0] * RAYS
    low += [-1.0] * RAYS
    return spaces.Box(np.array(low, np.float32), np.array(high, np.float32))


class Walker(BipedalEnv, EzPickle):
    """The stock terrain of Gymnasium's BipedalWalker-v3; see :class:`BipedalEnv`.

    Task: ``course``, "easy" (uneven grass) or "hardcore" (with stumps, stairs and pits).

    ``reset(seed=s)`` plays level seed ``s``, and terrain and push are drawn from it exactly as a
    fresh Gymnasium environment draws them from ``reset(seed=s)``.

    Args:
        hardcore: Whether the default task is "hardcore".
        backend: "reference" or "auto".
        render_mode: ``None``, "rgb_array" or "human".
    """

    harder = MappingProxyType({"course": 1})

    def __init__(
        self,
        hardcore: bool = False,
        backend: str = "reference",
        render_mode: str | None = None,
    ) -> None:
        EzPickle.__init__(self, hardcore, backend, render_mode)
        super().__init__("default", backend, render_mode)
        self.task_space = TaskSpace(
            [
                Dim(
                    "course",
                    default=float(bool(hardcore)),
                    meaning="grass only, or with stumps, stairs and pits",
                    kind="choice",
                    choices=("easy", "hardcore"),
                )
            ]
        )

    def _draw_level_seed(self, seed: int | None) -> int:
        if seed is not None and seed < MAX_LEVEL_SEED:
            return int(seed)
        return super()._draw_level_seed(seed)

    def _level_start(self, level: Level) -> Start:
        rng, _ = seeding.np_random(level.level_seed)
        return terrains.stock(rng, hardcore=bool(level.task[0]))


class StumpTracks(BipedalEnv, EzPickle):
    """Flat ground with stumps of a given mean height at a given spacing; see :class:`BipedalEnv`.

    Task: ``stump_height`` in [0, 3] terrain steps of 0.467 m, ``stump_spacing`` in [0, 6] m.

    Args:
        body: Name of the embodiment.
        backend: "reference" or "auto".
        render_mode: ``None``, "rgb_array" or "human".
    """

    task_space = TaskSpace(
        [
            Dim("stump_height", 0.0, 3.0, 0.0, "terrain steps", "mean height of the stumps"),
            Dim("stump_spacing", 0.0, 6.0, 6.0, "m", "free ground between two stumps"),
        ]
    )
    harder = MappingProxyType({"stump_height": 1, "stump_spacing": -1})

    def __init__(
        self, body: str = "default", backend: str = "auto", render_mode: str | None = None
    ) -> None:
        EzPickle.__init__(self, body, backend, render_mode)
        super().__init__(body, backend, render_mode)

    def _level_start(self, level: Level) -> Start:
        height, spacing = level.task.tolist()
        terrain = terrains.stump_tracks(height, spacing, level.level_seed)
        return Start(terrain, terrains.initial_push(level.level_seed))
