"""The C++ level generators against the Python ones: every bit of every number is the same."""

import itertools
import re

import numpy as np
import pytest
from gymnasium.utils import seeding
from hypothesis import given, settings
from hypothesis import strategies as st

from teachenv.env import MAX_LEVEL_SEED, Level
from teachenv.envs.bipedal.terrain_stock import stock
from teachenv.envs.bipedal.terrain_stumps import stump_tracks
from teachenv.envs.bipedal.tracks import course_track, hexagon_track, sequence_track, stump_track

native = pytest.importorskip(
    "teachenv.envs.bipedal._native",
    reason="the native engine (teachenv.envs.bipedal._native) is not built",
    exc_type=ModuleNotFoundError,
)

EDGE_SEEDS = (0, 1, 2**32 - 1, 2**32, 2**32 + 1, 2**52, MAX_LEVEL_SEED - 1)
HEIGHTS = (-1e300, -3.0, -0.0, 0.0, 5e-324, 0.05, 0.3, 1.0, 2.999999, 3.0, 1e6, 1e300)
SPACINGS = (-2.0, 0.0, 0.01, 0.010000001, 1.7, 6.0, 1e300)


def draw_seeds(count, seed):
    return [int(s) for s in np.random.default_rng(seed).integers(MAX_LEVEL_SEED, size=count)]


def stump_start(height, spacing, level_seed):
    return stump_tracks(level_seed, height, spacing)


def stock_start(course, level_seed):
    return stock(seeding.np_random(level_seed)[0], bool(course))


def assert_same_bits(track, task, level_seed, expected):
    ground, polygons, push = native.terrain(track, np.array(task, dtype=np.float64), level_seed)
    where = f"{track} {task} level seed {level_seed}"
    assert len(polygons) == len(expected.terrain.polygons), where
    wanted = (expected.terrain.ground, *expected.terrain.polygons)
    for got, want in zip((ground, *polygons), wanted, strict=True):
        assert got.dtype == np.float64
        assert got.shape == want.shape, where
        assert got.tobytes() == want.tobytes(), where
    assert np.float64(push).tobytes() == np.float64(expected.push).tobytes(), where


def test_extreme_stump_tracks():
    for task in itertools.product(HEIGHTS, SPACINGS):
        for level_seed in (*EDGE_SEEDS[:2], EDGE_SEEDS[-1]):
            assert_same_bits("stump_tracks", task, level_seed, stump_start(*task, level_seed))


def test_stump_tracks_over_the_task_space():
    rng = np.random.default_rng(0)
    for level_seed in (*EDGE_SEEDS, *draw_seeds(400, 1)):
        task = (float(rng.uniform(-1.0, 4.0)), float(rng.uniform(-0.1, 6.0)))
        assert_same_bits("stump_tracks", task, level_seed, stump_start(*task, level_seed))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    height=st.floats(allow_nan=False, allow_infinity=False),
    spacing=st.floats(allow_nan=False, allow_infinity=False),
    level_seed=st.integers(0, MAX_LEVEL_SEED - 1),
)
def test_any_finite_stump_track(height, spacing, level_seed):
    expected = stump_start(height, spacing, level_seed)
    assert_same_bits("stump_tracks", (height, spacing), level_seed, expected)


@pytest.mark.parametrize("course", [0.0, 1.0], ids=["easy", "hardcore"])
def test_stock_levels(course):
    for level_seed in (*EDGE_SEEDS, *range(2, 100), *draw_seeds(300, 2)):
        assert_same_bits("stock", (course,), level_seed, stock_start(course, level_seed))


TRACKS = {
    "stumps": stump_track(),
    "stumps of any shape": stump_track(
        (-3, 9), (0, 6), (0, 3), (0, 2 * np.pi), width_noise=0.2, rotation_noise=0.5
    ),
    "fixed stumps": stump_track(2.5, (0, 6), 0.3, 1.1, legacy_ground_end=True),
    "sequences": sequence_track(),
    "old sequences": sequence_track(legacy_ground_end=True),
    "hexagons": hexagon_track(),
    "courses": course_track(),
    "easy courses": course_track("easy"),
    "courses without stairs": course_track(stairs=False),
    "old stairs": course_track(stair_steps_exclusive=True),
}


