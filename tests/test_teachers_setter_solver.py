"""Setter-Solver: the flow is a density, and the three losses do what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lesson import SQUARE, asked, play

import teachers
from teachers.networks.flow import Setter, SetterAndJudge
from teachers.networks.layers import tensor
from teachers.setter_solver import SetterSolver


def bent(dim):
    """A setter far from the identity."""
    rng = np.random.default_rng(0)
    setter = Setter(dim, 8, rng)
    with torch.no_grad():
        for parameter in setter.parameters():
            parameter.mul_(2.0)
    return setter, rng


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_the_density_of_what_the_setter_makes_is_the_density_of_points(dim):
    setter, rng = bent(dim)
    wanted = tensor(rng.random((20, 1)))
    with torch.no_grad():
        points, density = setter(tensor(0.5 * rng.standard_normal((20, dim))), wanted)
        found = setter.log_density(points, wanted)
    inside = ((points > 1e-3) & (points < 1.0 - 1e-3)).all(dim=1)
    assert inside.sum() > 5
    torch.testing.assert_close(found[inside], density[inside], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("wanted", [0.1, 0.9])
def test_the_density_integrates_to_one(wanted):
    setter, _ = bent(2)
    n = 120
    middle = (np.arange(n) + 0.5) / n
    grid = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    with torch.no_grad():
        density = setter.log_density(tensor(grid), torch.full((n * n, 1), wanted, dtype=float))
    assert density.exp().mean().item() == pytest.approx(1.0, abs=0.02)


def test_every_dimension_is_transformed_by_noise_and_feasibility():
    setter, rng = bent(3)
    noise = tensor(rng.standard_normal((1, 3)))
    with torch.no_grad():
        made = [setter(noise, torch.tensor([[f]], dtype=float))[0] for f in (0.1, 0.9)]
    assert (made[0] != made[1]).all()


def networks(**hyper):
    rng = np.random.default_rng(0)
    return SetterAndJudge(2, hyper.get("hidden", 16), hyper.get("noise", 0.02), rng), rng


def test_the_judge_learns_where_tasks_are_feasible():
    both, rng = networks()
    points = rng.random((300, 2))
    signals = (points[:, 0] > 0.5).astype(float)
    for _ in range(200):
        both._judge_step(points, signals)
    said = both.feasibility(np.array([[0.1, 0.5], [0.9, 0.5]]))
    assert said[0] < 0.3
    assert said[1] > 0.7


def test_the_setter_learns_to_make_the_tasks_reached():
    both, rng = networks()
    points = rng.random((200, 2))
    reached = (points < 0.3).all(axis=1)

    def density(where):
        wanted = torch.full((int(where.sum()), 1), 0.5, dtype=float)
        with torch.no_grad():
            return both._setter.log_density(tensor(points[where]), wanted).mean().item()

    before = density(reached), density(~reached)
    both.train(points, reached.astype(float), 60, 64, rng)
    assert density(reached) > before[0] + 0.3
    assert density(reached) - density(~reached) > before[0] - before[1] + 0.1


def test_without_anything_reached_the_losses_stay_finite():
    both, rng = networks()
    both.train(rng.random((50, 2)), np.zeros(50), 5, 20, rng)
    assert np.isfinite(both.tasks(np.linspace(0.01, 0.99, 50), rng)).all()


def test_parts_of_reached_tasks_count_in_part():
    """Validity weighs tasks by their signal: with equal scores all are drawn to alike."""
    pulls = []
    for signals in (np.array([0.2, 0.2]), np.array([0.9, 0.9])):
        both, rng = networks(noise=0.0)
        both._setter_step(np.array([[0.2, 0.2], [0.8, 0.8]]), signals, rng)
        pulls.append(both.tasks(np.array([0.5]), np.random.default_rng(1)))
    np.testing.assert_allclose(*pulls, rtol=1e-6)


# -- the teacher -----------------------------------------------------------------------------

SMALL = {"hidden": 8, "n_steps": 1, "window": 40, "update_every": 20}


def test_tasks_come_with_the_feasibility_they_were_made_for():
    reasons = [SetterSolver(SQUARE, seed=0, **SMALL).ask().reason]
    teacher = SetterSolver(SQUARE, seed=0, **SMALL)
    reasons = [teacher.ask().reason for _ in range(100)]
    wanted = np.array([float(reason.removeprefix("feasibility ")) for reason in reasons])
    assert 0.0 <= wanted.min() < 0.1
    assert 0.9 < wanted.max() <= 1.0


def test_updates_come_every_so_many_outcomes_and_renew_the_tasks_made():
    teacher = SetterSolver(SQUARE, seed=0, **SMALL)
    play(teacher, 19, lambda u: 0.5)
    assert teacher.describe()["n_updates"] == 0
    asked(teacher, 5)
    assert len(teacher._pool) > 0
    play(teacher, 1, lambda u: 0.5)
    assert teacher.describe()["n_updates"] == 1
    assert len(teacher._pool) == 0


def test_success_or_score():
    for signal, value in (("score", 0.5), ("success", 0.0)):
        teacher = SetterSolver(SQUARE, seed=0, signal=signal, **SMALL)
        play(teacher, 3, lambda u: 0.5)
        assert teacher._recent.values.tolist() == [value] * 3


def test_torch_keeps_its_own_random_numbers_and_threads():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    play(SetterSolver(SQUARE, seed=0, **SMALL), 40, lambda u: 0.5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_presets_and_bad_hyper_parameters():
    teacher = teachers.make("setter-solver", SQUARE, preset="teachmyagent", hidden=8)
    assert (teacher._signal, teacher._n_steps, teacher._recent.window) == ("success", 1, 50)
    with pytest.raises(ValueError, match=r"n_steps: .*got 0; noise: .*got -1"):
        SetterSolver(SQUARE, n_steps=0, noise=-1)
    with pytest.raises(ValueError, match="update_every <= window"):
        SetterSolver(SQUARE, update_every=100, window=50)
