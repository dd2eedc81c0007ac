"""Native episodes go on across rounds: nothing is lost there, and resume stays exact."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from test_loop import StopAt, config, digests
from worlds import POLE_SPACE

from teachenv.broker import Broker
from teachenv.experiments import loop
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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carry") / "run"
    loop.start(native(), folder)
    return folder


def test_episodes_outlive_rounds_and_only_the_last_ones_are_lost(undisturbed: Path) -> None:
    rows = read_run(undisturbed).episodes
    lost = [row for row in rows if row["status"] == "lost"]
    assert len(lost) == LANES
    assert all(row["round"] == 3 for row in lost)
    assert max(row["episode_length"] for row in rows) > ROUND // LANES
    assert sorted(row["trial"] for row in rows) == list(range(len(rows)))
    assert all(set(row["signals"]) for row in rows if row["status"] == "ok")


@pytest.mark.parametrize("stop", [700, 1300, 1900])
def test_a_run_stopped_anywhere_resumes_bit_for_bit(
    undisturbed: Path, tmp_path: Path, stop: int
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(native(), folder, StopAt(stop))
    loop.resume(folder)
    assert digests(folder) == digests(undisturbed)


def test_an_extended_run_equals_a_longer_one(undisturbed: Path, tmp_path: Path) -> None:
    extended, longer = tmp_path / "extended", tmp_path / "longer"
    shutil.copytree(undisturbed, extended)
    loop.resume(extended, steps=6 * ROUND)
    loop.start(native(steps=6 * ROUND), longer)
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


def test_what_cannot_be_carried_is_refused(tmp_path: Path) -> None:
    settings = config(student="sb3-ppo")
    broker = Broker(make_teacher(settings, POLE_SPACE))
    student = make_student(settings, broker)
    assert not student.carries
    with pytest.raises(ValueError, match="cannot be carried"):
        student.learn(64, seed=0, carry=True)
    student.close()
