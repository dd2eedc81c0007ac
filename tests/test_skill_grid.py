"""The hypercube student, directly and through Gymnasium."""

import json
import time
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypercubes import Hypercubes

import teachers
from teachenv import TaskError
from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.toy.skill_grid import SkillGrid
from teachers.base import TeacherWarning

ORIGIN, NEXT = np.array([0.05, 0.05]), np.array([0.15, 0.05])


def play(learner, task, n):
    return [learner.play(np.asarray(task), True) for _ in range(n)][-1]


def make(**kwargs):
    return gym.make("teachenv/SkillGrid-v0", **kwargs)


def episode(env, task, **options):
    env.reset(options={"task": task, **options})
    _, reward, terminated, truncated, info = env.step(0)
    assert terminated
    assert not truncated
    return reward, info


# -- the rules -------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_dims", "n_cells"), [(1, 10), (2, 10), (2, 3), (3, 4), (5, 2), (2, 1)])
def test_agrees_with_an_independent_implementation(n_dims, n_cells):
    learner, other = SkillGrid(n_dims, n_cells, 2), Hypercubes(n_dims, n_cells)
    rng = np.random.default_rng(n_dims)
    for _ in range(6000):
        task = rng.random(n_dims + 2) ** 2  # most of them near the origin
        assert learner.play(task)[0] == other.play(task)
    assert 100 * learner.mastered_share == pytest.approx(other.mastered)
    assert learner.mastered_share > 0


def test_unlocks_from_75_and_is_mastered_above_75():
    learner = SkillGrid()
    assert play(learner, ORIGIN, 74) == (0.74, False)
    assert play(learner, NEXT, 1) == (0.0, False)
    assert play(learner, ORIGIN, 1) == (0.75, False)
    assert play(learner, NEXT, 1) == (0.01, False)
    assert learner.mastered_share == 0.0
    assert play(learner, ORIGIN, 1) == (0.76, True)
    assert learner.mastered_share == 0.01
    assert play(learner, ORIGIN, 30) == (1.0, True)


def test_a_diagonal_neighbour_unlocks_and_a_following_one_does_not():
    learner = SkillGrid()
    play(learner, ORIGIN, 75)
    assert play(learner, [0.15, 0.15], 75)[0] == 0.75
    assert play(learner, [0.05, 0.15], 1)[0] == 0.01
    assert play(learner, [0.35, 0.15], 1)[0] == 0.0


def test_irrelevant_parameters_have_no_effect():
    learner = SkillGrid(n_dims=1, n_cells=4, n_irrelevant=3)
    assert learner.task_space.names == ("x0", "irrelevant0", "irrelevant1", "irrelevant2")
    rng = np.random.default_rng(0)
    scores = [learner.play(np.append(0.1, rng.random(3)))[0] for _ in range(50)]
    assert scores == [i / 100 for i in range(1, 51)]
    assert learner.harder == {"x0": 1}


def test_the_far_corner_belongs_to_the_last_cell():
    learner = SkillGrid(n_cells=1)
    assert learner.play(np.ones(2))[0] == 0.01


@pytest.mark.parametrize(("n_dims", "n_cells"), [(2, 10), (1, 7), (3, 3)])
def test_the_best_curriculum_takes_76_episodes_a_cell(n_dims, n_cells):
    learner = SkillGrid(n_dims, n_cells, 1)
    n = n_cells**n_dims
    assert learner.learn_best(76 * n - 1) == (n - 1) / n
    assert learner.learn_best(1) == 1.0


def test_critic_values_the_task_as_before_the_episode():
    learner = SkillGrid()
    play(learner, ORIGIN, 10)
    expected = {
        "value_start": 0.09,
        "value_mean": 0.09,
        "positive_value_loss": 0.01,
        "value_l1": 0.01,
        "max_monte_carlo": 0.01,
    }
    assert learner.signals() == pytest.approx(expected)
    assert set(expected) == learner.provides
    play(learner, NEXT, 1)
    assert learner.signals() == dict.fromkeys(expected, 0.0)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"n_dims": 0}, "n_dims: expected a whole number of at least 1, got 0"),
        ({"n_cells": 2.5}, "n_cells: expected a whole number"),
        ({"n_irrelevant": -1}, "n_irrelevant: .*at least 0"),
        ({"n_dims": 8, "n_cells": 10}, "at most 10,000,000 cells, got 100,000,000"),
    ],
)
def test_bad_sizes_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        SkillGrid(**args)


