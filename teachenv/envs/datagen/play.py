"""Playing an episode of a game of teaching: the agent of a Gymnasium environment is the teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from teachenv.lesson import GameTeacher

__all__ = ["Played", "play"]


@dataclass(frozen=True)
class Played:
    """What came of an episode, step by step.

    Attributes:
        rewards: What every step was rewarded with.
        infos: What every step told.
    """

    rewards: tuple[float, ...]
    infos: tuple[Mapping[str, Any], ...]


def play(
    env: gym.Env[Any, Any],
    teacher: GameTeacher,
    *,
    seed: int,
    task: Mapping[str, float] | None = None,
) -> Played:
    """Let a teacher play one episode.

    Args:
        env: ``teachenv/FunctionalTeaching-v0``, ``teachenv/FunctionalTeachingMulti-v0``,
            ``teachenv/InterventionBudget-v0`` or another that ends by itself.
        teacher: One of :mod:`teachers.data.games`, or your own.
        seed: Of the episode.
        task: Parameters of the task that differ from the default ones.
    """
    observation, _ = env.reset(seed=seed, options={"task": dict(task or {})})
    rewards, infos, over = [], [], False
    while not over:
        observation, reward, terminated, truncated, info = env.step(teacher.act(observation))
        teacher.tell(info)
        rewards.append(float(reward))
        infos.append(info)
        over = terminated or truncated
    return Played(tuple(rewards), tuple(infos))
