"""Obstacle courses: grass, pits, stumps and stairs as the task asks for them."""

import hashlib
import math

import numpy as np
import pytest

from teachenv.env import Level
from teachenv.envs.bipedal.levels import FLAT
from teachenv.envs.bipedal.terrain import FINISH_X, GROUND_Y, STEP
from teachenv.envs.bipedal.terrain_course import obstacle_course
from teachenv.envs.bipedal.tracks import course_track
from teachenv.errors import UserError

TRACK = course_track()


def course(level_seed=0, **task):
    return obstacle_course(level_seed, **{**FLAT, **task}).terrain


def sizes(polygons):
    """Width and height of boxes, in terrain steps, shape (n, 2)."""
    return np.array([np.ptp(p, axis=0) for p in polygons]).reshape(-1, 2) / STEP


def test_a_course_without_obstacles_is_flat_ground():
    for stairs in (False, True):
        track = course_track(stairs=stairs)
        task = track.task_space.task({n: v for n, v in FLAT.items() if n in track.task_space.names})
        terrain = track.start(Level(task, 3)).terrain
        assert terrain.polygons == ()
        assert len(terrain.ground) == 200
        assert (terrain.ground[:, 1] == GROUND_Y).all()
        assert terrain.ground[-1, 0] > FINISH_X
        np.testing.assert_allclose(np.diff(terrain.ground[:, 0]), STEP)


def test_grass_is_as_rough_as_gymnasiums_at_roughness_one():
    from gymnasium.utils import seeding

    from teachenv.envs.bipedal.terrain_stock import stock

    ours = np.diff([course(s, roughness=1.0).ground[:, 1] for s in range(300)], axis=1)
    stocks = [stock(seeding.np_random(s)[0], hardcore=False).terrain for s in range(300)]
    theirs = np.diff([t.ground[:, 1] for t in stocks], axis=1)
    assert (ours[:, :20] == 0).all()
    assert ours[:, 30:].std() == pytest.approx(theirs[:, 30:].std(), rel=0.03)
    rough = np.diff([course(s, roughness=5.0).ground[:, 1] for s in range(300)], axis=1)
    assert rough[:, 22].std() == pytest.approx(5 * ours[:, 22].std())


