"""Estimates of what is never probed, against figures computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from teachenv.lesson import Reading, Syllabus
from teachers.data.estimates import Average, Estimate, Tracing, level_means, make_estimate
from teachers.data.pretender import Pretender

SYLLABUS = Syllabus(("add", "sort"), 2, 10, 40)
PROBED = np.array([[1.0, 1.0], [1.0, 0.0]])
NOTHING = np.zeros((2, 2), dtype=np.int64)


def reading(accuracy: list[list[float]], probed: Any = PROBED) -> Reading:
    zero, probed = np.zeros((2, 2)), np.array(probed)
    return Reading(np.array(accuracy) * probed, *[zero] * 5, probed, 0, 1.0)


def test_level_means_fall_back_to_all_and_to_one_half() -> None:
    values = np.array([[0.2, 0.9], [0.4, 0.0]])
    probed = PROBED > 0
    np.testing.assert_allclose(level_means(values, probed), [[0.3, 0.9], [0.3, 0.9]])
    only = np.array([[True, False], [True, False]])
    np.testing.assert_allclose(level_means(values, only), 0.3)
    np.testing.assert_allclose(level_means(values, ~(only | ~only)), 0.5)


def test_average_runs_after_the_first_reading() -> None:
    average = Average(SYLLABUS, rate=0.5)
    average.begin()
    average.observe(NOTHING, reading([[0.8, 0.4], [0.2, 0.0]]))
    np.testing.assert_allclose(average.accuracy, [[0.8, 0.4], [0.2, 0.4]])
    average.observe(NOTHING, reading([[0.4, 0.6], [0.2, 0.0]]))
    np.testing.assert_allclose(average.accuracy, [[0.6, 0.5], [0.2, 0.5]])


def test_tracing_is_bayes_rule() -> None:
    tracing = Tracing(SYLLABUS, slip=0.1, guess=0.2, strength=2.0)
    tracing.begin()
    tracing.observe(NOTHING, reading([[0.5, 1.0], [0.0, 0.0]]))
    # One right and one wrong, two right, two wrong; from a chance of one half.
    mixed = 0.9 * 0.1 / (0.9 * 0.1 + 0.2 * 0.8)
    right, wrong = 0.81 / (0.81 + 0.04), 0.01 / (0.01 + 0.64)
    learnt = np.array([[mixed, right], [wrong, right]])  # the last by its level
    np.testing.assert_allclose(tracing.accuracy, 0.2 + 0.7 * learnt)


def test_unprobed_cells_move_by_what_they_are_taught() -> None:
    tracing = Tracing(SYLLABUS, slip=0.1, guess=0.2, strength=2.0)
    tracing.begin()
    same = reading([[0.5, 1.0], [0.0, 0.0]])
    tracing.observe(NOTHING, same)
    before, rate = (tracing.accuracy[1, 1] - 0.2) / 0.7, tracing.rate
    assert rate == pytest.approx(1.0 / 100.0)  # one in ten even lessons of a cell at first
    tracing.observe(np.array([[0, 0], [0, 30]]), same)
    moved = 1.0 - (1.0 - before) * np.exp(-rate * 30)
    assert (tracing.accuracy[1, 1] - 0.2) / 0.7 == pytest.approx(moved)


def test_the_rate_is_learnt_from_probed_cells_and_outlives_the_student() -> None:
    tracing = Tracing(SYLLABUS)
    for _ in range(20):
        tracing.begin()
        tracing.observe(NOTHING, reading([[0.0, 0.0], [0.0, 0.0]]))
        tracing.observe(np.full((2, 2), 10), reading([[1.0, 1.0], [1.0, 0.0]]))
    assert tracing.rate > 0.05
    slow = Tracing(SYLLABUS)
    for _ in range(20):
        slow.begin()
        slow.observe(NOTHING, reading([[0.0, 0.0], [0.0, 0.0]]))
        slow.observe(np.full((2, 2), 10), reading([[0.0, 0.0], [0.0, 0.0]]))
    assert slow.rate < 0.003


def errors(estimate: Estimate, n_students: int) -> np.ndarray:
    """Mean error on unprobed cells over students that differ in what they were taught."""
    syllabus = Syllabus(("add", "sort", "mul", "mod"), 3, 8, 60)
    rng, found = np.random.default_rng(0), []
    for number in range(n_students):
        probed = (rng.random(syllabus.shape) < 0.5).astype(np.float64)
        probed[0, 0] = 1.0
        student = Pretender(syllabus, visible=probed)
        estimate.begin()
        estimate.observe(np.zeros(syllabus.shape, np.int64), student.reading)
        for _ in range(syllabus.n_steps):
            shares = rng.dirichlet(np.full(syllabus.n_cells, 0.5)).reshape(syllabus.shape)
            taught = rng.multinomial(60, shares.reshape(-1)).reshape(syllabus.shape)
            student.taught += taught
            student.step += 1
            before = student.reading.accuracy
            student.reading = student._read(before, taught / 60.0)
            estimate.observe(taught, student.reading)
        truth = student.accuracy(student.taught)
        if number >= n_students // 2:
            found.append(np.abs(estimate.accuracy - truth)[probed == 0].mean())
    return np.array(found)


def test_what_was_taught_helps_to_tell_what_is_unprobed() -> None:
    syllabus = Syllabus(("add", "sort", "mul", "mod"), 3, 8, 60)
    means = {
        kind: errors(make_estimate(kind, syllabus, np.random.default_rng(0)), 24).mean()
        for kind in ("average", "tracing")
    }
    assert means["tracing"] < 0.85 * means["average"], means


def test_the_recurrent_network_is_not_told_what_it_shall_say() -> None:
    """A cell's peers are others, also where no other of its level, or none at all, is probed."""
    recurrent: Any = make_estimate("recurrent", SYLLABUS, np.random.default_rng(0))
    for own in (0.0, 1.0):
        row = recurrent._row(NOTHING, reading([[0.2, own], [0.6, 0.0]]))
        np.testing.assert_allclose(row[:, 4], [0.6, 0.4, 0.2, own])
    alone = recurrent._row(NOTHING, reading([[0.9, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_allclose(alone[:, 4], [0.5, 0.9, 0.9, 0.9])


@pytest.mark.slow
def test_the_recurrent_network_learns_to_tell() -> None:
    syllabus = Syllabus(("add", "sort", "mul", "mod"), 3, 8, 60)
    average = errors(make_estimate("average", syllabus, np.random.default_rng(0)), 24).mean()
    network = errors(make_estimate("recurrent", syllabus, np.random.default_rng(0)), 24).mean()
    assert network < 0.85 * average, (network, average)
