"""Native episodes go on across rounds: nothing is lost there, and resume stays exact."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import ledger
import pytest
from bars import Bar
from test_loop import StopAt, config, digests
from worlds import POLE_SPACE

from teachenv.broker import Broker
from teachenv.experiments import loop, task_loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.parts import make_student, make_teacher
from teachenv.experiments.store import read_run

pytest.importorskip("teachenv.envs.bipedal._native_baseline")

LANES, ROUND = 8, 512
SMALL: dict[str, Any] = {"n_envs": LANES, "n_steps": 64, "batch_size": 128, "n_epochs": 1}


def native(**change: Any) -> RunConfig:
    fields = {
        "env": "teachenv/StumpTracks-v0",
        "env_args": {"backend": "native"},
        "teacher": "plr",
        "teacher_args": {},
        "student": "sb3-ppo",
        "student_args": SMALL,
        "steps": 4 * ROUND,
        "round_steps": ROUND,
        "eval_every": 2,
        "test_sets": ("grid-v1",),
        **change,
    }
    return config(**fields)


@pytest.fixture(scope="module", params=["sb3-ppo", pytest.param("sbx-ppo", marks=pytest.mark.slow)])
def student(request: pytest.FixtureRequest) -> str:
    pytest.importorskip({"sb3-ppo": "stable_baselines3", "sbx-ppo": "sbx"}[request.param])
    return str(request.param)


@pytest.fixture(scope="module")
def undisturbed(student: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carry") / "run"
    loop.start(native(student=student), folder)
    return folder


def test_episodes_outlive_rounds_and_only_the_last_ones_are_lost(
    undisturbed: Path, bar: Bar
) -> None:
    rows = read_run(undisturbed).episodes
    lost = [row for row in rows if row["status"] == "lost"]
    assert len(lost) == LANES
    assert all(row["round"] == 3 for row in lost)
    assert max(row["episode_length"] for row in rows) > ROUND // LANES
    bar("S8", **ledger.check_run(undisturbed))
    assert all(set(row["signals"]) for row in rows if row["status"] == "ok")


@pytest.mark.parametrize("stop", [700, 1300, 1900])
def test_a_run_stopped_anywhere_resumes_bit_for_bit(
    undisturbed: Path, student: str, tmp_path: Path, stop: int, bar: Bar
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(native(student=student), folder, StopAt(stop))
    bar("S8", **ledger.check_run(folder))  # the episodes being played wait in the checkpoint
    loop.resume(folder)
    assert digests(folder) == digests(undisturbed)
    bar("R2", f"{student} with native episodes carried on", resumes=1)
    bar("S8", **ledger.check_run(folder))


def test_a_checkpoint_without_the_episodes_being_played_is_noticed(
    undisturbed: Path, student: str, tmp_path: Path, bar: Bar, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(native(student=student), folder, StopAt(1300))
    load = task_loop.RunLoop.load_state_dict

    def forgetful(self: task_loop.RunLoop, state: dict[str, Any]) -> None:
        load(self, {**state, "student": {**state["student"], "playing": None}})

    monkeypatch.setattr(task_loop.RunLoop, "load_state_dict", forgetful)
    loop.resume(folder)
    assert digests(folder) != digests(undisturbed)
    bar("S8", **ledger.check_run(folder))  # lost, but in the books
    bar("R4", items_dropped=1, noticed=1)


def test_an_extended_run_equals_a_longer_one(
    undisturbed: Path, student: str, tmp_path: Path
) -> None:
    extended, longer = tmp_path / "extended", tmp_path / "longer"
    shutil.copytree(undisturbed, extended)
    loop.resume(extended, steps=6 * ROUND)
    loop.start(native(student=student, steps=6 * ROUND), longer)
    assert digests(extended) == digests(longer)


def test_resuming_a_finished_run_changes_nothing(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    loop.resume(folder)
    assert digests(folder) == digests(undisturbed)


def test_a_new_student_starts_fresh_episodes(tmp_path: Path) -> None:
    loop.start(native(new_student_every=2 * ROUND), tmp_path / "run")
    rows = read_run(tmp_path / "run").episodes
    lost = [row["round"] for row in rows if row["status"] == "lost"]
    assert sorted(lost) == [2] * LANES + [3] * LANES
    ledger.check_run(tmp_path / "run")


def test_what_cannot_be_carried_is_refused(tmp_path: Path) -> None:
    settings = config(student="sb3-ppo")
    broker = Broker(make_teacher(settings, POLE_SPACE))
    student = make_student(settings, broker)
    assert not student.carries
    with pytest.raises(ValueError, match="cannot be carried"):
        student.learn(64, seed=0, carry=True)
    student.close()
