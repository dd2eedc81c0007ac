"""Terrain generation, its random numbers, and the validation of hand-made terrains."""

import hashlib
import math
import statistics

import numpy as np
import pytest
from gymnasium.utils import seeding

from teachenv import TaskError
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.draws import (
    Draws,
    bits_at,
    exact_log,
    exact_sin_cos,
    inverse_normal,
)
from teachenv.envs.bipedal.terrain import (
    FINISH_X,
    GROUND_Y,
    SPAWN_X,
    STEP,
    Terrain,
    initial_push,
)
from teachenv.envs.bipedal.terrain_stock import stock
from teachenv.envs.bipedal.terrain_stumps import stump_sequences
from teachenv.envs.bipedal.terrain_stumps import stump_tracks as start_stump_tracks


def stump_tracks(height, spacing, level_seed, **options):
    return start_stump_tracks(level_seed, height, spacing, **options).terrain


def stump_heights(terrain):
    return np.array([p[:, 1].max() - GROUND_Y for p in terrain.polygons]) / STEP


def test_constants_are_the_published_ones():
    assert pytest.approx(14 / 30) == STEP
    assert pytest.approx(10 / 3) == GROUND_Y
    assert pytest.approx(4.666667, abs=1e-6) == SPAWN_X
    assert pytest.approx(88.666667, abs=1e-6) == FINISH_X


@pytest.mark.parametrize(
    ("spacing", "generated", "before_finish"),
    [
        (0.01, 177, 167),
        (1, 58, 55),
        (2, 35, 33),
        (3, 25, 23),
        (4, 19, 18),
        (5, 16, 15),
        (6, 13, 13),
    ],
)
def test_number_of_stumps_is_the_published_one(spacing, generated, before_finish):
    polygons = stump_tracks(1.0, spacing, 0).polygons
    assert len(polygons) == generated
    assert sum(p[:, 0].min() < FINISH_X for p in polygons) == before_finish


def test_stumps_are_one_step_wide_and_the_spacing_apart():
    boxes = stump_tracks(1.0, 2.5, 3).polygons
    left = np.array([p[:, 0].min() for p in boxes])
    right = np.array([p[:, 0].max() for p in boxes])
    assert left[0] == pytest.approx(20 * STEP)
    np.testing.assert_allclose(right - left, STEP)
    np.testing.assert_allclose(left[1:] - right[:-1], 2.5)


def test_ground_is_flat_and_reaches_past_the_finish_for_every_spacing():
    for spacing in np.linspace(0.0, 6.0, 601):
        ground = stump_tracks(0.0, float(spacing), 0).ground
        assert (ground[:, 1] == GROUND_Y).all()
        assert ground[-1, 0] > FINISH_X
        assert ground[0, 0] == 0.0
        assert (np.diff(ground[:, 0]) > 0.005).all()


def test_stump_heights_follow_the_task():
    low, high = (stump_heights(stump_tracks(mean, 0.0, 5)) for mean in (1.0, 3.0))
    np.testing.assert_allclose(high - low, 2.0)  # the same noise around another mean
    assert low.mean() == pytest.approx(1.0, abs=0.03)
    assert low.std() == pytest.approx(0.1, abs=0.02)
    assert stump_heights(stump_tracks(0.0, 0.0, 5)).min() == pytest.approx(0.05)


def test_wider_spacing_means_fewer_stumps():
    counts = [len(stump_tracks(1.0, s, 0).polygons) for s in (0.0, 0.5, 1.5, 3.0, 6.0)]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == len(counts)


# -- options of stump tracks ---------------------------------------------------------------


def test_options_leave_the_other_draws_as_they_are():
    plain = stump_tracks(2.0, 3.0, 4)
    wide = stump_tracks(2.0, 3.0, 4, stump_width=2.0, width_noise=0.2, stump_rotation=0.3)
    plain_heights = stump_heights(plain)
    sides = [np.hypot(*(p[2] - p[1])) for p in wide.polygons]
    np.testing.assert_allclose(np.array(sides) / STEP, plain_heights[: len(sides)])
    same = stump_tracks(2.0, 3.0, 4, stump_width=1.0, stump_rotation=0.0, rotation_noise=0.0)
    assert [p.tobytes() for p in same.polygons] == [p.tobytes() for p in plain.polygons]


