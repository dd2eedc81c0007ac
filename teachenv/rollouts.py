"""Recorded episodes that can be compared bit for bit; the checkers' way of playing."""

from __future__ import annotations

import contextlib
import copy
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from teachenv.seeding import derive_int
from teachenv.space import Task

Env = gym.Env[Any, Any]


@dataclass
class Step:
    """What ``reset`` or ``step`` returned."""

    observation: Any
    reward: float
    terminated: bool
    truncated: bool
    info: Mapping[str, Any]

    @property
    def exact(self) -> tuple[Any, ...]:
        """All but ``info``, comparable bit for bit (a NaN equals itself)."""
        return freeze(self.observation), repr(self.reward), self.terminated, self.truncated

    @property
    def finite(self) -> bool:
        """Whether reward and observation hold no NaN or infinity."""
        return math.isfinite(self.reward) and _finite(self.observation)


@dataclass
class Episode:
    """A played episode; ``steps[0]`` is the reset."""

    task: Task
    steps: list[Step] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Steps played, the reset not counted."""
        return len(self.steps) - 1

    @property
    def episode_return(self) -> float:
        """Undiscounted sum of rewards."""
        return sum(step.reward for step in self.steps)

    @property
    def ended(self) -> bool:
        """Whether the environment ended it."""
        return self.steps[-1].terminated or self.steps[-1].truncated

    def difference(self, other: Episode) -> str | None:
        """Where the first difference to ``other`` lies; ``None`` for equal episodes."""
        for i, (a, b) in enumerate(zip(self.steps, other.steps, strict=False)):
            if a.exact != b.exact:
                return f"they differ from step {i} on, on task {self.task.tolist()}"
        if self.length != other.length:
            return f"lengths {self.length} and {other.length}, on task {self.task.tolist()}"
        return None


def play(
    env: Env, *, seed: int, options: dict[str, Any] | None, actions_seed: int, rest: bool = False
) -> Iterator[Step]:
    """Reset ``env`` and play until it ends the episode, lazily.

    Args:
        env: The environment.
        seed: Seed of the reset.
        options: Options of the reset.
        actions_seed: Fixes the actions, drawn from the action space.
        rest: Take one action all the time: zero where possible.

    Yields:
        The reset and every step.
    """
    observation, info = env.reset(seed=seed, options=options)
    yield Step(copy.deepcopy(observation), 0.0, False, False, info)
    yield from resume(env, actions(env.action_space, actions_seed, rest))


def resume(env: Env, moves: Iterator[Any]) -> Iterator[Step]:
    """Play a running episode on, until it ends or the moves do."""
    for action in moves:
        observation, reward, terminated, truncated, info = env.step(action)
        step = Step(
            copy.deepcopy(observation), float(reward), bool(terminated), bool(truncated), info
        )
        yield step
        if terminated or truncated:
            return


def actions(space: spaces.Space[Any], seed: int, rest: bool = False) -> Iterator[Any]:
    """Yield actions without end: seeded draws, or always the same one at rest."""
    space = copy.deepcopy(space)
    space.seed(derive_int(seed, "actions"))
    still = space.sample()
    if isinstance(space, spaces.Box):
        still = np.clip(np.zeros(space.shape, space.dtype), space.low, space.high)
    elif isinstance(space, spaces.Discrete):
        still = space.start
    while True:
        yield still if rest else space.sample()


def collect(task: Task, steps: Iterator[Step], limit: int) -> Episode:
    """Play at most ``limit`` steps and return the episode."""
    return Episode(task, list(islice(steps, limit + 1)))


def freeze(value: Any) -> Any:
    """Return nested arrays, dictionaries and sequences as something compared bit for bit."""
    if isinstance(value, Mapping):
        return tuple((key, freeze(value[key])) for key in sorted(value))
    if isinstance(value, tuple | list):
        return tuple(map(freeze, value))
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()


def _finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    if isinstance(value, tuple | list):
        return all(map(_finite, value))
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def global_state() -> Any:
    """Return the state of Python's and NumPy's global generators, comparable."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  watched, not used
    return random.getstate(), name, np.asarray(keys).tobytes(), tuple(rest)


@contextlib.contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed Python's and NumPy's global generators for a while, then put them back."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  put back below
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
