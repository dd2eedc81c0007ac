"""GoalGAN: labels, replays, the networks, and the traps of others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lesson import SQUARE, asked, play, tell

import teachers
from teachenv.protocols import Outcome
from teachers.goal_gan import GoalGan
from teachers.networks.gan import Gan

SMALL = {"hidden": 16, "n_iterations": 5, "n_pretraining": 5}


def teacher_of(**hyper):
    return GoalGan(SQUARE, seed=0, **{**SMALL, **hyper})


# -- labels ----------------------------------------------------------------------------------


def test_each_task_is_played_as_often_as_asked():
    trials = [teacher.ask() for teacher in [teacher_of(n_rollouts=3)] for _ in range(9)]
    tasks = np.array([trial.task for trial in trials]).reshape(3, 3, 2)
    assert (tasks == tasks[:, :1]).all()
    assert len(np.unique(tasks[:, 0], axis=0)) == 3


def test_rollouts_of_one_task_are_averaged_in_whatever_order_they_come():
    teacher = teacher_of(n_rollouts=2)
    first, again, second, too = (teacher.ask() for _ in range(4))
    tell(teacher, second, 0.2)
    tell(teacher, again, 1.0)
    assert len(teacher._labelled) == 0
    tell(teacher, too, 0.4)
    tell(teacher, first, 0.5)
    np.testing.assert_allclose(teacher._labelled.values, [0.3, 0.75])
    np.testing.assert_array_equal(teacher._labelled.points, [second.task, first.task])


def test_a_task_with_a_lost_rollout_is_not_labelled_and_forgotten():
    teacher = teacher_of(n_rollouts=2)
    first, again = teacher.ask(), teacher.ask()
    tell(teacher, first, 0.5)
    teacher.tell(again, Outcome.lost())
    assert (len(teacher._labelled), len(teacher._groups)) == (0, 0)


@pytest.mark.parametrize(
    ("means", "trained"), [((0.1, 0.0), 1), ((0.9, 1.0), 1), ((0.09, 0.91), 0), ((0.0, 1.0), 0)]
)
def test_tasks_between_the_limits_are_good_and_without_any_there_is_no_training(means, trained):
    teacher = teacher_of(n_rollouts=1, update_size=2, least=0.1, greatest=0.9)
    for mean in means:
        tell(teacher, teacher.ask(), mean)
    text = teacher.describe()
    assert (text["n_trainings"], text["n_skipped_trainings"]) == (trained, 1 - trained)
    assert len(teacher._labelled) == 0


def test_mastered_tasks_are_kept_if_far_from_those_kept_and_played_again():
    teacher = teacher_of(n_rollouts=1, p_old=1.0, noise=0.0)
    apart = 0.01 * np.sqrt(2.0)
    for x, kept in ((0.5, 1), (0.5 + 0.9 * apart, 1), (0.5 + 1.1 * apart, 2)):
        teacher._label(np.array([x, 0.5]), 0.95)
        assert len(teacher._old) == kept
    teacher._label(np.array([0.1, 0.1]), 0.9)  # not above the limit
    assert len(teacher.describe()["mastered"]) == 2
    trial = teacher.ask()
    assert trial.reason == "mastered"
    assert trial.task[0] in (0.5, 0.5 + 1.1 * apart)


def test_tasks_played_again_are_labelled_unless_parity_asks_otherwise():
    for label_old, expected in ((True, 1), (False, 0)):
        teacher = teacher_of(n_rollouts=1, p_old=1.0, label_old=label_old)
        teacher._label(np.array([0.5, 0.5]), 1.0)
        before = len(teacher._labelled)
        tell(teacher, teacher.ask(), 0.5)
        assert len(teacher._labelled) - before == expected


def test_before_the_first_good_task_tasks_are_uniform_or_around_the_start():
    anywhere = np.array(asked(teacher_of(n_rollouts=1, noise=0.0), 1000))
    np.testing.assert_allclose(anywhere.mean(axis=0), 0.5, atol=0.05)
    near = teacher_of(n_rollouts=1, noise=0.0, start={"x": 0.2, "y": 0.7}, start_std=0.05)
    np.testing.assert_allclose(np.mean(asked(near, 500), axis=0), [0.2, 0.7], atol=0.02)


def test_a_generator_without_good_tasks_is_left_until_there_are_some():
    """The trap: skipping the training and going on with the same generator, for ever."""
    for keep, reasons in ((False, {"start"}), (True, {"generator"})):
        teacher = teacher_of(n_rollouts=1, update_size=10, keep_generator=keep)
        play(teacher, 10, lambda u: 0.5)
        assert teacher.ask().reason == "generator"
        play(teacher, 10, lambda u: 0.0)
        assert {teacher.ask().reason for _ in range(70)} == reasons
        play(teacher, 10, lambda u: 0.5)
        assert teacher.ask().reason == "generator"


# -- networks --------------------------------------------------------------------------------


def test_the_generator_learns_to_make_points_like_the_good_ones():
    rng = np.random.default_rng(0)
    gan = Gan(2, 0.0, 32, rng)
    points = rng.uniform(-1.0, 1.0, (200, 2))
    good = (points > 0.3).all(axis=1)
    gan.train(points, good, 300, rng)
    made = gan.generate(500, rng)
    assert np.abs(made).max() <= 1.0
    assert np.mean((made > 0.1).all(axis=1)) > 0.7  # uniform: 0.2


def test_stretching_piles_tasks_up_on_the_borders():
    """The trap: the generator's range was multiplied by the whole width of the box."""
    shares = []
    for stretched in (False, True):
        teacher = teacher_of(n_rollouts=1, noise=0.0, p_old=0.0, stretched=stretched, greatest=1.0)
        play(teacher, 100, lambda u: 0.5)
        teacher._gan.generate = lambda n, rng: rng.uniform(-1.0, 1.0, (n, 2))
        points = np.array(asked(teacher, 500))
        shares.append(np.mean((points == 0.0) | (points == 1.0)))
    assert shares[0] == 0.0
    assert shares[1] == pytest.approx(0.5, abs=0.05)


def test_tasks_of_middling_difficulty_are_found():
    teacher = teacher_of(n_rollouts=1, hidden=32, n_iterations=60, n_pretraining=60)
    play(teacher, 400, lambda u: 0.5 * float(u[0] > 0.6))
    assert np.mean([u[0] > 0.6 for u in asked(teacher, 300)]) > 0.6  # uniform: 0.4


def test_torch_keeps_its_own_random_numbers_and_threads():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    play(teacher_of(n_rollouts=1, update_size=20), 50, lambda u: 0.5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_presets_and_bad_hyper_parameters():
    teacher = teachers.make("goal-gan", SQUARE, preset="teachmyagent", **SMALL)
    assert (teacher._least, teacher._greatest, teacher._half_width) == (0.25, 0.75, 1.0)
    with pytest.raises(ValueError, match=r"signal: .*'value_start'; p_old: .*got 2"):
        teacher_of(signal="value_start", p_old=2)
    with pytest.raises(ValueError, match=r"least <= greatest, got 0\.9 and 0\.1"):
        teacher_of(least=0.9, greatest=0.1)
