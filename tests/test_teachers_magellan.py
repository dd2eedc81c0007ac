"""MAGELLAN: competence is learnt, and progress is its change."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch
from lesson import LINE, SQUARE, asked, play

import teachers
from teachenv.errors import UserError
from teachers.magellan import Magellan
from teachers.networks.competence import Competence

SMALL = {"hidden": 16, "update_every": 20, "window": 60, "n_candidates": 40}


def test_competence_is_learnt_from_outcomes():
    rng = np.random.default_rng(0)
    competence = Competence(1, 32, 1e-2, rng)
    points = rng.random((500, 1))
    signals = (rng.random(500) < points[:, 0]).astype(float)
    competence.train(points, signals, 300, rng)
    said = competence.predict(np.array([[0.1], [0.5], [0.9]]))
    np.testing.assert_allclose(said, [0.1, 0.5, 0.9], atol=0.12)


def test_predicting_with_other_weights_keeps_the_own_ones():
    rng = np.random.default_rng(0)
    competence, points = Competence(2, 8, 1e-2, rng), rng.random((5, 2))
    then, said_then = competence.weights().copy(), competence.predict(points)
    competence.train(points, np.ones(5), 10, rng)
    now, said_now = competence.weights().copy(), competence.predict(points)
    assert not np.allclose(said_then, said_now)
    np.testing.assert_array_equal(competence.predict_with(then, points), said_then)
    np.testing.assert_array_equal(competence.weights(), now)
    np.testing.assert_array_equal(competence.predict(points), said_now)


@pytest.mark.parametrize("delay", [1, 3])
def test_progress_is_the_change_since_so_many_trainings(delay):
    teacher = Magellan(SQUARE, seed=0, delay=delay, **SMALL)
    weights = []
    for training in range(7):
        play(teacher, 20, lambda u, t=training: min(1.0, 0.1 * t + 0.3 * float(u[0])))
        weights.append(teacher._competence.weights().copy())
        found = teacher.describe()["candidates"]
        if training == 0:
            assert found is None
            continue
        points = found["points"]
        then = teacher._competence.predict_with(weights[max(0, training - delay)], points)
        progress = np.abs(teacher._competence.predict(points) - then)
        np.testing.assert_allclose(found["weights"], progress / progress.sum(), rtol=1e-9)
        np.testing.assert_array_equal(found["competence"], teacher._competence.predict(points))


def test_reasons_and_shares():
    teacher = Magellan(SQUARE, seed=0, explore=0.3, **SMALL)
    assert {trial.reason for trial in play(teacher, 40, lambda u: float(u[0]))} == {"no progress"}
    reasons = [teacher.ask().reason for _ in range(2000)]
    assert reasons.count("explore") / 2000 == pytest.approx(0.3, abs=0.04)
    assert reasons.count("progress") / 2000 == pytest.approx(0.7, abs=0.04)


def test_equal_outcomes_are_no_progress_whatever_the_network_still_learns():
    teacher = Magellan(SQUARE, seed=0, **SMALL)
    play(teacher, 100, lambda u: 0.0)
    assert {teacher.ask().reason for _ in range(50)} == {"no progress"}


def test_tasks_go_where_competence_changes():
    teacher = Magellan(LINE, seed=0, explore=0.0, delay=3, update_every=50)
    n = 0

    def learning_on_the_left(u):
        nonlocal n
        n += 1
        return min(1.0, n / 400.0) * float(u[0] < 0.5)

    play(teacher, 300, learning_on_the_left)
    assert np.mean([u[0] < 0.5 for u in asked(teacher, 300)]) > 0.75


def test_without_torch_it_says_which_extra_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for id in ("goal-gan", "magellan", "setter-solver"):
        with pytest.raises(
            UserError, match=rf'{id}.*needs .torch.*pip install "teachenv\[torch\]"'
        ):
            teachers.make(id, SQUARE)


def test_torch_keeps_its_own_random_numbers_and_threads():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    play(Magellan(SQUARE, seed=0, **SMALL), 60, lambda u: 0.5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_bad_hyper_parameters_are_named():
    with pytest.raises(ValueError, match=r"explore: .*got 2; delay: .*got 0; hidden: .*got -3"):
        Magellan(SQUARE, explore=2, delay=0, hidden=-3)
