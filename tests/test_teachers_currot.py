"""CURROT: the success buffer by hand, and where particles may go."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from lesson import LINE, SQUARE, play

import teachers
from teachers.currot import JITTER, Currot
from teachers.success_buffer import SuccessBuffer, assignment

# -- the success buffer ----------------------------------------------------------------------


def line(*xs):
    return np.array(xs, dtype=float)[:, None]


def test_assignment_has_the_least_total_squared_distance():
    rng = np.random.default_rng(0)
    first, second = rng.random((4, 2)), rng.random((5, 2))
    found = assignment(first, second)
    best = min(
        itertools.permutations(range(5), 4),
        key=lambda order: ((first - second[list(order)]) ** 2).sum(),
    )
    assert tuple(found) == best


def test_before_the_threshold_the_better_half_stays():
    buffer = SuccessBuffer(1, 6, 0.9, 0.0)
    assert not buffer.add(line(0.1, 0.2, 0.3), np.array([0.1, 0.2, 0.3]), line(0)).any()
    left_out = buffer.add(line(0.4, 0.5, 0.6), np.array([0.15, 0.25, 0.35]), line(0))
    # the median was 0.2: 0.15 is left out; 0.1 and 0.2 make room for the two others
    assert left_out.tolist() == [True, False, False]
    assert buffer.scores.tolist() == [0.25, 0.3, 0.35]
    assert not buffer.reached


def test_equal_scores_replace_each_other_before_the_threshold():
    """Binary rewards: all 0 must not freeze the buffer."""
    buffer = SuccessBuffer(1, 4, 0.5, 0.0)
    buffer.add(line(0.1, 0.2, 0.3, 0.4), np.zeros(4), line(0))
    buffer.add(line(0.6, 0.7), np.zeros(2), line(0))
    assert {0.6, 0.7} <= set(buffer.points[:, 0])


def reached(*scores, size=4):
    buffer = SuccessBuffer(1, size, 0.5, 0.0)
    buffer.add(line(*(0.1 * i for i in range(len(scores)))), np.array(scores), line(0))
    assert buffer.reached
    return buffer


def test_after_the_threshold_successes_replace_failures():
    buffer = reached(0.2, 0.4, 0.9, 0.9, 0.9, size=8)
    left_out = buffer.add(line(0.8, 0.9), np.array([0.6, 0.3]), np.zeros((8, 1)))
    assert left_out.tolist() == [False, True]
    assert 0.2 not in buffer.scores
    assert {0.4, 0.6} <= set(buffer.scores)


def test_a_full_buffer_of_successes_keeps_those_near_the_target():
    buffer = reached(0.9, 0.9, 0.9, 0.9)  # at 0, 0.1, 0.2, 0.3
    target = line(0.0, 0.25, 0.75, 1.0)
    left_out = buffer.add(line(0.7, 0.98, 0.05), np.array([0.6, 0.6, 0.6]), target)
    assert sorted(buffer.points[:, 0].round(2)) == [0.0, 0.2, 0.7, 0.98]
    assert left_out.tolist() == [False, False, True]


def test_noise_grows_with_what_a_task_lacks_and_successes_get_none():
    buffer = reached(0.9, 0.9, 0.9, 0.1, size=2000)
    drawn = buffer.sample(np.random.default_rng(0))
    assert drawn.shape == (2000, 1)
    assert set(drawn[1:4, 0].round(9)) == {0.0, 0.1, 0.2}
    lacking = drawn[~np.isin(drawn[:, 0].round(9), [0.0, 0.1, 0.2]), 0]
    # the worst task ever seen, at 0.3, gets a quarter of the range; clipping takes some
    assert 0.15 < lacking.std() < 0.25


def test_before_the_threshold_better_tasks_are_drawn_more_often():
    buffer = SuccessBuffer(1, 4000, 0.9, 0.0)
    buffer.worst = -1e9  # no noise
    buffer.add(line(0.1, 0.2, 0.3, 0.4), np.array([0.1, 0.2, 0.3, 0.4]), line(0))
    drawn = buffer.sample(np.random.default_rng(0))[:, 0].round(3)
    shares = [np.mean(drawn == x) for x in (0.1, 0.2, 0.3, 0.4)]
    np.testing.assert_allclose(shares, [0.0, 0.0, 1 / 3, 2 / 3], atol=0.03)


# -- the particles ---------------------------------------------------------------------------


def test_a_particle_is_played_with_a_little_noise():
    teacher = Currot(SQUARE, seed=0, n_particles=5)
    for _ in range(50):
        trial = teacher.ask()
        i = int(trial.reason.split()[1])
        assert np.abs(trial.task - teacher._particles[i]).max() <= JITTER


def test_places_lie_within_reach_on_the_side_of_the_target_or_on_the_way():
    teacher = Currot(SQUARE, seed=0, n_particles=2, epsilon=0.1)
    start = np.array([[0.5, 0.5], [0.5, 0.5]])
    target = np.array([[0.9, 0.5], [0.55, 0.5]])
    places = teacher._places(start, target, np.array([True, True])) - start[:, None]
    radius = 0.1 * np.sqrt(2.0)
    assert np.linalg.norm(places[0], axis=1).max() <= radius + 1e-12
    assert np.linalg.norm(places[1], axis=1).max() <= 0.05 + 1e-12  # no farther than the target
    assert (places[..., 0] >= -1e-12).all()
    np.testing.assert_allclose(places[0, -1], [radius, 0.0], atol=1e-12)
    around = teacher._places(start, target, np.array([False, False])) - start[:, None]
    assert (around[0, :, 0] < 0.0).any()


def test_particles_go_no_farther_than_epsilon_and_only_where_the_student_is_good():
    teacher = Currot(LINE, seed=0, n_particles=40, update_every=20, start={"x": 0.1}, epsilon=0.05)
    for _ in range(40):
        before = np.sort(teacher._particles[:, 0])
        play(teacher, 20, lambda u: float(u[0] < 0.6))
        after = np.sort(teacher._particles[:, 0])
    assert np.abs(after - before).max() <= 0.05 + 0.01
    assert np.mean(after < 0.65) > 0.95
    assert after.max() > 0.5
    assert teacher.describe()["threshold_reached"]


def test_a_student_good_at_everything_gets_the_target():
    teacher = Currot(LINE, seed=0, n_particles=50, update_every=25, start={"x": 0.1})
    play(teacher, 1200, lambda u: 1.0)
    spread = np.sort(teacher.describe()["particles"][:, 0])
    np.testing.assert_allclose(spread, (np.arange(50) + 0.5) / 50, atol=0.15)


def test_particles_in_hard_tasks_return_to_successful_ones():
    teacher = Currot(LINE, seed=0, n_particles=40, update_every=20)
    play(teacher, 400, lambda u: float(u[0] < 0.3))
    assert np.mean(teacher.describe()["particles"][:, 0] < 0.35) > 0.9


def test_start_needs_and_bad_hyper_parameters():
    near = Currot(SQUARE, start={"x": 0.2, "y": 0.9}, start_std=0.01).describe()["particles"]
    np.testing.assert_allclose(near.mean(axis=0), [0.2, 0.9], atol=0.01)
    assert Currot(SQUARE, signal="value_start").needs == {"value_start"}
    assert teachers.make("currot", SQUARE, preset="teachmyagent")._threshold == 0.66
    with pytest.raises(ValueError, match=r"epsilon: .*got 0.0; n_particles: .*at least 2, got 1"):
        Currot(SQUARE, epsilon=0.0, n_particles=1)
