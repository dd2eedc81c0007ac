from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from worlds import POLE, POLE_SPACE

import teachenv.experiments.evaluate as module
from teachenv.env import MakeEnv
from teachenv.experiments import testsets
from teachenv.experiments.evaluate import evaluate


def balance(observations: np.ndarray) -> np.ndarray:
    """A hand-made pole balancer."""
    return (observations[:, 2] + 0.5 * observations[:, 3] + 0.05 * observations[:, 1] > 0).astype(
        int
    )


def play_alone(task: Any, level_seed: int) -> tuple[float, int, bool]:
    env = gym.make(POLE)
    observation, _ = env.reset(options={"task": task, "level_seed": level_seed})
    total, length, over, info = 0.0, 0, False, {}
    while not over:
        action = balance(observation[None])[0]
        observation, reward, terminated, truncated, info = env.step(action)
        total, length, over = total + float(reward), length + 1, terminated or truncated
    return total, length, info["is_success"]


def test_every_task_is_played_once_as_if_alone() -> None:
    test_set = testsets.load("grid-v1", POLE_SPACE)
    result = evaluate(balance, MakeEnv(POLE), test_set)
    alone = [play_alone(t, s) for t, s in zip(test_set.tasks, test_set.level_seeds, strict=True)]
    assert result.returns == tuple(row[0] for row in alone)
    assert result.lengths == tuple(row[1] for row in alone)
    assert result.success == tuple(row[2] for row in alone)
    assert 0 < result.share_mastered < 1
    assert result.share_mastered == np.mean([row[2] for row in alone])


@pytest.mark.parametrize("lanes", [1, 7, 100])
def test_the_number_of_lanes_does_not_matter(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    test_set = testsets.load("grid-v1", POLE_SPACE)
    usual = evaluate(balance, MakeEnv(POLE), test_set)
    monkeypatch.setattr(module, "MAX_LANES", lanes)
    assert evaluate(balance, MakeEnv(POLE), test_set) == usual


def test_environments_are_closed_when_the_policy_fails() -> None:
    closed = []

    class Closing(gym.Wrapper[Any, Any, Any, Any]):
        def close(self) -> None:
            closed.append(self)
            super().close()

    def broken(observations: np.ndarray) -> np.ndarray:
        raise RuntimeError("no policy")

    with pytest.raises(RuntimeError, match="no policy"):
        evaluate(broken, lambda: Closing(gym.make(POLE)), testsets.load("grid-v1", POLE_SPACE))
    assert len(closed) == module.MAX_LANES


def test_numbers_that_are_not_finite_are_refused_with_the_task() -> None:
    def make() -> gym.Env[Any, Any]:
        return gym.wrappers.TransformReward(gym.make(POLE), lambda reward: reward * np.nan)

    with pytest.raises(ValueError, match="task 0, step 1: reward or observation not finite"):
        evaluate(balance, make, testsets.load("grid-v1", POLE_SPACE))
