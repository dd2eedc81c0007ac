"""Verdicts: the tests behind them, what is said, and what is not."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from teachenv.errors import UserError
from teachenv.experiments.significance import (
    Design,
    _studentised,
    choose_design,
    holm,
    labellings,
    permutation_p,
)
from teachenv.experiments.verdict import judge

FAR = {"a": [0.9, 0.8, 0.85, 0.95, 0.7, 0.75], "b": [0.1, 0.2, 0.15, 0.05, 0.3, 0.25]}


def p_of(ours, theirs, paired=False):
    ours, theirs = np.atleast_2d(ours), np.atleast_2d(theirs)
    return permutation_p(ours, theirs, labellings(Design(*ours.shape, paired)))


# -- tests -----------------------------------------------------------------------------------


def test_all_ways_to_label_are_gone_through():
    splits = labellings(Design(1, 4, False))
    assert splits.shape == (math.comb(8, 4), 1, 8)
    assert (splits.sum(axis=2) == 4).all()
    assert len(np.unique(splits, axis=0)) == len(splits)
    swaps = labellings(Design(1, 4, True))
    assert swaps.shape == (16, 1, 8)
    assert Design(1, 4, True).smallest_p == 2 / 16
    assert Design(1, 4, False).smallest_p == 2 / 70
    assert Design(3, 9, True).smallest_p == 2 / len(labellings(Design(3, 9, True)))
    assert (swaps[..., :4] + swaps[..., 4:] == 1).all()
    for labels in (splits, swaps, labellings(Design(2, 9, False)), labellings(Design(2, 9, True))):
        half = labels.shape[2] // 2
        assert (labels[0] == np.repeat([1.0, 0.0], half)).all()
        assert (labels.sum(axis=2) == half).all()


@pytest.mark.parametrize("seed", range(8))
def test_the_statistic_is_brunner_munzels(seed):
    """Its p-value by permutation, with the statistic from SciPy."""
    rng = np.random.default_rng(seed)
    ours, theirs = rng.normal(0.2 * seed, 1, 4), rng.normal(0, 2, 4)
    pooled = np.concatenate([ours, theirs])
    sizes = []
    for chosen in combinations(range(8), 4):
        x, y = pooled[list(chosen)], np.delete(pooled, chosen)
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes.append(abs(stats.brunnermunzel(x, y, distribution="normal").statistic))
    expected = np.mean(np.array(sizes) >= sizes[0] - 1e-9)
    assert p_of(ours, theirs) == pytest.approx(expected, abs=1e-12)


def test_tasks_are_summed_with_their_variances():
    """The same by loops, for two tasks that scatter differently."""
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, [[1], [9]], (2, 5)), rng.normal(1, 1, (2, 5))], axis=1)
    labels = labellings(Design(2, 5, False))[:300]
    expected = []
    for ours in labels.astype(bool):
        gap, variance = 0.0, 0.0
        for values, mine in zip(scores, ours, strict=True):
            x, y = values[mine], values[~mine]
            won = [np.mean(one > y) for one in x]
            lost = [np.mean(one > x) for one in y]
            gap += np.mean(won) - 0.5
            variance += max((np.var(won, ddof=1) + np.var(lost, ddof=1)) / 5, 0.25 / 5**4)
        expected.append(gap / np.sqrt(variance))
    assert _studentised(scores, labels) == pytest.approx(np.array(expected))


def test_p_values_at_the_edges():
    apart = p_of([5, 6, 7, 8, 9], [0, 1, 2, 3, 4])
    assert apart == pytest.approx(2 / 252)
    assert p_of([0, 1, 2, 3, 4], [5, 6, 7, 8, 9]) == apart
    assert p_of([5, 6, 7, 8, 9], [0, 1, 2, 3, 4], paired=True) == 2 / 32
    assert p_of([0.5] * 5, [0.5] * 5) == 1.0
    constant = p_of([0.5] * 5, [0.25] * 5)  # no spread at all, a t-test would divide by 0
    assert constant == pytest.approx(2 / 252)
    one_tie = p_of([4, 6, 7, 8, 9], [0, 1, 2, 3, 4])
    assert apart < one_tie < 0.02


def test_tasks_add_up():
    ours, theirs = np.array([[3, 4, 5, 6, 7.0]]), np.array([[1, 2, 3, 4, 5.0]])
    alone = p_of(ours, theirs)
    assert p_of(np.tile(ours, (3, 1)), np.tile(theirs, (3, 1))) < alone / 3
    against = p_of(np.concatenate([ours, theirs]), np.concatenate([theirs, ours]))
    assert against == 1.0


def test_pairing_helps_where_seeds_go_together():
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 1, 12)
    ours, theirs = seeds + rng.normal(0.5, 0.2, 12), seeds + rng.normal(0, 0.2, 12)
    assert p_of(ours, theirs, paired=True) < 0.01 < 0.1 < p_of(ours, theirs)


def test_scores_are_paired_only_with_seeds_enough():
    assert not choose_design(1, 8, 1, 0.05).paired
    assert choose_design(1, 10, 1, 0.05).paired
    assert not choose_design(1, 10, 28, 0.05).paired
    assert choose_design(2, 8, 28, 0.05).paired


def test_holm_is_his():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


# -- what is said ----------------------------------------------------------------------------


def test_a_beats_b_where_it_does():
    verdict = judge(FAR)
    (pair,) = verdict.comparisons
    assert (pair.better, pair.worse, pair.real) == ("a", "b", True)
    assert pair.probability == 1.0
    assert pair.p == pair.adjusted_p == pytest.approx(2 / 924)
    assert pair.difference == pytest.approx(0.65)
    assert pair.difference_interval[0] < 0.65 < pair.difference_interval[1]
    assert pair.sentence == (
        "a beats b with probability 1.00 [0.63, 1.00] (mean +0.65 [+0.53, +0.77]; p = 0.002)."
    )
    assert [(s.teacher, s.rank, s.beats) for s in verdict.standings] == [
        ("a", 1, ("b",)),
        ("b", 2, ()),
    ]
    assert verdict.headline == "a beats every other teacher (6 seeds, level 0.05)."


def test_nothing_is_said_of_what_is_not_told_apart():
    scores = {"a": [0.5, 0.6, 0.4, 0.7, 0.3], "b": [0.55, 0.45, 0.65, 0.35, 0.5]}
    verdict = judge(scores)
    (pair,) = verdict.comparisons
    assert not pair.real
    assert "undecided" in pair.sentence
    assert "beats" not in pair.sentence
    assert [s.rank for s in verdict.standings] == [1, 1]
    assert verdict.headline.startswith("No teacher is shown to beat another (5 seeds, 1 comparison")


def test_teachers_not_told_apart_share_a_rank():
    rng = np.random.default_rng(1)
    scores = {
        name: rng.uniform(low, low + 0.1, 8)
        for name, low in {"c": 0.1, "a": 0.8, "b": 0.82, "d": 0.4, "e": 0.12}.items()
    }
    standings = judge(scores).standings
    assert {s.teacher: s.rank for s in standings} == {"a": 1, "b": 1, "d": 3, "c": 4, "e": 4}
    top = sorted(("a", "b"), key=lambda name: -np.mean(scores[name]))
    assert [s.teacher for s in standings[:3]] == [*top, "d"]


@pytest.mark.parametrize("n_seeds", [1, 2, 4])
def test_fewer_than_five_seeds_prove_nothing(n_seeds):
    verdict = judge({name: scores[:n_seeds] for name, scores in FAR.items()})
    assert "proves nothing" in verdict.headline
    assert "Take at least 5 seeds" in verdict.headline
    assert not verdict.can_tell
    (pair,) = verdict.comparisons
    assert (pair.real, pair.p) == (False, None)
    assert "too few seeds to say" in pair.sentence
    assert {s.rank for s in verdict.standings} == {1}
    json.dumps(verdict.to_json(), allow_nan=False)


def test_seeds_may_be_too_few_for_so_many_comparisons():
    scores = {f"t{i}": np.linspace(0.1 * i, 0.1 * i + 0.05, 5) for i in range(8)}
    verdict = judge(scores)
    assert not any(pair.real for pair in verdict.comparisons)
    assert "5 seeds: too few for 28 comparisons" in verdict.headline
    assert "Take at least 7 seeds" in verdict.headline
    some = judge({name: scores[name] for name in ("t0", "t1", "t2")})
    assert all(pair.real for pair in some.comparisons)


def test_one_teacher_may_be_asked_about():
    rng = np.random.default_rng(2)
    scores = {f"t{i}": rng.uniform(0.1 * i, 0.1 * i + 0.05, 5) for i in range(6)}
    verdict = judge(scores, about="t5")
    assert len(verdict.comparisons) == 5
    assert all(pair.better == "t5" and pair.real for pair in verdict.comparisons)
    assert {s.rank for s in verdict.standings} == {None}
    with pytest.raises(UserError, match="unknown teacher 't9'"):
        judge(scores, about="t9")


def test_a_lower_mean_is_named():
    often, seldom = [0.5] * 8, [0.4] * 7 + [1.0]
    verdict = judge({"a": np.add(often, 0.001 * np.arange(8)), "b": seldom}, level=0.2)
    assert verdict.comparisons[0].sentence.startswith("a beats b with probability 0.88")
    steep = judge({"a": [0.2] * 8, "b": [0.1] * 7 + [1.0]}, level=0.2)
    assert "though its mean is lower" in steep.comparisons[0].sentence


def test_the_order_of_teachers_and_seeds_does_not_matter():
    rng = np.random.default_rng(3)
    scores = {name: rng.random(6) for name in "abc"}
    there = judge(scores).to_json()
    back = judge({name: scores[name][::-1] for name in "cba"}).to_json()
    for one, two in zip(there["standings"], back["standings"], strict=True):
        assert one["teacher"] == two["teacher"]
        assert one["rank"] == two["rank"]
    p = [
        {frozenset((c["better"], c["worse"])): c["p"] for c in v["comparisons"]}
        for v in (there, back)
    ]
    assert p[0] == pytest.approx(p[1])


def test_verdicts_are_json():
    verdict = judge({"a": np.random.default_rng(0).random((3, 5)), "b": np.zeros((3, 5))})
    told = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert (told["n_tasks"], told["n_seeds"]) == (3, 5)
    assert told["sentences"][0] == verdict.comparisons[0].sentence
    assert told["headline"] == verdict.headline


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        ({}, {}, "at least one teacher, got none"),
        ({"a": [0.1, 0.2], "b": [0.1]}, {}, "the same tasks and seeds for all teachers"),
        ({"a": [0.1, math.nan]}, {}, "a: expected finite numbers"),
        ({"a": [0.1, 230.0]}, {}, r"a: expected scores in \[0, 1\], got some in \[0.1, 230\]"),
        ({"a": [0.1]}, {"level": 5}, "level: expected a number between 0 and 1, got 5"),
    ],
)
def test_bad_scores_are_refused(scores, options, message):
    with pytest.raises(UserError, match=message):
        judge(scores, **options)


def test_one_teacher_is_no_comparison():
    verdict = judge({"a": FAR["a"]})
    assert verdict.headline == "One teacher alone: nothing to compare."
    assert verdict.standings[0].rank == 1
