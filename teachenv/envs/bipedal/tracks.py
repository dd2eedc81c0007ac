"""What the walkers play on: the table of tracks that both backends and all views share.

A new track is one entry here, a generator in ``terrain.py`` and its twin in ``native/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from teachenv.env import MAX_LEVEL_SEED, Level
from teachenv.envs.bipedal import terrain
from teachenv.envs.bipedal.draws import bits_at
from teachenv.envs.bipedal.terrain import Start
from teachenv.space import Dim, TaskSpace

RETURN_RANGE = (-150.0, 350.0)
MASTERY = 230.0

LEVEL_STREAM = 2
"""Stream of an environment's seed from which the level seeds of its episodes come."""


@dataclass(frozen=True)
class Track:
    """A family of levels.

    Attributes:
        name: How the native engine calls it.
        task_space: The tasks.
        harder: See :class:`teachenv.env.TaskEnv`.
        start: Makes terrain and push of a level.
        seeds_are_levels: Whether ``reset(seed=s)`` plays level seed ``s`` itself.
    """

    name: str
    task_space: TaskSpace
    harder: Mapping[str, int]
    start: Callable[[Level], Start]
    seeds_are_levels: bool = False

    def level_seeds(
        self, seeds: NDArray[np.uint64], episodes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the level seeds of episodes for which none is given.

        Args:
            seeds: Seeds of the environments, shape ``(n,)``.
            episodes: How many episodes each has begun since it was seeded, shape ``(n,)``.

        Returns:
            Level seeds, the same for the same seed and number of episodes, shape ``(n,)``;
            drawn ones are below 2**32.
        """
        drawn = (bits_at(seeds, LEVEL_STREAM, episodes) >> np.uint64(32)).astype(np.int64)
        if not self.seeds_are_levels:
            return drawn
        own = (episodes == 0) & (seeds < MAX_LEVEL_SEED)
        return np.where(own, seeds.astype(np.int64), drawn)


def _start_stock(level: Level) -> Start:
    rng, _ = seeding.np_random(level.level_seed)
    return terrain.stock(rng, hardcore=bool(level.task[0]))


def _start_stumps(level: Level) -> Start:
    height, spacing = level.task.tolist()
    ground = terrain.stump_tracks(height, spacing, level.level_seed)
    return Start(ground, terrain.initial_push(level.level_seed))


_COURSE = Dim(
    "course",
    default=0.0,
    meaning="grass only, or with stumps, stairs and pits",
    kind="choice",
    choices=("easy", "hardcore"),
)
STOCK = Track(
    "stock",
    TaskSpace([_COURSE]),
    MappingProxyType({"course": 1}),
    _start_stock,
    seeds_are_levels=True,
)
"""Gymnasium's BipedalWalker; ``course`` is "easy" unless said otherwise."""

HARDCORE = replace(STOCK, task_space=TaskSpace([replace(_COURSE, default=1.0)]))
"""The same; ``course`` is "hardcore" unless said otherwise."""

STUMP_TRACKS = Track(
    "stump_tracks",
    TaskSpace(
        [
            Dim("stump_height", 0.0, 3.0, 0.0, "terrain steps", "mean height of the stumps"),
            Dim("stump_spacing", 0.0, 6.0, 6.0, "m", "free ground between two stumps"),
        ]
    ),
    MappingProxyType({"stump_height": 1, "stump_spacing": -1}),
    _start_stumps,
)
"""Flat ground with stumps: ``stump_height`` in terrain steps of 0.467 m, ``stump_spacing`` in m."""
