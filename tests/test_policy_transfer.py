from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from numpy.typing import NDArray
from walking_policy import WalkingPolicy

import teachenv  # noqa: F401  (registers the environments)
from teachenv.env import FIRST_TEST_LEVEL

pytest.importorskip("teachenv.envs.bipedal._native", reason="the native engine is not built")
LEVELS = FIRST_TEST_LEVEL + np.arange(100)


def native_returns() -> NDArray[np.float64]:
    walkers = gym.make_vec("teachenv/Walker-v0", num_envs=len(LEVELS))
    policy, returns = WalkingPolicy(), np.zeros(len(LEVELS))
    playing = np.ones(len(LEVELS), np.bool_)
    observations, _ = walkers.reset(options={"level_seed": LEVELS})
    while playing.any():
        observations, rewards, terminated, truncated, _ = walkers.step(policy(observations))
        returns += rewards * playing
        playing &= ~(terminated | truncated)
    return returns


def gymnasium_return(level: int) -> float:
    """What the policy scores in a fresh environment of Gymnasium's own."""
    env, policy = gym.make("BipedalWalker-v3", max_episode_steps=2000), WalkingPolicy()
    observation, _ = env.reset(seed=int(level))
    episode_return, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy(observation[None])[0])
        episode_return += float(reward)
        over = terminated or truncated
    env.close()
    return episode_return


def test_a_policy_trained_on_the_native_engine_walks_there() -> None:
    returns = native_returns()
    print(f"native: {returns.mean():.2f} +- {returns.std():.2f}, worst {returns.min():.1f}")
    assert returns.mean() > 305
    assert (returns > 300).mean() >= 0.98


@pytest.mark.slow
def test_a_policy_scores_in_gymnasium_what_it_scores_on_the_native_engine() -> None:
    native = native_returns()
    original = np.array([gymnasium_return(level) for level in LEVELS])
    print(f"native {native.mean():.2f} +- {native.std():.2f}, worst {native.min():.1f}")
    print(f"Gymnasium {original.mean():.2f} +- {original.std():.2f}, worst {original.min():.1f}")
    both_walk = (native > 300) & (original > 300)
    assert both_walk.mean() >= 0.96  # a fall now and then is chance
    assert abs(native[both_walk].mean() - original[both_walk].mean()) < 0.5
    assert np.abs(native - original)[both_walk].max() < 6.0
