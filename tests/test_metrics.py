"""Figures of a run: by hand on small made-up runs, and on real ones."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from worlds import POLE

from teachenv.experiments import loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.metrics import area_under_curve, run_metrics, sampling, worst_mean
from teachenv.experiments.store import Run, read_run
from teachenv.experiments.testsets import TestSet
from teachenv.space import Dim, TaskSpace

SPACE = TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0)])
SQUARE = [[0.0, 0.0], [0.0, 6.0], [3.0, 0.0], [3.0, 6.0]]


def evaluation(number, step, returns, mastery=50.0, test_set="four"):
    success = [value > mastery for value in returns]
    return {
        "round": number,
        "step": step,
        "test_set": test_set,
        "status": "ok",
        "share_mastered": float(np.mean(success)),
        "mean_return": float(np.mean(returns)),
        "returns": returns,
        "lengths": [10] * len(returns),
        "success": success,
    }


def trial(task, train=True, length=10, status="ok"):
    return {"task": task, "train": train, "episode_length": length, "status": status}


def made_up(**change) -> Run:
    """A run of three rounds of 100 steps on four test tasks; returns from 0 to 100."""
    fields = {
        "folder": Path("nowhere"),
        "config": RunConfig(env=POLE, teacher="uniform", student="sb3-ppo", steps=300, seed=3),
        "task_space": SPACE,
        "return_range": (0.0, 100.0),
        "mastery": 50.0,
        "versions": {},
        "status": {"status": "finished"},
        "test_sets": {"four": TestSet("four", np.array(SQUARE), (1, 2, 3, 4))},
        "episodes": [trial([1.0, 1.0]), trial([2.0, 5.0], train=False, length=7)],
        "evals": [
            evaluation(0, 100, [60.0, 20.0, 0.0, -50.0]),
            evaluation(1, 200, [80.0, 60.0, 40.0, 10.0]),
            evaluation(2, 300, [70.0, 70.0, 30.0, 200.0]),
        ],
        "teacher": [{"round": i, "step": 100 * (i + 1), "student": 0} for i in range(3)],
        "times": [
            {"round": i, "total_s": 2.0, "cpu_s": 1.5, "gradient_steps": 8} for i in range(3)
        ],
        **change,
    }
    return Run(**fields)


def four(**change):
    return run_metrics(made_up(**change)).test_sets["four"]


# -- what a student reached ------------------------------------------------------------------


def test_the_last_evaluation_counts():
    reached = four()
    assert reached.share_mastered == 0.75
    assert reached.mean_return == (70 + 70 + 30 + 200) / 4
    assert reached.mean_score == pytest.approx((0.7 + 0.7 + 0.3 + 1.0) / 4)
    assert reached.curve.steps == (100, 200, 300)
    assert reached.curve.share_mastered == (0.25, 0.5, 0.75)
    assert reached.curve.mean_score == pytest.approx((0.2, 0.475, 0.675))


def test_areas_start_at_step_0_and_are_means_over_steps():
    reached = four()
    by_hand = (100 * 0.25 / 2 + 100 * (0.25 + 0.5) / 2 + 100 * (0.5 + 0.75) / 2) / 300
    assert reached.area_mastered == pytest.approx(by_hand)
    assert reached.area_score == pytest.approx((0.1 + 0.3375 + 0.575) / 3)
    assert area_under_curve([50], [1.0]) == 0.5
    assert area_under_curve([1, 1000], [1.0, 1.0]) == pytest.approx(0.9995)


def test_steps_to_threshold_are_of_the_first_evaluation_above_it():
    run = made_up()
    steps = [run_metrics(run, at).test_sets["four"].steps_to_threshold for at in (0.1, 0.5, 0.8)]
    assert steps == [100, 200, None]


def test_forgetting_is_from_the_best_to_the_last():
    # Best scores 0.8, 0.7, 0.4, 1.0; last 0.7, 0.7, 0.3, 1.0.
    assert four().forgetting == pytest.approx((0.1 + 0 + 0.1 + 0) / 4)
    rising = [evaluation(i, 100 * (i + 1), [10.0 * i] * 4) for i in range(3)]
    assert four(evals=rising).forgetting == 0.0


def test_a_new_student_has_forgotten_nothing_of_the_old_one():
    teacher = [{"round": i, "step": 100 * (i + 1), "student": int(i > 0)} for i in range(3)]
    assert four(teacher=teacher).forgetting == pytest.approx((0.1 + 0 + 0.1 + 0) / 4)
    teacher[1]["student"] = 0
    assert four(teacher=teacher).forgetting is None


def test_the_worst_tenth_may_count_a_task_in_part():
    assert worst_mean([0.3, 0.1, 0.2, 0.9] * 5) == pytest.approx(0.1)  # two of twenty
    assert worst_mean([0.0, 0.4, 1.0, 1.0, 1.0], tail=0.3) == pytest.approx((0.0 + 0.5 * 0.4) / 1.5)
    assert worst_mean([0.2, 0.4], tail=1.0) == pytest.approx(0.3)
    assert four().worst_tenth == pytest.approx(0.3)  # the worst of four


def test_one_evaluation_has_no_curve():
    reached = four(evals=[evaluation(2, 300, [60.0] * 4)])
    assert reached.share_mastered == 1.0
    assert reached.area_mastered is None
    assert reached.forgetting is None


def test_only_runs_with_all_their_evaluations_are_complete():
    evals = made_up().evals
    broken = {"round": 2, "step": 300, "test_set": "four", "status": "failed", "error": "x"}
    assert run_metrics(made_up()).complete
    assert not run_metrics(made_up(evals=[*evals[:2], broken])).complete
    assert not run_metrics(made_up(evals=evals[:2])).complete
    assert not run_metrics(made_up(status={"status": "interrupted"})).complete


def test_test_sets_are_kept_apart():
    run = made_up()
    last = evaluation(2, 300, [10.0, 90.0], test_set="two")
    sets = {**run.test_sets, "two": TestSet("two", np.array(SQUARE[:2]), (5, 6))}
    both = run_metrics(replace(run, evals=[*run.evals, last], test_sets=sets)).test_sets
    assert both["four"] == four()
    assert (both["two"].share_mastered, both["two"].mean_return) == (0.5, 50.0)
    assert both["two"].hash == sets["two"].hash


def test_a_run_that_has_just_begun_has_figures_too():
    empty = run_metrics(made_up(evals=[], episodes=[], teacher=[], times=[]))
    assert empty.test_sets == {}
    assert empty.budget.steps == 0
    assert empty.sampled.n_trials == 0
    assert not empty.complete


# -- where the tasks were --------------------------------------------------------------------


def test_coverage_and_entropy_are_1_for_one_task_in_each_cell():
    spread = sampling(
        list(SPACE.from_unit((np.indices((10, 10)).reshape(2, -1).T + 0.5) / 10)), SPACE
    )
    assert (spread.coverage, spread.entropy, spread.n_trials) == (1.0, pytest.approx(1.0), 100)
    corners = sampling(SQUARE, SPACE)
    assert corners.coverage == 0.04
    assert corners.entropy == pytest.approx(math.log(4) / math.log(100))
    alone = sampling([[1.5, 3.0]] * 50, SPACE)
    assert (alone.coverage, alone.entropy) == (0.01, 0.0)


def test_uniform_draws_cover_what_the_docstring_says():
    rng = np.random.default_rng(0)
    for n in (50, 2000):
        spread = [sampling([SPACE.sample(rng) for _ in range(n)], SPACE) for _ in range(10)]
        covered = np.mean([one.coverage for one in spread])
        assert covered == pytest.approx(1 - 0.99**n, abs=0.03)
    bias = 1 - np.mean([one.entropy for one in spread])
    assert bias == pytest.approx(99 / (2 * 2000 * math.log(100)), rel=0.2)


def test_whole_numbers_have_as_many_cells_as_values():
    space = TaskSpace([Dim("n", 1, 4, kind="int"), Dim("mode", kind="choice", choices=("a", "b"))])
    tasks = [[n, mode] for n in (1, 2, 3, 4) for mode in (0, 1)]
    full = sampling(tasks, space)
    assert (full.coverage, full.entropy) == (1.0, pytest.approx(1.0))
    assert sampling(tasks[:4], space).coverage == 0.5


def test_other_dimensions_count_by_pairs():
    line = TaskSpace([Dim("x", 0.0, 1.0)])
    assert sampling([[0.005], [0.5], [0.504]], line).coverage == 0.02
    cube = TaskSpace([Dim(name, 0.0, 1.0) for name in "xyz"])
    assert sampling([[0.1, 0.1, 0.1], [0.1, 0.1, 0.9]], cube).coverage == pytest.approx(0.05 / 3)


def test_only_taught_tasks_count():
    metrics = run_metrics(made_up())
    assert metrics.sampled.n_trials == 1


# -- what it cost ----------------------------------------------------------------------------


def test_budgets_charge_everything():
    budget = run_metrics(made_up()).budget
    assert (budget.steps, budget.untaught_steps) == (300, 7)
    assert (budget.gradient_steps, budget.cpu_s, budget.wall_s) == (24, 4.5, 6.0)


def test_costs_that_were_not_recorded_are_unknown():
    times = made_up().times
    without = [{**times[0], "gradient_steps": None}, *times[1:]]
    assert run_metrics(made_up(times=without)).budget.gradient_steps is None
    old = [{"round": 0, "total_s": 1.0}]
    budget = run_metrics(made_up(times=old)).budget
    assert (budget.gradient_steps, budget.cpu_s, budget.wall_s) == (None, None, 1.0)


# -- real runs -------------------------------------------------------------------------------

SMALL = {"n_envs": 4, "n_steps": 64, "batch_size": 64, "n_epochs": 2}
REAL = RunConfig(
    env=POLE,
    teacher="uniform",
    student="sb3-ppo",
    student_args=SMALL,
    steps=1024,
    round_steps=512,
    test_sets=("grid-v1",),
)


def test_real_runs_record_updates_and_cpu_time(tmp_path):
    loop.start(REAL, tmp_path / "run")
    metrics = run_metrics(read_run(tmp_path / "run"))
    assert metrics.complete
    assert metrics.budget.steps == 1024
    assert metrics.budget.gradient_steps == 1024 // 64 * 2
    assert 0 < metrics.budget.cpu_s < 10 * metrics.budget.wall_s
    assert metrics.sampled.n_trials == len(read_run(tmp_path / "run").episodes)
    reached = metrics.test_sets["grid-v1"]
    assert reached.curve.steps == (512, 1024)
    assert 0 <= reached.worst_tenth <= reached.mean_score <= 1
    told = json.loads(json.dumps(metrics.to_json(), allow_nan=False))
    assert told["test_sets"]["grid-v1"]["hash"] == reached.hash


@pytest.mark.parametrize(
    ("teacher", "arguments"),
    [
        ("robust-plr", {"capacity": 8}),
        ("accel", {"capacity": 8}),
        ("sfl", {"n_levels": 4, "n_attempts": 1, "keep": 2, "period": 8}),
    ],
)
def test_steps_without_gradient_are_charged(teacher, arguments, tmp_path, monkeypatch):
    taken, step = [0], CartPoleEnv.step

    def count(self, action):
        taken[0] += 1
        return step(self, action)

    monkeypatch.setattr(CartPoleEnv, "step", count)
    config = replace(REAL, teacher=teacher, teacher_args=arguments, eval_every=0)
    loop.start(config, tmp_path / "run")
    run = read_run(tmp_path / "run")
    budget = run_metrics(run).budget
    assert budget.steps == taken[0] == 1024
    scored = [row["episode_return"] for row in run.episodes if not row["train"]]
    assert budget.untaught_steps == sum(scored)  # the pole pays 1 for every step
    assert budget.untaught_steps > 200
    rollouts, batch, epochs = 1024 // 256, 64, 2
    assert 0 < budget.gradient_steps <= epochs * ((1024 - sum(scored)) / batch + rollouts) < 32


def test_updates_are_counted_through_an_interruption(tmp_path):
    loop.start(REAL, tmp_path / "run")
    loop.resume(tmp_path / "run", steps=1536)
    rows = read_run(tmp_path / "run").times
    assert [row["gradient_steps"] for row in rows] == [16, 16, 16]


@pytest.mark.ray
def test_rllib_counts_its_updates_too(tmp_path):
    arguments = {"envs_per_runner": 4, "n_steps": 64, "batch_size": 64, "n_epochs": 2}
    config = replace(REAL, student="rllib-ppo", student_args=arguments, steps=512)
    loop.start(config, tmp_path / "run")
    budget = run_metrics(read_run(tmp_path / "run")).budget
    # Iterations may be a few steps longer, which makes another minibatch in each of two epochs.
    assert 512 // 64 * 2 <= budget.gradient_steps <= 512 // 64 * 2 + 4


def test_sac_counts_its_updates_too(tmp_path):
    arguments = {"learning_starts": 100, "train_every": 50, "gradient_steps": 10, "n_envs": 1}
    config = RunConfig(
        env="teachenv/Pendulum-v0",
        teacher="uniform",
        student="sb3-sac",
        student_args=arguments,
        steps=600,
        round_steps=300,
        eval_every=0,
    )
    loop.start(config, tmp_path / "run")
    budget = run_metrics(read_run(tmp_path / "run")).budget
    assert budget.gradient_steps == 10 * (600 - 100) // 50
