"""Hexagon tracks: what the task does to the obstacles, and their convex hulls."""

import hashlib

import numpy as np
import pytest
from Box2D import b2PolygonShape
from scipy.spatial import ConvexHull, QhullError

from teachenv.env import Level
from teachenv.envs.bipedal.draws import Draws
from teachenv.envs.bipedal.terrain import FINISH_X, GROUND_Y, STEP, TERRAIN_STREAM
from teachenv.envs.bipedal.terrain_hexagons import BASE, convex_hull, hexagon_tracks
from teachenv.envs.bipedal.tracks import hexagon_track

TRACK = hexagon_track()
RNG_TASKS = np.random.default_rng(0).uniform(0.0, 4.0, (100, 12))


def raw_points(level_seed, offsets):
    """The six points of every hexagon before the hull is taken."""
    draws, hexagons = Draws(level_seed, TERRAIN_STREAM), []
    for k in range(10):
        noisy = [draws.normal(offset, 0.1) for offset in offsets]
        noisy[1] = noisy[11] = 0.0
        steps = np.array(BASE) + np.array(noisy).reshape(6, 2)
        hexagons.append(np.array([20 * STEP + 9.0 * k, GROUND_Y]) + steps * STEP)
    return hexagons


def test_ten_hexagons_stand_nine_metres_apart():
    terrain = hexagon_tracks(3, [0.0] * 12).terrain
    centres = [p[:, 0].mean() for p in terrain.polygons]
    assert len(centres) == 10
    np.testing.assert_allclose(centres, 20 * STEP + 9.0 * np.arange(10), atol=0.1)
    assert sum(centre < FINISH_X for centre in centres) == 9
    assert (terrain.ground[:, 1] == GROUND_Y).all()
    assert terrain.ground[-1, 0] > FINISH_X
    np.testing.assert_allclose(np.diff(terrain.ground[1:, 0]), [1.0, 8.0] * 10)


def test_hexagons_of_the_default_task_have_the_published_shape():
    polygons = [p for seed in range(50) for p in hexagon_tracks(seed, [0.0] * 12).terrain.polygons]
    heights = np.array([p[:, 1].max() - GROUND_Y for p in polygons]) / STEP
    assert heights.mean() == pytest.approx(0.5 + 0.1 / np.sqrt(np.pi), abs=0.01)  # the larger of 2
    tallest = [p[:, 1].max() for p in hexagon_tracks(0, [4.0] * 12).terrain.polygons]
    assert np.mean(tallest) - GROUND_Y == pytest.approx(2.1, abs=0.1)


def test_polygons_are_the_hulls_that_box2d_makes():
    """Of the points before any hull was taken; needless vertices apart."""
    exact = 0
    for level_seed, task in enumerate(RNG_TASKS):
        polygons = hexagon_tracks(level_seed, task).terrain.polygons
        for points, polygon in zip(raw_points(level_seed, task), polygons, strict=True):
            theirs = np.array(b2PolygonShape(vertices=points.tolist()).vertices)
            ours = np.array(b2PolygonShape(vertices=polygon.tolist()).vertices)
            assert len(ours) == len(polygon), "Box2D takes a hull of ours as it is"
            if len(ours) == len(theirs):
                np.testing.assert_array_equal(ours, theirs)
                exact += 1
            else:  # what was left out is nearly a vertex or nearly on a side
                assert all(distance(vertex, ours) < 0.0051 for vertex in theirs)
    assert exact > 980
    print(f"{exact} of 1000 hulls equal")


