"""Terrains as data; the modules ``terrain_*`` make them from a task and a level seed.

Lengths are in metres, x to the right, y up. The walker starts at ``SPAWN_X`` and finishes at
``FINISH_X``; flat ground lies at ``GROUND_Y``.
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
"""Columns of terrains made of columns, and length of every track, in terrain steps."""
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

TERRAIN_STREAM, PUSH_STREAM, WIDTH_STREAM, ROTATION_STREAM, GRASS_STREAM = 0, 1, 3, 4, 5
"""Streams of a level seed: obstacles, the push at the start, widths and rotations of stumps, and
the unevenness of grass. Stream 2 is that of the level seeds of an environment's episodes."""


@dataclass(frozen=True, eq=False)
class Terrain:
    """Ground and obstacles.

    Args:
        ground: Vertices of the ground, shape ``(n, 2)``, from left to right.
        polygons: Convex obstacles, each of shape ``(k, 2)`` with 3 to ``MAX_POLYGON`` vertices in
            either direction of rotation.

    The generators make valid terrains; hand-made ones pass :meth:`checked`.
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
    """What a task and a level seed fix."""

    terrain: Terrain
    push: float
    """Horizontal force on the hull during the first step, in newtons, within +-5."""


MAX_PUSH = 5.0


def initial_push(level_seed: int) -> float:
    """Return the force of the first step that belongs to a level seed, in newtons."""
    return Draws(level_seed, PUSH_STREAM).uniform(-MAX_PUSH, MAX_PUSH)


def box(left: float, bottom: float, right: float, top: float) -> Points:
    """Return an upright rectangle."""
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
