"""DORAEMON and its Beta distributions, against known values and Monte Carlo."""

from __future__ import annotations

import numpy as np
import pytest
from lesson import LINE, SQUARE, asked, play, tell
from scipy import integrate, stats
from scipy.optimize import approx_fprime

import teachers
from teachers.base import TeacherWarning
from teachers.betas import Betas
from teachers.doraemon import Doraemon

# -- Beta distributions ----------------------------------------------------------------------


def divergence(x, p, q):
    return p.pdf(x) * (p.logpdf(x) - q.logpdf(x))


FIRST = Betas(np.array([2.0, 1.0]), np.array([5.0, 1.0]))
SECOND = Betas(np.array([3.0, 1.5]), np.array([1.2, 4.0]))


def test_entropy_and_density_are_those_of_scipy():
    pairs = list(zip(FIRST.a, FIRST.b, strict=True))
    assert FIRST.entropy() == pytest.approx(sum(stats.beta(a, b).entropy() for a, b in pairs))
    assert Betas(np.ones(3), np.ones(3)).entropy() == pytest.approx(0.0)
    np.testing.assert_allclose(FIRST.means, [stats.beta(a, b).mean() for a, b in pairs])
    np.testing.assert_allclose(FIRST.variances, [stats.beta(a, b).var() for a, b in pairs])
    point = np.array([[0.3, 0.8]])
    expected = sum(stats.beta(a, b).logpdf(x) for (a, b), x in zip(pairs, point[0], strict=True))
    assert FIRST.log_density(point) == pytest.approx([expected])


def test_divergence_is_the_integral():
    expected = 0.0
    for i in range(2):
        p, q = stats.beta(FIRST.a[i], FIRST.b[i]), stats.beta(SECOND.a[i], SECOND.b[i])
        expected += integrate.quad(divergence, 0, 1, args=(p, q))[0]
    assert FIRST.kl(SECOND) == pytest.approx(expected)


def test_gradients_are_those_of_finite_differences():
    points = np.random.default_rng(0).random((3, 2))

    def betas(x):
        return Betas(*x.reshape(2, -1))

    x = np.concatenate([SECOND.a, SECOND.b])
    for value, gradient in (
        (lambda x: betas(x).entropy(), SECOND.entropy_gradient()),
        (lambda x: FIRST.kl(betas(x)), FIRST.kl_gradient(SECOND)),
        (lambda x: betas(x).log_density(points)[1], SECOND.log_density_gradient(points)[1]),
    ):
        np.testing.assert_allclose(approx_fprime(x, value, 1e-7), gradient.ravel(), atol=1e-5)


def test_points_on_the_border_have_a_finite_density():
    assert np.isfinite(SECOND.log_density(np.array([[0.0, 1.0], [1.0, 0.0]]))).all()


# -- the teacher -----------------------------------------------------------------------------


def test_it_starts_narrow_at_the_easy_task_or_uniformly():
    near = np.array(asked(Doraemon(SQUARE, start={"x": 0.1, "y": 0.8}), 3000))
    np.testing.assert_allclose(np.median(near, axis=0), [0.1, 0.8], atol=0.02)
    assert near.std(axis=0).max() < 0.04
    anywhere = Doraemon(SQUARE).describe()
    assert anywhere["entropy"] == pytest.approx(0.0)


def test_entropy_grows_within_the_limit_while_the_student_succeeds():
    teacher = Doraemon(SQUARE, seed=0, start={"x": 0.1, "y": 0.1}, max_kl=0.3, update_every=50)
    last, entropies = teacher._betas, []
    for _ in range(20):
        play(teacher, 50, lambda u: 1.0)
        assert last.kl(teacher._betas) <= 0.3 + 2e-3
        last = teacher._betas
        entropies.append(teacher.describe()["entropy"])
    assert (np.diff(entropies) > -1e-3).all()
    assert entropies[0] < -2.0
    assert entropies[-1] == pytest.approx(0.0, abs=1e-2)
    assert teacher.describe()["n_failed_updates"] == 0


