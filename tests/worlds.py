"""Small worlds for tests, registered when imported: ``gym.make("worlds:worlds/Pole-v0")``."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from teachenv import Dim, Parameterize, TaskSpace

POLE_SPACE = TaskSpace(
    [Dim("length", 0.1, 2.0, default=0.5, unit="m"), Dim("force", 2.0, 20.0, default=10.0)]
)


def set_pole(env: Any, task: dict[str, Any]) -> None:
    env.length, env.force_mag = task["length"], task["force"]
    env.polemass_length = env.masspole * env.length


def pole(**kwargs: Any) -> gym.Env[Any, Any]:
    return Parameterize(
        "CartPole-v1", POLE_SPACE, set_pole, return_range=(0, 500), mastery=400, **kwargs
    )


gym.register("worlds/Pole-v0", entry_point=pole)
POLE = "worlds:worlds/Pole-v0"
