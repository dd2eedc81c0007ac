"""Rooms behind locked doors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from teachenv.envs.mazes.grid_world import DOOR, FLOOR, GOAL, KEY, WALL, Grid, GridWorld, Square
from teachenv.space import Dim, TaskSpace


class DoorKey(GridWorld):
    """Fetch a key, open a door, and so on to the goal; see :class:`GridWorld`.

    Square rooms in a row, each but the last with a key in it and a locked door to the next. The
    agent starts in the first, the goal is in the last; everything lies at random.

    Task, whole numbers: ``size`` of a room in [2, 10] squares; ``doors`` in [0, 3]. At most
    ``10 size (doors + 1)`` steps.

    Args:
        render_mode: See :class:`GridWorld`.
    """

    task_space = TaskSpace(
        [
            Dim("size", 2, 10, kind="int", unit="squares", meaning="side of a room"),
            Dim("doors", 0, 3, kind="int"),
        ]
    )
    harder = {"size": 1, "doors": 1}  # noqa: RUF012

    def _build(self, task: Mapping[str, Any], rng: np.random.Generator) -> tuple[Grid, Square]:
        n, n_doors = task["size"], task["doors"]
        grid = np.full((n + 2, (n_doors + 1) * (n + 1) + 1), WALL, np.int8)
        for room in range(n_doors + 1):
            first = 1 + room * (n + 1)
            grid[1:-1, first : first + n] = FLOOR
            inside = [(i % n + 1, i // n + first) for i in rng.permutation(n * n).tolist()]
            if room == 0:
                start = inside.pop()
            if room == n_doors:
                grid[inside.pop()] = GOAL
            else:
                grid[inside.pop()] = KEY
                grid[int(rng.integers(n)) + 1, first + n] = DOOR
        return grid, start

    def _step_limit(self, task: Mapping[str, Any]) -> int:
        return int(10 * task["size"] * (task["doors"] + 1))
