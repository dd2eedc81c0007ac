"""The stock terrain of Gymnasium 1.2's ``BipedalWalker-v3``: the same numbers in the same order."""

from __future__ import annotations

import numpy as np

from teachenv.envs.bipedal.terrain import (
    GRASS,
    GROUND_Y,
    LENGTH,
    MAX_PUSH,
    SCALE,
    START_PAD,
    STEP,
    Points,
    Start,
    Terrain,
    box,
)


def stock(rng: np.random.Generator, hardcore: bool) -> Start:
    """Return a level of Gymnasium's BipedalWalker, consuming ``rng`` as it does.

    Args:
        rng: Fresh generator, as ``gymnasium.utils.seeding.np_random(seed)`` returns it.
        hardcore: Whether stumps, stairs and pits interrupt the grass.
    """
    track = _StockTrack(rng, hardcore)
    terrain = track.build()
    rng.random(LENGTH // 20 * 11)  # the clouds, which only Gymnasium draws
    return Start(terrain, float(rng.uniform(-MAX_PUSH, MAX_PUSH)))


class _StockTrack:
    """State machine over the columns: grass, and in hardcore an obstacle after each stretch."""

    def __init__(self, rng: np.random.Generator, hardcore: bool) -> None:
        self.rng = rng
        self.hardcore = hardcore
        self.polygons: list[Points] = []
        self.y = GROUND_Y
        self.velocity = 0.0
        self.left = START_PAD
        """Columns left of the current stretch."""
        self.base = 0.0
        """Height of the ground where the obstacle began."""
        self.stairs = (0, 0, 0)
        """Direction, width and number of steps."""

    def build(self) -> Terrain:
        begin = (self._begin_grass, self._begin_stump, self._begin_stairs, self._begin_pit)
        go_on = (self._grass, self._flat, self._on_stairs, self._in_pit)
        kind, first = 0, False
        heights = []
        for column in range(LENGTH):
            (begin if first else go_on)[kind](column)
            heights.append(self.y)
            self.left -= 1
            first = self.left == 0
            if first:
                self.left = int(self.rng.integers(GRASS // 2, GRASS))
                obstacle = kind == 0 and self.hardcore
                kind = int(self.rng.integers(1, 4)) if obstacle else 0
        x = [column * STEP for column in range(LENGTH)]
        return Terrain(np.column_stack([x, heights]), tuple(self.polygons))

    def _grass(self, column: int) -> None:
        self.velocity = 0.8 * self.velocity + 0.01 * float(np.sign(GROUND_Y - self.y))
        if column > START_PAD:
            self.velocity += self.rng.uniform(-1, 1) / SCALE
        self.y += self.velocity

    def _flat(self, column: int) -> None:
        """Leave the ground as high as it is."""

    _begin_grass = _flat

    def _begin_stump(self, column: int) -> None:
        self.left = int(self.rng.integers(1, 3))
        x, y, size = column * STEP, self.y, self.left * STEP
        self.polygons.append(box(x, y, x + size, y + size))

    def _begin_stairs(self, column: int) -> None:
        rise = 1 if self.rng.random() > 0.5 else -1
        width = int(self.rng.integers(4, 5))
        count = int(self.rng.integers(3, 5))
        self.stairs = (rise, width, count)
        self.base = self.y
        x, y = column * STEP, self.y
        for s in range(count):
            self.polygons.append(
                box(
                    x + (s * width) * STEP,
                    y + (-1 + s * rise) * STEP,
                    x + ((1 + s) * width) * STEP,
                    y + (s * rise) * STEP,
                )
            )
        self.left = count * width

    def _on_stairs(self, column: int) -> None:
        rise, width, count = self.stairs
        climbed = (count * width - self.left - rise) / width
        self.y = self.base + (climbed * rise) * STEP

    def _begin_pit(self, column: int) -> None:
        self.left = int(self.rng.integers(3, 5))
        x, y = column * STEP, self.y
        wall = box(x, y - 4 * STEP, x + STEP, y)
        self.polygons += [wall, wall + np.array((STEP * self.left, 0.0))]
        self.left += 2
        self.base = y

    def _in_pit(self, column: int) -> None:
        self.y = self.base - 4 * STEP if self.left > 1 else self.base