def test_widths_are_drawn_around_their_mean_and_push_the_next_stump_away():
    boxes = stump_tracks(1.0, 0.5, 0, stump_width=2.0, width_noise=0.3).polygons
    widths = np.array([np.ptp(p[:, 0]) for p in boxes]) / STEP
    assert widths.mean() == pytest.approx(2.0, abs=0.15)
    assert widths.std() == pytest.approx(0.3, abs=0.08)
    left = np.array([p[:, 0].min() for p in boxes])
    right = np.array([p[:, 0].max() for p in boxes])
    np.testing.assert_allclose(left[1:] - right[:-1], 0.5)
    thin = stump_tracks(1.0, 0.5, 0, stump_width=-3.0).polygons
    np.testing.assert_allclose([np.ptp(p[:, 0]) for p in thin], 0.05 * STEP)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, 3.0, 5.5, 2 * math.pi])
def test_stumps_turn_about_the_middle_of_their_base(angle):
    upright = stump_tracks(2.0, 3.0, 1).polygons
    turned = stump_tracks(2.0, 3.0, 1, stump_rotation=angle).polygons
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    for a, b in zip(upright, turned, strict=True):
        middle = (a[0] + a[1]) / 2
        np.testing.assert_allclose(b, middle + (a - middle) @ matrix.T, atol=1e-12)


def test_rotations_are_clipped_to_a_full_turn():
    for given, played in ((-5.0, 0.0), (9.0, 2 * math.pi)):
        one, two = (stump_tracks(1.0, 3.0, 1, stump_rotation=a) for a in (given, played))
        assert [p.tobytes() for p in one.polygons] == [p.tobytes() for p in two.polygons]
    angles = []
    for polygon in stump_tracks(1.0, 0.1, 1, stump_rotation=1.0, rotation_noise=0.2).polygons:
        angles.append(math.atan2(*(polygon[1] - polygon[0])[::-1]))
    assert np.mean(angles) == pytest.approx(1.0, abs=0.05)
    assert np.std(angles) == pytest.approx(0.2, abs=0.04)


def test_old_ground_ends_where_the_published_code_ends_it():
    new, old = (stump_tracks(1.0, 6.0, 0, legacy_ground_end=flag) for flag in (0.0, 1.0))
    assert old.ground[-1, 0] == pytest.approx(87.4)
    np.testing.assert_array_equal(old.ground, new.ground[: len(old.ground)])
    assert len(new.polygons) == len(old.polygons)
    for spacing in (4.785, 4.79, 5.135, 5.165, 5.535, 5.598, 5.996, 6.0):
        end = stump_tracks(1.0, spacing, 0, legacy_ground_end=1.0).ground[-1, 0]
        assert 87.33 < end < FINISH_X
    for spacing in (0.01, 1.0, 4.78, 4.795, 5.13, 5.17, 5.53, 5.605, 5.99):
        assert stump_tracks(1.0, spacing, 0, legacy_ground_end=1.0).ground[-1, 0] > FINISH_X


def test_old_ground_ends_before_the_finish_for_the_published_share_of_spacings():
    ends = np.array(
        [
            stump_tracks(0.0, s, 0, legacy_ground_end=1.0).ground[-1, 0]
            for s in np.linspace(0, 6, 1501).tolist()
        ]
    )
    assert (ends < FINISH_X).mean() == pytest.approx(0.0193, abs=0.002)
    assert 87.3 < ends.min() < FINISH_X


def test_negative_heights_are_trivial_bumps():
    assert stump_heights(stump_tracks(-3.0, 1.0, 0)).max() == pytest.approx(0.05)


# -- stump sequences -----------------------------------------------------------------------

FIVE = [(1.0, 0.5), (0.0, 0.0), (3.0, 2.0), (-1.0, 1.0), (6.0, 6.0)]


def test_sequences_are_five_stumps_side_by_side_then_eight_metres():
    terrain = stump_sequences(2, FIVE).terrain
    assert len(terrain.polygons) % 5 == 0
    left = np.array([p[:, 0].min() for p in terrain.polygons])
    right = np.array([p[:, 0].max() for p in terrain.polygons])
    gaps = np.append(left[1:] - right[:-1], 8.0).reshape(-1, 5)
    np.testing.assert_allclose(gaps[:, :4], 0.0, atol=1e-12)
    np.testing.assert_allclose(gaps[:, 4], 8.0)
    assert left[0] == pytest.approx(20 * STEP)
    assert terrain.ground[-1, 0] > FINISH_X
    terrain.checked()


