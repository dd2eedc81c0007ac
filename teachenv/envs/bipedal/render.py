"""Pictures of the walker, drawn with pygame-ce (imported when the first picture is made)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.bipedal.bodies import FPS, Body
from teachenv.envs.bipedal.lidar import OFFSETS
from teachenv.envs.bipedal.terrain import FINISH_X, GROUND_Y, SCALE, SPAWN_X, Terrain

WIDTH, HEIGHT = 600, 400
"""Size of the picture, in pixels; a metre is 30 pixels."""
_FINE = 2
"""Pictures are drawn this many times larger and scaled down, which smooths every edge."""

_SKY_TOP, _SKY_BOTTOM = (120, 178, 224), (232, 242, 247)
_FAR_HILL, _NEAR_HILL = (186, 211, 215), (157, 194, 178)
_EARTH, _DEEP_EARTH, _GRASS = (134, 104, 78), (110, 83, 62), (104, 160, 72)
_STONE, _STONE_EDGE, _STONE_TOP = (128, 130, 138), (82, 84, 92), (168, 171, 178)
_RAY, _HIT = (232, 92, 80), (206, 42, 42)
_POLE, _RED, _WHITE, _BLACK = (70, 66, 64), (214, 64, 52), (250, 250, 250), (34, 34, 38)
_HULL = (94, 79, 162)
_LIMBS = {-1: ((150, 88, 58), (178, 112, 74)), 1: ((230, 140, 66), (246, 168, 92))}
"""Colours that take turns along a leg; -1 is the far side."""

_Points = Iterable[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Scene:
    """What a picture shows.

    Args:
        body: The embodiment.
        terrain: The terrain.
        poses: Origin x, y (metres) and angle (radians) of every part, shape ``(n_parts, 3)``.
        lidar: Fraction of each ray before its hit, shape ``(RAYS,)``.
    """

    body: Body
    terrain: Terrain
    poses: NDArray[np.floating[Any]]
    lidar: NDArray[np.floating[Any]]

    def on_part(self, index: int, point: tuple[float, float]) -> tuple[float, float]:
        """Return where a point given in a part's own coordinates is, in metres."""
        x, y, angle = self.poses[index].tolist()
        s, c = math.sin(angle), math.cos(angle)
        return x + c * point[0] - s * point[1], y + s * point[0] + c * point[1]


