"""Hexagon tracks: convex obstacles of up to six vertices on flat ground.

Source: Portelas et al., "Teacher algorithms for curriculum learning of Deep RL in continuously
parameterized environments" (2019), whose obstacles Box2D replaces by their convex hulls: here
they are hulls already. Deviations from its code: the noise comes from
:class:`~teachenv.envs.bipedal.draws.Draws`, and vertices of a hull that are nearly one with a
neighbour (less than ``MIN_EDGE``), or nearly on the line between their neighbours, are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from teachenv.envs.bipedal.draws import Draws
from teachenv.envs.bipedal.terrain import (
    GROUND_Y,
    LENGTH,
    MIN_EDGE,
    MIN_TURN,
    START_PAD,
    STEP,
    TERRAIN_STREAM,
    Start,
    Terrain,
    initial_push,
)

BASE = ((-0.5, 0.0), (-0.5, 0.25), (-0.25, 0.5), (0.25, 0.5), (0.5, 0.25), (0.5, 0.0))
"""Vertices of the hexagon that a task deforms, clockwise from the lower left, in terrain steps."""
NOISE = 0.1
"""Standard deviation of every offset, in terrain steps."""
WIDTH, SPACING = 1.0, 8.0
"""Ground that a hexagon is given, whatever its shape, and free ground after it, in metres."""

_Point = tuple[float, float]


def hexagon_tracks(level_seed: int, offsets: Sequence[float]) -> Start:
    """Return a track of hexagons of similar shapes, 9 m apart, the first at 9.33 m.

    Args:
        level_seed: Fixes the noise.
        offsets: By how much each vertex of ``BASE`` is moved to the right and up, in terrain
            steps: 12 numbers, drawn anew around these for every hexagon. The first and the last
            vertex stay on the ground: offsets 1 and 11 (counted from 0) mean nothing.
    """
    draws = Draws(level_seed, TERRAIN_STREAM)
    x = START_PAD * STEP
    ground, polygons = [0.0, x], []
    while x < LENGTH * STEP:
        drawn = [draws.normal(offset, NOISE) for offset in offsets]
        drawn[1] = drawn[11] = 0.0
        hull = convex_hull(
            [
                (x + (base_x + dx) * STEP, GROUND_Y + (base_y + dy) * STEP)
                for (base_x, base_y), dx, dy in zip(BASE, drawn[::2], drawn[1::2], strict=True)
            ]
        )
        if len(hull) > 2:
            polygons.append(np.array(hull))
        ground += [x + WIDTH, x + WIDTH + SPACING]
        x = x + WIDTH + SPACING
    points = np.column_stack([ground, np.full(len(ground), GROUND_Y)])
    return Start(Terrain(points, tuple(polygons)), initial_push(level_seed))


def convex_hull(points: Sequence[_Point]) -> list[_Point]:
    """Return the convex hull, counter-clockwise, without needless vertices.

    Every edge is at least ``MIN_EDGE`` long and every vertex turns by more than ``MIN_TURN``:
    vertices that do not are dropped, the later of two close ones. Fewer than three are left of
    points that are nearly on a line.
    """
    ordered = sorted(points)
    hull = _right_turns_removed(ordered)[:-1] + _right_turns_removed(ordered[::-1])[:-1]
    index = 0
    while index < len(hull) > 2:
        before, here, after = hull[index - 1], hull[index], hull[(index + 1) % len(hull)]
        dx, dy = here[0] - before[0], here[1] - before[1]
        close = dx * dx + dy * dy < _MIN_EDGE_SQUARED
        if close or not _turn(before, here, after) > _MIN_TURN:
            del hull[index]
            index = 0
        else:
            index += 1
    return hull


_MIN_EDGE_SQUARED, _MIN_TURN = 1.01 * MIN_EDGE * MIN_EDGE, 1.01 * MIN_TURN
"""With room for rounding."""


def _right_turns_removed(points: Sequence[_Point]) -> list[_Point]:
    """Return the vertices of a chain that turn to the left, and both ends."""
    chain: list[_Point] = []
    for point in points:
        while len(chain) > 1 and not _turn(chain[-2], chain[-1], point) > 0.0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: _Point, b: _Point, c: _Point) -> float:
    """Return the cross product of the edges a-b and b-c, positive for a turn to the left."""
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
