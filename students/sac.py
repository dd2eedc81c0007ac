"""Soft actor-critic with trials, whatever library updates the networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer

from students.hyper import check_hyper
from students.lanes import Lanes, make_lanes
from students.sb3 import Sb3Student
from students.vector_lanes import VectorLanes
from teachenv.broker import Broker
from teachenv.errors import UserError
from teachenv.protocols import State
from teachenv.seeding import derive_int


class SacStudent(Sb3Student):
    """Soft actor-critic with a learned entropy coefficient.

    Trials with ``train=False`` do not enter the replay buffer. It has no state value and
    provides no signals.

    Args:
        make_env: Makes one environment with a task space.
        broker: Where the environments get their trials.
        seed: Fixes the initial parameters.
        n_envs: Environments stepped together.
        train_every: Environment steps (of all lanes together) between blocks of updates; rounded
            down to whole steps of every lane, at least one.
        gradient_steps: Updates per block.
        learning_starts: Steps played with uniformly random actions before the first update.
        buffer_size: Transitions the replay buffer holds.
        batch_size: Transitions per update.
        learning_rate: Of the three Adam optimizers; constant.
        gamma: Discount factor.
        tau: Rate at which the target network follows.
        hidden: Widths of the ReLU layers, for actor and critics each.
        threads: Threads the library may use.

    Raises:
        UserError: naming every hyper-parameter that is out of range, or if observations or
            actions are not a ``Box``.
    """

    algorithm: ClassVar[Callable[..., Any]]
    """Makes the model."""

    def __init__(
        self,
        make_env: Callable[[], gym.Env[Any, Any]],
        broker: Broker,
        *,
        seed: int = 0,
        n_envs: int = 1,
        train_every: int = 64,
        gradient_steps: int = 64,
        learning_starts: int = 10_000,
        buffer_size: int = 300_000,
        batch_size: int = 128,
        learning_rate: float = 7.3e-4,
        gamma: float = 0.99,
        tau: float = 0.02,
        hidden: Sequence[int] = (128, 128),
        threads: int = 1,
    ) -> None:
        check_hyper(
            self.name,
            counts={
                "n_envs": n_envs,
                "train_every": train_every,
                "gradient_steps": gradient_steps,
                "buffer_size": buffer_size,
                "batch_size": batch_size,
                "learning_starts": learning_starts,
                "threads": threads,
            },
            positive={"learning_rate": learning_rate},
            shares={"gamma": gamma, "tau": tau},
            weights={},
            hidden=hidden,
        )
        super().__init__(broker, threads)
        self._lanes = make_lanes(make_env, broker, n_envs)
        if not isinstance(self._lanes.action_space, gym.spaces.Box):
            self._lanes.close()
            raise UserError(
                f"{self.name}: expected Box actions, the environment has "
                f"{self._lanes.action_space}; take {self.name.replace('sac', 'ppo')}"
            )
        with self._computing():
            self._take(
                self.algorithm(
                    "MlpPolicy",
                    self._lanes,
                    learning_rate=learning_rate,
                    buffer_size=buffer_size,
                    learning_starts=learning_starts,
                    batch_size=batch_size,
                    tau=tau,
                    gamma=gamma,
                    train_freq=max(1, train_every // n_envs),
                    gradient_steps=gradient_steps,
                    replay_buffer_class=Replay,
                    replay_buffer_kwargs={"lanes": self._lanes},
                    policy_kwargs={"net_arch": list(hidden)},
                    seed=derive_int(seed, "student init"),
                    device="cpu",
                )
            )

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values and arrays."""
        return {**super().state_dict(), "replay": self._replay.state_dict()}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        super().load_state_dict(state)
        self._replay.load_state_dict(state["replay"])

    @property
    def gradient_steps(self) -> int:
        """Gradient steps so far, each of all networks."""
        return self._model._n_updates

    @property
    def _replay(self) -> Replay:
        replay: Replay = self._model.replay_buffer  # type: ignore[attr-defined]
        return replay


class Replay(ReplayBuffer):
    """A replay buffer of single transitions, without those of ``train=False`` trials.

    Args:
        buffer_size: Transitions it holds; new ones replace the oldest.
        observation_space: The observations.
        action_space: The actions.
        device: Where minibatches are put.
        lanes: Whose transitions are added.
        **options: Passed to the base class.
    """

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "observations",
        "next_observations",
        "actions",
        "rewards",
        "dones",
        "timeouts",
    )

    def __init__(
        self,
        buffer_size: int,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        device: Any = "cpu",
        *,
        lanes: Lanes | VectorLanes,
        **options: Any,
    ) -> None:
        options["n_envs"] = 1
        super().__init__(buffer_size, observation_space, action_space, device, **options)
        self._lanes = lanes

    def add(
        self,
        obs: NDArray[Any],
        next_obs: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        done: NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """Add the transitions of one step of every lane."""
        timeouts = np.array([info.get("TimeLimit.truncated", False) for info in infos])
        for i in np.flatnonzero(self._lanes.trained).tolist():
            columns = (obs, next_obs, action, reward, done, timeouts)
            for name, column in zip(self.COLUMNS, columns, strict=True):
                getattr(self, name)[self.pos, 0] = column[i]
            self.pos += 1
            if self.pos == self.buffer_size:
                self.full, self.pos = True, 0

    def state_dict(self) -> State:
        """Return the transitions and where the next one goes."""
        columns = {name: getattr(self, name)[: self.size()].copy() for name in self.COLUMNS}
        return {"pos": self.pos, "full": self.full, **columns}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        for name in self.COLUMNS:
            getattr(self, name)[: len(state[name])] = state[name]
        self.pos, self.full = int(state["pos"]), bool(state["full"])
