"""Runs in which new students take over: when, how, and that they resume exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ledger
import pytest
from bars import Bar
from test_loop import StopAt, config, digests

from teachenv.experiments import loop, task_loop
from teachenv.experiments.checkpoint import newest_checkpoint, save_checkpoint
from teachenv.experiments.config import ConfigError
from teachenv.experiments.plot_data import load_run
from teachenv.experiments.plot_progress import progress_figure
from teachenv.experiments.store import read_run

WORLD: dict[str, Any] = {
    "env": "teachenv/CartPole-v0",
    "student": "sb3-ppo",
    "teacher_args": {"fit_rate": 20},
    "steps": 2560,
    "round_steps": 512,
    "eval_every": 5,
}
EVERY_1000 = {**WORLD, "new_student_every": 1000}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "undisturbed"
    loop.start(config(**EVERY_1000), folder)
    return folder


def student_of(folder: Path) -> dict[str, Any]:
    return newest_checkpoint(folder / "checkpoints")[1]["student"]


def test_a_new_student_begins_at_the_first_round_after_so_many_steps(undisturbed: Path) -> None:
    rows = read_run(undisturbed).teacher
    assert [row["step"] for row in rows] == [512, 1024, 1536, 2048, 2560]
    assert [row["student"] for row in rows] == [0, 0, 1, 1, 2]
    assert student_of(undisturbed)["counters"]["num_timesteps"] == 512


def test_the_teacher_and_the_ledger_go_on(undisturbed: Path, bar: Bar) -> None:
    run = read_run(undisturbed)
    asked = [row["describe"]["n_asked"] for row in run.teacher]
    assert asked == sorted(asked)
    bar("S8", **ledger.check_run(undisturbed))


def test_the_first_student_is_that_of_a_run_without_others_and_the_next_differ(
    undisturbed: Path, tmp_path: Path
) -> None:
    loop.start(config(**WORLD, new_student_every=0), tmp_path / "one")
    loop.start(config(**WORLD, new_student_every=1), tmp_path / "many")
    rows = {
        name: [row for row in read_run(folder).episodes if row["round"] < 2]
        for name, folder in (("one", tmp_path / "one"), ("changed", undisturbed))
    }
    assert rows["one"] == rows["changed"]
    numbers = [row["student"] for row in read_run(tmp_path / "many").teacher]
    assert numbers == [0, 512, 1024, 1536, 2048]
    firsts = {}
    for generation in (0, 512, 1024):
        run = read_run(tmp_path / "many")
        broker = task_loop.Broker(task_loop.make_teacher(run.config, run.task_space))
        student = task_loop.make_student(run.config, broker, generation)
        firsts[generation] = json.dumps(
            student.state_dict()["policy"], default=lambda a: a.tolist()
        )
        student.close()
    assert len(set(firsts.values())) == 3


@pytest.mark.parametrize("step", [700, 1100, 2300])
def test_interrupted_before_or_after_a_change_it_resumes_to_the_same_bytes(
    step: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(**EVERY_1000), folder, StopAt(step))
    loop.resume(folder)
    assert digests(folder) == digests(undisturbed)


def test_a_run_that_ends_where_a_change_is_due_keeps_its_student_until_it_goes_on(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    loop.start(config(**{**EVERY_1000, "steps": 1024, "eval_every": 0}), folder)
    assert student_of(folder)["counters"]["num_timesteps"] == 1024
    loop.resume(folder, steps=2560)
    assert read_run(folder).teacher == read_run(undisturbed).teacher


def test_checkpoints_from_before_there_were_changes_are_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(**WORLD), folder, StopAt(700))
    _, state, _ = newest_checkpoint(folder / "checkpoints")
    del state["generation"], state["config"]["new_student_every"]
    save_checkpoint(folder / "checkpoints", state["round"], state)
    header = json.loads((folder / "config.json").read_text())
    del header["config"]["new_student_every"]
    (folder / "config.json").write_text(json.dumps(header))
    loop.resume(folder)
    assert read_run(folder).status["status"] == "finished"


def test_pictures_mark_the_changes(undisturbed: Path) -> None:
    view = load_run(undisturbed)
    assert view.new_students == (1024, 2048)
    for ax in progress_figure(view).axes[:4]:
        marks = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
        assert marks == [1024, 2048]


@pytest.mark.parametrize("bad", [-1, 2.5, True])
def test_a_bad_number_of_steps_is_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="new_student_every: expected a whole number of at least"):
        config(**WORLD, new_student_every=bad)