class Painter:
    """Draws scenes.

    Args:
        mode: "rgb_array" (off screen, needs no display) or "human" (a window).
        show_lidar: Whether to draw the rays.

    Raises:
        DependencyNotInstalled: if pygame-ce is not installed.
    """

    def __init__(self, mode: str, show_lidar: bool = True) -> None:
        try:
            import pygame
        except ImportError as error:
            from gymnasium.error import DependencyNotInstalled

            raise DependencyNotInstalled(
                "rendering needs pygame-ce: pip install 'teachenv[render]'"
            ) from error
        self._pygame = pygame
        self._show_lidar = show_lidar
        self._canvas = pygame.Surface((WIDTH * _FINE, HEIGHT * _FINE))
        self._sky = _gradient(pygame)
        self._window: Any = None
        if mode == "human":
            pygame.display.init()
            pygame.display.set_caption("teachenv")
            self._window = pygame.display.set_mode((WIDTH, HEIGHT))
            self._clock = pygame.time.Clock()
        self._left = self._bottom = 0.0

    def paint(self, scene: Scene) -> NDArray[np.uint8] | None:
        """Draw a scene.

        Returns:
            uint8 of shape ``(HEIGHT, WIDTH, 3)``; ``None`` if drawn in the window.
        """
        pygame = self._pygame
        x, y = scene.poses[scene.body.head, :2].tolist()
        self._left = x - WIDTH / SCALE / 5
        self._bottom = max(0.0, y - 9.0) + min(0.0, y - 3.0)
        self._canvas.blit(self._sky, (0, 0))
        self._hills(_FAR_HILL, 0.12, 6.0, 1.3)
        self._hills(_NEAR_HILL, 0.3, 4.6, 0.9)
        self._flags()
        self._terrain(scene.terrain)
        if self._show_lidar:
            self._lidar(scene)
        self._walker(scene)
        picture = pygame.transform.smoothscale(self._canvas, (WIDTH, HEIGHT))
        if self._window is None:
            pixels = pygame.surfarray.array3d(picture)
            return np.ascontiguousarray(pixels.transpose(1, 0, 2))
        self._window.blit(picture, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(FPS)
        return None

    def close(self) -> None:
        """Close the window, if any."""
        if self._window is not None:
            self._pygame.display.quit()
            self._window = None

    # -- pieces ----------------------------------------------------------------------------

    def _pixels(self, points: _Points) -> list[tuple[float, float]]:
        scale = SCALE * _FINE
        return [
            ((x - self._left) * scale, HEIGHT * _FINE - (y - self._bottom) * scale)
            for x, y in points
        ]

    def _polygon(self, color: tuple[int, int, int], points: _Points) -> None:
        self._pygame.draw.polygon(self._canvas, color, self._pixels(points))

    def _lines(self, color: tuple[int, int, int], points: _Points, width: int) -> None:
        self._pygame.draw.lines(self._canvas, color, False, self._pixels(points), width)

    def _disc(self, color: tuple[int, int, int], point: tuple[float, float], radius: float) -> None:
        (centre,) = self._pixels([point])
        self._pygame.draw.circle(self._canvas, color, centre, radius * SCALE * _FINE)

    def _hills(self, color: tuple[int, int, int], speed: float, height: float, size: float) -> None:
        x = np.linspace(0.0, WIDTH / SCALE, 61)
        far = x + speed * self._left
        y = height + size * np.sin(0.31 * far) + 0.5 * size * np.sin(0.83 * far + 1.0)
        ridge = list(zip((x + self._left).tolist(), (y + self._bottom).tolist(), strict=True))
        base = self._bottom
        corners = [(self._left + WIDTH / SCALE, base), (self._left, base)]
        self._polygon(color, ridge + corners)

    def _terrain(self, terrain: Terrain) -> None:
        left, right = self._left - 1.0, self._left + WIDTH / SCALE + 1.0
        points = terrain.ground
        first = max(0, int(np.searchsorted(points[:, 0], left)) - 1)
        last = int(np.searchsorted(points[:, 0], right)) + 1
        ground = [tuple(point) for point in points[first:last].tolist()]
        if ground:  # beyond both ends the picture goes on, level
            ground = [(min(left, ground[0][0]), ground[0][1]), *ground]
            ground.append((max(right, ground[-1][0]), ground[-1][1]))
            floor = self._bottom - 1.0
            ends = [(ground[-1][0], floor), (ground[0][0], floor)]
            self._polygon(_EARTH, ground + ends)
            deep = [(x, y - 1.2) for x, y in ground]
            self._polygon(_DEEP_EARTH, deep + ends)
            turf = [(x, y - 0.22) for x, y in reversed(ground)]
            self._polygon(_GRASS, ground + turf)
        for polygon in terrain.polygons:
            if polygon[:, 0].max() > left and polygon[:, 0].min() < right:
                self._stone(polygon)

    def _stone(self, polygon: NDArray[np.float64]) -> None:
        points = [tuple(point) for point in polygon.tolist()]
        self._polygon(_STONE, points)
        self._lines(_STONE_EDGE, [*points, points[0]], _FINE)
        top = polygon[:, 1].max()
        crest = [point for point in points if point[1] > top - 1e-6]
        if len(crest) > 1:
            self._lines(_STONE_TOP, crest, 2 * _FINE)

    def _flags(self) -> None:
        self._flag(SPAWN_X - 1.4, [_RED])
        self._flag(FINISH_X, [_BLACK, _WHITE])

    def _flag(self, x: float, colors: list[tuple[int, int, int]]) -> None:
        self._lines(_POLE, [(x, GROUND_Y - 0.2), (x, GROUND_Y + 2.4)], 2 * _FINE)
        size, rows, columns = 0.22, 3, 4
        for row in range(rows):
            for column in range(columns):
                left, top = x + column * size, GROUND_Y + 2.4 - row * size
                corners = [(left, top), (left + size, top), (left + size, top - size)]
                color = colors[(row + column) % len(colors)]
                self._polygon(color, [*corners, (left, top - size)])

    def _lidar(self, scene: Scene) -> None:
        x, y = scene.poses[scene.body.head, :2].tolist()
        for (dx, dy), share in zip(OFFSETS, scene.lidar.tolist(), strict=True):
            end = (x + dx * share, y + dy * share)
            self._lines(_RAY, [(x, y), end], 1)
            if share < 1.0:
                self._disc(_HIT, end, 0.06)

    def _walker(self, scene: Scene) -> None:
        body = scene.body
        specs, colors = body.parts, _colors(body)
        order = sorted(range(len(specs)), key=lambda i: (specs[i].side, -i))
        for index in order:
            color = colors[index]
            points = [scene.on_part(index, corner) for corner in specs[index].corners]
            self._polygon(color, points)
            shade = tuple(int(0.7 * channel) for channel in color)
            self._lines(shade, [*points, points[0]], _FINE)  # type: ignore[arg-type]
        x, y = scene.on_part(body.head, body.eye)
        self._disc(_WHITE, (x, y), 0.11)
        self._disc(_BLACK, (x + 0.03, y), 0.055)


def _colors(body: Body) -> list[tuple[int, int, int]]:
    """Return a colour for each part; they take turns along a limb."""
    places = [0] * len(body.parts)
    for joint in body.joints:
        if body.parts[joint.child].side:
            places[joint.child] = places[joint.parent] + 1
    return [
        _LIMBS[part.side][place % 2] if part.side else _HULL
        for part, place in zip(body.parts, places, strict=True)
    ]


def _gradient(pygame: Any) -> Any:
    """Return the sky, drawn row by row once."""
    sky = pygame.Surface((WIDTH * _FINE, HEIGHT * _FINE))
    for row in range(HEIGHT * _FINE):
        share = row / (HEIGHT * _FINE)
        color = [int(a + (b - a) * share) for a, b in zip(_SKY_TOP, _SKY_BOTTOM, strict=True)]
        pygame.draw.line(sky, color, (0, row), (WIDTH * _FINE, row))
    return sky
