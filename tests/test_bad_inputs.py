"""Environments that return numbers that are none, and configurations that make no sense."""

from __future__ import annotations

import functools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import worlds
from bars import Bar

import students
import teachers
from students.signals import SIGNALS
from teachenv import cli
from teachenv.broker import Broker
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.store import RunFolder

# -- numbers that are none (B3) ------------------------------------------------------------

TINY: dict[str, dict[str, Any]] = {
    "sb3-ppo": {"n_envs": 2, "n_steps": 32, "batch_size": 32, "n_epochs": 2, "hidden": (16,)},
    "rllib-ppo": {
        "envs_per_runner": 2,
        "n_steps": 32,
        "batch_size": 32,
        "n_epochs": 2,
        "hidden": (16,),
    },
}
WEIGHTS = {"sb3-ppo": "policy", "rllib-ppo": "module"}


class Poisoned(gym.Wrapper[Any, Any, Any, Any]):
    """Every third episode holds a NaN: in its first, second or last step."""

    def __init__(self, env: gym.Env[Any, Any], where: str, when: str) -> None:
        super().__init__(env)
        self.where, self.when = where, when
        self.episode = self.t = 0

    def reset(self, **kwargs: Any) -> Any:
        self.episode, self.t = self.episode + 1, 0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.t += 1
        moments = {"first": self.t == 1, "second": self.t == 2, "last": terminated or truncated}
        if moments[self.when] and self.episode % 3 == 0:
            reward = math.nan if self.where == "reward" else reward
            observation = observation * math.nan if self.where == "observation" else observation
            if self.where == "info":
                info |= {"progress": math.nan, "is_success": math.nan, "extra": [math.nan]}
        return observation, reward, terminated, truncated, info


def poisoned(where: str, when: str) -> gym.Env[Any, Any]:
    return Poisoned(worlds.pole(), where, when)


def numbers(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)
    else:
        yield np.asarray(value)


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


@pytest.mark.parametrize("when", ["first", "second", "last"])
@pytest.mark.parametrize("where", ["reward", "observation", "info"])
@pytest.mark.parametrize(
    "student_id", ["sb3-ppo", pytest.param("rllib-ppo", marks=[pytest.mark.ray, pytest.mark.slow])]
)
@pytest.mark.usefixtures("_ray")
def test_numbers_that_are_none_fail_their_trial_and_reach_nobody(
    student_id: str, where: str, when: str, bar: Bar
) -> None:
    teacher = teachers.make("plr", worlds.POLE_SPACE, capacity=20)
    assert teacher.needs <= SIGNALS
    broker = Broker(teacher)
    make_env = functools.partial(poisoned, where, when)
    student = students.make(student_id, make_env, broker, seed=0, **TINY[student_id])
    try:
        student.learn(400, seed=0)
        weights = list(numbers(student.state_dict()[WEIGHTS[student_id]]))
    finally:
        student.close()
    rows = broker.close_round()
    failed = [row for row in rows if row["status"] == "failed"]
    assert sum(row["status"] == "ok" for row in rows) > 5
    assert (len(failed) > 2) == (where != "info")
    for row in failed:
        assert "not finite" in row["message"]
        assert f"task {row['task']}, level seed {row['level_seed']}, step " in row["message"]
    json.dumps(rows, allow_nan=False)
    json.dumps({k: v for k, v in teacher.describe().items() if k.startswith("n_")})
    assert teacher.describe()["n_failed"] == len(failed)
    assert len(weights) > 3
    lost = sum(int((~np.isfinite(array)).sum()) for array in weights)
    assert lost == 0
    bar("B3", cases=1, failed_trials=len(failed), parameters_not_finite=lost)


def test_a_student_that_trains_on_numbers_that_are_none_is_seen() -> None:
    """Control: without the wrapper's watch, the parameters of the same student are lost."""
    broker = Broker(teachers.make("uniform", worlds.POLE_SPACE))
    make_env = functools.partial(poisoned, "reward", "second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teachenv.wrap._finite", lambda observation: True)
        patch.setattr("teachenv.wrap.math.isfinite", lambda value: True)
        student = students.make("sb3-ppo", make_env, broker, seed=0, **TINY["sb3-ppo"])
        with pytest.raises(ValueError, match="nan"):
            student.learn(400, seed=0)
    student.close()


# -- configurations (B4) -------------------------------------------------------------------

