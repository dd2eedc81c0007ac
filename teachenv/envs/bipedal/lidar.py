"""Range finder: ten rays from the head, from straight down to 1.35 rad forward.

The engine's own query walks its whole tree and calls back into Python for every shape near a
ray. Here plain geometry on the known terrain finds the few shapes a ray can meet, and only
those are asked, one exact single-precision cast each. The geometry leaves a margin far above
rounding error, and the nearest hit does not depend on the order of the casts, so the fractions
equal the engine's bit for bit.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from teachenv.envs.bipedal.terrain import SCALE, Terrain

RAYS = 10
RANGE = 160 / SCALE
ANGLES = tuple(1.5 * i / 10.0 for i in range(RAYS))
OFFSETS = tuple((math.sin(a) * RANGE, -math.cos(a) * RANGE) for a in ANGLES)
"""End points of the rays relative to the head."""

_MARGIN = 1e-3
"""Of positions in metres and of directions in radians; rounding stays below 1e-4."""
_REACH = RANGE + _MARGIN
_SLOPES = tuple(-math.cos(a) / math.sin(a) for a in ANGLES[1:])
_LOW = (-math.inf, *(s - _MARGIN * (1.0 + s * s) for s in _SLOPES))
_HIGH = (-1.0 / _MARGIN, *(s + _MARGIN * (1.0 + s * s) for s in _SLOPES))
"""Least and largest dy/dx that rounding can make of each ray, increasing with the ray."""


class Lidar:
    """Casts rays at one terrain.

    Args:
        terrain: The terrain.
        ground: The Box2D fixtures of the ground's edges, from left to right.
        polygons: The Box2D fixtures of the terrain's polygons, in its order.
    """

    def __init__(self, terrain: Terrain, ground: Sequence[Any], polygons: Sequence[Any]) -> None:
        from Box2D import b2RayCastInput, b2RayCastOutput  # the rays' geometry needs no engine

        self._xs: list[float] = terrain.ground[:, 0].tolist()
        self._ys: list[float] = terrain.ground[:, 1].tolist()
        self._edges = [fixture.RayCast for fixture in ground]
        boxes = [
            (*polygon.min(axis=0).tolist(), *polygon.max(axis=0).tolist(), fixture.RayCast)
            for polygon, fixture in zip(terrain.polygons, polygons, strict=True)
        ]
        self._boxes = sorted(boxes, key=lambda box: box[0])
        self._lefts = [box[0] for box in self._boxes]
        self._widest = max((box[2] - box[0] for box in boxes), default=0.0)
        self._input = b2RayCastInput()
        self._input.maxFraction = 1.0
        self._output = b2RayCastOutput()

    def scan(self, x: float, y: float) -> list[float]:
        """Return the fraction of each ray before its nearest hit, 1.0 for none.

        Args:
            x: Horizontal position of the head, in metres.
            y: Vertical position of the head, in metres.
        """
        fractions = [1.0] * RAYS
        self._input.p1 = (x, y)
        column = bisect_right(self._xs, x)
        if 0 < column < len(self._xs) and y > max(self._ys[column - 1], self._ys[column]):
            self._scan_ground(x, y, column, fractions)
        else:
            near = range(max(1, column - 1), bisect_right(self._xs, x + _REACH) + 1)
            for ray in range(RAYS):
                self._cast(ray, self._edges[near.start - 1 : near.stop - 1], x, y, fractions)
        if self._boxes:
            self._scan_polygons(x, y, fractions)
        return fractions

    def _cast(
        self, ray: int, shapes: Sequence[Any], x: float, y: float, fractions: list[float]
    ) -> None:
        dx, dy = OFFSETS[ray]
        self._input.p2 = (x + dx, y + dy)
        for cast in shapes:
            if cast(self._output, self._input, 0):
                fractions[ray] = min(fractions[ray], self._output.fraction)

    def _scan_ground(self, x: float, y: float, column: int, fractions: list[float]) -> None:
        """Walk along the ground and through the rays at once.

        Seen from above the ground, the first vertex at least as high as a ray ends the edge that
        stops it, and no later ray is stopped before.

        Args:
            x: Horizontal position of the head.
            y: Vertical position of the head, above the ground.
            column: Index of the first vertex to the right of the head.
            fractions: Taken down to the hits found.
        """
        xs, ys, edges = self._xs, self._ys, self._edges
        shot, result = self._input, self._output
        end = bisect_right(xs, x + _REACH, column) + 1  # vertices from here on are out of reach
        end = min(end, len(xs))
        slope = (ys[column] - y) / (xs[column] - x)
        for ray, (dx, dy) in enumerate(OFFSETS):
            while slope < _LOW[ray]:
                column += 1
                if column >= end:
                    return
                slope = (ys[column] - y) / (xs[column] - x)
            shot.p2 = (x + dx, y + dy)
            if edges[column - 1](result, shot, 0):
                fractions[ray] = result.fraction
            if slope < _HIGH[ray]:  # passes so near the vertex that rounding decides
                self._cast(ray, edges[column : end - 1], x, y, fractions)
            if ray == 0 and x - xs[column - 1] < _MARGIN and column > 1:
                self._cast(ray, edges[column - 2 : column - 1], x, y, fractions)

    def _scan_polygons(self, x: float, y: float, fractions: list[float]) -> None:
        """Cast each ray at the polygons whose bounding box it may cross before its hit so far."""
        shot, result = self._input, self._output
        first = bisect_left(self._lefts, x - self._widest - _MARGIN)
        for left, bottom, right, top, cast in self._boxes[first:]:
            distance = left - x - _MARGIN
            if distance > RANGE:
                return
            width = right - x + _MARGIN
            if width < 0.0:
                continue
            if distance > 0.0:
                lowest = (bottom - y) / (distance if bottom < y else width)
                highest = (top - y) / (width if top < y else distance)
            else:
                lowest = -math.inf
                highest = (top - y) / width if top < y else math.inf
            for ray in range(bisect_left(_HIGH, lowest), bisect_right(_LOW, highest)):
                dx, dy = OFFSETS[ray]
                if fractions[ray] * dx < distance:
                    continue
                shot.p2 = (x + dx, y + dy)
                if cast(result, shot, 0):
                    fractions[ray] = min(fractions[ray], result.fraction)