@pytest.mark.parametrize("name", TRACKS)
def test_every_track_over_its_task_space(name):
    """200 random tasks, their corners and the default, on as many levels."""
    track, rng = TRACKS[name], np.random.default_rng(3)
    space = track.task_space
    tasks = [space.sample(rng) for _ in range(200)]
    tasks += [np.where(rng.random(space.dim) < 0.5, space.low, space.high) for _ in range(30)]
    for task, level_seed in zip([*tasks, space.default], draw_seeds(231, 4), strict=True):
        assert_same_bits(track.name, task, level_seed, track.start(Level(task, level_seed)))
    for level_seed in EDGE_SEEDS:
        expected = track.start(Level(space.default, level_seed))
        assert_same_bits(track.name, space.default, level_seed, expected)


@pytest.mark.parametrize("name", TRACKS)
def test_every_track_far_beyond_its_task_space(name):
    track, rng = TRACKS[name], np.random.default_rng(5)
    for level_seed in range(60):
        task = rng.choice(
            [-1e300, -7.5, -0.0, 0.0, 5e-324, 1e-3, 0.7, 3.0, 40.0, 1e9], size=track.task_space.dim
        )
        with np.errstate(all="ignore"):
            assert_same_bits(track.name, task, level_seed, track.start(Level(task, level_seed)))


def test_names_of_tracks_say_what_is_task_and_what_is_fixed():
    task = np.array([0.5, 2.0])
    plain = native.terrain("stump_tracks", task, 3)
    swapped = native.terrain("stump_tracks stump_spacing stump_height", task[::-1].copy(), 3)
    fixed = native.terrain("stump_tracks stump_height=0.5", task[1:], 3)
    for other in (swapped, fixed):
        assert other[0].tobytes() == plain[0].tobytes()
        assert [p.tobytes() for p in other[1]] == [p.tobytes() for p in plain[1]]


def test_arrays_belong_to_the_caller():
    task = np.array([1.0, 2.0])
    ground, polygons, _ = native.terrain("stump_tracks", task, 3)
    again = native.terrain("stump_tracks", task, 3)
    ground[:] = 0.0
    polygons[0][:] = 0.0
    assert again[0].any()
    assert again[1][0].any()


@pytest.mark.parametrize(
    ("track", "task", "level_seed", "message"),
    [
        (
            "parkour",
            [0.0],
            0,
            "track: expected one of 'stock', 'stump_tracks', 'stump_sequences', ",
        ),
        ("", [0.0], 0, "got ''"),
        ("stock hardcore", [0.0], 0, "track: no parameter 'hardcore' in 'stock hardcore'"),
        ("stump_tracks stump_width", [0.0], 0, "track: 'stump_height' is missing"),
        ("stock course course", [0.0], 0, "track: 'course' is given twice"),
        ("stump_tracks stump_width=", [0.0], 0, "track: expected a finite number in"),
        ("stump_tracks stump_width=1x", [0.0], 0, "track: expected a finite number in"),
        ("stump_tracks stump_width=1e999", [0.0], 0, "track: expected a finite number in"),
        ("hexagon_tracks", [0.0], 0, "task: expected 12 numbers, got 1"),
        ("stock", [], 0, "task: expected 1 numbers, got 0"),
        ("stock", [0.0, 0.0], 0, "task: expected 1 numbers, got 2"),
        ("stump_tracks", [0.0], 0, "task: expected 2 numbers, got 1"),
        ("stock", [np.nan], 0, "task: expected finite numbers, got nan"),
        ("stump_tracks", [np.inf, 0.0], 0, "task: expected finite numbers, got inf"),
        ("stump_tracks", [0.0, -np.inf], 0, "task: expected finite numbers, got -inf"),
        ("stump_tracks", [0.0, 0.0], -1, "level_seed: expected a whole number in"),
        ("stump_tracks", [0.0, 0.0], MAX_LEVEL_SEED, "level_seed: expected a whole number in"),
        ("stock", [0.0], 2**63, "level_seed: expected a whole number in"),
        ("stock", [0.0], 2**64, "level_seed: expected a whole number in"),
        ("stock", [0.0], -(2**70), "level_seed: expected a whole number in"),
    ],
)
def test_bad_values_are_refused(track, task, level_seed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        native.terrain(track, np.array(task), level_seed)


@pytest.mark.parametrize(
    ("track", "task", "level_seed"),
    [
        (0, np.zeros(1), 0),
        ("stock", [0.0], 0),
        ("stock", None, 0),
        ("stock", np.zeros(1, dtype=np.float32), 0),
        ("stock", np.zeros((1, 1)), 0),
        ("stump_tracks", np.zeros(4)[::2], 0),
        ("stock", np.zeros(1), 1.0),
        ("stock", np.zeros(1), "1"),
        ("stock", np.zeros(1), None),
    ],
)
def test_bad_types_are_refused(track, task, level_seed):
    with pytest.raises(TypeError):
        native.terrain(track, task, level_seed)
