from __future__ import annotations

import numpy as np
import pytest

from teachenv import Dim, TaskSpace
from teachenv.env import FIRST_TEST_LEVEL
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


@pytest.mark.parametrize(
    ("name", "digest"),
    [("stump-50-v1", "30fc24a643974872"), ("stump-grid-v1", "e614f99b0c4be18e")],
)
def test_hashes_never_change(name: str, digest: str) -> None:
    assert testsets.load(name, STUMPS).hash == digest


def test_test_levels_are_out_of_reach_of_training() -> None:
    for name in testsets.TEST_SETS:
        test_set = testsets.load(name, STUMPS)
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
