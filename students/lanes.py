"""Curriculum environments as one Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from students.vector_lanes import VectorLanes
from teachenv.env import MakeEnv
from teachenv.errors import UserError
from teachenv.protocols import Trial, TrialSource
from teachenv.seeding import derive_int
from teachenv.wrap import CurriculumWrapper


class Lanes(DummyVecEnv):
    """``n`` environments stepped in turn in this process, each playing its own trials.

    As Stable-Baselines3's ``DummyVecEnv`` without its deep copy of every info (the environments
    return a new one each step).

    Args:
        make_env: Makes one environment with a task space.
        source: Where trials come from.
        n: Number of lanes.

    Attributes:
        played: The trial that the last step of each lane belonged to; replaced, never written.
        trained: bool of shape ``(n,)``: which of them are for training; replaced likewise.

    Raises:
        UserError: if the environments' observations are not a ``Box``.
    """

    played: Sequence[Trial]
    trained: NDArray[np.bool_]

    def __init__(
        self, make_env: Callable[[], gym.Env[Any, Any]], source: TrialSource, n: int
    ) -> None:
        self.lanes = [CurriculumWrapper(make_env, source, lane) for lane in range(n)]
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
        self.played = [cast(Trial, lane.trial) for lane in self.lanes]
        self.trained = np.array([trial.train for trial in self.played])
        for i, (lane, action) in enumerate(zip(self.lanes, self.actions, strict=True)):
            observation, reward, terminated, truncated, info = lane.step(action)
            done = terminated or truncated
            if done:
                info["TimeLimit.truncated"] = truncated and not terminated
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


def make_lanes(
    make_env: Callable[[], gym.Env[Any, Any]], source: TrialSource, n: int
) -> Lanes | VectorLanes:
    """Make the lanes of a student: one native vector environment where there is one.

    Args:
        make_env: Makes one environment; a :class:`teachenv.env.MakeEnv` may make many in one.
        source: Where trials come from.
        n: Number of lanes.

    Raises:
        UserError: if observations are not a ``Box``.
    """
    vector = make_env.vector(n) if isinstance(make_env, MakeEnv) else None
    return Lanes(make_env, source, n) if vector is None else VectorLanes(vector, source)
