"""Covar-GMM: the covariance of time and score decides."""

from __future__ import annotations

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.base import TeacherWarning
from teachers.covar_gmm import CovarGmm

SQUARE = TaskSpace([Dim("x"), Dim("y")])


def play(teacher, n, score):
    for i in range(n):
        trial = teacher.ask()
        value = score(i, SQUARE.to_unit(trial.task))
        teacher.tell(trial, Outcome(value, 500.0 * value - 150.0, 1, False))


def rising(i, point):
    """Better and better where x is large, worse and worse where it is small."""
    return i % 100 / 100 if point[0] > 0.5 else 1.0 - i % 100 / 100


def test_one_component_has_the_covariance_of_time_and_score():
    teacher = CovarGmm(SQUARE, fit_rate=100, min_k=1, max_k=1)
    scores = []

    def score(i, point):
        scores.append(0.2 + 0.5 * i / 100 + 0.1 * point[1])
        return scores[-1]

    play(teacher, 100, score)
    time = np.arange(100) / 100
    expected = np.mean((time - time.mean()) * (scores - np.mean(scores)))
    assert teacher.describe()["mixture"]["interest"] == pytest.approx([expected], rel=1e-6)


def test_tasks_go_where_scores_rise_and_not_where_they_fall():
    teacher = CovarGmm(SQUARE, fit_rate=100, random_task_ratio=0.0)
    play(teacher, 300, rising)
    units = np.array([SQUARE.to_unit(teacher.ask().task) for _ in range(500)])
    assert np.mean(units[:, 0] > 0.45) > 0.9


def test_absolute_covariance_counts_falling_scores_too():
    found = {}
    for absolute in (False, True):
        teacher = CovarGmm(SQUARE, fit_rate=100, min_k=1, max_k=1, absolute=absolute)
        play(teacher, 100, lambda i, u: 1.0 - i / 100)
        found[absolute] = float(teacher.describe()["mixture"]["interest"][0])
    assert found[False] == 0.0
    assert found[True] == pytest.approx(np.var(np.arange(100) / 100), rel=1e-3)


def test_time_and_score_are_left_out_of_the_tasks():
    teacher = CovarGmm(SQUARE, fit_rate=60, min_k=3, max_k=3)
    play(teacher, 60, rising)
    mixture = teacher.describe()["mixture"]
    assert (mixture["means"].shape, mixture["covariances"].shape) == ((3, 2), (3, 2, 2))


def test_equal_scores_teach_nothing():
    teacher = CovarGmm(SQUARE, fit_rate=50)
    with pytest.warns(TeacherWarning, match="covar-gmm: no mixture"):
        play(teacher, 50, lambda i, u: 0.5)
    assert teacher.ask().reason == "no mixture"


def test_raw_returns_scale_the_interest():
    found = {}
    for raw in (False, True):
        teacher = CovarGmm(SQUARE, fit_rate=100, min_k=1, max_k=1, raw_returns=raw)
        play(teacher, 100, lambda i, u: i / 100)
        found[raw] = float(teacher.describe()["mixture"]["interest"][0])
    assert found[True] == pytest.approx(500.0 * found[False], rel=1e-3)


def test_presets_are_the_published_ones():
    names = ("fit_rate", "min_k", "max_k", "random_task_ratio")
    presets = teachers.presets("covar-gmm")
    ours = {name: tuple(hyper[key] for key in names) for name, hyper in presets.items()}
    assert ours == {"teachdeeprl": (250, 2, 10, 0.2), "teachmyagent": (150, 2, 14, 0.1)}
    default = CovarGmm(SQUARE).settings
    assert default == teachers.make("covar-gmm", SQUARE, preset="teachdeeprl").settings
