"""Stump tracks and stump sequences: upright or turned rectangles on flat ground.

Source: Portelas et al., "Teacher algorithms for curriculum learning of Deep RL in continuously
parameterized environments" (2019). Deviations from its code: the ground reaches past the finish
line unless ``legacy_ground_end`` is set, no vertex is emitted twice, and the noise comes from
:class:`~teachenv.envs.bipedal.draws.Draws`, of streams that do not depend on each other: the
heights of a level seed stay the same when widths or rotations are drawn too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from teachenv.envs.bipedal.draws import Draws, exact_sin_cos
from teachenv.envs.bipedal.terrain import (
    GROUND_Y,
    LENGTH,
    ROTATION_STREAM,
    START_PAD,
    STEP,
    TERRAIN_STREAM,
    WIDTH_STREAM,
    Points,
    Start,
    Terrain,
    box,
    initial_push,
)

NOISE = 0.1
"""Standard deviation of heights (terrain steps) and of the widths of sequences (metres)."""
LEAST = 0.05
"""Least height and width of a stump, in their units."""
SEQUENCE_SPACING = 8.0
"""Free ground between two sequences, in metres."""
TRACK_END = LENGTH * STEP
"""No obstacle begins from here on."""


def stump_tracks(
    level_seed: int,
    stump_height: float,
    stump_spacing: float,
    stump_width: float = 1.0,
    stump_rotation: float = 0.0,
    width_noise: float = 0.0,
    rotation_noise: float = 0.0,
    legacy_ground_end: float = 0.0,
) -> Start:
    """Return a track of stumps; the first stands at the end of the start pad (9.33 m).

    Args:
        level_seed: Fixes all noise.
        stump_height: Mean height, in terrain steps (0.467 m); each stump is
            ``max(0.05, N(stump_height, 0.1))`` steps high.
        stump_spacing: Free ground between two stumps, in metres; at least 0.01 is taken.
        stump_width: Mean width, in terrain steps: ``max(0.05, N(stump_width, width_noise))``.
        stump_rotation: Mean rotation about the middle of the base, counter-clockwise, in radians:
            ``N(stump_rotation, rotation_noise)`` clipped to [0, 2 pi].
        width_noise: Standard deviation, in terrain steps.
        rotation_noise: Standard deviation, in radians.
        legacy_ground_end: 1 to end the ground where the published code ends it, which for some
            spacings is up to 1.3 m before the finish line; 0 otherwise.
    """
    heights, widths = Draws(level_seed, TERRAIN_STREAM), Draws(level_seed, WIDTH_STREAM)
    rotations = Draws(level_seed, ROTATION_STREAM)
    gap = max(0.01, stump_spacing)
    x = START_PAD * STEP
    ground, polygons = [0.0, x], []
    while x < TRACK_END:
        height = max(LEAST, heights.normal(stump_height, NOISE)) * STEP
        right = x + max(LEAST, _drawn(widths, stump_width, width_noise)) * STEP
        angle = _drawn(rotations, stump_rotation, rotation_noise)
        polygons.append(_turned(x, right, height, min(max(0.0, angle), 2 * math.pi)))
        x = right + gap
        ground += [right, x]
    return _on_flat_ground(level_seed, ground, polygons, bool(legacy_ground_end))


def stump_sequences(
    level_seed: int, stumps: Sequence[tuple[float, float]], legacy_ground_end: float = 0.0
) -> Start:
    """Return a track of groups of stumps without gaps, groups 8 m apart.

    Args:
        level_seed: Fixes the noise.
        stumps: For each stump of a group, from the left, its mean height in terrain steps and its
            mean width in metres; each of a group is ``max(0.05, N(mean, 0.1))``.
        legacy_ground_end: As in :func:`stump_tracks`.
    """
    draws = Draws(level_seed, TERRAIN_STREAM)
    x = START_PAD * STEP
    ground, polygons = [0.0, x], []
    while x < TRACK_END:
        for mean_height, mean_width in stumps:
            top = GROUND_Y + max(LEAST, draws.normal(mean_height, NOISE)) * STEP
            right = x + max(LEAST, draws.normal(mean_width, NOISE))
            polygons.append(box(x, GROUND_Y, right, top))
            x = right
        ground += [x, x + SEQUENCE_SPACING]
        x = x + SEQUENCE_SPACING
    return _on_flat_ground(level_seed, ground, polygons, bool(legacy_ground_end))


def _drawn(draws: Draws, mean: float, noise: float) -> float:
    return draws.normal(mean, noise) if noise else mean


def _turned(left: float, right: float, height: float, angle: float) -> Points:
    """Return a rectangle on the ground, turned about the middle of its base."""
    if angle == 0.0:
        return box(left, GROUND_Y, right, GROUND_Y + height)
    s, c = exact_sin_cos(angle)
    middle, half = 0.5 * (left + right), 0.5 * (right - left)
    return np.array(
        [
            (middle + (x * c - y * s), GROUND_Y + (x * s + y * c))
            for x, y in ((-half, 0.0), (half, 0.0), (half, height), (-half, height))
        ]
    )


def _on_flat_ground(
    level_seed: int, xs: list[float], polygons: list[Points], legacy_ground_end: bool
) -> Start:
    if legacy_ground_end:
        xs = [x for x in xs if x < TRACK_END]
    ground = np.column_stack([xs, np.full(len(xs), GROUND_Y)])
    return Start(Terrain(ground, tuple(polygons)), initial_push(level_seed))
