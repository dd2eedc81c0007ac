"""The table of environments. A new environment is one file and one line here."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym


class Entry(NamedTuple):
    """How an environment is registered with Gymnasium, by strings.

    Attributes:
        single: Entry point of one environment.
        time_limit: In steps; ``None`` where episodes end on their own, or inside.
        vector: Entry point of many in one, where they have one of their own.
    """

    single: str
    time_limit: int | None = None
    vector: str | None = None


def _walkers(single: str, vector: str) -> Entry:
    package = "teachenv.envs.bipedal"
    return Entry(f"{package}.environments:{single}", 2000, f"{package}.make_vec:{vector}")


_CONTROL = "teachenv.envs.control"
_MAZES = "teachenv.envs.mazes"
_TOY = "teachenv.envs.toy"

ENVS: dict[str, Entry] = {
    "teachenv/Walker-v0": _walkers("Walker", "walker"),
    "teachenv/StumpTracks-v0": _walkers("StumpTracks", "stump_tracks"),
    "teachenv/HexagonTracks-v0": _walkers("HexagonTracks", "hexagon_tracks"),
    "teachenv/StumpSequences-v0": _walkers("StumpSequences", "stump_sequences"),
    "teachenv/ObstacleCourse-v0": _walkers("ObstacleCourse", "obstacle_course"),
    "teachenv/PointMass-v0": Entry(f"{_CONTROL}.point_mass:PointMass"),
    "teachenv/CartPole-v0": Entry(f"{_CONTROL}.cart_pole:make_cart_pole"),
    "teachenv/Acrobot-v0": Entry(f"{_CONTROL}.acrobot:make_acrobot"),
    "teachenv/Pendulum-v0": Entry(f"{_CONTROL}.pendulum:make_pendulum"),
    "teachenv/LunarLander-v0": Entry(f"{_CONTROL}.lunar_lander:make_lunar_lander"),
    "teachenv/Maze-v0": Entry(f"{_MAZES}.maze:Maze"),
    "teachenv/DoorKey-v0": Entry(f"{_MAZES}.door_key:DoorKey"),
    "teachenv/SkillGrid-v0": Entry(f"{_TOY}.skill_grid:SkillGridEnv"),
    "teachenv/Forgetting-v0": Entry(f"{_TOY}.forgetting:ForgettingEnv"),
    "teachenv/SteppingStones-v0": Entry(f"{_TOY}.stepping_stones:SteppingStonesEnv"),
    "teachenv/UnlearnableBox-v0": Entry(f"{_TOY}.unlearnable_box:UnlearnableBoxEnv"),
    "teachenv/Stressed-v0": Entry("teachenv.stress:make_stressed"),
}
"""Gymnasium id -> how it is registered."""


def register_all() -> None:
    """Register every environment with Gymnasium: nothing is imported yet."""
    for env_id, entry in ENVS.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=entry.single,
                vector_entry_point=entry.vector,
                max_episode_steps=entry.time_limit,
            )
