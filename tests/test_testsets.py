from __future__ import annotations

import numpy as np
import pytest

from teachenv import Dim, TaskSpace
from teachenv.env import FIRST_TEST_LEVEL, MakeEnv
from teachenv.envs import ENVS
from teachenv.envs.bipedal.levels import LEVELS
from teachenv.envs.bipedal.tracks import (
    course_track,
    hexagon_track,
    sequence_track,
    stump_track,
    walker_track,
)
from teachenv.errors import UserError
from teachenv.experiments import testsets
from teachenv.experiments.testsets import TestSet

STUMPS = TaskSpace([Dim("stump_height", 0.0, 3.0), Dim("stump_spacing", 0.0, 6.0)])


def test_stump_50_equals_the_published_draws() -> None:
    rng = np.random.RandomState(4222)
    published = [[rng.uniform(0, 3), rng.uniform(0, 6)] for _ in range(50)]
    assert testsets.load("stump-50-v1", STUMPS).tasks.tolist() == published


def test_stump_grid_is_every_pair_of_the_published_axes() -> None:
    tasks = testsets.load("stump-grid-v1", STUMPS).tasks
    wanted = {(h, s) for h in np.linspace(0, 3, 10) for s in np.linspace(0, 6, 10)}
    assert {tuple(task) for task in tasks.tolist()} == wanted
    assert len(tasks) == 100


@pytest.mark.parametrize("highest", [4, 5])
def test_taller_stump_sets_are_the_same_draws_rescaled(highest: int) -> None:
    space = stump_track(height=(0, 9)).task_space
    rng = np.random.RandomState(4222)
    published = [[rng.uniform(0, highest), rng.uniform(0, 6)] for _ in range(50)]
    assert testsets.load(f"stump-50-height-{highest}-v1", space).tasks.tolist() == published


@pytest.mark.parametrize(("name", "high", "dim"), [("hexagon", 4, 12), ("sequence", 6, 10)])
def test_hexagon_and_sequence_sets_equal_the_published_draws(
    name: str, high: int, dim: int
) -> None:
    rng = np.random.RandomState(4222)
    published = [rng.uniform(0, high, dim).tolist() for _ in range(50)]
    assert testsets.load(f"{name}-50-v1", space_of(f"{name}-50-v1")).tasks.tolist() == published


def test_stump_sets_serve_wider_spaces_and_leave_further_dimensions_at_their_defaults() -> None:
    space = stump_track(height=(-3, 9), rotation=(0, 1), width=(0.5, 2)).task_space
    test_set = testsets.load("stump-50-v1", space)
    np.testing.assert_array_equal(test_set.tasks[:, :2], testsets.load("stump-50-v1", STUMPS).tasks)
    assert test_set.tasks[:, 2:].tolist() == [[1.0, 0.0]] * 50


def space_of(name: str) -> TaskSpace:
    """The space that a test set is made for."""
    level = LEVELS.get(name.removesuffix("-v1"))
    if level is not None and level.env_id == "teachenv/Walker-v0":
        return walker_track().task_space
    if level is not None or name.startswith("course"):
        return course_track().task_space
    if name.startswith("stump-50-height"):
        return stump_track(height=(0, 5)).task_space
    named = {"hexagon-50-v1": hexagon_track, "sequence-50-v1": sequence_track}
    return named[name]().task_space if name in named else STUMPS


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("stump-50-v1", "30fc24a643974872"),
        ("stump-grid-v1", "e614f99b0c4be18e"),
        ("stump-50-height-4-v1", "c06cb73b14310204"),
        ("stump-50-height-5-v1", "6dbd67431e8e24a7"),
        ("hexagon-50-v1", "d18611eda7cfb620"),
        ("sequence-50-v1", "f880edcf94041504"),
        ("course-medium-v1", "f5af0e69328770b0"),
        ("insane-v1", "2c59f27c22f687bc"),
        ("xchal-v1", "3317b6529467d149"),
        ("poet-rose-3b-v1", "3ac35ff358e0bbb6"),
    ],
)
def test_hashes_never_change(name: str, digest: str) -> None:
    assert testsets.load(name, space_of(name)).hash == digest