def test_sequence_heights_are_in_steps_and_widths_in_metres():
    polygons = [p for seed in range(30) for p in stump_sequences(seed, FIVE).terrain.polygons]
    heights = np.array([p[:, 1].max() - GROUND_Y for p in polygons]).reshape(-1, 5) / STEP
    widths = np.array([np.ptp(p[:, 0]) for p in polygons]).reshape(-1, 5)
    np.testing.assert_allclose(heights.mean(axis=0)[[0, 2, 4]], [1.0, 3.0, 6.0], atol=0.03)
    np.testing.assert_allclose(widths.mean(axis=0)[[0, 2, 3, 4]], [0.5, 2, 1, 6], atol=0.03)
    assert heights.std(axis=0)[[0, 2, 4]] == pytest.approx(0.1, abs=0.02)
    assert heights[:, 3].max() == pytest.approx(0.05)
    assert widths.min() == pytest.approx(0.05)


@pytest.mark.parametrize("index", range(10))
def test_each_parameter_of_a_sequence_acts(index):
    low, high = np.ones(10), np.ones(10)
    high[index] = 3.0
    one, two = (stump_sequences(0, list(zip(t[::2], t[1::2], strict=True))) for t in (low, high))
    assert [p.tobytes() for p in one.terrain.polygons] != [
        p.tobytes() for p in two.terrain.polygons
    ]
    if index % 2 == 0:
        tops = [np.array([p[:, 1].max() for p in s.terrain.polygons]) for s in (one, two)]
        assert (tops[1] >= tops[0]).all()


# -- random numbers ------------------------------------------------------------------------


def test_whole_numbers_are_equally_likely_and_reach_both_ends():
    draws = Draws(3, 0)
    values = [draws.integer(5, 9) for _ in range(5000)]
    np.testing.assert_allclose(np.bincount(values)[5:] / 5000, 0.2, atol=0.02)
    assert {draws.integer(-1, 1) for _ in range(50)} == {-1, 0, 1}
    assert draws.integer(4, 4) == 4


def test_sine_and_cosine_are_accurate():
    for angle in np.linspace(0.0, 2 * math.pi, 2001).tolist():
        s, c = exact_sin_cos(angle)
        assert s == pytest.approx(math.sin(angle), abs=1e-15)
        assert c == pytest.approx(math.cos(angle), abs=1e-15)


def test_golden_terrain():
    digest = hashlib.sha256()
    for task in ((0.0, 6.0), (1.5, 0.0), (3.0, 2.25)):
        for level_seed in (0, 1, 2**53 - 1):
            terrain = stump_tracks(*task, level_seed)
            for points in (terrain.ground, *terrain.polygons):
                digest.update(points.astype("<f8").tobytes())
            digest.update(np.float64(initial_push(level_seed)).tobytes())
    assert digest.hexdigest()[:16] == "3a62ee6a68b7008f"


def test_level_seeds_give_different_levels():
    heights = {tuple(stump_heights(stump_tracks(2.0, 6.0, seed))) for seed in range(50)}
    assert len(heights) == 50
    assert len({initial_push(seed) for seed in range(50)}) == 50


def test_many_keys_at_once_give_the_numbers_of_each():
    keys = np.array([0, 7, 2**53, 2**64 - 1], np.uint64)
    indices = np.array([0, 3, 1, 2])
    expected = []
    for key, index in zip(keys.tolist(), indices.tolist(), strict=True):
        draws = Draws(key, 2)
        expected.append([draws.bits() for _ in range(index + 1)][-1])
    assert bits_at(keys, 2, indices).tolist() == expected


