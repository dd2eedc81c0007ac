"""The table of environments. A new environment is one file and one line here."""

from __future__ import annotations

import gymnasium as gym

ENVS: dict[str, tuple[str, int]] = {
    "teachenv/Walker-v0": ("teachenv.envs.bipedal.reference:Walker", 2000),
    "teachenv/StumpTracks-v0": ("teachenv.envs.bipedal.reference:StumpTracks", 2000),
}
"""Gymnasium id -> (entry point, time limit in steps)."""


def register_all() -> None:
    """Register every environment with Gymnasium, by string: nothing is imported yet."""
    for env_id, (entry_point, time_limit) in ENVS.items():
        if env_id not in gym.registry:
            gym.register(env_id, entry_point=entry_point, max_episode_steps=time_limit)