@pytest.mark.parametrize("gap", [0.8, 1.0, 2.5, 5.0, 9.999, 10.0])
def test_pits_are_as_wide_as_the_task_says(gap):
    terrain = course(7, pit_gap_a=gap, pit_gap_b=gap)
    walls = terrain.polygons
    assert len(walls) >= 10
    np.testing.assert_allclose(sizes(walls), np.tile([1.0, 4.0], (len(walls), 1)))
    left, right = walls[::2], walls[1::2]
    free = [b[:, 0].min() - a[:, 0].max() for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(np.array(free) / STEP, gap)
    assert left[0][:, 0].min() == pytest.approx(20 * STEP)
    bottom = GROUND_Y - 4 * STEP
    for a, b in zip(left[:-1], right[:-1], strict=True):  # the last may leave the track
        middle = (a[:, 0].max() + b[:, 0].min()) / 2
        assert np.interp(middle, *terrain.ground.T) == pytest.approx(bottom)
        assert np.interp(b[:, 0].max(), *terrain.ground.T) == pytest.approx(GROUND_Y)
        assert np.interp(a[:, 0].min(), *terrain.ground.T) == pytest.approx(GROUND_Y)


def test_pits_narrower_than_a_step_have_ground_hidden_by_their_walls():
    for level_seed in range(200):
        terrain = course(level_seed, roughness=3.0, pit_gap_b=1.0)
        terrain.checked()


@pytest.mark.parametrize("height", [0.2, 2.0, 5.0])
def test_stumps_are_a_step_wide_and_as_high_as_the_task_says(height):
    periods: set[float] = set()
    for level_seed in range(40):
        terrain = course(level_seed, stump_height_a=height, stump_height_b=height)
        boxes = sizes(terrain.polygons)
        np.testing.assert_allclose(boxes, np.tile([1.0, height], (len(boxes), 1)))
        columns = np.array([p[:, 0].min() for p in terrain.polygons]) / STEP
        np.testing.assert_allclose(columns, np.round(columns))
        assert columns[0] == pytest.approx(20)
        periods |= set(np.diff(np.round(columns)))
        assert (terrain.ground[:, 1] == GROUND_Y).all()
    assert periods == set(range(10, 19))  # 5 to 9 columns of the stump's, then of grass


def test_sizes_are_uniform_between_both_ends_in_either_order():
    for a, b in ((1.0, 3.0), (3.0, 1.0)):
        boxes = [course(s, stump_height_a=a, stump_height_b=b).polygons for s in range(60)]
        heights = np.concatenate([sizes(p)[:, 1] for p in boxes])
        assert 1.0 < heights.min() < 1.05
        assert 2.95 < heights.max() < 3.0
        assert heights.mean() == pytest.approx(2.0, abs=0.07)
        assert heights.std() == pytest.approx(2.0 / math.sqrt(12), abs=0.04)


def stair_counts(**task):
    """Steps of each of many stairs: blocks that touch belong to one."""
    counts = []
    for level_seed in range(150):
        polygons = course(level_seed, stair_height_a=1.0, stair_height_b=1.0, **task).polygons
        lefts = np.array([p[:, 0].min() for p in polygons])
        new = np.diff(lefts, prepend=-99.0) > 4.5 * STEP
        counts += np.diff([*np.flatnonzero(new), len(polygons)]).tolist()
    return counts


def test_stairs_have_up_to_the_given_number_of_steps_or_one_less_by_the_old_rule():
    counts = np.array(stair_counts(stair_steps=4.0))
    assert set(counts) == {1, 2, 3, 4}
    np.testing.assert_allclose(np.bincount(counts)[1:] / len(counts), 0.25, atol=0.06)
    assert set(stair_counts(stair_steps=5.0, stair_steps_exclusive=1.0)) == {1, 2, 3, 4}
    assert stair_counts(stair_steps=1.0, stair_steps_exclusive=1.0) == []
    assert set(stair_counts(stair_steps=1.0)) == {1}


def test_stairs_go_up_and_down_on_blocks_four_columns_long():
    up = down = 0
    for level_seed in range(30):
        terrain = course(level_seed, stair_height_a=0.5, stair_height_b=0.5, stair_steps=6)
        np.testing.assert_allclose(sizes(terrain.polygons), [[4.0, 0.5]] * len(terrain.polygons))
        for a, b in zip(terrain.polygons, terrain.polygons[1:], strict=False):
            if b[:, 0].min() == pytest.approx(a[:, 0].max()):
                rise = (b[:, 1].max() - a[:, 1].max()) / STEP
                assert abs(rise) == pytest.approx(0.5)
                up, down = up + (rise > 0), down + (rise < 0)
        for block in terrain.polygons:  # the ground runs within or under the blocks
            inside = (terrain.ground[:, 0] > block[:, 0].min() + 1e-9) & (
                terrain.ground[:, 0] < block[:, 0].max() - 1e-9
            )
            assert (terrain.ground[inside, 1] <= block[:, 1].max() + 1e-9).all()
    assert 0.35 < up / (up + down) < 0.65


def test_families_below_the_least_size_are_left_out():
    for name, least in (("pit_gap_b", 0.8), ("stump_height_b", 0.2), ("stair_height_b", 0.2)):
        low = [course(s, **{name: least - 1e-9}, stair_steps=4).polygons for s in range(5)]
        high = [course(s, **{name: least}, stair_steps=4).polygons for s in range(5)]
        assert not any(low)
        assert all(high)


def test_all_families_take_turns_equally_often():
    kinds = np.zeros(3)
    task = {"pit_gap_a": 2.0, "pit_gap_b": 2.0, "stump_height_a": 1.5, "stump_height_b": 1.5}
    for level_seed in range(200):
        boxes = sizes(course(level_seed, **task, stair_height_a=0.7, stair_height_b=0.7).polygons)
        kinds += [
            (boxes[:, 1] > 3.9).sum() / 2,
            np.isclose(boxes[:, 1], 1.5).sum(),
            np.isclose(boxes[:, 1], 0.7).sum() * 2,  # every second stairs has no step
        ]
    np.testing.assert_allclose(kinds / kinds.sum(), 1 / 3, atol=0.03)


def test_every_generated_course_is_valid():
    rng = np.random.default_rng(0)
    for level_seed in range(150):
        for track in (TRACK, course_track("easy"), course_track(stairs=False)):
            track.start(Level(track.task_space.sample(rng), level_seed)).terrain.checked()


@pytest.mark.parametrize("name", TRACK.task_space.names)
def test_each_parameter_acts(name):
    task = dict(zip(TRACK.task_space.names, [1, 1, 3, 1, 2, 1, 2, 3], strict=True))
    levels = []
    for value in (task[name], task[name] + 1):
        vector = TRACK.task_space.task({**task, name: value})
        terrains = [TRACK.start(Level(vector, seed)).terrain for seed in range(5)]
        levels.append([(t.ground.tolist(), [p.tolist() for p in t.polygons]) for t in terrains])
    assert levels[0] != levels[1]


@pytest.mark.parametrize("name", [n for n in TRACK.task_space.names if n != "roughness"])
def test_harder_parameters_never_make_obstacles_smaller(name):
    """With one family on the course, the same draws give larger sizes or more steps."""
    family = name[:5]
    base = {n: (2.0 if n[:5] == family else 0.0) for n in FLAT} | {"stair_steps": 3}
    means = []
    for value in (2.0, 3.0, 4.0):
        task = {**base, name: value}
        levels = [course(s, **task) for s in range(40)]
        widest = [np.ptp(t.ground[:, 1]) if family == "stair" else 0.0 for t in levels]
        gaps = [
            b[:, 0].min() - a[:, 0].max()
            for t in levels
            for a, b in zip(t.polygons[::2], t.polygons[1::2], strict=False)
            if family == "pit_g"
        ]
        heights = np.concatenate([sizes(t.polygons)[:, 1] for t in levels])
        means.append(np.mean(widest) + np.mean(gaps or [0.0]) + heights.mean())
    assert means[0] < means[1] < means[2]


def test_roughness_scales_the_grass():
    spans = [np.abs(np.diff(course(3, roughness=r).ground[:, 1])).mean() for r in (0, 1, 3, 9)]
    assert spans == sorted(spans)


def test_subspaces_have_the_published_bounds_and_edits():
    full, easy = TRACK.task_space, course_track("easy").task_space
    assert full.names == easy.names == tuple(FLAT)
    assert full.low.tolist() == easy.low.tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert full.high.tolist() == [10, 10, 10, 5, 5, 5, 5, 9]
    assert easy.high.tolist() == [0.6, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 1]
    assert full.default.tolist() == easy.default.tolist() == [0, 0, 0.8, 0, 0.4, 0, 0.4, 1]
    edits = [(0, 0.6), (0.4, 0.4), (0.4, 0.4), *[(0.2, 0.2)] * 4, (1, 1)]
    assert [dim.edit for dim in full] == edits
    assert course_track(stairs=False).task_space.names == tuple(FLAT)[:5]
    with pytest.raises(UserError, match="known: full, easy"):
        course_track("hard")


def test_edits_of_a_course_lead_from_easy_to_hard_and_stay_inside():
    rng = np.random.default_rng(0)
    task = course_track("easy").task_space.sample(rng)
    for _ in range(500):
        task = TRACK.task_space.edit(task, rng, 3)
        assert TRACK.task_space.contains(task)
    assert (task > course_track("easy").task_space.high).any()


def test_golden_courses():
    digest = hashlib.sha256()
    for level_seed, task in enumerate(
        [(0, 0, 0.8, 0, 0.4, 0, 0.4, 1), (5, 4, 9, 1, 3, 2, 0.5, 6), (9, 10, 10, 5, 5, 5, 5, 9)]
    ):
        terrain = TRACK.start(Level(np.array(task, float), level_seed)).terrain
        for points in (terrain.ground, *terrain.polygons):
            digest.update(points.astype("<f8").tobytes())
    assert digest.hexdigest()[:16] == "293d612fec7212f5"
