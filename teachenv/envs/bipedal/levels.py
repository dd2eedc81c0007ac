"""Levels that papers report on, by name: environment and task; a level seed fixes the rest.

Example:
    >>> env = make_level("xchal", level_seed=7)
    >>> observation, info = env.reset()

Sources: Wang et al., "Paired Open-Ended Trailblazer (POET)" (2019), for the roses; Parker-Holder
et al., "Evolving curricula with regret-based environment design" (ACCEL, 2022), whose published
code draws one of at most 1000 seeds from the clock; here every seed is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import gymnasium as gym
import numpy as np

from teachenv.env import read_level_seed
from teachenv.envs.bipedal.draws import Draws
from teachenv.errors import one_of

TASK_STREAM = 6
"""Stream of a level seed from which a task is drawn, where a level has no task of its own."""

Values = Mapping[str, float | str]


@dataclass(frozen=True)
class NamedLevel:
    """A level, or a family of levels, with a name.

    Attributes:
        env_id: Gymnasium id.
        note: What it is, in a few words.
        task: The task as a mapping, or what makes it from the level seed.
        options: Keyword arguments for ``gymnasium.make``.
    """

    env_id: str
    note: str
    task: Values | Callable[[int], Values]
    options: Mapping[str, Any] = field(default_factory=dict)

    def reset_options(self, level_seed: int) -> dict[str, Any]:
        """Return the options with which ``reset`` plays it."""
        task = self.task(level_seed) if callable(self.task) else self.task
        return {"task": dict(task), "level_seed": level_seed}


FLAT: Values = MappingProxyType(
    {
        "roughness": 0.0,
        "pit_gap_a": 0.0,
        "pit_gap_b": 0.0,
        "stump_height_a": 0.0,
        "stump_height_b": 0.0,
        "stair_height_a": 0.0,
        "stair_height_b": 0.0,
        "stair_steps": 1,
    }
)
"""An obstacle course without obstacles."""


def _course(
    note: str,
    roughness: float = 0.0,
    pits: tuple[float, float] = (0.0, 0.0),
    stumps: tuple[float, float] = (0.0, 0.0),
    stairs: tuple[float, float] = (0.0, 0.0),
    steps: int = 1,
) -> NamedLevel:
    task = _course_task(roughness, pits, stumps, stairs, steps)
    return NamedLevel("teachenv/ObstacleCourse-v0", note, task)


def _course_task(
    roughness: float,
    pits: tuple[float, float],
    stumps: tuple[float, float],
    stairs: tuple[float, float] = (0.0, 0.0),
    steps: int = 1,
) -> Values:
    values = (roughness, *pits, *stumps, *stairs, steps)
    return MappingProxyType(dict(zip(FLAT, values, strict=True)))


def _extremely_challenging(level_seed: int) -> Values:
    draws = Draws(level_seed, TASK_STREAM)
    stump, pit = draws.uniform(2.4, 3.0), draws.uniform(6.0, 8.0)
    return _course_task(draws.uniform(4.5, 8.0), (0.0, pit), (0.0, stump))


def _stock(note: str, course: str) -> NamedLevel:
    return NamedLevel("teachenv/Walker-v0", note, MappingProxyType({"course": course}))


_ROSE = "rose plot {} of POET"
LEVELS: Mapping[str, NamedLevel] = MappingProxyType(
    {
        "stock-easy": _stock("Gymnasium's BipedalWalker-v3", "easy"),
        "stock-hardcore": _stock("Gymnasium's BipedalWalkerHardcore-v3", "hardcore"),
        "flat": _course("flat ground"),
        "med-roughness": _course("grass 5 times as uneven as Gymnasium's", 5.0),
        "high-roughness": _course("grass 9 times as uneven as Gymnasium's", 9.0),
        "med-stump-height": _course("stumps 2 steps high", stumps=(2.0, 2.0)),
        "high-stump-height": _course("stumps 5 steps high", stumps=(5.0, 5.0)),
        "med-pit-gap": _course("pits 5 steps wide", pits=(5.0, 5.0)),
        "wide-pit-gap": _course("pits 10 steps wide", pits=(10.0, 10.0)),
        "med-stairs": _course("stairs of up to 4 steps 2 high", stairs=(2.0, 2.0), steps=4),
        "high-stairs": _course("stairs of up to 8 steps 5 high", stairs=(5.0, 5.0), steps=8),
        "insane": _course(
            "the greatest roughness and sizes of the others",
            9.0,
            (10.0, 10.0),
            (5.0, 5.0),
            (5.0, 5.0),
            8,
        ),
        "xchal": NamedLevel(
            "teachenv/ObstacleCourse-v0",
            "POET's extremely challenging: sizes drawn for every level seed",
            _extremely_challenging,
        ),
        "poet-rose-1a": _course(_ROSE.format("1a"), 5.6, (4.48, 6.4), (2.4, 2.82)),
        "poet-rose-1b": _course(_ROSE.format("1b"), 5.44, (4.48, 6.72), (1.8, 2.82)),
        "poet-rose-2a": _course(_ROSE.format("2a"), 7.2, (5.6, 7.2), (1.98, 2.82)),
        "poet-rose-2b": _course(_ROSE.format("2b"), 5.76, (1.6, 7.2), (2.16, 2.76)),
        "poet-rose-3a": _course(_ROSE.format("3a"), 5.28, (4.8, 7.2), (1.98, 2.76)),
        "poet-rose-3b": _course(_ROSE.format("3b"), 4.8, (4.48, 4.8), (2.4, 2.76)),
    }
)
"""Name -> level. Numbers of steps count those that are built: the published names for 4 and 8 are
5 and 9, which its code never reaches."""


class PlayLevel(gym.Wrapper[Any, Any, Any, Any]):
    """Plays a named level in every episode; explicit options of ``reset`` win.

    A task given by name changes the level's own; a level seed given fixes the task of levels that
    draw theirs.

    Args:
        env: Environment of the level's ``env_id``.
        level: The level.
        level_seed: Level seed of every episode; ``None`` draws one for each, the same ones after
            the same ``reset(seed=...)``.
    """

    def __init__(
        self, env: gym.Env[Any, Any], level: NamedLevel, level_seed: int | None = None
    ) -> None:
        super().__init__(env)
        self.level = level
        self._level_seed = level_seed
        self._rng = np.random.default_rng()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode on the level."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        given = dict(options or {})
        level_seed = self._level_seed
        if given.get("level_seed") is not None:
            level_seed = read_level_seed(given["level_seed"])
        if level_seed is None:
            level_seed = int(self._rng.integers(2**32))
        fixed = self.level.reset_options(level_seed)
        if isinstance(given.get("task"), Mapping):
            given["task"] = {**fixed["task"], **given["task"]}
        return super().reset(seed=seed, options={**fixed, **given, "level_seed": level_seed})


def make_level(name: str, level_seed: int | None = None, **settings: Any) -> gym.Env[Any, Any]:
    """Return an environment that plays a named level.

    Args:
        name: One of ``LEVELS``.
        level_seed: See :class:`PlayLevel`.
        **settings: Further keyword arguments for ``gymnasium.make``.

    Raises:
        UserError: for an unknown name.
    """
    level = LEVELS[one_of("level", name, LEVELS)]
    env = gym.make(level.env_id, **{**level.options, **settings})
    return PlayLevel(env, level, level_seed)
