"""ADR: the box, its bounds and their queues, step by step."""

from __future__ import annotations

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.adr import Adr

LINE = TaskSpace([Dim("x", 0.0, 10.0)])
PLANE = TaskSpace([Dim("x", 0.0, 10.0), Dim("y", -1.0, 1.0, default=0.0)])


def make(space=LINE, **hyper):
    start = hyper.pop("start", {"x": 5.0})
    return Adr(space, start=start, step=0.1, queue=2, boundary_share=1.0, **hyper)


def tell(teacher, trial, score):
    teacher.tell(trial, Outcome(score, score, 1, False))


def trial_on(teacher, reason):
    """Ask until the trial is for a reason; the others stay outstanding."""
    return next(t for t in iter(teacher.ask, None) if t.reason == reason)


def box(teacher):
    window = teacher.describe()["window"]
    return np.stack([window["low"], window["high"]]).T.tolist()


def test_the_box_is_a_point_at_first():
    teacher = make(PLANE)
    np.testing.assert_allclose(box(teacher), [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(teacher.ask().task, [5.0, 0.0])


def test_without_a_start_the_point_is_random():
    points = {Adr(PLANE, seed=seed).ask().task.tobytes() for seed in range(5)}
    assert len(points) == 5


def test_a_bound_moves_out_by_a_step_at_the_upper_threshold():
    teacher = make(t_low=0.3, t_high=0.6)
    for score in (0.5, 0.7):  # their mean is 0.6
        assert box(teacher) == [[0.5, 0.5]]
        tell(teacher, trial_on(teacher, "upper bound of x"), score)
    np.testing.assert_allclose(box(teacher), [[0.5, 0.6]])
    assert trial_on(teacher, "upper bound of x").task[0] == pytest.approx(6.0)
    for _ in range(2):
        tell(teacher, trial_on(teacher, "lower bound of x"), 1.0)
    np.testing.assert_allclose(box(teacher), [[0.4, 0.6]])


def test_between_the_thresholds_the_queue_is_emptied_and_nothing_moves():
    teacher = make(t_low=0.3, t_high=0.6)
    for score in (0.5, 0.6, 0.9):
        tell(teacher, trial_on(teacher, "upper bound of x"), score)
    assert box(teacher) == [[0.5, 0.5]]
    tell(teacher, trial_on(teacher, "upper bound of x"), 0.4)
    np.testing.assert_allclose(box(teacher), [[0.5, 0.6]])


def test_a_bound_moves_in_at_the_lower_threshold_but_not_past_the_other():
    teacher = make(t_low=0.3, t_high=0.6)
    for _ in range(4):
        tell(teacher, trial_on(teacher, "upper bound of x"), 1.0)
    np.testing.assert_allclose(box(teacher), [[0.5, 0.7]])
    for expected in (0.6, 0.5, 0.5):
        for _ in range(2):
            tell(teacher, trial_on(teacher, "upper bound of x"), 0.3)
        np.testing.assert_allclose(box(teacher), [[0.5, expected]])


def test_the_box_stays_inside_the_space():
    teacher = make(start={"x": 9.5})
    for _ in range(6):
        tell(teacher, trial_on(teacher, "upper bound of x"), 1.0)
    np.testing.assert_allclose(box(teacher), [[0.95, 1.0]])


def test_an_outcome_counts_for_the_bound_it_was_asked_for_unless_that_moved():
    teacher = make()
    late = [trial_on(teacher, "upper bound of x") for _ in range(4)]
    for trial in late[:2]:
        tell(teacher, trial, 1.0)
    np.testing.assert_allclose(box(teacher), [[0.5, 0.6]])
    for trial in late[2:]:
        tell(teacher, trial, 1.0)
    np.testing.assert_allclose(box(teacher), [[0.5, 0.6]])


def test_tasks_inside_the_box_decide_nothing():
    teacher = Adr(LINE, start={"x": 5.0}, boundary_share=0.0, queue=1)
    for _ in range(20):
        trial = teacher.ask()
        assert trial.reason == "box"
        tell(teacher, trial, 1.0)
    assert box(teacher) == [[0.5, 0.5]]


def test_in_parity_every_bound_a_task_lies_on_gets_its_outcome():
    """In TeachMyAgent the first episodes, of one point, filled the queues of all bounds."""
    moved = {}
    for every in (False, True):
        teacher = make(PLANE, every_bound=every)
        for _ in range(2):
            tell(teacher, trial_on(teacher, "upper bound of x"), 1.0)
        moved[every] = box(teacher)
    np.testing.assert_allclose(moved[False], [[0.5, 0.6], [0.5, 0.5]])
    np.testing.assert_allclose(moved[True], [[0.4, 0.6], [0.4, 0.6]])


def test_shares_of_bounds_and_uniform_draws_inside():
    teacher = make(PLANE)
    for _ in range(300):
        tell(teacher, teacher.ask(), 1.0)
    low, high = teacher.describe()["window"].values()
    np.testing.assert_allclose((low, high), [[0, 0], [1, 1]])
    teacher._share = 0.6
    trials = [teacher.ask() for _ in range(5000)]
    reasons = [t.reason for t in trials]
    assert reasons.count("box") / 5000 == pytest.approx(0.4, abs=0.02)
    for side in ("lower", "upper"):
        for name in ("x", "y"):
            share = reasons.count(f"{side} bound of {name}") / 5000
            assert share == pytest.approx(0.15, abs=0.02)
    inside = np.array([PLANE.to_unit(t.task) for t in trials if t.reason == "box"])
    np.testing.assert_allclose(inside.mean(axis=0), 0.5, atol=0.03)


def test_in_parity_the_uniform_draws_start_anew_when_a_bound_moves():
    """In TeachMyAgent every new box drew the same tasks again, as shares of its sides."""

    def shares(teacher):
        low, high = teacher.describe()["window"].values()
        points = np.array([teacher._sample().point for _ in range(5)])
        return ((points - low) / (high - low)).round(9).tolist()

    for same in (False, True):
        teacher = Adr(PLANE, start={"x": 5.0}, queue=1, boundary_share=1.0, same_draws=same)
        for side in ("lower", "upper"):
            for name in PLANE.names:
                tell(teacher, trial_on(teacher, f"{side} bound of {name}"), 1.0)
        teacher._share = 0.0
        first = [shares(teacher), shares(teacher)]
        teacher._push(1, 0, 1.0)
        assert (shares(teacher) == first[0]) == same
        assert first[0] != first[1]
        state = teacher.state_dict()
        expected = shares(teacher)
        again = Adr(PLANE, queue=1, boundary_share=1.0, same_draws=same)
        again._share = 0.0
        again.load_state_dict(state)
        assert shares(again) == expected


def test_in_parity_a_step_is_as_long_in_every_parameter_whatever_its_range():
    for raw, expected in ((False, [0.6, 0.6]), (True, [0.51, 0.55])):
        teacher = make(PLANE, raw_step=raw)
        for name in PLANE.names:
            for _ in range(2):
                tell(teacher, trial_on(teacher, f"upper bound of {name}"), 1.0)
        np.testing.assert_allclose(teacher.describe()["window"]["high"], expected)


def test_the_preset_is_as_published_and_the_default_the_same_in_scores_and_shares():
    preset, default = teachers.presets("adr")["teachmyagent"], teachers.hyper_parameters("adr")
    assert preset["t_high"] == pytest.approx((180 + 150) / 500)
    assert preset["t_low"] == pytest.approx(150 / 500)
    assert preset["step"] == pytest.approx(0.1)
    traps = ("every_bound", "same_draws", "raw_step")
    for trap in traps:
        assert (preset[trap], default[trap]) == (True, False)
    assert default["step"] == pytest.approx(0.1 / 3)
    numbers = {key: preset[key] for key in preset if key not in (*traps, "step")}
    assert numbers.items() <= default.items()
    assert set(numbers) == {"boundary_share", "t_low", "t_high", "queue"}


def test_bad_hyper_parameters_are_named():
    with pytest.raises(ValueError, match=r"adr: step: .*; queue: .*; every_bound: "):
        Adr(LINE, step=-1, queue=0, every_bound=None)
    with pytest.raises(ValueError, match=r"step: .* in \[0, 1\]"):
        Adr(LINE, step=2.0)
    Adr(LINE, step=2.0, raw_step=True)
    with pytest.raises(ValueError, match="t_low: expected less than t_high"):
        Adr(LINE, t_low=0.7)
    with pytest.raises(ValueError, match="x"):
        Adr(LINE, start={"x": 11.0})
