"""A vector environment with trials as Stable-Baselines3 wants it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from teachenv.protocols import State, Trial, TrialSource
from teachenv.seeding import derive_int
from teachenv.vector import CurriculumVector, TaskVector

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The info of every lane whose episode goes on."""


class VectorLanes(VecEnv):
    """The lanes of a vector environment, each playing its own trials.

    Only lanes whose episode ended in a step get an info of their own, with what
    Stable-Baselines3 and our students look for: ``outcome`` (if it was played out),
    ``terminal_observation`` and ``TimeLimit.truncated``.

    Args:
        vector: The vector environment, a :class:`teachenv.vector.TaskVector`; put into mode
            ``SAME_STEP``, and closed with the lanes.
        source: Where trials come from.

    Attributes:
        played: The trial that the last step of each lane belonged to; replaced, never written.
        trained: bool of shape ``(n,)``: which of them are for training; replaced likewise.
    """

    played: Sequence[Trial]
    trained: NDArray[np.bool_]

    def __init__(self, vector: VectorEnv[Any, Any, Any], source: TrialSource) -> None:
        cast(TaskVector, vector.unwrapped).autoreset_mode = AutoresetMode.SAME_STEP
        self._vector = CurriculumVector(vector, source)
        super().__init__(
            vector.num_envs, vector.single_observation_space, vector.single_action_space
        )
        self._ongoing = [NOTHING] * self.num_envs

    def reset(self) -> VecEnvObs:
        """Start a fresh episode in every lane."""
        observations, _ = self._vector.reset(seed=list(self._seeds))
        self._reset_seeds()
        self._note_trials()
        return observations

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions of the next step, shape ``(n, ...)``."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step every lane; a finished one starts its next trial at once."""
        observations, rewards, terminated, truncated, more = self._vector.step(self._actions)
        if self._vector.played is not self.played:
            self._note_trials()
        done = terminated | truncated
        infos = self._ongoing
        if done.any():
            infos = infos.copy()
            outcomes = more["final_info"].get("outcome", (None,) * self.num_envs)
            for lane in np.flatnonzero(done).tolist():
                infos[lane] = info = {
                    "terminal_observation": more["final_obs"][lane],
                    "TimeLimit.truncated": not terminated[lane],
                }
                if outcomes[lane] is not None:
                    info["outcome"] = outcomes[lane]
        rewards = rewards.astype(np.float32)  # as of single environments
        return observations, rewards, done, cast(list[dict[str, Any]], infos)

    def restart_from(self, seed: int) -> None:
        """Seed the next reset of every lane."""
        self._seeds = [derive_int(seed, "lane", i) for i in range(self.num_envs)]

    def abandon(self) -> None:
        """Give up the trials being played."""
        self._vector.abandon()

    @property
    def carries(self) -> bool:
        """Whether :meth:`state_dict` can be taken."""
        return self._vector.carries

    def state_dict(self) -> State:
        """Return the trials being played and where their episodes are."""
        return self._vector.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Go on with the episodes of :meth:`state_dict`; the next step needs no reset."""
        self._vector.load_state_dict(state)
        self._note_trials()

    def close(self) -> None:
        """Give up the trials being played and close the environment."""
        self._vector.close()

    def _note_trials(self) -> None:
        self.played = cast(Sequence[Trial], self._vector.played)
        self.trained = np.array([trial.train for trial in self.played])

    # -- what single environments would be asked for -----------------------------------------

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """Return an attribute of the vector environment for each of the lanes."""
        value = getattr(self._vector.unwrapped, attr_name)
        return [value for _ in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[Any], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """Return False: lanes have no wrappers."""
        return [False for _ in self._get_indices(indices)]

    def set_attr(
        self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None
    ) -> None:
        """Lanes have no attributes of their own.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("set_attr: lanes of a vector environment have no attributes")

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: int | Iterable[int] | None = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Lanes have no methods of their own.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("env_method: lanes of a vector environment have no methods")
