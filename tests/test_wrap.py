"""The curriculum wrapper: one trial an episode, whatever breaks; Parameterize."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from broken_envs import NaNObservation, NaNReward
from toys import LADDER, Ladder, Recorder, pole, set_pole

from teachenv.broker import Broker, TooManyFailuresError
from teachenv.env import Level
from teachenv.protocols import Trial
from teachenv.space import Dim, TaskSpace
from teachenv.wrap import CurriculumWrapper, Parameterize


class LongRecorder(Recorder):
    """Issues ladders long enough to reach step 12."""

    def ask(self) -> Trial:
        trial = super().ask()
        self.issued[-1] = LADDER.task([30, 0.5, 0])
        return Trial(trial.id, self.issued[-1])


def make(env: gym.Env[Any, Any] | None = None) -> tuple[CurriculumWrapper, Broker, Recorder]:
    teacher = LongRecorder()
    broker = Broker(teacher, seed=1)
    return CurriculumWrapper(env or Ladder(), broker), broker, teacher


def finish(env: CurriculumWrapper) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    while True:
        step = env.step(0)
        if step[2] or step[3]:
            return step


def test_an_episode_plays_its_trial_and_reports_it() -> None:
    env, broker, teacher = make()
    for k in range(3):
        _, info = env.reset(seed=5, options={"level_seed": 1})
        (open_trial,) = broker.outstanding
        assert info["trial"] == open_trial.id == k
        assert env.trial is not None
        assert info["level_seed"] == env.trial.level_seed != 1  # the trial's, not the caller's
        *_, info = finish(env)
        assert info["trial"] == k
        assert info["outcome"] == teacher.told[k]
        assert teacher.told[k].success is bool(info["is_success"])
        assert env.trial is None
    rows = broker.close_round()
    assert [row["episode_length"] for row in rows] == [30, 30, 30]


def test_stepping_after_the_end_asks_for_a_reset_and_leaves_the_environment_alone() -> None:
    env, _, _ = make()
    env.reset()
    finish(env)
    before = env.unwrapped.t
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    assert env.unwrapped.t == before


def test_truncation_by_an_inner_time_limit_ends_the_trial() -> None:
    env, _, teacher = make(gym.wrappers.TimeLimit(Ladder(), 5))
    env.reset()
    finish(env)
    assert (teacher.told[0].status, teacher.told[0].episode_length) == ("ok", 5)


def test_an_early_reset_loses_the_trial() -> None:
    env, broker, teacher = make()
    env.reset()
    env.step(0)
    env.reset()
    assert teacher.told[0].status == "lost"
    assert broker.counts == {"asked": 2, "ok": 0, "failed": 0, "lost": 1}


def test_a_reset_after_the_round_was_closed_starts_afresh() -> None:
    env, broker, _ = make()
    env.reset()
    env.step(0)
    assert [row["status"] for row in broker.close_round()] == ["lost"]
    env.reset()
    finish(env)
    assert [(row["trial"], row["status"]) for row in broker.close_round()] == [(1, "ok")]


def test_closing_loses_the_running_trial_once() -> None:
    env, broker, _ = make()
    env.reset()
    env.close()
    env.close()
    assert broker.counts == {"asked": 1, "ok": 0, "failed": 0, "lost": 1}


@pytest.mark.parametrize("fault", [NaNReward, NaNObservation])
def test_bad_numbers_fail_the_trial_and_never_reach_the_student(fault: type[Ladder]) -> None:
    env, broker, teacher = make(fault())
    env.reset()
    observation, reward, terminated, truncated, info = finish(env)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert np.isfinite(observation).all()
    assert teacher.told[0].status == "failed"
    assert "outcome" not in info
    (row,) = broker.close_round()
    for text in (row["message"], info["failed"]):
        for word in (fault.__name__, "[30.0, 0.5, 0.0]", str(info["level_seed"]), "step 11"):
            assert word in text


def test_observations_in_dictionaries_are_checked() -> None:
    class Nested(Ladder):
        def _observe(self) -> Any:
            bad = np.array([np.nan if self.t == 3 else 0.0])
            return {"a": np.zeros(2, np.uint8), "b": ({"c": bad}, 1)}

    env, _, teacher = make(Nested())
    env.reset()
    observation, *_ = finish(env)
    assert observation["b"][0]["c"].tolist() == [0.0]
    assert teacher.told[0].status == "failed"


def test_large_finite_observations_are_no_failure() -> None:
    class Large(Ladder):
        def _observe(self) -> Any:
            return np.full(8, 3e38, np.float32)

    env, _, teacher = make(Large())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.reset()
        finish(env)
    assert teacher.told[0].status == "ok"


class RaisesInStep(Ladder):
    def _advance(self, action: int) -> Any:
        raise RuntimeError("wheel came off")


class RaisesInReset(Ladder):
    def _start(self, level: Level, options: Mapping[str, Any]) -> Any:
        raise RuntimeError("no ground")


class NaNAtReset(Ladder):
    def _observe(self) -> Any:
        return np.full(5, np.nan)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (RaisesInStep, RuntimeError, "wheel came off"),
        (RaisesInReset, RuntimeError, "no ground"),
        (NaNAtReset, ValueError, "not finite"),
    ],
)
def test_exceptions_fail_the_trial_and_go_on_to_the_caller(
    fault: type[Ladder], error: type[Exception], message: str
) -> None:
    env, broker, _ = make(fault())
    for _ in range(10):
        with pytest.raises(error, match=message):  # noqa: PT012  either may raise
            env.reset()
            env.step(0)
        assert broker.outstanding == ()
        assert env.trial is None
    with pytest.raises(TooManyFailuresError, match=message):
        env.reset()
    rows = broker.close_round()
    assert [row["status"] for row in rows] == ["failed"] * 10
    assert all(message in row["message"] for row in rows)
    env.close()


def test_an_interrupt_leaves_no_trial_behind() -> None:
    class Interrupted(Ladder):
        def _advance(self, action: int) -> Any:
            raise KeyboardInterrupt

    env, broker, _ = make(Interrupted())
    env.reset()
    with pytest.raises(KeyboardInterrupt):
        env.step(0)
    env.close()
    assert broker.counts == {"asked": 1, "ok": 0, "failed": 0, "lost": 1}


def test_environments_without_tasks_are_refused() -> None:
    with pytest.raises(TypeError, match="task_space"):
        CurriculumWrapper(gym.make("CartPole-v1"), Broker(Recorder()))


def test_parameterize_applies_the_task_before_every_reset() -> None:
    env = pole()
    for length in (0.1, 0.7, 2.0):
        _, info = env.reset(options={"task": {"length": length}})
        assert env.unwrapped.length == length
        assert info["task"].tolist() == [length]
        assert (info["progress"], info["is_success"]) == (0.0, False)
    *_, info = env.step(0)
    assert info["progress"] == 1 / 500


def test_parameterize_takes_an_environment_or_an_id_with_arguments() -> None:
    space = TaskSpace([Dim("length", 0.1, 2.0, default=0.5)])
    made = Parameterize(gym.make("CartPole-v1"), space, set_pole, return_range=(0, 9), mastery=8)
    named = Parameterize(
        "CartPole-v1", space, set_pole, return_range=(0, 9), mastery=8, max_episode_steps=3
    )
    for env in (made, named):
        env.reset(options={"level_seed": 0})
        steps = [env.step(0) for _ in range(3)]
        assert steps[-1][3] is (env is named)


@pytest.mark.parametrize(("low", "high", "mastery"), [(1, 1, 1), (2, 1, 1), (0, 1, np.nan)])
def test_parameterize_refuses_ranges_that_make_no_scores(
    low: float, high: float, mastery: float
) -> None:
    with pytest.raises(ValueError, match="return_range"):
        Parameterize("CartPole-v1", LADDER, set_pole, return_range=(low, high), mastery=mastery)
