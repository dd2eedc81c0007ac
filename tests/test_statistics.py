"""Figures over many runs: against published definitions, and how often intervals hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from teachenv.errors import UserError
from teachenv.experiments import statistics
from teachenv.experiments.curves import learning_curve, profile
from teachenv.experiments.metrics import Curve
from teachenv.experiments.statistics import (
    as_table,
    bootstrap_interval,
    difference_interval,
    improvement_interval,
    iqm,
    mean,
    mean_interval,
    optimality_gap,
    paired_tables,
    probability_of_improvement,
)

# Scores of two algorithms on four tasks with six seeds each, with ties, and what rliable 1.2.0
# (the published code of Agarwal et al., 2021) makes of them.
A = np.array(
    [
        [0.19, 0.76, 0.52, 0.60, 0.72, 0.37],
        [0.80, 0.72, 0.35, 0.55, 0.82, 0.34],
        [0.33, 0.57, 0.56, 0.44, 0.80, 0.29],
        [0.71, 0.77, 0.74, 0.43, 0.52, 0.60],
    ]
)
B = np.array(
    [
        [0.19, 0.76, 0.52, 0.51, 0.36, 0.53],
        [0.11, 0.45, 0.74, 0.65, 0.33, 0.48],
        [0.40, 0.37, 0.49, 0.28, 0.26, 0.52],
        [0.51, 0.29, 0.48, 0.37, 0.59, 0.57],
    ]
)
THRESHOLDS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_figures_are_those_of_the_published_code():
    assert iqm(A) == pytest.approx(0.5783333333333333, abs=1e-12)
    assert mean(A) == pytest.approx(0.5625, abs=1e-12)
    assert optimality_gap(A, best=0.6) == pytest.approx(0.0975, abs=1e-12)
    assert probability_of_improvement(A, B) == pytest.approx(0.7118055555555556, abs=1e-12)
    shares = [1.0, 0.9583333333333334, 0.75, 0.375, 0.041666666666666664, 0.0]
    assert profile(A, THRESHOLDS).middle == pytest.approx(shares, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 11])
def test_iqm_is_scipys_trimmed_mean(n):
    scores = np.random.default_rng(n).random((3, n))
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores.ravel(), 0.25), abs=1e-12)


def test_improvement_is_mann_whitneys_u_over_the_pairs():
    ours, theirs = A[:1], B[:1, :5]
    u = stats.mannwhitneyu(ours[0], theirs[0]).statistic
    assert probability_of_improvement(ours, theirs) == pytest.approx(u / 30, abs=1e-12)
    assert probability_of_improvement(theirs, ours) == pytest.approx(1 - u / 30, abs=1e-12)


def test_figures_take_many_tables_at_once():
    tables = np.stack([A, B])
    for figure in (mean, iqm, optimality_gap):
        assert figure(tables).tolist() == pytest.approx([float(figure(A)), float(figure(B))])


# -- intervals -------------------------------------------------------------------------------


def test_the_interval_of_a_mean_is_students():
    low, high = mean_interval(np.array([[0.4, 0.5, 0.6]]))
    half = 4.302653 * 0.1 / np.sqrt(3)  # t(0.975, 2)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert mean_interval(np.array([[0.0, 0.1, 0.0]]))[0] == 0.0
    assert mean_interval(np.array([[0.3]])) == (0.0, 1.0)


def test_intervals_of_means_over_tasks_hold_with_a_handful_of_seeds():
    same_within = np.repeat([[0.0], [1.0], [0.5]], 4, axis=1)
    assert mean_interval(same_within) == (0.5, 0.5)
    assert mean_interval(np.array([[0.3], [0.7]])) == (0.0, 1.0)
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.01, 0.1, (11, 1))
    for n_seeds in (3, 5):
        tables = 0.5 + spread * rng.normal(size=(2000, 11, n_seeds))
        held = [low <= 0.5 <= high for low, high in map(mean_interval, tables)]
        assert 0.94 <= np.mean(held) <= 0.985


def test_differences_are_welchs_or_paired():
    low, high = difference_interval(A[:1], B[:1], paired=False)
    welch = stats.ttest_ind(A[0], B[0], equal_var=False).confidence_interval()
    assert (low, high) == pytest.approx((welch.low, welch.high), abs=1e-9)
    low, high = difference_interval(A[:1], B[:1], paired=True)
    paired = stats.ttest_rel(A[0], B[0]).confidence_interval()
    assert (low, high) == pytest.approx((paired.low, paired.high), abs=1e-9)


def test_the_bootstrap_is_scipys_at_percentiles_further_out():
    scores = np.random.default_rng(3).normal(size=(1, 7))
    reach = stats.t.ppf(0.975, 6) * np.sqrt(7 / 6)
    theirs = stats.bootstrap(
        (scores[0],),
        np.mean,
        confidence_level=1 - 2 * stats.norm.cdf(-reach),
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    ours = bootstrap_interval(scores, mean)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.06 * (ours[1] - ours[0]))
    assert ours == bootstrap_interval(scores, mean)
    assert ours != bootstrap_interval(scores, mean, seed=1)


def test_the_bootstrap_of_a_mean_is_nearly_as_wide_as_students():
    rng = np.random.default_rng(7)
    ratios = []
    for seed in range(20):
        scores = rng.normal(size=(1, 7))
        boot = bootstrap_interval(scores, mean, seed=seed)
        students = mean_interval(scores, bounds=(-99, 99))
        ratios.append((boot[1] - boot[0]) / (students[1] - students[0]))
    assert 0.93 < np.mean(ratios) < 1.0


def test_the_bootstrap_draws_within_each_task():
    far_apart = np.array([[0.0, 0.01, 0.02], [0.98, 0.99, 1.0]])
    low, high = bootstrap_interval(far_apart, mean)
    assert 0.48 < low < 0.5 < high < 0.52
    with pytest.raises(UserError, match="at least 2 seeds, got 1"):
        bootstrap_interval(np.array([[0.3]]), mean)


@pytest.mark.parametrize(("n_tasks", "n_seeds"), [(1, 5), (1, 8), (3, 5)])
def test_intervals_of_iqm_hold_where_plain_percentiles_do_not(n_tasks, n_seeds, monkeypatch):
    monkeypatch.setattr(statistics, "N_RESAMPLES", 2000)
    rng = np.random.default_rng(n_seeds)
    truth, held, plain = 0.5, 0, 0
    for seed in range(300):
        table = rng.beta(2, 2, (n_tasks, n_seeds))
        low, high = bootstrap_interval(table, iqm, seed=seed)
        held += low <= truth <= high
        drawn = rng.integers(n_seeds, size=(1000, n_tasks, n_seeds))
        low, high = np.quantile(
            iqm(np.take_along_axis(table[None], drawn, axis=2)), [0.025, 0.975]
        ).tolist()
        plain += low <= truth <= high
    assert held / 300 >= 0.92
    assert plain < held


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
@pytest.mark.parametrize(("n_tasks", "n_seeds"), [(1, 5), (1, 8), (4, 5)])
def test_intervals_of_improvement_hold_up_to_the_edge(shift, n_tasks, n_seeds):
    rng = np.random.default_rng(5)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    held = 0
    for _ in range(400):
        ours, theirs = (
            rng.normal(shift, 1, (n_tasks, n_seeds)),
            rng.normal(0, 1, (n_tasks, n_seeds)),
        )
        low, high = improvement_interval(ours, theirs)
        assert 0 <= low <= probability_of_improvement(ours, theirs) <= high <= 1
        held += low <= truth <= high
    assert held / 400 >= 0.935


def test_winning_every_time_is_no_certainty():
    ours, theirs = np.full((1, 5), 0.9), np.full((1, 5), 0.1)
    low, high = improvement_interval(ours, theirs)
    assert 0.5 < low < 0.65
    assert high == 1.0
    assert improvement_interval(theirs, ours) == pytest.approx((0.0, 1 - low))
    assert improvement_interval(ours[:, :1], theirs[:, :1]) == (0.0, 1.0)


def test_four_tasks_say_as_much_as_four_times_the_pairs():
    ours, theirs = np.array([[0.5, 0.6, 0.4, 0.7, 0.3]]), np.array([[0.35, 0.45, 0.65, 0.32, 0.5]])
    low, high = improvement_interval(ours, theirs)
    low_4, high_4 = improvement_interval(np.tile(ours, (4, 1)), np.tile(theirs, (4, 1)))
    assert 0.5 < (high_4 - low_4) / (high - low) < 0.6


# -- tables ----------------------------------------------------------------------------------


def test_tables_are_of_seeds_that_all_have():
    scores = {
        "a": {"x": {0: 0.1, 1: 0.2, 2: 0.3}, "y": {0: 0.4, 1: 0.5, 2: 0.6}},
        "b": {"y": {2: 0.9, 0: 0.7}, "x": {2: 0.8, 0: 0.6, 5: 0.0}},
    }
    tables, seeds = paired_tables(scores)
    assert seeds == [0, 2]
    assert tables["a"].tolist() == [[0.1, 0.3], [0.4, 0.6]]
    assert tables["b"].tolist() == [[0.6, 0.8], [0.7, 0.9]]
    with pytest.raises(UserError, match="no seed was run with every teacher"):
        paired_tables({"a": {"x": {0: 0.1}}, "b": {"x": {1: 0.1}}})
    with pytest.raises(UserError, match="the same tasks for every teacher"):
        paired_tables({"a": {"x": {0: 0.1}}, "b": {"y": {0: 0.1}}})


def test_tables_are_finite():
    assert as_table([0.1, 0.2]).shape == (1, 2)
    with pytest.raises(UserError, match="alp-gmm: expected finite numbers; leave out the seeds"):
        as_table([0.1, np.nan], "alp-gmm")
    with pytest.raises(UserError, match=r"expected \(n_tasks, n_seeds\) numbers, got shape"):
        as_table(np.zeros((2, 2, 2)))


# -- curves ----------------------------------------------------------------------------------


def test_learning_curves_meet_at_common_steps():
    curves = [
        Curve((10, 30, 50), (0.0, 0.2, 0.4), (0.0,) * 3, (0.0,) * 3),
        Curve((20, 40), (0.3, 0.5), (0.0,) * 2, (0.0,) * 2),
    ]
    band = learning_curve(curves, "share_mastered")
    assert band.x == (20, 30, 40)
    assert band.middle == pytest.approx((0.2, 0.3, 0.4))
    assert all(low <= m <= high for low, m, high in zip(band.low, band.middle, band.high, strict=1))
    alone = learning_curve(curves[:1], "share_mastered")
    assert (alone.low, alone.high) == ((0.0,) * 3, (1.0,) * 3)
    with pytest.raises(UserError, match="no step in common"):
        learning_curve([], "mean_score")
