"""Curriculum environments as one Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from teachenv.errors import UserError
from teachenv.protocols import TrialSource
from teachenv.seeding import derive_int
from teachenv.wrap import CurriculumWrapper


class Lanes(DummyVecEnv):
    """``n`` environments stepped in turn in this process, each playing its own trials.

    As Stable-Baselines3's ``DummyVecEnv`` without its deep copy of every info (the environments
    return a new one each step). Every info names the :class:`Trial` it belongs to as ``played``.

    Args:
        make_env: Makes one environment with a task space.
        source: Where trials come from.
        n: Number of lanes.

    Raises:
        UserError: if the environments' observations are not a ``Box``.
    """

    def __init__(
        self, make_env: Callable[[], gym.Env[Any, Any]], source: TrialSource, n: int
    ) -> None:
        self.lanes = [CurriculumWrapper(make_env(), source, lane) for lane in range(n)]
        space = self.lanes[0].observation_space
        if not isinstance(space, gym.spaces.Box):
            for lane in self.lanes:
                lane.close()
            raise UserError(f"students learn from Box observations, this environment has {space}")
        super().__init__([lambda lane=lane: lane for lane in self.lanes])  # type: ignore[misc]

    def step_wait(self) -> VecEnvStepReturn:
        """Step every lane; a finished one starts its next trial at once."""
        infos: list[dict[str, Any]] = []
        observations = self.buf_obs[None]  # type: ignore[index]  # the one key of a Box
        for i, (lane, action) in enumerate(zip(self.lanes, self.actions, strict=True)):
            played = lane.trial
            observation, reward, terminated, truncated, info = lane.step(action)
            done = terminated or truncated
            info["played"] = played
            info["TimeLimit.truncated"] = truncated and not terminated
            if done:
                info["terminal_observation"] = np.array(observation)
                observation, self.reset_infos[i] = lane.reset()
            observations[i] = observation
            self.buf_rews[i] = reward
            self.buf_dones[i] = done
            infos.append(info)
        return observations.copy(), self.buf_rews.copy(), self.buf_dones.copy(), infos

    def restart_from(self, seed: int) -> None:
        """Seed the next reset of every lane."""
        self._seeds = [derive_int(seed, "lane", i) for i in range(self.num_envs)]

    def abandon(self) -> None:
        """Give up the trials being played."""
        for lane in self.lanes:
            lane.abandon()
