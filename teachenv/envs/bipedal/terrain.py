"""Terrains as data, and the pure functions that make them from a task and a level seed.

Lengths are in metres, x to the right, y up. The walker starts at ``SPAWN_X`` and finishes at
``FINISH_X``; flat ground lies at ``GROUND_Y``.

Sources: the stock terrain follows Gymnasium 1.2's ``BipedalWalker-v3``, drawing the same numbers
in the same order; the stump tracks follow Portelas et al., "Teacher algorithms for curriculum
learning of Deep RL in continuously parameterized environments" (2019). Deviations from the
latter's code: the ground always reaches past the finish line, no vertex is emitted twice, and
the noise comes from :class:`~teachenv.envs.bipedal.draws.Draws`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.envs.bipedal.draws import Draws
from teachenv.space import TaskError

Points = NDArray[np.float64]
"""Points, float64 of shape ``(n, 2)``, in metres."""

SCALE = 30.0
STEP = 14 / SCALE
LENGTH = 200
"""Columns of the stock terrain, and length of every track, in terrain steps."""
GROUND_Y = 400 / SCALE / 4
GRASS = 10
START_PAD = 20
SPAWN_X = STEP * START_PAD / 2
FINISH_X = (LENGTH - GRASS) * STEP

MAX_POLYGON = 8
"""Largest number of vertices of an obstacle."""
MAX_COORDINATE = 1000.0
MIN_EDGE = 0.005
"""Shortest edge of ground or obstacle, in metres (the physics engine welds closer points)."""
MIN_TURN = 2e-6
"""Least cross product of two neighbouring edges of an obstacle, in square metres."""

TERRAIN_STREAM, PUSH_STREAM = 0, 1
"""Streams of a level seed: what the ground looks like, and the push at the start."""


@dataclass(frozen=True, eq=False)
class Terrain:
    """Ground and obstacles.

    Args:
        ground: Vertices of the ground, shape ``(n, 2)``, from left to right.
        polygons: Convex obstacles, each of shape ``(k, 2)`` with 3 to ``MAX_POLYGON`` vertices in
            either direction of rotation.

    The generators of this module make valid terrains; hand-made ones pass :meth:`checked`.
    """

    ground: Points
    polygons: tuple[Points, ...] = ()

    def checked(self) -> Terrain:
        """Return a read-only copy.

        Raises:
            TaskError: for wrong shapes, numbers that are not finite or beyond
                ``MAX_COORDINATE``, ground that does not run strictly to the right from x <= 0
                past the finish line, edges shorter than ``MIN_EDGE``, or polygons that are not
                strictly convex.
        """
        ground = _points(self.ground, "ground")
        polygons = tuple(_points(p, f"polygons[{i}]") for i, p in enumerate(self.polygons))
        x = ground[:, 0]
        if len(x) < 2 or not (np.diff(x) >= MIN_EDGE).all():
            raise TaskError(
                f"terrain: the ground needs 2 or more vertices, each at least {MIN_EDGE} m to "
                "the right of the one before"
            )
        if x[0] > 0.0 or x[-1] <= FINISH_X:
            raise TaskError(
                f"terrain: the ground must reach from x <= 0 past the finish line at "
                f"{FINISH_X:.3f} m, got [{x[0]:g}, {x[-1]:g}]"
            )
        for index, polygon in enumerate(polygons):
            _check_convex(polygon, f"terrain: polygons[{index}]")
        return Terrain(ground, polygons)


def _points(value: ArrayLike, name: str) -> Points:
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TaskError(f"terrain: {name} must be points (x, y), got {value!r}") from None
    if array.ndim != 2 or array.shape[1] != 2:
        raise TaskError(f"terrain: {name} must have shape (n, 2), got {array.shape}")
    if not (np.abs(array) <= MAX_COORDINATE).all():
        raise TaskError(f"terrain: {name} must be finite and within +-{MAX_COORDINATE:g} m")
    array.flags.writeable = False
    return array


def _check_convex(polygon: Points, name: str) -> None:
    if not 3 <= len(polygon) <= MAX_POLYGON:
        raise TaskError(f"{name}: expected 3 to {MAX_POLYGON} vertices, got {len(polygon)}")
    edges = np.roll(polygon, -1, axis=0) - polygon
    after = np.roll(edges, -1, axis=0)
    turns = edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0]
    headings = np.arctan2(edges[:, 1], edges[:, 0])
    steps = np.angle(np.exp(1j * (np.roll(headings, -1) - headings)))
    if (
        not ((turns > MIN_TURN).all() or (turns < -MIN_TURN).all())
        or abs(steps.sum()) > 2.5 * np.pi
    ):
        raise TaskError(f"{name}: not strictly convex: {polygon.tolist()}")
    if np.hypot(edges[:, 0], edges[:, 1]).min() < MIN_EDGE:
        raise TaskError(f"{name}: has an edge shorter than {MIN_EDGE} m: {polygon.tolist()}")


class Start(NamedTuple):
    """What a level seed fixes besides the task."""

    terrain: Terrain
    push: float
    """Horizontal force on the hull during the first step, in newtons, within +-5."""


MAX_PUSH = 5.0


def _box(left: float, bottom: float, right: float, top: float) -> Points:
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])


# -- stump tracks --------------------------------------------------------------------------


def stump_tracks(height: float, spacing: float, level_seed: int) -> Terrain:
    """Return a track of stumps on flat ground.

    Stumps are one terrain step wide and ``max(0.05, N(height, 0.1))`` terrain steps high, drawn
    one by one; the first stands at the end of the start pad (9.33 m).

    Args:
        height: Mean height, in terrain steps (0.467 m).
        spacing: Free ground between two stumps, in metres; at least 0.01 is taken.
        level_seed: Fixes the heights.
    """
    draws = Draws(level_seed, TERRAIN_STREAM)
    gap = max(0.01, spacing)
    x = START_PAD * STEP
    ground = [(0.0, GROUND_Y), (x, GROUND_Y)]
    polygons = []
    while x < LENGTH * STEP:
        top = GROUND_Y + max(0.05, draws.normal(height, 0.1)) * STEP
        polygons.append(_box(x, GROUND_Y, x + STEP, top))
        ground += [(x + STEP, GROUND_Y), (x + STEP + gap, GROUND_Y)]
        x = x + STEP + gap
    return Terrain(np.array(ground), tuple(polygons))


def initial_push(level_seed: int) -> float:
    """Return the force of the first step that belongs to a level seed, in newtons."""
    return Draws(level_seed, PUSH_STREAM).uniform(-MAX_PUSH, MAX_PUSH)


# -- stock terrain -------------------------------------------------------------------------


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
        self.polygons.append(_box(x, y, x + size, y + size))

    def _begin_stairs(self, column: int) -> None:
        rise = 1 if self.rng.random() > 0.5 else -1
        width = int(self.rng.integers(4, 5))
        count = int(self.rng.integers(3, 5))
        self.stairs = (rise, width, count)
        self.base = self.y
        x, y = column * STEP, self.y
        for s in range(count):
            self.polygons.append(
                _box(
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
        wall = _box(x, y - 4 * STEP, x + STEP, y)
        self.polygons += [wall, wall + np.array((STEP * self.left, 0.0))]
        self.left += 2
        self.base = y

    def _in_pit(self, column: int) -> None:
        self.y = self.base - 4 * STEP if self.left > 1 else self.base