def distance(point, polygon):
    """From a point to the outline of a polygon."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    along = ((point - a) * (b - a)).sum(axis=1) / ((b - a) ** 2).sum(axis=1)
    nearest = a + np.clip(along, 0, 1)[:, None] * (b - a)
    return np.hypot(*(point - nearest).T).min()


def test_hulls_equal_those_of_another_algorithm():
    rng = np.random.default_rng(1)
    for _ in range(300):
        points = rng.normal(size=(rng.integers(3, 9), 2))
        ours = np.array(convex_hull([tuple(p) for p in points.tolist()]))
        theirs = points[ConvexHull(points).vertices]
        if len(ours) == len(theirs):
            start = np.flatnonzero((theirs == ours[0]).all(axis=1)).item()
            np.testing.assert_array_equal(np.roll(theirs, -start, axis=0), ours)
        else:
            assert all(distance(vertex, ours) < 0.0051 for vertex in theirs)


@pytest.mark.parametrize(
    ("points", "count"),
    [
        ([(0, 0)] * 6, 0),
        ([(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)], 0),
        ([(0, 0), (1, 0), (1, 0), (1, 1), (0, 1), (0, 1)], 4),
        ([(0, 0), (0.5, 0), (1, 0), (1, 1), (0.5, 1), (0, 1)], 4),
        ([(0, 0), (1, 0), (1.001, 0.001), (1, 1), (0, 1)], 4),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0.5)], 3),
        ([(0, 0), (1, 0), (0.5, 1e-7)], 0),
    ],
)
def test_needless_vertices_and_slivers_are_dropped(points, count):
    hull = convex_hull([(float(x), float(y)) for x, y in points])
    assert len(hull) == count or (count == 0 and len(hull) < 3)


def test_generated_terrains_are_valid_for_the_most_degenerate_tasks():
    rng = np.random.default_rng(2)
    collapsed = [1.0, 0.0, 1.0, 0.0, 0.75, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0]
    for level_seed in range(150):
        offsets = collapsed if level_seed % 2 else rng.choice([0.0, 0.25, 0.5, 1.0, 4.0], 12)
        terrain = hexagon_tracks(level_seed, offsets).terrain
        terrain.checked()
        assert 9 <= len(terrain.polygons) <= 10


def area(polygons):
    total = 0.0
    for p in polygons:
        try:
            total += ConvexHull(p).volume
        except QhullError:
            continue
    return total


@pytest.mark.parametrize("index", range(12))
def test_each_parameter_acts_but_the_two_of_the_feet(index):
    low = np.full(12, 1.0)
    high = low.copy()
    high[index] = 4.0
    before, after = (hexagon_tracks(5, task).terrain.polygons for task in (low, high))
    same = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert same == (TRACK.task_space.names[index] in ("vertex1_dy", "vertex6_dy"))


def profile(polygons, x):
    """Height of the obstacles above each x."""
    heights = np.zeros_like(x)
    for p in polygons:
        for a, b in zip(p, np.roll(p, -1, axis=0), strict=True):
            (x0, y0), (x1, y1) = sorted([a.tolist(), b.tolist()])
            inside = (x0 <= x) & (x <= x1) & (x1 > x0)
            y = y0 + (x - x0) * (y1 - y0) / max(x1 - x0, 1e-12) - GROUND_Y
            heights = np.where(inside, np.maximum(heights, y), heights)
    return heights


@pytest.mark.parametrize("name", [n for n in TRACK.task_space.names if n in TRACK.harder])
def test_harder_parameters_only_ever_raise_the_profile(name):
    x = np.linspace(9.0, 93.0, 4000)
    index = TRACK.task_space.names.index(name)
    for level_seed, task in enumerate(RNG_TASKS[:15]):
        profiles = []
        for value in (0.0, 2.0, 4.0):
            task = task.copy()
            task[index] = value
            profiles.append(profile(TRACK.start(Level(task, level_seed)).terrain.polygons, x))
        assert (np.diff(profiles, axis=0) > -0.006).all()  # dropped vertices apart


def test_golden_hexagons():
    digest = hashlib.sha256()
    for level_seed in (0, 1, 2**53 - 1):
        terrain = hexagon_tracks(level_seed, RNG_TASKS[level_seed % 7]).terrain
        for points in (terrain.ground, *terrain.polygons):
            digest.update(points.astype("<f8").tobytes())
    assert digest.hexdigest()[:16] == "dd22e76772450327"
