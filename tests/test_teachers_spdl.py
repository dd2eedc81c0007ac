"""SPDL and its Gaussian, against cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesson import LINE, SQUARE, asked, play, tell

import teachers
from teachenv.space import TaskError
from teachers.gaussian import MIN_VARIANCE, Gaussian
from teachers.self_paced import Batch
from teachers.spdl import Spdl

# -- the Gaussian ----------------------------------------------------------------------------


def line(mean, std):
    return Gaussian(np.array([mean]), np.array([[std * std]]))


def test_divergence_of_two_gaussians():
    assert line(0.0, 1.0).kl(line(1.0, 2.0)) == pytest.approx(math.log(2.0) + 2.0 / 8.0 - 0.5)
    assert line(0.3, 0.1).kl(line(0.3, 0.1)) == pytest.approx(0.0)
    first = Gaussian(np.array([0.2, 0.7]), np.array([[0.04, 0.01], [0.01, 0.09]]))
    second = Gaussian(np.array([0.5, 0.5]), np.array([[0.06, -0.02], [-0.02, 0.05]]))
    inverse, gap = np.linalg.inv(second.covariance), second.mean - first.mean
    expected = np.trace(inverse @ first.covariance) + gap @ inverse @ gap - 2.0
    expected += np.log(np.linalg.det(second.covariance) / np.linalg.det(first.covariance))
    assert first.kl(second) == pytest.approx(expected / 2.0)


def test_log_densities_differ_as_the_formula_says():
    points = np.array([[0.1], [0.4]])
    ratio = line(0.2, 0.1).log_density(points) - line(0.3, 0.2).log_density(points)
    expected = [
        -((x - 0.2) ** 2) / 0.02 + (x - 0.3) ** 2 / 0.08 + math.log(2.0) for x in (0.1, 0.4)
    ]
    np.testing.assert_allclose(ratio, expected)


def test_variances_do_not_fall_below_the_floor():
    flat = Gaussian.floored(np.zeros(2), np.array([[1.0, 1.0], [1.0, 1.0]]))
    assert np.linalg.eigvalsh(flat.covariance)[0] == pytest.approx(MIN_VARIANCE, rel=1e-3)


def test_samples_are_clipped_to_the_cube():
    drawn = np.array([line(0.0, 0.5).sample(np.random.default_rng(i)) for i in range(500)])
    assert drawn.min() == 0.0
    assert np.mean(drawn == 0.0) == pytest.approx(0.5, abs=0.07)


# -- the step --------------------------------------------------------------------------------


def batch(gaussian, value, n=4000):
    rng = np.random.default_rng(0)
    points = gaussian.mean + rng.standard_normal((n, len(gaussian.mean))) @ gaussian.factor.T
    return Batch.of(gaussian, points, np.array([value(p) for p in points]))


def test_natural_gradients_of_a_quadratic_value():
    """For v = a z + b z^2 with z standard normal: mean(v z) = a, mean(v (z^2 - 1)) = 2 b."""
    gaussian = line(0.5, 0.1)
    found = batch(gaussian, lambda p: 3.0 * (p[0] - 0.5) / 0.1 - 0.5 * ((p[0] - 0.5) / 0.1) ** 2)
    assert found.slope[0] == pytest.approx(3.0, rel=0.1)
    assert found.bend[0, 0] == pytest.approx(-1.0, rel=0.15)


def stepped(value, alpha, hyper=None, mean=0.5, std=0.1):
    teacher = Spdl(LINE, seed=0, **(hyper or {}))
    teacher._gaussian = line(mean, std)
    return teacher._gaussian, teacher._step(batch(teacher._gaussian, value), alpha)


def test_the_step_goes_where_the_value_is_and_uses_up_the_limit():
    old, new = stepped(lambda p: float(p[0]), 0.0)
    assert new.mean[0] > old.mean[0] + 0.02
    assert old.kl(new) == pytest.approx(0.1, rel=0.25)
    assert old.kl(new) <= 0.1


def test_a_large_pull_moves_to_the_target_and_widens():
    old, new = stepped(lambda p: 0.0, 1.0, mean=0.1)
    target = line(0.5, 0.25)
    assert new.kl(target) < old.kl(target)
    assert new.mean[0] > 0.1
    assert new.covariance[0, 0] > 0.01


def test_equal_values_move_nothing_however_large():
    """Values far from 0 that all are equal would send an uncentred gradient anywhere."""
    assert stepped(lambda p: -1000.0, 0.0)[1] is None
    shifted = stepped(lambda p: float(p[0]) - 1000.0, 0.0)[1]
    np.testing.assert_allclose(shifted.mean, stepped(lambda p: float(p[0]), 0.0)[1].mean)


def test_a_step_must_keep_the_limit_and_improve_unless_parity_asks_otherwise():
    def steep(p):
        return math.exp(-((p[0] - 0.5) ** 2) / 2e-5)  # a needle: long steps overshoot

    old, strict = stepped(steep, 0.0, {"max_kl": 2.0})
    _, loose = stepped(steep, 0.0, {"max_kl": 2.0, "accept_either": True})
    assert strict is None or old.kl(strict) <= 2.0
    assert old.kl(loose) > 2.0


# -- the teacher -----------------------------------------------------------------------------

EASY = {"x": 0.1, "y": 0.2}


def test_it_starts_at_the_easy_task_or_at_a_random_one():
    teacher = Spdl(SQUARE, start=EASY, start_std=0.05)
    np.testing.assert_allclose(teacher.describe()["mixture"]["means"], [[0.1, 0.2]])
    np.testing.assert_allclose(np.std(asked(teacher, 2000), axis=0), 0.05, rtol=0.1)
    means = [Spdl(SQUARE, seed=seed).describe()["mixture"]["means"] for seed in range(2)]
    assert not np.array_equal(*means)
    with pytest.raises(TaskError, match="'z'"):
        Spdl(SQUARE, start={"z": 0.1})


def test_alpha_is_zero_at_first_then_zeta_times_performance_over_divergence():
    teacher = Spdl(SQUARE, seed=0, start=EASY, update_every=20, alpha_offset=2, zeta=0.5)
    play(teacher, 40, lambda u: 0.6)
    assert teacher.describe()["alpha"] == 0.0
    before = teacher.describe()["kl_to_target"]
    play(teacher, 20, lambda u: 0.6)
    assert teacher.describe()["alpha"] == pytest.approx(0.5 * 60.0 / before)


def test_alpha_is_zero_while_nothing_is_achieved():
    teacher = Spdl(SQUARE, seed=0, start=EASY, update_every=20, alpha_offset=0)
    play(teacher, 20, lambda u: 0.0)
    assert teacher.describe()["alpha"] == 0.0
    assert teacher.describe()["n_steps"] == 1


def test_updates_wait_for_the_offset_and_then_come_every_so_many_outcomes():
    teacher = Spdl(SQUARE, seed=0, update_every=10, offset=25)
    steps = []
    for _ in range(60):
        play(teacher, 1, lambda u: float(u[0]))
        steps.append(teacher.describe()["n_steps"])
    assert [steps.index(k) + 1 for k in (1, 2, 3)] == [25, 35, 45]


def test_a_good_student_is_taken_to_the_target_within_the_limit():
    teacher = Spdl(SQUARE, seed=0, start=EASY, update_every=50, alpha_offset=0, zeta=1.0)
    last = teacher._gaussian
    for _ in range(60):
        play(teacher, 50, lambda u: 1.0)
        assert last.kl(teacher._gaussian) <= 0.1 + 1e-9
        last = teacher._gaussian
    found = teacher.describe()
    assert found["kl_to_target"] < 0.01
    np.testing.assert_allclose(found["mixture"]["means"], 0.5, atol=0.03)


def test_it_stays_where_the_student_is_good():
    teacher = Spdl(SQUARE, seed=0, start=EASY, update_every=50, alpha_offset=0)
    play(teacher, 2000, lambda u: float(u[0] < 0.3))
    points = np.array(asked(teacher, 300))
    assert np.mean(points[:, 0] < 0.3) > 0.8
    assert points[:, 1].std() > 1.5 * points[:, 0].std()


def test_signals_decide_what_outcomes_must_carry():
    assert Spdl(SQUARE).needs == {"value_start"}
    by_score = Spdl(SQUARE, signal="score")
    assert by_score.needs == frozenset()
    tell(by_score, by_score.ask(), 0.5)


def test_presets_and_bad_hyper_parameters():
    teacher = teachers.make("spdl", SQUARE, preset="teachmyagent")
    assert (teacher._offset, teacher._alpha_offset, teacher._zeta) == (400, 10, 0.25)
    with pytest.raises(ValueError, match=r"update_every: .*got 1; zeta: .*got -1"):
        Spdl(SQUARE, update_every=1, zeta=-1)


@pytest.mark.parametrize("value", [0.0, 0.1, 0.3, 0.7, 1.0])
def test_equal_values_move_nothing_whatever_their_rounding(value):
    points = np.random.default_rng(0).uniform(size=(1000, 2))
    batch = Batch.of(
        Gaussian.floored(np.full(2, 0.5), np.eye(2) * 0.01), points, np.full(1000, value)
    )
    assert not batch.slope.any()
    assert not batch.bend.any()
