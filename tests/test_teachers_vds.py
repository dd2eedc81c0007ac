"""Value disagreement: the ensemble, and tasks drawn by its spread."""

from __future__ import annotations

import numpy as np
import pytest
from lesson import LINE, SQUARE, asked, play

import teachers
from teachers.ensemble import PRIOR, bootstrapped_means
from teachers.vds import Vds


class Counts:
    """Stands for a generator whose Poisson numbers are known."""

    def __init__(self, *rows):
        self.rows = np.array(rows)

    def poisson(self, mean, shape):
        assert mean == 1.0
        assert shape == self.rows.shape
        return self.rows


def test_a_member_sees_each_value_as_often_as_its_bootstrap_says():
    points, values, h = np.array([[0.0], [0.1]]), np.array([0.0, 1.0]), 0.1
    rng = Counts([1, 1], [2, 0], [0, 1], [0, 0])
    found = bootstrapped_means(points, values, np.array([[0.0]]), h, 4, rng)[:, 0]
    near, far, prior = 1.0, np.exp(-0.5), PRIOR
    expected = [
        (far + prior * 0.5) / (near + far + prior),
        (prior * 0.5) / (2 * near + prior),
        (far + prior * 0.5) / (far + prior),
        0.5,
    ]
    np.testing.assert_allclose(found, expected)


def test_members_are_right_where_there_is_much_data():
    rng = np.random.default_rng(0)
    points = rng.random((2000, 1))
    at = np.linspace(0.05, 0.95, 50)[:, None]
    found = bootstrapped_means(points, np.sin(6.0 * points[:, 0]), at, 0.02, 3, rng)
    np.testing.assert_allclose(found, np.tile(np.sin(6.0 * at[:, 0]), (3, 1)), atol=0.05)


def test_members_disagree_where_values_differ_and_where_little_was_played():
    rng = np.random.default_rng(0)
    points = rng.random((300, 1)) * 0.7
    values = (rng.random(300) < 0.5).astype(float) * (points[:, 0] > 0.35)
    at = np.array([[0.15], [0.5], [0.95]])
    calm, doubtful, unknown = bootstrapped_means(points, values, at, 0.03, 50, rng).std(axis=0)
    assert doubtful > 10.0 * calm
    assert unknown > doubtful


def test_far_from_the_data_in_many_dimensions_nothing_underflows():
    rng = np.random.default_rng(0)
    points, values = rng.random((50, 20)), rng.random(50)
    found = bootstrapped_means(points, values, rng.random((100, 20)), 0.01, 3, rng)
    assert found.std(axis=0).min() < found.std(axis=0).max() < 1.0
    assert np.median(found.std(axis=0)) > 0.01


def test_weights_are_the_spread_of_the_ensemble():
    hyper = {"seed": 0, "window": 60, "update_every": 60, "n_candidates": 40}
    teacher, twin = Vds(LINE, **hyper), Vds(LINE, **hyper)
    trials = play(teacher, 60, lambda u: float(u[0] > 0.5))
    rng = twin._rng
    known = np.array([LINE.to_unit(twin.ask().task) for _ in range(60)])
    np.testing.assert_array_equal(known[:, 0], [trial.task[0] for trial in trials])
    points = rng.random((40, 1))
    values = (known[:, 0] > 0.5).astype(float)
    spread = bootstrapped_means(known, values, points, 0.03, 3, rng).std(axis=0)
    found = teacher.describe()["candidates"]
    np.testing.assert_array_equal(found["points"], points)
    np.testing.assert_allclose(found["weights"], spread / spread.sum(), rtol=1e-9)


def test_without_disagreement_tasks_are_uniform():
    teacher = Vds(SQUARE, seed=0)
    play(teacher, 200, lambda u: 0.3)
    assert teacher.ask().reason == "no disagreement"
    assert teacher.describe()["candidates"] is None


def test_the_frontier_is_preferred():
    teacher = Vds(LINE, seed=0)
    play(teacher, 500, lambda u: float(u[0] < 0.5))
    near = np.mean([abs(u[0] - 0.5) < 0.1 for u in asked(teacher, 500)])
    assert near > 0.8  # uniform: 0.2


def test_presets_and_needs():
    assert Vds(SQUARE).needs == frozenset()
    assert teachers.make("vds", SQUARE, preset="paper").needs == {"value_start"}
    with pytest.raises(ValueError, match=r"n_models: .*at least 2, got 1; bandwidth: .*got 0"):
        Vds(SQUARE, n_models=1, bandwidth=0.0)
