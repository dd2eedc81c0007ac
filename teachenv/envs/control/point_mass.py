"""A point mass that has to pass a gate in a wall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.env import Level, TaskEnv
from teachenv.errors import one_of
from teachenv.seeding import derive
from teachenv.space import Dim, TaskSpace

Floats = NDArray[np.float32]

HALF_SIZE = 4.0
START, GOAL = (0.0, 3.0), (0.0, -3.0)
STEPS, SUBSTEPS, DT = 100, 10, 0.01
MAX_FORCE, GAIN, NOISE = 10.0, 1.5, 0.05
MAX_SPEED = 20.0
"""Of observations; the force cannot reach it in 8 m."""

_PIXELS = 30
"""Per metre."""

_GATE = (
    Dim("gate_position", -4.0, 4.0, default=0.0, unit="m", meaning="middle of the gate"),
    Dim("gate_width", 0.5, 8.0, default=8.0, unit="m"),
)
_FRICTION = Dim("friction", 0.0, 4.0, default=0.0, unit="1/s", meaning="speed lost")


class PointMass(TaskEnv[Floats, Floats]):
    """The gate of self-paced learning (Klink, D'Eramo, Peters and Pajarinen, NeurIPS 2020, 5.1).

    A point in [-4, 4] x [-4, 4] m is pushed from (0, 3) through a gate in a wall at height 0 to
    the goal at (0, -3). Touching the wall ends the episode; a step lasts 0.1 s, an episode at
    most 100 steps. Per 0.01 s the acceleration is ``1.5 force - friction velocity`` plus
    N(0, 0.05) from the level seed.

    Task: ``gate_position`` in [-4, 4] m and ``gate_width`` in [0.5, 8] m, where narrower is
    harder; with ``friction=True`` also ``friction`` in [0, 4] 1/s.

    Observation (float32): position / 4 and velocity / 20 in x and y, and the task in the unit
    cube. Action (float32 in [-1, 1], x and y): share of the largest force, 10.

    Reward: ``exp(-0.6 distance to the goal)`` after each step, so a return of 0 to 100; a
    controller that steers straight through the gate reaches 65 to 90, waiting 2.7, going down to
    the wall and no further at most 17. Mastered: above 45, which takes the goal to be reached by
    the middle of the episode, and held.

    Args:
        friction: Whether friction is a third parameter.
        render_mode: ``None`` or "rgb_array".

    Raises:
        UserError: for an unknown render mode.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012
    return_range = (0.0, 90.0)
    mastery = 45.0
    harder = {"gate_width": -1}  # noqa: RUF012

    def __init__(self, friction: bool = False, render_mode: str | None = None) -> None:
        if render_mode is not None:
            one_of("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.task_space = TaskSpace([*_GATE, *([_FRICTION] if friction else [])])
        shape = (4 + self.task_space.dim,)
        self.observation_space = spaces.Box(-1.0, 1.0, shape, np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._t = 0
        self._position, self._velocity = START, (0.0, 0.0)
        self._noise: list[list[float]] = []
        self._shown_task = np.zeros(0)

    @property
    def progress(self) -> float:
        """Share of the way down to the goal, in [0, 1]."""
        return min(1.0, max(0.0, (START[1] - self._position[1]) / (START[1] - GOAL[1])))

    def _start(self, level: Level, options: Mapping[str, Any]) -> Floats:
        self._t = 0
        self._position, self._velocity = START, (0.0, 0.0)
        rng = derive(level.level_seed, "point-mass")
        self._noise = (NOISE * rng.standard_normal((STEPS * SUBSTEPS, 2))).tolist()
        gate = level.task.tolist()
        self._gate, self._half_width = gate[0], gate[1] / 2
        self._friction = gate[2] if len(gate) > 2 else 0.0
        self._shown_task = self.task_space.to_unit(level.task)
        return self._observe()

    def _advance(self, action: Floats) -> tuple[Floats, float, bool, bool]:
        if not self._noise:
            raise ResetNeeded("step: call reset first")
        fx, fy = (GAIN * MAX_FORCE * min(1.0, max(-1.0, float(a))) for a in action)
        crashed = False
        first = self._t * SUBSTEPS
        for nx, ny in self._noise[first : first + SUBSTEPS]:
            crashed = self._substep(fx + nx, fy + ny)
            if crashed:
                break
        self._t += 1
        reward = math.exp(-0.6 * math.dist(self._position, GOAL))
        return self._observe(), reward, crashed, self._t >= STEPS

    def _substep(self, ax: float, ay: float) -> bool:
        """Move for 0.01 s (explicit Euler); return whether the wall was touched."""
        (x, y), (vx, vy) = self._position, self._velocity
        new_x = min(HALF_SIZE, max(-HALF_SIZE, x + DT * vx))
        new_y = min(HALF_SIZE, max(-HALF_SIZE, y + DT * vy))
        self._velocity = (
            vx + DT * (ax - self._friction * vx),
            vy + DT * (ay - self._friction * vy),
        )
        if y >= 0.0 > new_y or y <= 0.0 < new_y:
            at = x + (new_x - x) * y / (y - new_y)
            if abs(at - self._gate) > self._half_width:
                self._position, self._velocity = (at, 0.0), (0.0, 0.0)
                return True
        self._position = (new_x, new_y)
        return False

    def _observe(self) -> Floats:
        (x, y), (vx, vy) = self._position, self._velocity
        state = [x / HALF_SIZE, vx / MAX_SPEED, y / HALF_SIZE, vy / MAX_SPEED]
        shown = np.array([*state, *self._shown_task], np.float32)
        return np.clip(shown, -1.0, 1.0)

    def render(self) -> Any:
        """Draw the current state.

        Returns:
            uint8 of shape ``(240, 240, 3)``, or ``None`` without render mode or episode.
        """
        if self.render_mode is None or not self._noise:
            return None
        centres = (np.arange(int(2 * HALF_SIZE * _PIXELS)) + 0.5) / _PIXELS - HALF_SIZE
        x, y = np.meshgrid(centres, -centres)
        picture = np.full((*x.shape, 3), 255, np.uint8)
        picture[(abs(y) < 0.05) & (abs(x - self._gate) > self._half_width)] = (38, 38, 38)
        for (cx, cy), colour in ((GOAL, (0, 158, 115)), (self._position, (213, 94, 0))):
            picture[np.hypot(x - cx, y - cy) < 0.15] = colour
        return picture
