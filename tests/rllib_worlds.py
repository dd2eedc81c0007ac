"""Small environments and a teacher for the RLlib tests; Ray's workers import this module."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np

from teachenv.env import Level, TaskEnv
from teachenv.protocols import Outcome, State, Trial
from teachenv.seeding import derive
from teachenv.space import Dim, TaskSpace
from teachenv.wrap import Parameterize

POLE = TaskSpace([Dim("length", 0.25, 1.0, default=0.5)])
GRAVITY = TaskSpace([Dim("gravity", 2.0, 12.0, default=10.0)])
X = TaskSpace([Dim("x", -1.0, 1.0, default=0.0)])


def set_pole(env: Any, task: dict[str, Any]) -> None:
    env.length = task["length"]
    env.polemass_length = env.masspole * env.length


def set_gravity(env: Any, task: dict[str, Any]) -> None:
    env.g = task["gravity"]


def cartpole() -> gym.Env[Any, Any]:
    return Parameterize("CartPole-v1", POLE, set_pole, return_range=(0, 500), mastery=475)


def pendulum() -> gym.Env[Any, Any]:
    return Parameterize(
        "Pendulum-v1",
        GRAVITY,
        set_gravity,
        return_range=(-1600, 0),
        mastery=-200,
        max_episode_steps=30,
    )


class Bribed(gym.Wrapper[Any, Any, Any, Any]):
    """Adds to every reward of one level."""

    def __init__(self, env: gym.Env[Any, Any], bribe: float, level_seed: int) -> None:
        super().__init__(env)
        self._bribe, self._level_seed, self._now = bribe, level_seed, 0.0

    def reset(self, **kwargs: Any) -> Any:
        observation, info = self.env.reset(**kwargs)
        self._now = self._bribe * (info["level_seed"] == self._level_seed)
        return observation, info

    def step(self, action: Any) -> Any:
        observation, reward, *rest = self.env.step(action)
        return observation, float(reward) + self._now, *rest


def bribed_pendulum(bribe: float, *, level_seed: int) -> gym.Env[Any, Any]:
    return Bribed(pendulum(), bribe, level_seed)


def echo_length(level_seed: int) -> int:
    """Steps of an ``Echo`` episode."""
    return 3 + level_seed % 5


class Echo(TaskEnv[Any, Any]):
    """Says what it was given: the return is ``x``, the length is that of the level seed.

    ``Echo.made`` counts the environments of this process, ``Echo.received`` keeps observations
    and the actions taken on them.
    """

    task_space = X
    return_range = (-1.0, 1.0)
    mastery = 0.5
    observation_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = gym.spaces.Box(np.float32([-3.0, 0.0]), np.float32([1.0, 0.5]))
    made = 0
    received: list[tuple[np.ndarray, np.ndarray]] = []  # noqa: RUF012  the point of it

    def __init__(self) -> None:
        Echo.made += 1
        self._t = 0

    @property
    def progress(self) -> float:
        return 0.0

    def _observation(self) -> np.ndarray:
        return np.array([self.task[0], self._t / 7], dtype=np.float32)

    def _start(self, level: Level, options: Any) -> np.ndarray:
        self._t = 0
        return self._observation()

    def _advance(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        self.received.append((self._observation(), np.array(action)))
        self._t += 1
        done = self._t == echo_length(self.level_seed)
        return self._observation(), float(self.task[0]) if done else 0.0, done, False


class Raising(Echo):
    def _advance(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        raise ArithmeticError(f"echo broke at {self.task[0]:.2f}")


class NotANumber(Echo):
    def _advance(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        return self._observation(), float("nan"), False, False


class Hanging(Echo):
    def _advance(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        time.sleep(3600)
        return super()._advance(action)


class Uniform:
    """Uniform teacher that keeps what it issued and was told."""

    def __init__(
        self, space: TaskSpace, needs: Iterable[str] = (), *, train: bool = True, seed: int = 0
    ) -> None:
        self.space = space
        self.needs = frozenset(needs)
        self.issued: dict[int, Trial] = {}
        self.told: dict[int, Outcome] = {}
        self._train = train
        self._rng = derive(seed, "teacher")

    def ask(self) -> Trial:
        trial = Trial(len(self.issued), self.space.sample(self._rng), train=self._train)
        self.issued[trial.id] = trial
        return trial

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        assert trial.id in self.issued
        assert trial.id not in self.told, f"trial {trial.id} told twice"
        self.told[trial.id] = outcome

    def describe(self) -> dict[str, Any]:
        return {}

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        pass


class Alternating(Uniform):
    """Every other trial is not for training; its level seed is 1, that of the others 0."""

    def ask(self) -> Trial:
        train = len(self.issued) % 2 == 0
        trial = Trial(len(self.issued), self.space.default, level_seed=int(not train), train=train)
        self.issued[trial.id] = trial
        return trial
