from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from worlds import POLE

from teachenv.envs import GAMES
from teachenv.experiments.config import ConfigError, RunConfig, describe_env
from teachenv.experiments.parts import make_teacher, resolve

GOOD: dict[str, Any] = {"env": "teachenv/StumpTracks-v0", "teacher": "alp-gmm"}


def test_json_comes_back() -> None:
    config = RunConfig(**GOOD, seed=3, teacher_args={"fit_rate": 100}, test_sets=("grid-v1",))
    assert RunConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"env": "teachenv/StumpTrack-v0"}, "did you mean 'teachenv/StumpTracks-v0'"),
        ({"env": 3}, "env: expected a Gymnasium id"),
        ({"teacher": "alp_gmm"}, "did you mean 'alp-gmm'"),
        ({"teacher": None}, "teacher: unknown teacher"),
        ({"student": "sb3-pp"}, "did you mean 'sb3-ppo'"),
        ({"steps": 0}, "steps: expected a whole number of at least 1"),
        ({"steps": 1.5}, "steps: expected a whole number"),
        ({"steps": True}, "steps: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"seed": "0"}, "seed: expected a whole number"),
        ({"seed": 2**64}, "seed: expected a whole number"),
        ({"round_steps": -1}, "round_steps: expected"),
        ({"eval_every": -1}, "eval_every: expected"),
        ({"max_failed": 0}, "max_failed: expected"),
        ({"test_sets": ("stump-51",)}, "did you mean 'stump-50-v1'"),
        ({"test_sets": "stump-50-v1"}, "test_sets: expected a list"),
        ({"env_args": [1]}, "env_args: expected"),
        ({"teacher_args": {"x": float("nan")}}, "teacher_args: expected JSON values"),
        ({"student_args": {1: 2}}, "student_args: expected"),
        ({"student_args": {"f": print}}, "student_args: expected JSON values"),
    ],
)
def test_a_bad_field_is_named_with_what_it_accepts(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        RunConfig(**{**GOOD, **change})


def test_all_problems_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig(env="x", teacher="y", student="z", steps=-1, seed=-1)
    assert len(str(caught.value).splitlines()) == 5


def test_unknown_and_missing_fields_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_json({"env": POLE, "stepz": 3})
    assert "did you mean 'steps'" in str(caught.value)
    assert "teacher: missing" in str(caught.value)


def test_a_run_can_be_read_where_its_environment_is_not_registered() -> None:
    row = {**RunConfig(**GOOD).to_json(), "env": "elsewhere/Env-v0"}
    assert RunConfig.from_json(row).env == "elsewhere/Env-v0"
    with pytest.raises(ConfigError, match="cannot make elsewhere/Env-v0"):
        describe_env(RunConfig.from_json(row))


def test_an_environment_without_tasks_is_refused() -> None:
    with pytest.raises(ConfigError, match="task_space, return_range and mastery"):
        describe_env(RunConfig(env="gymnasium.envs:CartPole-v1", teacher="uniform"))
    with pytest.raises(ConfigError, match="cannot make"):
        describe_env(RunConfig(**GOOD, env_args={"bodyy": 1}))


def test_the_contract_of_an_environment_is_described() -> None:
    described = describe_env(RunConfig(env=POLE, teacher="uniform"))
    assert described["mastery"] == 400
    assert [dim["name"] for dim in described["task_space"]] == ["length", "force"]


@pytest.mark.parametrize("env", GAMES)
def test_games_of_teaching_are_not_run_and_the_message_says_how_to_play_them(env: str) -> None:
    for teacher in ("uniform", "greedy"):
        with pytest.raises(ConfigError, match=r'random.*games.*"Other games of teaching"'):
            RunConfig(env, teacher)


def test_what_is_left_open_is_decided_and_on_record() -> None:
    native = resolve(RunConfig("teachenv/StumpTracks-v0", "uniform"))
    assert native.env_args["backend"] in ("native", "reference")
    fast = native.env_args["backend"] == "native"
    assert native.student == ("sbx-ppo" if fast else "sb3-ppo")
    assert native.round_steps == (1_000_000 if fast else 200_000)
    longer = resolve(dataclasses.replace(native, steps=15_000_000, round_steps=0))
    assert longer.round_steps == (3_000_000 if fast else 200_000)
    assert resolve(native) == native
    slow = resolve(
        RunConfig("teachenv/StumpTracks-v0", "uniform", env_args={"backend": "reference"})
    )
    assert (slow.student, slow.round_steps) == ("sb3-ppo", 200_000)
    given = RunConfig("teachenv/StumpTracks-v0", "uniform", "sb3-sac", round_steps=7)
    assert resolve(given).student == "sb3-sac"
    assert resolve(given).round_steps == 7


def test_a_preset_of_the_teacher_counts_less_than_what_is_said() -> None:
    args = {"preset": "stump-tracks", "step": 0.5}
    config = RunConfig(env="teachenv/StumpTracks-v0", teacher="oracle", teacher_args=args)
    env = config.make_env()
    teacher = make_teacher(config, env.unwrapped.task_space)
    env.close()
    window = teacher.describe()["window"]
    assert window["low"].tolist() == pytest.approx([0.0, 5 / 6])
    for preset in ("no-tracks", ["stump-tracks"]):
        wrong = RunConfig(**GOOD, teacher_args={"preset": preset})
        with pytest.raises(ConfigError, match="teacher_args: "):
            make_teacher(wrong, teacher.space)
