"""The table of environments. A new environment is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium as gym

from teachenv.envs.datagen.domain import DOMAINS


class Entry(NamedTuple):
    """How an environment is registered with Gymnasium, by strings.

    Attributes:
        single: Entry point of one environment.
        time_limit: In steps; ``None`` where episodes end on their own, or inside.
        vector: Entry point of many in one, where they have one of their own.
        kwargs: Keyword arguments it is always made with.
    """

    single: str
    time_limit: int | None = None
    vector: str | None = None
    kwargs: Mapping[str, Any] = MappingProxyType({})


def _walkers(single: str, vector: str) -> Entry:
    package = "teachenv.envs.bipedal"
    return Entry(f"{package}.environments:{single}", 2000, f"{package}.make_vec:{vector}")


def _data_generation(variant: str, single: str) -> dict[str, Entry]:
    return {
        f"teachenv/DataGen{variant}-{domain}-v0": Entry(single, kwargs={"domain": domain})
        for domain in DOMAINS
    }


_CONTROL = "teachenv.envs.control"
_MAZES = "teachenv.envs.mazes"
_DATAGEN = "teachenv.envs.datagen"
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
    "teachenv/FunctionalTeaching-v0": Entry(f"{_DATAGEN}.functional:FunctionalTeaching"),
    "teachenv/FunctionalTeachingMulti-v0": Entry(
        f"{_DATAGEN}.functional_multi:FunctionalTeachingMulti"
    ),
    "teachenv/InterventionBudget-v0": Entry(f"{_DATAGEN}.intervention:InterventionBudget"),
    "teachenv/Stressed-v0": Entry("teachenv.stress:make_stressed"),
    **_data_generation("SkillList", f"{_DATAGEN}.skill_list:SkillList"),
    **_data_generation("SkillTree", f"{_DATAGEN}.skill_tree:SkillTree"),
    **_data_generation("OpenEnded", f"{_DATAGEN}.open_ended:OpenEnded"),
}
"""Gymnasium id -> how it is registered."""

GAMES: dict[str, str] = {
    "teachenv/FunctionalTeaching-v0": "functional",
    "teachenv/FunctionalTeachingMulti-v0": "functional",
    "teachenv/InterventionBudget-v0": "intervention",
}
"""Environments whose agent is itself the teacher, step by step -> whose teachers play them, in
``teachers.data.games``."""


def register_all() -> None:
    """Register every environment with Gymnasium: nothing is imported yet."""
    for env_id, entry in ENVS.items():
        if env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=entry.single,
                vector_entry_point=entry.vector,
                max_episode_steps=entry.time_limit,
                kwargs=dict(entry.kwargs),
            )
