"""The environment contract: tasks through reset options, labels in every info."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from toys import LADDER, Ladder, pole

from teachenv.env import MAX_LEVEL_SEED, MakeEnv, read_level, task_contract, to_score
from teachenv.space import TaskError

BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"task": {"wind": 2.0}}, "wind: 2.0 is outside"),
    ({"task": {"wind": math.nan}}, "wind: nan is outside"),
    ({"task": {"wnid": 0.5}}, "did you mean 'wind'"),
    ({"task": [3.0, 0.5]}, "shape"),
    ({"taks": [3.0, 0.5, 0.0]}, r"unknown options \['taks'\]"),
    ({"level_seed": -1}, "level_seed"),
    ({"level_seed": MAX_LEVEL_SEED}, "level_seed"),
    ({"level_seed": 1.0}, "level_seed"),
    ({"level_seed": True}, "level_seed"),
    ({"level_seed": "3"}, "level_seed"),
    ({"task": {"wind": 0.5}, "level_seed": -1}, "level_seed"),
]
ACTIONS = [0, 1, 0, 0, 1]


def play(env: gym.Env[Any, Any], actions: list[int]) -> list[tuple[Any, ...]]:
    steps = [env.step(action)[:4] for action in actions]
    return [(observation.tobytes(), *rest) for observation, *rest in steps]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS, ids=repr)
def test_refused_options_leave_the_episode_running(options: dict[str, Any], message: str) -> None:
    env = Ladder()
    env.reset(options={"task": [30, 0.5, 1], "level_seed": 4})
    whole = play(env, ACTIONS)
    env.reset(options={"task": [30, 0.5, 1], "level_seed": 4})
    begun = play(env, ACTIONS[:2])
    with pytest.raises(TaskError, match=message):
        env.reset(seed=99, options=options)
    assert begun + play(env, ACTIONS[2:]) == whole
    np.testing.assert_array_equal(env.task, [30, 0.5, 1])
    assert env.level_seed == 4


@pytest.mark.parametrize(
    ("options", "message"), [({"task": {"length": 3.0}}, r"length: 3.0.*\[0.1, 2\] m"),
                             ({"task": {"gravity": 1.0}}, "unknown task parameter 'gravity'"),
                             ({"task": [math.nan]}, "nan"), ({"level_seed": -3}, "level_seed")]
)  # fmt: skip
def test_parameterize_refuses_and_keeps_its_task_too(options: dict[str, Any], message: str) -> None:
    env = pole()
    env.reset(options={"task": {"length": 1.5}, "level_seed": 4})
    whole = play(env, ACTIONS)
    env.reset(options={"task": {"length": 1.5}, "level_seed": 4})
    begun = play(env, ACTIONS[:2])
    with pytest.raises(TaskError, match=message):
        env.reset(options=options)
    assert begun + play(env, ACTIONS[2:]) == whole
    _, info = env.reset()
    assert info["task"].tolist() == [1.5]
    assert env.unwrapped.length == 1.5


def test_without_options_the_task_stays_and_the_level_changes() -> None:
    env = Ladder()
    assert env.task.tolist() == LADDER.default.tolist()
    with pytest.raises(TaskError, match="not been reset"):
        _ = env.level_seed
    _, info = env.reset(seed=1, options={"task": {"rungs": 7}})
    assert info["task"].tolist() == [7.0, 0.25, 0.0]
    seeds = {env.reset()[1]["level_seed"] for _ in range(20)} | {info["level_seed"]}
    assert len(seeds) == 21
    assert env.task.tolist() == [7.0, 0.25, 0.0]


@pytest.mark.parametrize("make", [Ladder, pole])
def test_one_seed_fixes_all_the_levels_that_follow(make: Any) -> None:
    def seeds(seed: int) -> list[int]:
        env = make()
        first = env.reset(seed=seed)[1]["level_seed"]
        return [first, *(env.reset()[1]["level_seed"] for _ in range(3))]

    assert seeds(0) == seeds(0)
    assert seeds(0) != seeds(1)


def test_infos_label_every_step() -> None:
    env = Ladder()
    _, info = env.reset(options={"task": [4, 0, 0], "level_seed": 11})
    seen, done = [info], False
    while not done:
        *_, done, _, info = env.step(0)
        seen.append(info)
    assert [info["progress"] for info in seen] == [0, 0.25, 0.5, 0.75, 1.0]
    assert {info["level_seed"] for info in seen} == {11}
    assert not any(info["is_success"] for info in seen)
    assert all(not info["task"].flags.writeable for info in seen)


def test_success_is_a_return_above_mastery() -> None:
    env = Ladder()
    for rungs, expected in ((12, False), (13, True)):  # a reward of 1 a step, mastery 12
        env.reset(options={"task": [rungs, 0, 0]})
        for _ in range(rungs):
            *_, info = env.step(0)
        assert info["is_success"] is expected


def test_read_level_and_scores() -> None:
    assert read_level(LADDER, None, LADDER.default) == (LADDER.default, None)
    task, seed = read_level(
        LADDER, {"task": None, "level_seed": np.int64(3)}, LADDER.default, frozenset({"terrain"})
    )
    assert task is LADDER.default
    assert seed == 3
    read_level(LADDER, {"terrain": 1}, LADDER.default, frozenset({"terrain"}))
    assert [to_score(x, (-10, 40)) for x in (-20, -10, 15, 40, 50)] == [0, 0, 0.5, 1, 1]


def test_environments_without_tasks_are_named() -> None:
    with pytest.raises(TypeError, match=r"CartPole.*Parameterize"):
        task_contract(gym.make("CartPole-v1"))


def test_make_env_makes_the_same_environment_anywhere() -> None:
    make = MakeEnv("CartPole-v1", {"max_episode_steps": 7})
    env = make()
    assert env.spec is not None
    assert env.spec.max_episode_steps == 7
