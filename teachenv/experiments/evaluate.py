"""Evaluation: a deterministic student, one episode per task of a fixed test set."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from teachenv.env import MakeEnv
from teachenv.experiments.testsets import TestSet

Act = Callable[[NDArray[Any]], NDArray[Any]]
MAX_LANES = 25


@dataclass(frozen=True)
class Evaluation:
    """What a student reached on a test set, task by task.

    Attributes:
        test_set: Name of the test set.
        returns: Episode returns, in the order of the tasks.
        lengths: Episode lengths.
        success: Whether each task was mastered.
    """

    test_set: str
    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    success: tuple[bool, ...]

    @property
    def share_mastered(self) -> float:
        """Share of tasks mastered, in [0, 1]."""
        return float(np.mean(self.success))

    def row(self) -> dict[str, Any]:
        """Return the row of ``evals.jsonl`` (without round and step)."""
        return {
            "test_set": self.test_set,
            "status": "ok",
            "share_mastered": self.share_mastered,
            "mean_return": float(np.mean(self.returns)),
            "returns": list(self.returns),
            "lengths": list(self.lengths),
            "success": list(self.success),
        }


class _Lane:
    """One environment that plays one task after another."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.env = env
        self.index = -1
        self.observation: Any = None
        self.episode_return = 0.0
        self.length = 0

    def start(self, index: int, test_set: TestSet) -> None:
        """Begin task ``index``."""
        options = {"task": test_set.tasks[index], "level_seed": test_set.level_seeds[index]}
        self.observation, _ = self.env.reset(seed=index, options=options)
        self.index, self.episode_return, self.length = index, 0.0, 0

    def step(self, action: Any) -> tuple[bool, bool]:
        """Play one step; return whether the episode is over, and mastered."""
        self.observation, reward, terminated, truncated, info = self.env.step(action)
        self.length += 1
        if not (math.isfinite(reward) and np.all(np.isfinite(self.observation))):
            raise ValueError(
                f"task {self.index}, step {self.length}: reward or observation not finite"
            )
        self.episode_return += float(reward)
        return terminated or truncated, bool(info["is_success"])


def _evaluate_vector(
    act: Act, vector: gym.vector.VectorEnv[Any, Any, Any], test_set: TestSet
) -> Evaluation:
    """Play one task in each lane; lanes that are done play on, and do not count."""
    n_tasks = len(test_set)
    returns, lengths = np.zeros(n_tasks), np.zeros(n_tasks, np.int64)
    success, playing = np.zeros(n_tasks, np.bool_), np.ones(n_tasks, np.bool_)
    options = {"task": test_set.tasks, "level_seed": np.array(test_set.level_seeds)}
    try:
        observations, _ = vector.reset(options=options)
        while playing.any():
            step = vector.step(act(observations))
            observations, rewards, terminated, truncated, info = step
            _require_finite(playing, observations, rewards, lengths)
            lengths += playing
            returns[playing] += rewards[playing]
            over = playing & (terminated | truncated)
            success[over] = info["is_success"][over]
            playing &= ~over
    finally:
        vector.close()
    return Evaluation(
        test_set.name, tuple(returns.tolist()), tuple(lengths.tolist()), tuple(success.tolist())
    )


def _require_finite(
    playing: NDArray[np.bool_],
    observations: NDArray[Any],
    rewards: NDArray[Any],
    lengths: NDArray[np.int64],
) -> None:
    fine = np.isfinite(rewards) & np.isfinite(observations).all(axis=1)
    for task in np.flatnonzero(playing & ~fine).tolist():
        raise ValueError(f"task {task}, step {lengths[task] + 1}: reward or observation not finite")


def evaluate(act: Act, make_env: Callable[[], gym.Env[Any, Any]], test_set: TestSet) -> Evaluation:
    """Play every task of a test set once.

    Episodes run side by side in a fixed number of lanes, so that the student sees batches of
    one size and the result does not depend on how long episodes last. Native environments play
    all tasks at once.

    Args:
        act: Deterministic policy for a batch of observations.
        make_env: Makes an environment; what it makes is closed at the end.
        test_set: What to play.

    Returns:
        The outcome of every task.

    Raises:
        ValueError: if the environment gives a reward or observation that is not finite.
    """
    vector = make_env.vector(len(test_set)) if isinstance(make_env, MakeEnv) else None
    if vector is not None:
        return _evaluate_vector(act, vector, test_set)
    n_tasks = len(test_set)
    lanes: list[_Lane] = []
    returns, lengths, success = [0.0] * n_tasks, [0] * n_tasks, [False] * n_tasks
    try:
        for index in range(min(MAX_LANES, n_tasks)):
            lanes.append(_Lane(make_env()))
            lanes[index].start(index, test_set)
        waiting, playing = len(lanes), set(range(len(lanes)))
        while playing:
            actions = act(np.stack([lane.observation for lane in lanes]))
            for number in sorted(playing):
                lane = lanes[number]
                over, mastered = lane.step(actions[number])
                if not over:
                    continue
                i = lane.index
                returns[i], lengths[i], success[i] = lane.episode_return, lane.length, mastered
                if waiting < n_tasks:
                    lane.start(waiting, test_set)
                    waiting += 1
                else:
                    playing.remove(number)
    finally:
        for lane in lanes:
            lane.env.close()
    return Evaluation(test_set.name, tuple(returns), tuple(lengths), tuple(success))