# -- Gymnasium -------------------------------------------------------------------------------


@pytest.mark.parametrize("kwargs", [{}, {"n_dims": 3, "n_cells": 4, "n_irrelevant": 2}])
def test_checkers_find_nothing(kwargs):
    assert check_task_env(MakeEnv("teachenv/SkillGrid-v0", kwargs)) == []
    check_env(make(**kwargs).unwrapped)


def test_the_student_lives_on_until_a_seeded_reset():
    env = make()
    rewards = [episode(env, ORIGIN)[0] for _ in range(80)]
    assert rewards == [i / 100 for i in range(1, 81)]
    assert episode(env, NEXT)[1]["mastered_share"] == 0.01
    env.reset(seed=3)
    assert env.unwrapped.mastered_share == 0.0
    assert episode(env, ORIGIN)[0] == 0.01


def test_episodes_without_training_teach_nothing():
    env = make()
    episode(env, ORIGIN)
    assert [episode(env, ORIGIN, train=False)[0] for _ in range(3)] == [0.01] * 3
    assert episode(env, ORIGIN)[0] == 0.02
    with pytest.raises(ValueError, match="train: expected True or False, got 'no'"):
        env.reset(options={"train": "no"})


def test_success_is_a_score_above_mastery():
    env = make()
    infos = [episode(env, ORIGIN)[1]["is_success"] for _ in range(77)]
    assert infos == [False] * 75 + [True] * 2


def test_a_task_out_of_bounds_is_refused_and_changes_nothing():
    env = make()
    episode(env, ORIGIN)
    with pytest.raises(TaskError, match="x1"):
        env.reset(seed=0, options={"task": [0.5, 1.01]})
    assert episode(env, ORIGIN)[0] == 0.02


def test_state_goes_through_json():
    env, copy = make(n_cells=3), make(n_cells=3)
    for _ in range(80):
        episode(env, ORIGIN)
    copy.unwrapped.load_state_dict(json.loads(json.dumps(env.unwrapped.state_dict())))
    assert copy.unwrapped.mastered_share == pytest.approx(1 / 9)
    assert episode(copy, [0.5, 0.5])[0] == 0.01
    with pytest.raises(ValueError, match="expected 100 cells, got 9"):
        make().unwrapped.load_state_dict(env.unwrapped.state_dict())
    with pytest.raises(ValueError, match="not a state of this student"):
        make().unwrapped.load_state_dict({"competence": []})


def test_gymnasium_and_the_direct_way_agree():
    env, learner = make(), SkillGrid()
    rng = np.random.default_rng(1)
    for task in rng.random((3000, 2)) / 5:
        assert episode(env, task)[0] == learner.play(task)[0]
    assert env.unwrapped.mastered_share == learner.mastered_share > 0.01


def test_twenty_thousand_episodes_take_seconds():
    start = time.process_time()
    learner = SkillGrid()
    assert 0.04 <= learner.learn_from(teachers.make("uniform", learner.task_space), 20_000) <= 0.06
    direct = time.process_time() - start
    env = make()
    for task in np.random.default_rng(0).random((2000, 2)):
        episode(env, task)
    through_gymnasium = 10 * (time.process_time() - start - direct)
    assert direct < 5.0
    assert through_gymnasium < 20.0


# -- published figures -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("teacher", "low", "high"),
    [("uniform", 4, 6), ("alp-gmm", 32, 36), ("riac", 44, 49), ("covar-gmm", 65, 68)],
)
def test_teachers_reach_the_published_share(teacher, low, high):
    """20,000 episodes on 10 x 10 cells; the mean of five seeds, within a point (per cent)."""
    shares = []
    for seed in range(5):
        learner = SkillGrid()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TeacherWarning)
            made = teachers.make(teacher, learner.task_space, seed=seed)
            shares.append(100 * learner.learn_from(made, 20_000))
    assert low - 1 <= np.mean(shares) <= high + 1
