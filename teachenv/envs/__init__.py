"""The table of environments. A new environment is one file and one line here."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym


class Entry(NamedTuple):
    """How an environment is registered with Gymnasium, by strings.

    Attributes:
        single: Entry point of one environment.
        time_limit: In steps.
        vector: Entry point of many in one, where they have one of their own.
    """

    single: str
    time_limit: int
    vector: str | None = None


_BIPEDAL = "teachenv.envs.bipedal"

ENVS: dict[str, Entry] = {
    "teachenv/Walker-v0": Entry(f"{_BIPEDAL}.walkers:Walker", 2000, f"{_BIPEDAL}.make_vec:walker"),
    "teachenv/StumpTracks-v0": Entry(
        f"{_BIPEDAL}.walkers:StumpTracks", 2000, f"{_BIPEDAL}.make_vec:stump_tracks"
    ),
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