def test_medium_courses_are_ten_levels_of_each_kind() -> None:
    test_set = testsets.load("course-medium-v1", course_track().task_space)
    tasks, counts = np.unique(test_set.tasks, axis=0, return_counts=True)
    assert counts.tolist() == [10] * 4
    assert {tuple(task) for task in tasks.tolist()} == {
        (5, 0, 0, 0, 0, 0, 0, 1),
        (0, 5, 5, 0, 0, 0, 0, 1),
        (0, 0, 0, 2, 2, 0, 0, 1),
        (0, 0, 0, 0, 0, 2, 2, 4),
    }


def test_levels_without_stairs_fit_the_space_without_stairs() -> None:
    space = course_track(stairs=False).task_space
    rose = testsets.load("poet-rose-1a-v1", space)
    assert rose.tasks.tolist() == [[5.6, 4.48, 6.4, 2.4, 2.82]] * 20
    with pytest.raises(UserError, match="made for"):
        testsets.load("med-stairs-v1", space)
    assert testsets.default_names("teachenv/ObstacleCourse-v0", space) == ("uniform-100-v1",)


def test_extremely_challenging_tasks_follow_their_level_seeds() -> None:
    test_set = testsets.load("xchal-v1", course_track().task_space)
    assert len(np.unique(test_set.tasks[:, 0])) == 20
    for task, seed in zip(test_set.tasks, test_set.level_seeds, strict=True):
        expected = LEVELS["xchal"].reset_options(seed)["task"]
        assert task.tolist() == list(expected.values())


def test_test_levels_are_out_of_reach_of_training() -> None:
    for name in testsets.TEST_SETS:
        test_set = testsets.load(name, space_of(name))
        assert min(test_set.level_seeds) >= FIRST_TEST_LEVEL
        assert len(set(test_set.level_seeds)) == len(test_set)


def test_a_changed_task_does_not_match_its_hash() -> None:
    row = testsets.load("stump-50-v1", STUMPS).to_json()
    assert TestSet.from_json("stump-50-v1", row).hash == row["hash"]
    row["tasks"][3][0] += 1e-12
    with pytest.raises(UserError, match="do not match their hash"):
        TestSet.from_json("stump-50-v1", row)


def test_a_set_for_other_tasks_is_refused() -> None:
    other = TaskSpace([Dim("x"), Dim("y")])
    with pytest.raises(UserError, match="made for"):
        testsets.load("stump-50-v1", other)
    with pytest.raises(UserError, match="did you mean 'stump-50-v1'"):
        testsets.load("stump-50", STUMPS)
    with pytest.raises(UserError, match="at most 3 dimensions"):
        testsets.load("grid-v1", TaskSpace([Dim(f"d{i}") for i in range(4)]))
    small = TaskSpace([Dim("stump_height", 0.0, 1.0), Dim("stump_spacing", 0.0, 6.0)])
    with pytest.raises(UserError, match="outside"):
        testsets.load("stump-50-v1", small)


def test_high_dimensional_spaces_get_a_drawn_set() -> None:
    space = TaskSpace([Dim(f"d{i}", -1.0, 2.0) for i in range(12)])
    assert testsets.default_names("any/Env-v0", space) == ("uniform-100-v1",)
    assert all(space.contains(task) for task in testsets.load("uniform-100-v1", space).tasks)


def test_every_environment_has_test_sets_that_fit() -> None:
    for env_id in ENVS:
        env = MakeEnv(env_id)()
        space = env.get_wrapper_attr("task_space")
        env.close()
        for name in testsets.default_names(env_id, space):
            assert len(testsets.load(name, space)) > 1
