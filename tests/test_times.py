"""What runs cost and where they were played: the teacher's own time, and the machine."""

from __future__ import annotations

import csv
import getpass
import json
import platform
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reports import write_study
from toy_runs import stop_after, to_the_end, toy_config, toys
from toys import LADDER, Recorder

import teachenv.broker
from teachenv.broker import Broker
from teachenv.experiments import data_loop, loop, run_state
from teachenv.experiments.config import RunConfig
from teachenv.experiments.export import export
from teachenv.experiments.files import read_rows
from teachenv.experiments.machine import machine
from teachenv.experiments.metrics import run_metrics
from teachenv.experiments.report_cells import StudyRuns
from teachenv.experiments.report_contents import read_contents
from teachenv.experiments.report_ran import machines_sheet
from teachenv.experiments.report_reference import read_reference, write_reference
from teachenv.experiments.report_tables import cost_sheet
from teachenv.experiments.store import read_run
from teachenv.lesson import DataPlan, Lesson, Reading
from teachenv.protocols import Outcome, Trial
from teachers.data.simple import Uniform

DIGITS = "teachenv/DataGenSkillList-digits-v0"
ELSEWHERE = {"cpu": "Abacus", "cores": "10", "memory": "1 bead", "system": "wood", "python": "-"}


class Watch:
    """A clock that only a teacher moves on."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Slow(Recorder):
    """Takes 3 s to ask and 5 s to tell."""

    def __init__(self, watch: Watch, **how: Any) -> None:
        super().__init__(LADDER, **how)
        self.watch = watch

    def ask(self) -> Trial:
        self.watch.now += 3.0
        return super().ask()

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        self.watch.now += 5.0
        super().tell(trial, outcome)


def test_the_broker_counts_the_seconds_of_ask_and_tell_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Watch()
    monkeypatch.setattr(teachenv.broker, "time", watch)
    broker = Broker(Slow(watch, needs=frozenset({"regret"})))
    first, _second = broker.ask("a"), broker.ask("b")
    watch.now += 100.0  # the environment plays
    broker.tell(first.id, Outcome(0.5, 1.0, 10, True))
    assert broker.teacher_s == 6.0  # it waits for the signal
    broker.signal(first.id, {"regret": 0.5})
    assert broker.teacher_s == 11.0
    broker.close_round()  # the second is lost
    assert broker.teacher_s == 16.0


def test_data_teachers_are_timed_in_plan_and_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, plan, tell = Watch(), Uniform.plan, Uniform.tell

    def slow_plan(teacher: Uniform, reading: Reading) -> DataPlan:
        watch.now += 3.0
        return plan(teacher, reading)

    def slow_tell(teacher: Uniform, lesson: Lesson) -> None:
        watch.now += 5.0
        tell(teacher, lesson)

    monkeypatch.setattr(data_loop, "time", watch)
    monkeypatch.setattr(Uniform, "plan", slow_plan)
    monkeypatch.setattr(Uniform, "tell", slow_tell)
    args = {"n_steps": 3, "n_samples": 12}
    config = RunConfig(DIGITS, "uniform", steps=36, eval_every=0, env_args=args)
    loop.start(config, tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert [row["teacher_s"] for row in run.times] == [3 * 8.0]
    assert run_metrics(run).budget.teacher_us == 8e6  # per lesson


def test_a_machine_is_told_without_whose_it_is() -> None:
    found = machine()
    assert {"cpu", "cores", "memory", "system", "python"} <= set(found)
    assert all(isinstance(value, str) and value for value in found.values())
    assert int(found["cores"]) >= 1
    told = json.dumps(found)
    assert platform.python_version() in told
    for secret in (platform.node(), getpass.getuser(), str(Path.home()), str(Path.cwd())):
        assert secret not in told


def test_a_gpu_is_told_where_it_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = SimpleNamespace(is_initialized=lambda: True, get_device_name=lambda: "Abacus 9000")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=used))
    assert machine()["gpu"] == "Abacus 9000"
    used.is_initialized = lambda: False
    assert "gpu" not in machine()


def test_a_run_resumed_elsewhere_tells_which_rounds_were_played_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(toy_config(4), tmp_path / "run", 2)
    monkeypatch.setattr(run_state, "machine", lambda: ELSEWHERE)
    to_the_end(toy_config(4), tmp_path / "run")
    with toys():
        rows = read_run(tmp_path / "run").times
    assert [row.get("machine") for row in rows] == [machine(), None, ELSEWHERE, None]
    assert all(0 < row["teacher_s"] < row["total_s"] for row in rows)


def moved_study(path: Path) -> StudyRuns:
    """A study of three runs: two played here, one of them resumed elsewhere, one by an old hand."""
    write_study(path, {"uniform": 0.5}, n_seeds=3)
    for seed, places in enumerate(([machine()], [machine(), ELSEWHERE], [])):
        times = path / f"runs/Pole/uniform/sb3-ppo/seed-{seed}/times.jsonl"
        rows = read_rows(times)
        for row, place in zip(rows, places, strict=False):
            row |= {"machine": place}
        if places:
            rows = [{**row, "teacher_s": 0.5} for row in rows]
        times.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_contents([path]).studies[0]


def test_the_report_tells_where_runs_were_played_also_those_that_do_not_know(
    tmp_path: Path,
) -> None:
    entries = moved_study(tmp_path / "moved").entries
    sheet = machines_sheet(entries)
    assert sheet.heads == ("", "CPU", "cores", "memory", "system", "Python")
    assert [row[:2] for row in sheet.rows] == [
        ("2 runs of moved, 1 of them in part", machine()["cpu"]),
        ("1 run of moved, 1 of them in part", "Abacus"),
        ("1 run of moved", "not recorded"),
    ]
    write_reference(tmp_path, entries)
    assert tuple(read_reference(tmp_path)) == entries


def test_a_run_of_an_old_hand_resumed_elsewhere_is_not_told_as_wholly_from_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "moved"
    write_study(path, {"uniform": 0.5}, n_seeds=1)
    (times,) = path.glob("runs/*/*/*/*/times.jsonl")
    first, second, *rest = read_rows(times)
    rows = [{**first, "machine": None}, {**second, "machine": ELSEWHERE}, *rest]
    times.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (entry,) = read_contents([path]).studies[0].entries
    assert entry.machines == ({}, ELSEWHERE)
    assert [row[:2] for row in machines_sheet([entry]).rows] == [
        ("1 run of moved, 1 of them in part", "not recorded"),
        ("1 run of moved, 1 of them in part", "Abacus"),
    ]
    export(path, "csv", tmp_path)
    with (tmp_path / "rounds.csv").open(newline="") as file:
        assert [row["machine.cpu"] for row in csv.DictReader(file)][:2] == ["", "Abacus"]


def test_the_teacher_s_time_is_per_trial_and_a_share_of_the_run(tmp_path: Path) -> None:
    moved_study(tmp_path / "moved")
    run = tmp_path / "moved/runs/Pole/uniform/sb3-ppo"
    budget = run_metrics(read_run(run / "seed-0")).budget
    assert budget.teacher_s == 1.5
    assert budget.teacher_us == pytest.approx(1.5e6 / 30)
    assert run_metrics(read_run(run / "seed-2")).budget.teacher_s is None
    told = read_contents([tmp_path / "moved"])
    assert "teacher, us per trial" not in cost_sheet(told.groups[0], told.teachers).heads
    (run / "seed-2/times.jsonl").write_text((run / "seed-1/times.jsonl").read_text())
    told = read_contents([tmp_path / "moved"])
    sheet = cost_sheet(told.groups[0], told.teachers)
    row = dict(zip(sheet.heads, sheet.rows[0], strict=True))
    assert row["teacher, us per trial"] == "50,000"
    assert row["teacher, % of wall s"] == "25"
