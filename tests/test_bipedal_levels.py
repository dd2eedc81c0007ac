"""Named levels: the published parameters, and environments that play them."""

import gymnasium as gym
import numpy as np
import pytest

from teachenv.envs.bipedal.levels import LEVELS, make_level
from teachenv.envs.bipedal.tracks import course_track
from teachenv.errors import UserError

COURSE = course_track().task_space
PUBLISHED = {
    "flat": [0, 0, 0, 0, 0, 0, 0, 1],
    "med-roughness": [5, 0, 0, 0, 0, 0, 0, 1],
    "high-roughness": [9, 0, 0, 0, 0, 0, 0, 1],
    "med-stump-height": [0, 0, 0, 2, 2, 0, 0, 1],
    "high-stump-height": [0, 0, 0, 5, 5, 0, 0, 1],
    "med-pit-gap": [0, 5, 5, 0, 0, 0, 0, 1],
    "wide-pit-gap": [0, 10, 10, 0, 0, 0, 0, 1],
    "med-stairs": [0, 0, 0, 0, 0, 2, 2, 4],
    "high-stairs": [0, 0, 0, 0, 0, 5, 5, 8],
    "insane": [9, 10, 10, 5, 5, 5, 5, 8],
    "poet-rose-1a": [5.6, 4.48, 6.4, 2.4, 2.82, 0, 0, 1],
    "poet-rose-1b": [5.44, 4.48, 6.72, 1.8, 2.82, 0, 0, 1],
    "poet-rose-2a": [7.2, 5.6, 7.2, 1.98, 2.82, 0, 0, 1],
    "poet-rose-2b": [5.76, 1.6, 7.2, 2.16, 2.76, 0, 0, 1],
    "poet-rose-3a": [5.28, 4.8, 7.2, 1.98, 2.76, 0, 0, 1],
    "poet-rose-3b": [4.8, 4.48, 4.8, 2.4, 2.76, 0, 0, 1],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_levels_have_the_published_parameters(name):
    options = LEVELS[name].reset_options(3)
    assert COURSE.task(options["task"]).tolist() == PUBLISHED[name]
    assert options["level_seed"] == 3


def test_the_list_of_levels_is_complete():
    assert set(LEVELS) == {*PUBLISHED, "stock-easy", "stock-hardcore", "xchal"}
    assert all(level.note for level in LEVELS.values())


def test_the_extremely_challenging_level_draws_from_the_published_ranges():
    tasks = np.array([COURSE.task(LEVELS["xchal"].reset_options(s)["task"]) for s in range(500)])
    low, high = tasks.min(axis=0), tasks.max(axis=0)
    np.testing.assert_allclose(low, [4.5, 0, 6, 0, 2.4, 0, 0, 1], atol=0.02)
    np.testing.assert_allclose(high, [8, 0, 8, 0, 3, 0, 0, 1], atol=0.02)
    assert abs(np.corrcoef(tasks[:, [0, 2, 4]].T) - np.eye(3)).max() < 0.15
    assert LEVELS["xchal"].reset_options(7) == LEVELS["xchal"].reset_options(7)


@pytest.mark.parametrize("name", LEVELS)
def test_every_level_can_be_played(name):
    env = make_level(name, level_seed=5, backend="auto")
    expected = LEVELS[name].reset_options(5)
    for _ in range(2):
        _, info = env.reset()
        space = env.get_wrapper_attr("task_space")
        assert info["task"].tolist() == space.task(expected["task"]).tolist()
        assert info["level_seed"] == 5
    env.step(env.action_space.sample())
    env.close()


def test_without_a_level_seed_every_episode_has_its_own_by_the_seed_of_reset():
    env = make_level("xchal")
    infos = [env.reset(seed=4)[1], *(env.reset()[1] for _ in range(3))]
    again = make_level("xchal")
    repeated = [again.reset(seed=4)[1], *(again.reset()[1] for _ in range(3))]
    assert len({info["level_seed"] for info in infos}) == 4
    assert len({info["task"].tobytes() for info in infos}) == 4
    assert [i["level_seed"] for i in infos] == [i["level_seed"] for i in repeated]


def test_stock_hardcore_is_gymnasiums():
    env = make_level("stock-hardcore", level_seed=11, backend="reference")
    stock = gym.make("BipedalWalkerHardcore-v3")
    np.testing.assert_array_equal(env.reset()[0], stock.reset(seed=11)[0])


def test_options_of_reset_win():
    env = make_level("insane")
    _, info = env.reset(options={"level_seed": 9, "task": {"roughness": 1.0}})
    assert info["level_seed"] == 9
    assert info["task"][0] == 1.0


def test_unknown_levels_are_refused():
    with pytest.raises(UserError, match="did you mean 'insane'"):
        make_level("insan")


def test_a_level_seed_given_at_reset_fixes_a_level_that_draws_its_task():
    tasks = [
        make_level("xchal", own).reset(seed=seed, options={"level_seed": 7})[1]["task"].tolist()
        for own, seed in ((None, 0), (None, 1), (5, 2), (7, None))
    ]
    assert tasks[0] == tasks[1] == tasks[2] == tasks[3]
    fixed = make_level("xchal", 7).reset()[1]
    assert fixed["task"].tolist() == tasks[0]
    assert fixed["level_seed"] == 7


def test_a_task_given_by_name_changes_the_levels_own():
    env = make_level("med-roughness", level_seed=1)
    _, info = env.reset(options={"task": {"pit_gap_b": 3.0}})
    named = dict(zip(env.get_wrapper_attr("task_space").names, info["task"], strict=True))
    assert (named["roughness"], named["pit_gap_b"], named["stump_height_b"]) == (5.0, 3.0, 0.0)
