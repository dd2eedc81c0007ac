"""RIAC: regions, their progress, cuts and sampling, against hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.regions import Regions, absolute_progress
from teachers.riac import MARGIN, Riac

SQUARE = TaskSpace([Dim("x"), Dim("y")])


def play(teacher, n, score):
    trials = []
    for i in range(n):
        trial = teacher.ask()
        value = score(i, teacher.space.to_unit(trial.task))
        teacher.tell(trial, Outcome(value, value, 1, False))
        trials.append(trial)
    return trials


def flicker(i, point):
    return float(point[0] > 0.5) * (i // 100 % 2)


# -- regions ---------------------------------------------------------------------------------


def test_progress_compares_the_older_with_the_newer_half():
    assert absolute_progress(np.array([0.0, 1.0])) == 0.0
    assert absolute_progress(np.array([0.2, 0.4, 0.9, 0.7])) == pytest.approx(0.5)
    assert absolute_progress(np.array([0.9, 0.9, 0.1])) == pytest.approx(0.8)
    assert absolute_progress(np.array([0.3, 0.6, 0.0])) == pytest.approx(0.45)


def test_an_outcome_is_kept_by_every_region_around_it():
    regions = Regions(2, 5, 7)
    for x in (0.1, 0.2, 0.8, 0.9):
        regions.add(0, np.array([x, 0.5]), x)
    regions.split(0, 0, 0.5, (0.3, 0.4))
    regions.split(1, 1, 0.5, (0.1, 0.2))
    np.testing.assert_array_equal(regions.leaves(), [2, 3, 4])
    assert regions.path(np.array([0.9, 0.1])) == [0, 2]
    assert regions.path(np.array([0.5, 0.6])) == [0, 1, 4]  # the threshold belongs to the lower
    np.testing.assert_array_equal(regions.outcomes(1)[1], [0.1, 0.2])
    np.testing.assert_array_equal(regions.outcomes(2)[1], [0.8, 0.9])
    np.testing.assert_array_equal(regions.low[[3, 4]], [[0, 0], [0, 0.5]])
    np.testing.assert_array_equal(regions.high[[3, 4]], [[0.5, 0.5], [0.5, 1]])
    np.testing.assert_array_equal(regions.alp[:5], [0, 0.3, 0.4, 0.1, 0.2])


def test_regions_keep_the_latest_and_stay_bounded_after_forgetting():
    """In the published code the memory of a region had no bound once it had forgotten."""
    regions = Regions(1, 4, 3)
    for i in range(6):
        regions.add(0, np.array([0.5]), float(i))
    np.testing.assert_array_equal(regions.outcomes(0)[1], [2, 3, 4, 5])
    regions.forget(0, 3)
    np.testing.assert_array_equal(regions.outcomes(0)[1], [5])
    for i in range(6, 12):
        regions.add(0, np.array([0.5]), float(i))
    np.testing.assert_array_equal(regions.outcomes(0)[1], [8, 9, 10, 11])


# -- cuts ------------------------------------------------------------------------------------


def split_teacher(scores_left, scores_right, **hyper):
    """A teacher whose root got these scores, left of x = 0.5 and right of it, and was split.

    The two sides are played alternately; the largest one ends first if they differ in length.
    """
    n = len(scores_left) + len(scores_right)
    teacher = Riac(SQUARE, seed=0, max_region_size=n - 1, min_side=0.01, **hyper)
    rng = np.random.default_rng(1)
    rows = [(0.05 + 0.4 * rng.random(), s) for s in scores_left]
    rows += [(0.55 + 0.4 * rng.random(), s) for s in scores_right]
    for x, score in rows:
        point = np.array([x, rng.random()])
        teacher._update(point, Outcome(score, score, 1, False))
    return teacher


def test_the_best_cut_tells_progress_from_none():
    teacher = split_teacher([0.0] * 20, [0.0] * 10 + [1.0] * 10, n_split_attempts=300)
    regions = teacher.describe()["regions"]
    np.testing.assert_array_equal(regions["leaf"], [False, True, True])
    assert regions["high"][1, 1] == 1.0  # cut across x
    assert teacher._regions.size(1) == 20
    np.testing.assert_allclose(regions["alp"], [10 / 19, 0.0, 1.0])  # of the last 39


@pytest.mark.parametrize("constant", [False, True])
def test_sizes_count_in_the_score_of_a_cut(constant):
    """In the published code the product of sizes was 2 * 2 whatever they were."""
    different = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores = rng.random(12)
        teacher = Riac(
            TaskSpace([Dim("x")]),
            max_region_size=11,
            min_side=0.0,
            n_split_attempts=500,
            constant_split_score=constant,
        )
        places = rng.permutation(12)
        for place, score in zip(places, scores, strict=True):
            teacher._update(np.array([(place + 0.5) / 12]), Outcome(score, score, 1, False))

        def value(n_lower, constant=constant, places=places, scores=scores):
            lower = places < n_lower
            gap = absolute_progress(scores[lower]) - absolute_progress(scores[~lower])
            return abs(gap) * (1 if constant else n_lower * (12 - n_lower))

        assert teacher._regions.size(1) == max(range(1, 12), key=value)
        best = [max(range(1, 12), key=lambda n, c=c: value(n, c)) for c in (False, True)]
        different += best[0] != best[1]
    assert different >= 5


def test_new_regions_start_with_their_own_progress():
    """In the published code they had that of the last cut tried."""
    scores = [0.0] * 20, [0.0] * 10 + [1.0] * 10
    own = split_teacher(*scores)
    for node in (1, 2):
        regions = own._regions
        assert regions.alp[node] == absolute_progress(regions.outcomes(node)[1])
    stale = split_teacher(*scores, last_attempt_alp=True)
    assert not np.array_equal(stale._regions.alp[1:3], own._regions.alp[1:3])
    np.testing.assert_array_equal(stale._regions.low[:3], own._regions.low[:3])


def test_cuts_leave_enough_outcomes_and_long_enough_sides():
    teacher = Riac(SQUARE, seed=3, max_region_size=40, min_side=0.1)
    play(teacher, 3000, flicker)
    regions = teacher.describe()["regions"]
    sides = regions["high"] - regions["low"]
    assert len(sides) > 20
    assert sides.min() >= 0.1
    assert teacher.describe()["n_flushes"] > 0
    leaves = regions["leaf"]
    assert np.prod(sides[leaves], axis=1).sum() == pytest.approx(1.0)


def test_equal_tasks_are_forgotten_instead_of_cut_for_ever():
    """In the published code the search for a cut never ended."""
    space = TaskSpace([Dim("n", 3, 3, kind="int"), Dim("m", 5, 5, kind="int")])
    teacher = Riac(space, max_region_size=20)
    play(teacher, 100, lambda i, u: i % 2)
    assert teacher.describe()["n_flushes"] == 16  # the 21st outcome, then every 5th
    assert len(teacher.describe()["regions"]["alp"]) == 1


def test_the_number_of_regions_is_bounded():
    teacher = Riac(SQUARE, max_region_size=20, min_side=0.0, max_regions=9)
    play(teacher, 1000, flicker)
    assert len(teacher.describe()["regions"]["alp"]) == 9


# -- sampling --------------------------------------------------------------------------------


def test_shares_of_the_three_ways_to_sample():
    teacher = Riac(SQUARE, seed=0, max_region_size=50)
    play(teacher, 500, flicker)
    reasons = [teacher.ask().reason.split()[0] for _ in range(5000)]
    assert reasons.count("explore") / 5000 == pytest.approx(0.2, abs=0.02)
    assert reasons.count("mutate") / 5000 == pytest.approx(0.1, abs=0.015)
    assert reasons.count("region") / 5000 == pytest.approx(0.7, abs=0.02)


def test_regions_are_chosen_by_progress_among_all_or_leaves():
    for leaves_only in (False, True):
        teacher = Riac(SQUARE, seed=0, max_region_size=50, leaves_only=leaves_only)
        play(teacher, 400, flicker)
        regions = teacher.describe()["regions"]
        assert regions["leaf"].all() == leaves_only
        expected = regions["alp"] / regions["alp"].sum()
        np.testing.assert_allclose(regions["weights"], expected)
        numbers = teacher._regions.leaves() if leaves_only else np.arange(teacher._regions.n)
        trials = [teacher.ask() for _ in range(6000)]
        chosen = [int(t.reason.split()[-1]) for t in trials if t.reason.startswith("region")]
        for number, weight in zip(numbers, regions["weights"], strict=True):
            assert chosen.count(number) / len(chosen) == pytest.approx(weight, abs=0.03)


def test_without_progress_every_region_is_equally_likely():
    teacher = Riac(SQUARE, max_region_size=50)
    play(teacher, 120, lambda i, u: 0.5)
    weights = teacher.describe()["regions"]["weights"]
    assert len(weights) > 1
    np.testing.assert_array_equal(weights, 1.0 / len(weights))


def test_mutants_are_near_the_worst_task_and_inside_its_region():
    teacher = Riac(SQUARE, seed=0, max_region_size=1000, mutation=0.05)
    for x, score in ((0.3, 0.2), (0.99, 0.1), (0.6, 0.9), (0.5, 0.1)):
        teacher._update(np.array([x, 0.5]), Outcome(score, score, 1, False))
    trials = [teacher.ask() for _ in range(4000)]
    mutants = np.array([t.task for t in trials if t.reason.startswith("mutate")])
    np.testing.assert_allclose(mutants[:, 1].mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(mutants[:, 1].std(), 0.05, rtol=0.15)
    assert mutants[:, 0].max() == 1.0 - MARGIN
    assert mutants[:, 0].min() > 0.75


def test_in_parity_mutants_move_as_far_in_every_parameter_whatever_its_range():
    """The published code added noise in the units of the tasks."""
    space = TaskSpace([Dim("height", 0.0, 3.0), Dim("n", 1, 8, kind="int"), Dim("far", 0.0, 40.0)])
    spread = {}
    for raw in (False, True):
        teacher = Riac(space, seed=0, mutation=0.1, raw_mutation=raw)
        teacher._update(np.array([0.5, 0.5, 0.5]), Outcome(0.1, 0.1, 1, False))
        spread[raw] = np.std([teacher._mutate(0) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(spread[False], 0.1, rtol=0.05)
    np.testing.assert_allclose(spread[True], 0.1 / np.array([3, 8, 40]), rtol=0.05)


def test_presets_are_the_published_ones():
    traps = {"constant_split_score", "last_attempt_alp", "raw_mutation"}
    numbers = {}
    for name, preset in teachers.presets("riac").items():
        assert all(preset[trap] is True for trap in traps)
        numbers[name] = {key: value for key, value in preset.items() if key not in traps}
    common = {"mutation": 0.1}
    assert numbers == {
        "teachdeeprl": common
        | {"max_region_size": 200, "n_split_attempts": 50, "min_side": 1 / 15},
        "teachmyagent": common | {"max_region_size": 150, "n_split_attempts": 75, "min_side": 0.1},
    }
    default = teachers.hyper_parameters("riac")
    assert numbers["teachdeeprl"].items() <= default.items()
    assert not any(default[trap] for trap in traps)
    # "min population of a child": a twentieth, 7.5 of 150; that is at least 8.
    assert teachers.make("riac", SQUARE, preset="teachmyagent")._min_outcomes == 8
    assert teachers.make("riac", SQUARE)._min_outcomes == 10


def test_bad_hyper_parameters_are_named():
    with pytest.raises(ValueError, match=r"riac: max_region_size: .*; min_side: .*; leaves_only: "):
        Riac(SQUARE, max_region_size=1, min_side=2.0, leaves_only=1)
    with pytest.raises(ValueError, match=r"mutation: .* in \[0, 1\]"):
        Riac(SQUARE, mutation=2.0)
    with pytest.raises(ValueError, match=r"mutation: .*; raw_mutation: "):
        Riac(SQUARE, mutation=2.0, raw_mutation=1)
    Riac(SQUARE, mutation=2.0, raw_mutation=True)


def test_a_teacher_that_was_in_use_goes_on_from_an_earlier_state_as_a_fresh_one_does():
    """Regions grown after the state was saved must leave nothing behind."""
    used, fresh = (Riac(SQUARE, seed=seed, max_region_size=20) for seed in (0, 1))

    def tasks(teacher, n):
        return [trial.task.tolist() for trial in play(teacher, n, lambda i, point: point[0])]

    tasks(used, 15)
    state = used.state_dict()
    tasks(used, 600)
    for teacher in (used, fresh):
        teacher.load_state_dict(state)
    assert tasks(used, 300) == tasks(fresh, 300)
