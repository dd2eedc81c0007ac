"""Obstacle courses: uneven grass, interrupted by pits, stumps and stairs of drawn sizes.

Sources: Wang et al., "Paired Open-Ended Trailblazer (POET)" (2019), which widened Gymnasium's
hardcore terrain, and Parker-Holder et al., "Evolving curricula with regret-based environment
design" (ACCEL, 2022), whose eight parameters these are. Deviations from the published code: the
random numbers come from :class:`~teachenv.envs.bipedal.draws.Draws`, grass and obstacles from
streams that do not depend on each other; obstacles lower than ``MIN_EDGE`` are not built; where
the floor of a pit would reach within ``MIN_EDGE`` of its end, its last column is left out.
"""

from __future__ import annotations

import math

import numpy as np

from teachenv.envs.bipedal.draws import Draws
from teachenv.envs.bipedal.terrain import (
    GRASS,
    GRASS_STREAM,
    GROUND_Y,
    LENGTH,
    MIN_EDGE,
    SCALE,
    START_PAD,
    STEP,
    TERRAIN_STREAM,
    Points,
    Start,
    Terrain,
    box,
    initial_push,
)

PIT, STUMP, STAIRS = 0, 1, 2
LEAST_SIZE = (0.8, 0.2, 0.2)
"""Courses have pits, stumps and stairs if the largest may be this large, in terrain steps."""
DEPTH = 4
"""Of pits, in terrain steps."""
STAIR_WIDTH = 4
"""In columns."""


def obstacle_course(
    level_seed: int,
    roughness: float,
    pit_gap_a: float,
    pit_gap_b: float,
    stump_height_a: float,
    stump_height_b: float,
    stair_height_a: float = 0.0,
    stair_height_b: float = 0.0,
    stair_steps: float = 1.0,
    stair_steps_exclusive: float = 0.0,
) -> Start:
    """Return a course of 200 columns; obstacles begin at the end of the start pad (9.33 m).

    Stretches of grass, 5 to 9 columns long, take turns with obstacles, whose kind is drawn from
    those the course has (``LEAST_SIZE``) and whose size uniformly between the two ends given for
    it, in terrain steps (0.467 m) and in either order.

    Args:
        level_seed: Fixes everything random.
        roughness: Unevenness of the grass; 1 is that of Gymnasium's terrain.
        pit_gap_a: One end of the width of pits.
        pit_gap_b: The other.
        stump_height_a: One end of the height of stumps, which are a step wide.
        stump_height_b: The other.
        stair_height_a: One end of the height of a step of stairs, which go up or down.
        stair_height_b: The other.
        stair_steps: Stairs have 0 to this many steps, each equally likely.
        stair_steps_exclusive: 1 for one step less, as in the published code; 0 otherwise.
    """
    course = _Course(level_seed, roughness)
    course.ranges = [
        (min(a, b), max(a, b))
        for a, b in (
            (pit_gap_a, pit_gap_b),
            (stump_height_a, stump_height_b),
            (stair_height_a, stair_height_b),
        )
    ]
    most_steps = stair_steps - 1.0 if stair_steps_exclusive else stair_steps
    course.most_steps = int(min(max(0.0, most_steps), LENGTH))
    return Start(course.build(), initial_push(level_seed))


class _Course:
    """Builds a course from left to right."""

    ranges: list[tuple[float, float]]
    """Least and largest size of pits, stumps and stairs."""
    most_steps: int

    def __init__(self, level_seed: int, roughness: float) -> None:
        self.roughness = roughness
        self.draws = Draws(level_seed, TERRAIN_STREAM)
        self.noise = Draws(level_seed, GRASS_STREAM)
        self.ground: list[tuple[float, float]] = []
        self.polygons: list[Points] = []
        self.column = 0
        self.y = GROUND_Y
        self.velocity = 0.0

    def build(self) -> Terrain:
        kinds = [k for k in (PIT, STUMP, STAIRS) if self.ranges[k][1] >= LEAST_SIZE[k]]
        self._grass(START_PAD)
        while self.column < LENGTH:
            kind_share = self.draws.uniform(0.0, 1.0)
            size_share = self.draws.uniform(0.0, 1.0)
            rise = 2 * self.draws.integer(0, 1) - 1
            steps = self.draws.integer(0, self.most_steps)
            stump_columns = self.draws.integer(GRASS // 2, GRASS - 1)
            if kinds:
                kind = kinds[int(kind_share * len(kinds))]
                low, high = self.ranges[kind]
                size = low + (high - low) * size_share
                if kind == PIT:
                    self._pit(size)
                elif kind == STUMP:
                    self._stump(size, stump_columns)
                else:
                    self._stairs(size, rise, steps)
            self._grass(self.draws.integer(GRASS // 2, GRASS - 1))
        return Terrain(np.array(self.ground), tuple(self.polygons))

    def _emit(self, y: float) -> None:
        if self.column < LENGTH:
            self.ground.append((self.column * STEP, y))
        self.column += 1

    def _grass(self, columns: int) -> None:
        self._emit(self.y)
        for _ in range(columns - 1):
            direction = (self.y < GROUND_Y) - (self.y > GROUND_Y)
            self.velocity = 0.8 * self.velocity + 0.01 * direction
            if self.column > START_PAD:
                self.velocity += self.noise.uniform(-1.0, 1.0) / SCALE
            self.y += self.roughness * self.velocity
            self._emit(self.y)

    def _pit(self, gap: float) -> None:
        """Build two walls, ``gap`` terrain steps apart, and the floor between them."""
        offset = 1.0 + min(max(0.0, gap), LENGTH)
        first = self.column
        left = first * STEP
        bottom = self.y - DEPTH * STEP
        for x in (left, left + offset * STEP):
            self.polygons.append(box(x, bottom, x + STEP, self.y))
        self._emit(self.y)
        for _ in range(math.ceil(offset)):
            self._emit(bottom)
        if self.column < LENGTH:
            end = (first + (offset + 1.0)) * STEP
            if end - self.ground[-1][0] < MIN_EDGE:
                self.ground.pop()
            self.ground.append((end, self.y))
        self.column += 1

    def _stump(self, height: float, columns: int) -> None:
        x = self.column * STEP
        if height * STEP >= MIN_EDGE:
            self.polygons.append(box(x, self.y, x + STEP, self.y + height * STEP))
        for _ in range(columns):
            self._emit(self.y)

    def _stairs(self, height: float, rise: int, steps: int) -> None:
        """Build blocks, each ``height`` above or below the last, and the ground under them."""
        x, base = self.column * STEP, self.y
        block = height * STEP
        self._emit(base)
        for s in range(steps):
            top = base + s * rise * block
            left, right = x + s * STAIR_WIDTH * STEP, x + (s + 1) * STAIR_WIDTH * STEP
            if block >= MIN_EDGE:
                self.polygons.append(box(left, top - block, right, top))
            self.y = top if rise > 0 else top - block
            for _ in range(STAIR_WIDTH):
                self._emit(self.y)