def test_it_stops_growing_where_success_would_fall_below_alpha():
    teacher = Doraemon(LINE, seed=0, start={"x": 0.1}, alpha=0.8, update_every=100)
    play(teacher, 3000, lambda u: float(u[0] < 0.5))
    points = np.array(asked(teacher, 3000))
    assert np.mean(points < 0.5) == pytest.approx(0.8, abs=0.1)
    assert points.std() > 0.15


def test_it_moves_to_where_the_student_succeeds_when_tasks_are_too_hard():
    teacher = Doraemon(LINE, seed=0, alpha=0.7, max_kl=0.2, update_every=100)
    last = teacher._betas
    for _ in range(10):
        play(teacher, 100, lambda u: float(u[0] < 0.3))
        assert last.kl(teacher._betas) <= 0.2 + 2e-3
        last = teacher._betas
    assert np.mean(np.array(asked(teacher, 2000)) < 0.3) > 0.6


def test_success_elsewhere_is_estimated_by_importance_sampling():
    teacher = Doraemon(LINE, seed=0, update_every=5000, signal="score")
    rng = np.random.default_rng(0)
    points = rng.beta(2.0, 2.0, (5000, 1))
    drawn_from = Betas(np.array([2.0]), np.array([2.0]))
    density = drawn_from.log_density(points)
    teacher._rows[:] = np.column_stack([points, density, points[:, 0]])
    other = Betas(np.array([4.0]), np.array([2.0]))
    found, gradient = teacher._success(other)
    assert found == pytest.approx(4.0 / 6.0, abs=0.02)  # the mean of a Beta distribution
    # d/da of a / (a + b) is b / (a + b)^2, d/db is -a / (a + b)^2
    np.testing.assert_allclose(gradient.ravel(), [2.0 / 36.0, -4.0 / 36.0], atol=0.02)


def test_a_late_outcome_counts_by_the_distribution_its_task_was_drawn_from():
    teacher = Doraemon(LINE, seed=0, start={"x": 0.2}, update_every=10)
    late = teacher.ask()
    first = teacher._betas.log_density(LINE.to_unit(late.task)[None])[0]
    play(teacher, 10, lambda u: 1.0)
    tell(teacher, late, 1.0)
    assert teacher._rows[0, -2] == first != teacher._betas.log_density(late.task[None])[0]


def test_no_distribution_has_its_mass_at_both_ends():
    teacher = Doraemon(LINE, seed=0, alpha=0.9, update_every=50)
    for _ in range(20):
        play(teacher, 50, lambda u: float(abs(u[0] - 0.5) > 0.45))
        found = teacher.describe()["betas"]
        assert min(found["a"][0], found["b"][0]) >= 1.0 - 1e-9


def test_success_is_a_success_and_a_score_a_score():
    for signal, rate in (("score", 0.5), ("success", 0.0)):
        teacher = Doraemon(LINE, seed=0, signal=signal, update_every=10)
        play(teacher, 10, lambda u: 0.5)
        assert teacher.describe()["success"] == rate


def test_a_failing_solver_is_counted_said_once_and_changes_nothing(monkeypatch):
    teacher = Doraemon(LINE, seed=0, start={"x": 0.2}, update_every=10)
    before = teacher._betas
    monkeypatch.setattr(teacher, "_solved", lambda *args: None)
    with pytest.warns(TeacherWarning, match="solver") as said:
        play(teacher, 30, lambda u: 1.0)
    assert len(said) == 1
    assert teacher.describe()["n_failed_updates"] == 3
    assert teacher._betas is before


def test_presets_and_bad_hyper_parameters():
    assert teachers.make("doraemon", LINE, preset="paper")._signal == "success"
    with pytest.raises(ValueError, match=r"signal: .*'value_start'; alpha: .*got 1.5"):
        Doraemon(LINE, signal="value_start", alpha=1.5)