def test_draws_are_splitmix64_and_streams_are_independent():
    # The published first outputs of SplitMix64 seeded with 0, from its finaliser and increment.
    from teachenv.envs.bipedal.draws import mix64

    assert mix64(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    first, second = ([Draws(7, s).uniform(0, 1) for _ in range(1)] for s in (0, 1))
    assert first != second
    a, b = Draws(7, 0), Draws(7, 1)
    pairs = np.array([(a.uniform(-1, 1), b.uniform(-1, 1)) for _ in range(4000)])
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.05
    assert np.abs(pairs).max() < 1.0
    np.testing.assert_allclose(pairs.mean(axis=0), 0.0, atol=0.03)


def test_inverse_normal_and_logarithm_are_accurate():
    exact = statistics.NormalDist()
    for p in (2.0**-53, 1e-9, 0.001, 0.02425, 0.3, 0.5, 0.8, 0.99, 1 - 2.0**-53):
        assert inverse_normal(p) == pytest.approx(exact.inv_cdf(p), rel=1e-8, abs=1e-12)
    for x in (5e-324, 1e-300, 0.1, 0.7071067811865476, 1.0, 3.0, 1e300):
        assert exact_log(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-16)


@pytest.mark.parametrize("hardcore", [False, True])
def test_stock_terrain_is_gymnasiums(hardcore):
    from gymnasium.envs.box2d.bipedal_walker import BipedalWalker

    for seed in range(20):
        env = BipedalWalker(hardcore=hardcore)
        env.reset(seed=seed)
        terrain, push = stock(seeding.np_random(seed)[0], hardcore)
        assert terrain.ground[:, 0].tolist() == env.terrain_x
        assert terrain.ground[:, 1].tolist() == env.terrain_y
        assert len(terrain.polygons) == len(env.terrain) - 199
        assert -5 <= push <= 5


LINE = [(0.0, 3.0), (100.0, 3.0)]
BOX = [(20.0, 3.0), (21.0, 3.0), (21.0, 4.0), (20.0, 4.0)]
DART = [(20.0, 3.0), (22.0, 3.0), (20.5, 3.5), (20.0, 5.0)]
STAR = [(20 + math.cos(a), 5 + math.sin(a)) for a in 4 * math.pi / 5 * np.arange(5)]


def test_hand_made_terrain_is_copied_and_read_only():
    ground = np.array(LINE)
    terrain = Terrain(ground, (np.array(BOX), np.array(BOX[::-1]))).checked()
    ground[0, 1] = 9.0
    assert terrain.ground[0, 1] == 3.0
    with pytest.raises(ValueError, match="read-only"):
        terrain.ground[0, 0] = 1.0


@pytest.mark.parametrize(
    ("ground", "polygons", "message"),
    [
        ([(0, 3), (50, 3)], (), "past the finish"),
        ([(1, 3), (100, 3)], (), "from x <= 0"),
        ([(0, 3)], (), "2 or more"),
        ([(0, 3), (50, 3), (40, 3), (100, 3)], (), "to the right"),
        ([(0, 3), (50, math.nan), (100, 3)], (), "finite"),
        ([(0, 3), (50, 1e9), (100, 3)], (), "within"),
        ([0, 3, 100, 3], (), "shape"),
        ("ground", (), "must be points"),
        (LINE, (BOX[:2],), "3 to 8"),
        (LINE, (BOX, DART), r"polygons\[1\].*convex"),
        (LINE, (STAR,), "convex"),
        (LINE, ([(20, 3), (21, 3), (22, 3)],), "convex"),
        (LINE, ([(20, 3), (20.001, 3), (20.001, 4)],), "shorter"),
    ],
)
def test_bad_terrain_is_refused_with_the_reason(ground, polygons, message):
    with pytest.raises(TaskError, match=message):
        Terrain(ground, polygons).checked()


def test_default_body_has_the_published_masses_and_torques():
    body = BODIES["default"]
    assert body.torque == 80.0
    assert body.torque_penalty == pytest.approx(0.028)
    assert [joint.speed for joint in body.joints] == [4, 6, 4, 6]
    assert [(joint.lower, joint.upper) for joint in body.joints] == [(-0.8, 1.1), (-1.6, -0.1)] * 2
    from teachenv.envs.bipedal.simulation import Simulation

    simulation = Simulation(body, stump_tracks(0.0, 6.0, 0), 0.0)
    assert sum(part.mass for part in simulation.parts) == pytest.approx(6.51, abs=0.01)
    assert simulation.world.gravity == (0, -10)
