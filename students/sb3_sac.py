"""Soft actor-critic, from Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import Logger

from students.hyper import check_hyper
from students.lanes import Lanes
from students.sb3 import Sb3Student
from teachenv.broker import Broker
from teachenv.errors import UserError
from teachenv.protocols import State
from teachenv.seeding import derive_int


class Sb3Sac(Sb3Student):
    """Soft actor-critic with a learned entropy coefficient, from Stable-Baselines3.

    One update per step, with smaller networks and batches than the rl-baselines3-zoo settings for
    BipedalWalker, for the CPU; their state-dependent exploration did not learn at this size. The
    defaults walk flat BipedalWalker after 300 k steps, with a mean training return above 300 at
    500 k, for about 5 CPU-ms a step. Trials with ``train=False`` do not enter the replay buffer.
    It has no state value and provides no signals.

    Args:
        make_env: Makes one environment with a task space.
        broker: Where the environments get their trials.
        seed: Fixes the initial parameters.
        n_envs: Environments stepped together.
        train_every: Environment steps (of all lanes together) between blocks of updates.
        gradient_steps: Updates per block.
        learning_starts: Steps played with uniformly random actions before the first update.
        buffer_size: Transitions the replay buffer holds.
        batch_size: Transitions per update.
        learning_rate: Of the three Adam optimizers; constant.
        gamma: Discount factor.
        tau: Rate at which the target network follows.
        use_sde: Whether exploration noise depends on the state and is drawn once per block.
        hidden: Widths of the ReLU layers, for actor and critics each.
        threads: Threads torch may use.

    Raises:
        UserError: naming every hyper-parameter that is out of range, or if observations or
            actions are not a ``Box``.
    """

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
        use_sde: bool = False,
        hidden: Sequence[int] = (128, 128),
        threads: int = 1,
    ) -> None:
        check_hyper(
            "sb3-sac",
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
        super().__init__(broker, Lanes(make_env, broker, n_envs), threads)
        if not isinstance(self._lanes.action_space, gym.spaces.Box):
            self._lanes.close()
            raise UserError(
                f"sb3-sac: expected Box actions, the environment has {self._lanes.action_space}; "
                "take sb3-ppo"
            )
        self._model: _Sac = _Sac(
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
            use_sde=use_sde,
            replay_buffer_class=_Replay,
            policy_kwargs={"net_arch": list(hidden)},
            seed=derive_int(seed, "student init"),
            device="cpu",
        )
        self._model.set_logger(Logger(folder=None, output_formats=[]))

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values and arrays."""
        replay = self._model.replay_buffer
        return {
            **super().state_dict(),
            "log_ent_coef": self._log_ent_coef().detach().numpy().copy(),
            "replay": {
                "pos": replay.pos,
                "full": replay.full,
                **{name: getattr(replay, name)[: replay.size()].copy() for name in replay.COLUMNS},
            },
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        super().load_state_dict(state)
        replay, saved = self._model.replay_buffer, state["replay"]
        for name in replay.COLUMNS:
            getattr(replay, name)[: len(saved[name])] = saved[name]
        replay.pos, replay.full = int(saved["pos"]), bool(saved["full"])
        with torch.no_grad():
            self._log_ent_coef().copy_(torch.from_numpy(np.array(state["log_ent_coef"])))

    def _log_ent_coef(self) -> torch.Tensor:
        return cast(torch.Tensor, self._model.log_ent_coef)

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "actor": self._model.actor.optimizer,
            "critic": self._model.critic.optimizer,
            "log_ent_coef": cast(torch.optim.Optimizer, self._model.ent_coef_optimizer),
        }


class _Replay(ReplayBuffer):
    """A replay buffer of single transitions, without those of ``train=False`` trials."""

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
        device: torch.device | str = "cpu",
        **options: Any,
    ) -> None:
        options["n_envs"] = 1
        super().__init__(buffer_size, observation_space, action_space, device, **options)

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
        for i, info in enumerate(infos):
            if info["played"].train:
                one = slice(i, i + 1)
                super().add(obs[one], next_obs[one], action[one], reward[one], done[one], [info])


class _Sac(SAC):
    replay_buffer: _Replay

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update, unless there is nothing to learn from yet."""
        if self.replay_buffer.size():
            super().train(gradient_steps, batch_size)
