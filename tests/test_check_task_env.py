"""``check_task_env`` finds each seeded fault, only it, and nothing in good environments."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from bars import Bar
from broken_envs import ALSO, FAULTS, SEEDED, IgnoresWind, NumpyGlobal
from toys import LADDER, Ladder, pole

from teachenv import Dim, Parameterize, TaskSpace, check_play
from teachenv.check import check_task_env
from teachenv.env import Level, MakeEnv
from teachenv.envs import ENVS

CASES = [
    pytest.param(make, code, id=f"{code}-{getattr(make, '__name__', 'x').strip('<>')}")
    for code, makes in FAULTS.items()
    for make in makes
]


class Clock:
    """A clock that only moves when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Masterable(Ladder):
    mastery = 5.0


def resting(observation: np.ndarray) -> int:
    """An expert: one rung a step masters the default task, where its mastery is within reach."""
    return 0


@pytest.mark.parametrize(("make", "code"), CASES)
def test_finds_the_fault_and_nothing_else(
    make: Callable[[], gym.Env[Any, Any]],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    bar: Bar,
) -> None:
    monkeypatch.setattr(check_play, "clock", Clock())
    found = check_task_env(make, max_steps=300, expert=resting if code == "mastery" else None)
    assert {finding.code for finding in found} == {code} | ALSO.get(make, set()), found
    bar("C1", more_faults=make not in SEEDED, seeded_faults=make in SEEDED, missed=0)


def test_the_faults_promised_are_all_among_those_seeded() -> None:
    known = [make for makes in FAULTS.values() for make in makes]
    assert len(SEEDED) == len(set(SEEDED)) == 25
    assert set(SEEDED) <= set(known)


def test_an_expert_that_masters_the_default_task_is_no_finding() -> None:
    assert check_task_env(Masterable, max_steps=300, expert=resting) == []


def test_declared_time_limit_makes_the_fault_an_error() -> None:
    loose, declared = FAULTS["time-limit"]
    assert [finding.severity for finding in check_task_env(loose)] == ["warning"]
    assert [finding.severity for finding in check_task_env(declared)] == ["error"]


class DeclaresWindInert(IgnoresWind):
    inert = frozenset({"wind"})


class WindIsFarAway(IgnoresWind):
    """The wind blows where random actions never get."""

    def fingerprint(self, level: Level) -> bytes:
        return level.task[1].tobytes()


class WindNeverChanges(Ladder):
    task_space = TaskSpace(
        [
            replace(d, low=1, high=1, default=1, kind="int") if d.name == "wind" else d
            for d in LADDER
        ]
    )


@pytest.mark.parametrize("make", [DeclaresWindInert, WindIsFarAway, WindNeverChanges])
def test_parameters_without_effect_on_random_play_can_be_accounted_for(
    make: Callable[[], gym.Env[Any, Any]],
) -> None:
    assert check_task_env(make, max_steps=300) == []


# -- good environments ------------------------------------------------------------------------


def set_gravity(env: Any, task: dict[str, Any]) -> None:
    env.gravity = task["gravity"]


def lander() -> gym.Env[Any, Any]:
    space = TaskSpace([Dim("gravity", -11.9, -0.1, default=-10.0, unit="m/s2")])
    return Parameterize("LunarLander-v3", space, set_gravity, return_range=(-600, 300), mastery=200)


def set_pendulum(env: Any, task: dict[str, Any]) -> None:
    env.model.opt.gravity[2] = task["gravity"]
    env.model.body_mass[-1] = task["mass"]


def pendulum() -> gym.Env[Any, Any]:
    space = TaskSpace(
        [
            Dim("gravity", -20.0, -1.0, default=-9.81, unit="m/s2"),
            Dim("mass", 1.0, 20.0, default=5.0, unit="kg"),
        ]
    )
    return Parameterize(
        "InvertedPendulum-v5", space, set_pendulum, return_range=(0, 1000), mastery=950
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_finds_nothing_in_a_good_toy(seed: int) -> None:
    assert check_task_env(Ladder, seed=seed, max_steps=300) == []


def test_finds_nothing_in_parameterized_cartpole() -> None:
    assert check_task_env(pole) == []


def test_finds_nothing_in_parameterized_lunar_lander() -> None:
    pytest.importorskip("Box2D")
    assert check_task_env(lander) == []


def test_finds_nothing_in_parameterized_mujoco() -> None:
    pytest.importorskip("mujoco")
    assert check_task_env(pendulum) == []


TASK_ENVS = [env_id for env_id in ENVS if "DataGen" not in env_id]
"""Those whose episodes are played on a task; Gymnasium's checker is for the others."""


@pytest.mark.slow
@pytest.mark.parametrize("env_id", TASK_ENVS)
def test_finds_nothing_in_shipped_environments(env_id: str, bar: Bar) -> None:
    assert check_task_env(MakeEnv(env_id), episodes=3) == []
    bar("C1", shipped_environments=1, findings_there=0)


def test_leaves_the_global_generators_alone() -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    check_task_env(Ladder, max_steps=50)
    check_task_env(NumpyGlobal, max_steps=50)
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002


def test_refuses_too_few_episodes() -> None:
    with pytest.raises(ValueError, match="at least 3 episodes, got 2"):
        check_task_env(Ladder, episodes=2)