GOOD: dict[str, Any] = {"env": "teachenv/CartPole-v0", "teacher": "riac", "steps": 10}
BAD: list[tuple[Any, str]] = [
    ({"env": "teachenv/CartPoll-v0"}, "did you mean 'teachenv/CartPole-v0'"),
    ({"env": 3}, "env: expected a Gymnasium id, got 3"),
    ({"env": None}, "env: expected a Gymnasium id"),
    ({"teacher": "alp_gmm"}, "teacher: unknown teacher 'alp_gmm'; known: "),
    ({"teacher": ["riac"]}, "teacher: unknown teacher"),
    ({"teacher": None}, "teacher: unknown teacher"),
    ({"student": "sb3-pp"}, "did you mean 'sb3-ppo'"),
    ({"student": 0}, "student: unknown student '0'; known: auto, "),
    ({"steps": 0}, "steps: expected a whole number of at least 1, got 0"),
    ({"steps": 1.5}, "steps: expected a whole number of at least 1, got 1.5"),
    ({"steps": "many"}, "steps: expected a whole number of at least 1, got 'many'"),
    ({"steps": True}, "steps: expected a whole number of at least 1, got True"),
    ({"steps": None}, "steps: expected a whole number of at least 1, got None"),
    ({"seed": -1}, "seed: expected a whole number in [0, 2**63], got -1"),
    ({"seed": 2**64}, "seed: expected a whole number in [0, 2**63]"),
    ({"seed": "0"}, "seed: expected a whole number, got '0'"),
    ({"round_steps": -1}, "round_steps: expected a whole number of at least 0, got -1"),
    ({"new_student_every": 0.5}, "new_student_every: expected a whole number of at least 0"),
    ({"eval_every": -2}, "eval_every: expected a whole number of at least 0, got -2"),
    ({"max_failed": 0}, "max_failed: expected a whole number of at least 1, got 0"),
    ({"test_sets": ["grid-v11"]}, "test_sets: unknown test set 'grid-v11'; known: "),
    ({"test_sets": "grid-v1"}, "test_sets: expected a list of names, got 'grid-v1'"),
    ({"test_sets": 5}, "test_sets: expected a list of names, got 5"),
    ({"test_sets": [["grid-v1"]]}, "test_sets: unknown test set"),
    ({"env_args": [1]}, "env_args: expected {name: value}, got [1]"),
    ({"env_args": None}, "env_args: expected {name: value}, got None"),
    ({"teacher_args": "bins=3"}, "teacher_args: expected {name: value}, got 'bins=3'"),
    ({"teacher_args": {"x": math.nan}}, "teacher_args: expected JSON values"),
    ({"student_args": {"x": [math.inf]}}, "student_args: expected JSON values"),
    ({"stepz": 3}, "unknown field 'stepz'; known: env, teacher, "),
    ({"steps": -1, "seed": -1, "student": "x"}, "seed: expected"),
    ([1, 2], "expected {field: value}, got [1, 2]"),
    ("riac", "expected {field: value}, got 'riac'"),
]


def row_of(change: Any) -> Any:
    return {**GOOD, **change} if isinstance(change, dict) else change


@pytest.mark.parametrize(("change", "message"), BAD, ids=repr)
def test_a_broken_configuration_is_refused_by_name_without_a_traceback(
    change: Any,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bar: Bar,
) -> None:
    foreign = isinstance(change, dict) and change.get("env") == "teachenv/CartPoll-v0"
    with pytest.raises(ConfigError) as refused:
        RunConfig(**row_of(change)) if foreign else RunConfig.from_json(row_of(change))
    assert message in str(refused.value)
    command = (
        ["run", "--env", change["env"], "--teacher", "riac", "--out", str(tmp_path / "x")]
        if (foreign)
        else ["resume", str(folder_with(row_of(change), tmp_path / "run"))]
    )
    code, said = call(command, capsys, monkeypatch)
    assert code == 2
    assert message in said
    assert "Traceback" not in said
    bar("B4", broken_configurations=1, tracebacks_shown=said.count("Traceback"))


def folder_with(row: Any, path: Path) -> Path:
    header = {
        "config": row,
        "task_space": json.loads(worlds.POLE_SPACE.to_json()),
        "return_range": [0, 500],
        "mastery": 400,
        "versions": {},
    }
    folder = RunFolder.create(path, {}, [])
    (path / "config.json").write_text(json.dumps({"format": 1, **header}))
    folder.close()
    return path


def call(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, str]:
    """Run a command line; return its status and what it said to the terminal."""
    monkeypatch.setattr(sys, "argv", ["teachenv", *command])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code, "".join(capsys.readouterr())


def test_a_reader_that_refuses_by_accident_is_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: what is no refusal of ours is not shown as one."""
    folder = folder_with(GOOD, tmp_path / "run")
    monkeypatch.setattr(RunConfig, "from_json", lambda row: [][0])
    with pytest.raises(IndexError):
        call(["resume", str(folder)], capsys, monkeypatch)
