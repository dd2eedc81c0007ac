"""ProCuRL and what it stands on: recent tasks, kernel means and candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypercubes import Hypercubes
from lesson import SQUARE, asked, play

import teachers
from teachers.candidates import Candidates
from teachers.kernel import kernel_means, squared_distances
from teachers.procurl import ProCurl
from teachers.recent import Recent

# -- recent tasks ----------------------------------------------------------------------------


def test_recent_keeps_the_last_tasks_in_order_over_several_windows():
    rng, recent, told = np.random.default_rng(0), Recent(2, 7), []
    for i in range(40):
        point = rng.random(2)
        recent.add(point, float(i))
        told = [*told, (point, float(i))][-7:]
        np.testing.assert_array_equal(recent.points, [p for p, _ in told])
        np.testing.assert_array_equal(recent.values, [v for _, v in told])


def test_recent_of_one_task_and_after_clearing():
    recent = Recent(1, 1)
    for i in range(5):
        recent.add(np.array([0.1 * i]), float(i))
    assert recent.values.tolist() == [4.0]
    recent.clear()
    assert len(recent) == 0
    recent.add(np.array([0.5]), 9.0)
    assert recent.values.tolist() == [9.0]


# -- kernel means ----------------------------------------------------------------------------


def test_squared_distances_equal_the_definition():
    rng = np.random.default_rng(0)
    first, second = rng.random((5, 3)), rng.random((4, 3))
    expected = ((first[:, None] - second[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(first, second), expected, atol=1e-15)
    assert (squared_distances(first, first) >= 0.0).all()


def test_kernel_means_weigh_by_a_gaussian_of_the_distance():
    points, values = np.array([[0.0], [1.0]]), np.array([0.2, 0.8])
    at, h = np.array([[0.5], [0.25]]), 0.5
    near, far = np.exp(-(0.25**2) / (2 * h * h)), np.exp(-(0.75**2) / (2 * h * h))
    expected = [0.5, (0.2 * near + 0.8 * far) / (near + far)]
    np.testing.assert_allclose(kernel_means(points, values, at, h), expected)


def test_far_from_all_points_the_nearest_one_counts_and_nothing_underflows():
    points, values = np.array([[0.0, 0.0], [0.1, 0.1]]), np.array([0.3, 0.7])
    assert kernel_means(points, values, np.array([[1.0, 1.0]]), 1e-3) == pytest.approx([0.7])


def test_kernel_means_in_pieces_equal_those_in_one_piece(monkeypatch):
    rng = np.random.default_rng(0)
    points, values, at = rng.random((30, 2)), rng.random(30), rng.random((50, 2))
    whole = kernel_means(points, values, at, 0.1)
    monkeypatch.setattr("teachers.kernel.MAX_PAIRS", 100)
    np.testing.assert_allclose(kernel_means(points, values, at, 0.1), whole, rtol=1e-12)


# -- candidates ------------------------------------------------------------------------------


def test_candidates_are_drawn_by_their_weight_and_never_at_weight_zero():
    pool, rng = Candidates(SQUARE, 4), np.random.default_rng(0)
    points = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.4, 0.4]])
    assert pool.weigh(points, np.array([0.0, 3.0, 1.0, 0.0]))
    drawn = np.array([pool.sample(rng)[0] for _ in range(4000)])
    shares = [np.mean(np.isclose(drawn, x)) for x in (0.1, 0.2, 0.3, 0.4)]
    np.testing.assert_allclose(shares, [0.0, 0.75, 0.25, 0.0], atol=0.02)


def test_candidates_without_weight_are_not_drawn_from():
    pool = Candidates(SQUARE, 2)
    assert not pool.weigh(np.zeros((2, 2)), np.zeros(2))
    assert not pool.ready
    assert not pool.weigh(np.zeros((2, 2)), np.array([np.inf, 1.0]))
    assert not pool.ready


# -- the teacher -----------------------------------------------------------------------------


def test_weights_are_the_softmax_of_success_times_what_is_left():
    teacher = ProCurl(SQUARE, seed=0, beta=10.0, window=40, update_every=40, n_candidates=25)
    trials = play(teacher, 40, lambda u: float(u[0]))
    played = SQUARE.to_unit(np.array([trial.task for trial in trials]))
    found = teacher.describe()["candidates"]
    h = 0.03 * np.sqrt(2.0)
    squares = ((found["points"][:, None] - played[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / (2 * h * h))
    p = kernel @ played[:, 0] / kernel.sum(axis=1)
    weights = np.exp(10.0 * p * (1.0 - p))
    np.testing.assert_allclose(found["weights"], weights / weights.sum(), rtol=1e-6)


def third(u):
    """Never solved on the left, half of the time in the middle, always on the right."""
    return 0.5 * float(u[0] > 0.4) + 0.5 * float(u[0] > 0.6)


def test_tasks_of_middling_success_are_preferred():
    teacher = ProCurl(SQUARE, seed=0, update_every=100, window=100)
    assert {trial.reason for trial in play(teacher, 100, third)} == {"bootstrap"}
    play(teacher, 300, third)
    middle = [0.35 < u[0] < 0.65 for u in asked(teacher, 500)]
    assert np.mean(middle) > 0.65  # uniform: 0.3


def test_values_are_scaled_by_the_least_and_greatest_of_the_window():
    by_value = ProCurl(SQUARE, seed=0, signal="value_start")
    by_score = ProCurl(SQUARE, seed=0, signal="score")
    assert by_value.needs == {"value_start"}
    assert by_score.needs == frozenset()
    for teacher in (by_value, by_score):  # scores from 0 to 1, values from 0 to 100
        play(teacher, 50, lambda u: float(u[0] > 0.5))
    np.testing.assert_allclose(
        *(t.describe()["candidates"]["weights"] for t in (by_value, by_score))
    )


def test_equal_values_make_all_tasks_equally_likely():
    teacher = ProCurl(SQUARE, seed=0, signal="value_start")
    play(teacher, 50, lambda u: 0.4)
    np.testing.assert_allclose(teacher.describe()["candidates"]["weights"], 1 / 500)


@pytest.mark.parametrize("beta", [0.0, 1e7])
def test_the_softmax_survives_any_sharpness(beta):
    teacher = ProCurl(SQUARE, seed=0, beta=beta)
    play(teacher, 60, lambda u: 0.9 + 0.1 * float(u[0]))
    weights = teacher.describe()["candidates"]["weights"]
    assert weights.sum() == pytest.approx(1.0)
    assert (np.ptp(weights) == 0.0) == (beta == 0.0)


def test_preset_val_needs_values():
    teacher = teachers.make("procurl", SQUARE, preset="val")
    assert teacher.needs == {"value_start"}


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"signal": "reward", "beta": -1.0}, "signal: expected one of .*; beta: .*got -1"),
        ({"window": 0, "bandwidth": 0.0}, "window: .*got 0; bandwidth: .*got 0"),
        ({"window": 10, "update_every": 20}, "update_every <= window, got 20 and 10"),
    ],
)
def test_bad_hyper_parameters_are_named(hyper, message):
    with pytest.raises(ValueError, match=message):
        ProCurl(SQUARE, **hyper)


def test_hypercubes_are_learnt_that_uniform_tasks_never_teach():
    """3,000 episodes; uniform tasks teach no cell in them."""
    assert Hypercubes().learn_from(ProCurl(SQUARE, seed=0), 3000) >= 8.0
