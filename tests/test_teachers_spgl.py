"""SPGL: its closed form is the maximum of what SPDL climbs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lesson import LINE, SQUARE, asked, play
from scipy.optimize import minimize

from teachers.gaussian import Gaussian
from teachers.self_paced import Batch
from teachers.spgl import Spgl, maximiser

MEAN, STD = 0.3, 0.1


def model(slope, bend):
    """A batch whose value is ``slope z + bend z^2 / 2`` in coordinates of the Gaussian."""
    empty = np.zeros((0, 1)), np.zeros(0)
    return Batch(*empty, np.array([slope]), np.array([[bend]]))


def teacher_at(mean, std, **hyper):
    teacher = Spgl(LINE, seed=0, **hyper)
    teacher._gaussian = Gaussian(np.array([mean]), np.array([[std * std]]))
    return teacher


@pytest.mark.parametrize(
    ("slope", "bend", "alpha", "eta"),
    [(0.3, -0.2, 0.0, 2.0), (0.3, 0.4, 0.5, 1.0), (-1.0, 0.0, 0.1, 3.0), (0.0, 0.0, 1.0, 5.0)],
)
def test_the_closed_form_is_the_maximiser(slope, bend, alpha, eta):
    """Expected model value less both divergences, maximised numerically."""
    old = Gaussian(np.array([MEAN]), np.array([[STD * STD]]))
    target = Gaussian(np.array([0.5]), np.array([[0.0625]]))

    def cost(x):
        new = Gaussian(np.array([x[0]]), np.array([[math.exp(2 * x[1])]]))
        m, s = (x[0] - MEAN) / STD, math.exp(x[1]) / STD
        value = slope * m + bend * (m * m + s * s) / 2.0
        return -(value - alpha * new.kl(target) - eta * new.kl(old))

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 2000}
    best = minimize(cost, [MEAN, math.log(STD)], method="Nelder-Mead", options=options).x
    m, t = (0.5 - MEAN) / STD, 0.0625 / STD**2  # the target where old is standard
    found = maximiser(
        np.array([slope + alpha * m / t]), np.array([[bend - alpha / t]]), alpha, eta, 1e6
    )
    assert MEAN + STD * found[0][0] == pytest.approx(best[0], abs=1e-5)
    assert STD * abs(found[1][0, 0]) == pytest.approx(math.exp(best[1]), rel=1e-4)


def test_the_least_eta_that_keeps_the_limit_is_taken():
    teacher = teacher_at(MEAN, STD, max_kl=0.05)
    new = teacher._step(model(2.0, 0.5), 0.0)
    assert new.kl(teacher._gaussian) == pytest.approx(0.05, rel=1e-6)


def test_a_value_that_curves_up_cannot_make_the_precision_negative():
    teacher = teacher_at(MEAN, STD, max_kl=0.1)
    new = teacher._step(model(0.0, 50.0), 0.0)
    assert new.covariance[0, 0] > STD * STD
    assert new.kl(teacher._gaussian) <= 0.1


def test_without_value_the_target_is_reached_in_one_step_if_the_limit_allows():
    teacher = teacher_at(MEAN, STD, max_kl=1e3)
    new = teacher._step(model(0.0, 0.0), 0.7)
    np.testing.assert_allclose(new.mean, teacher._target.mean, atol=1e-6)
    np.testing.assert_allclose(new.covariance, teacher._target.covariance, rtol=1e-6)


def test_equal_values_and_no_pull_move_nothing():
    assert teacher_at(MEAN, STD)._step(model(0.0, 0.0), 0.0) is None


def test_a_good_student_is_taken_to_the_target_and_a_bad_one_stays():
    good = Spgl(SQUARE, seed=0, start={"x": 0.1, "y": 0.1}, update_every=50, alpha_offset=0)
    play(good, 2000, lambda u: 1.0)
    assert good.describe()["kl_to_target"] < 0.01
    half = Spgl(SQUARE, seed=0, start={"x": 0.1, "y": 0.1}, update_every=50, alpha_offset=0)
    play(half, 1500, lambda u: float(u[0] < 0.3))
    assert np.mean([u[0] < 0.3 for u in asked(half, 300)]) > 0.75
    assert half.describe()["n_failed_steps"] == 0
