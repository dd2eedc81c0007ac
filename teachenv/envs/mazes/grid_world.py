"""What the grid worlds have in common: moving, seeing, keys and doors, pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.env import Level, TaskEnv
from teachenv.errors import one_of
from teachenv.seeding import derive

Floats = NDArray[np.float32]
Grid = NDArray[np.int8]
Square = tuple[int, int]
"""Row and column."""

FLOOR, WALL, GOAL, KEY, DOOR = range(5)
MOVES: tuple[Square, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Action -> step: up, right, down, left."""

SIGHT = 3
"""Squares seen in each direction, through walls."""

SHOWN = np.array([WALL, GOAL, KEY, DOOR], np.int8)[:, None, None]
COMPASS_SCALE = 50.0
COLOURS = np.array(
    [(255, 255, 255), (38, 38, 38), (0, 158, 115), (230, 159, 0), (0, 114, 178), (213, 94, 0)],
    np.uint8,
)
"""Of floor, wall, goal, key, door and the agent."""

_PIXELS = 16


class GridWorld(TaskEnv[Floats, int]):
    """A grid with walls, a goal, and perhaps keys and doors; subclasses say which.

    Action: 0 to 3 for up, right, down, left. Walls stop the agent, and so do doors unless it
    carries a key, which is spent on opening; a key is taken by stepping on it, one at a time.

    Observation (float32, 199 numbers): the 7 x 7 squares around the agent, one after the other
    for wall, goal, key and door (0 or 1); rows and columns to the goal over 50; whether a key is
    carried.

    Reward: ``1 - 0.9 t / limit`` on reaching the goal in step ``t`` of at most ``limit``, which
    ends the episode, 0 otherwise (as in Minigrid; Chevalier-Boisvert et al., 2023). Mastered:
    above 0.5, that is within 55 % of the limit.

    Args:
        render_mode: ``None`` or "rgb_array".

    Raises:
        UserError: for an unknown render mode.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012
    return_range = (0.0, 1.0)
    mastery = 0.5

    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode is not None:
            one_of("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        side = 2 * SIGHT + 1
        low = np.zeros(len(SHOWN) * side * side + 3, np.float32)
        low[-3:-1] = -1.0
        self.observation_space = spaces.Box(low, np.ones_like(low))
        self.action_space = spaces.Discrete(len(MOVES))
        self._limit = 0
        self._t = 0
        self._nearest = self._distance = 1

    @abstractmethod
    def _build(self, task: Mapping[str, Any], rng: np.random.Generator) -> tuple[Grid, Square]:
        """Return the grid, with walls around it, and where the agent starts."""

    @abstractmethod
    def _step_limit(self, task: Mapping[str, Any]) -> int:
        """Return how many steps an episode may take."""

    @property
    def progress(self) -> float:
        """How far the agent has come towards the goal at best, in [0, 1], as the crow flies."""
        return 1.0 - self._nearest / self._distance

    def _start(self, level: Level, options: Mapping[str, Any]) -> Floats:
        task = self.task_space.to_dict(level.task)
        grid, self._agent = self._build(task, derive(level.level_seed, "grid"))
        row, column = np.argwhere(grid == GOAL)[0].tolist()
        self._goal: Square = (row, column)
        self._grid = np.pad(grid, SIGHT, constant_values=WALL)
        self._limit = self._step_limit(task)
        self._t = 0
        self._has_key = False
        self._nearest = self._distance = self._to_goal()
        return self._observe()

    def _advance(self, action: int) -> tuple[Floats, float, bool, bool]:
        if not self._limit:
            raise ResetNeeded("step: call reset first")
        self._t += 1
        down, right = MOVES[action]
        row, column = self._agent[0] + down, self._agent[1] + right
        if self._enter(row, column):
            self._agent = (row, column)
        self._nearest = min(self._nearest, self._to_goal())
        there = self._agent == self._goal
        reward = 1.0 - 0.9 * self._t / self._limit if there else 0.0
        return self._observe(), reward, there, self._t >= self._limit and not there

    def _enter(self, row: int, column: int) -> bool:
        """Whether the agent can step on a square; takes keys and opens doors."""
        square = (row + SIGHT, column + SIGHT)
        what = self._grid[square]
        if what == DOOR and self._has_key:
            self._has_key = False
            self._grid[square] = FLOOR
            return True
        if what == KEY and not self._has_key:
            self._has_key = True
            self._grid[square] = FLOOR
        return bool(what not in (WALL, DOOR))

    def _to_goal(self) -> int:
        return abs(self._goal[0] - self._agent[0]) + abs(self._goal[1] - self._agent[1])

    def _observe(self) -> Floats:
        row, column = self._agent
        side = 2 * SIGHT + 1
        seen = (self._grid[row : row + side, column : column + side] == SHOWN).ravel()
        down, right = self._goal[0] - row, self._goal[1] - column
        rest = [down / COMPASS_SCALE, right / COMPASS_SCALE, self._has_key]
        return np.concatenate([seen, rest], dtype=np.float32, casting="unsafe")

    def render(self) -> Any:
        """Draw the current state.

        Returns:
            uint8 of shape ``(16 rows, 16 columns, 3)``, or ``None`` without render mode or
            episode.
        """
        if self.render_mode is None or not self._limit:
            return None
        inside = slice(SIGHT, -SIGHT)
        squares = self._grid[inside, inside].copy()
        squares[self._agent] = len(COLOURS) - 1
        return COLOURS[squares].repeat(_PIXELS, axis=0).repeat(_PIXELS, axis=1)
