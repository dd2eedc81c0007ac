"""The worlds of function teaching, made alike at every stage, for teachers that learn."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.envs.datagen.functional import Action, Observation

__all__ = ["RelativeError"]

Floats = NDArray[np.float32]


class RelativeError(gym.Wrapper[Floats, Action, Observation, Action]):
    """Shows the error over its largest value, and pays for the share of it that goes.

    The best next example depends on the shape of the error, not on its size, but near the
    tolerance errors and rewards are a fiftieth of the first ones. Here the observation is
    ``error / max |error|`` and the reward the share of the mean squared error left that the
    example removed. For wrapping ``FunctionalTeaching-v0`` and ``FunctionalTeachingMulti-v0``.
    """

    def __init__(self, env: gym.Env[Observation, Action]) -> None:
        super().__init__(env)
        space: Any = env.observation_space
        self.observation_space = spaces.Box(-1.0, 1.0, space["error"].shape, np.float32)

    def reset(self, **kwargs: Any) -> tuple[Floats, dict[str, Any]]:
        """Start an episode; see :meth:`gymnasium.Env.reset`."""
        observation, info = self.env.reset(**kwargs)
        self._left = 1.0
        return _relative(observation), info

    def step(self, action: Action) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Teach an example; see :meth:`gymnasium.Env.step`."""
        observation, drop, terminated, truncated, info = self.env.step(action)
        share = float(drop) / self._left
        self._left -= float(drop)
        return _relative(observation), share, terminated, truncated, info


def _relative(observation: Observation) -> Floats:
    error = observation["error"]
    relative: Floats = error / np.maximum(np.abs(error).max(), np.float32(1e-6))
    return relative
