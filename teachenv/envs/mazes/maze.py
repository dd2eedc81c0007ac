"""Mazes of a given size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from teachenv.envs.mazes.grid_world import FLOOR, GOAL, MOVES, WALL, Grid, GridWorld, Square
from teachenv.space import Dim, TaskSpace


class Maze(GridWorld):
    """Find the way from one corner of a maze to the other; see :class:`GridWorld`.

    Task, whole numbers: ``size`` in [2, 10] cells in each direction, with walls between them one
    square wide; ``openings`` in [0, 10]: tenths of the walls that are left by a perfect maze
    (one way between any two cells) and taken away again. At most ``4 size^2 + 16`` steps.

    Args:
        render_mode: See :class:`GridWorld`.
    """

    task_space = TaskSpace(
        [
            Dim("size", 2, 10, kind="int", unit="cells"),
            Dim("openings", 0, 10, kind="int", unit="tenths", meaning="of the inner walls"),
        ]
    )
    harder = {"size": 1, "openings": -1}  # noqa: RUF012

    def _build(self, task: Mapping[str, Any], rng: np.random.Generator) -> tuple[Grid, Square]:
        n = task["size"]
        grid = np.full((2 * n + 1, 2 * n + 1), WALL, np.int8)
        grid[1::2, 1::2] = FLOOR
        _carve(grid, n, rng)
        inner = grid[1:-1, 1:-1]
        rows, columns = np.nonzero(inner == WALL)
        between = (rows + columns) % 2 == 1  # the others are corners
        gone = between & (rng.random(len(rows)) < task["openings"] / 10)
        inner[rows[gone], columns[gone]] = FLOOR
        grid[-2, -2] = GOAL
        return grid, (1, 1)

    def _step_limit(self, task: Mapping[str, Any]) -> int:
        return int(4 * task["size"] ** 2 + 16)


def _carve(grid: Grid, n: int, rng: np.random.Generator) -> None:
    """Make a perfect maze of n x n cells, depth first."""
    seen = np.zeros((n, n), np.bool_)
    seen[0, 0] = True
    trail = [(0, 0)]
    while trail:
        row, column = trail[-1]
        around = [(row + down, column + right) for down, right in MOVES]
        new = [(i, j) for i, j in around if 0 <= i < n and 0 <= j < n and not seen[i, j]]
        if not new:
            trail.pop()
            continue
        i, j = new[int(rng.integers(len(new)))]
        grid[row + i + 1, column + j + 1] = FLOOR
        seen[i, j] = True
        trail.append((i, j))
