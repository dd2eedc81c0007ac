"""Proximal policy optimisation, from Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from students.hyper import check_hyper
from students.lanes import Lanes
from students.sb3 import Advance, Sb3Student
from students.signals import SIGNALS, EpisodeSignals, level_key
from teachenv.broker import Broker
from teachenv.protocols import State, Trial
from teachenv.seeding import derive_int


class Sb3Ppo(Sb3Student):
    """Proximal policy optimisation with running normalisation, from Stable-Baselines3.

    The defaults learn BipedalWalker's flat terrain in about half a million steps on one core;
    after the published rl-baselines3-zoo settings, with smaller rollouts. Trials with
    ``train=False`` are played and scored but left out of the updates.

    Signals (:class:`students.signals.EpisodeSignals`) are in raw reward units: normalised
    advantages and values times the reward scale at the end of the rollout.

    Args:
        make_env: Makes one environment with a task space.
        broker: Where the environments get their trials.
        seed: Fixes the initial parameters.
        n_envs: Environments stepped together.
        n_steps: Steps of each environment per rollout.
        batch_size: Steps per gradient step.
        n_epochs: Passes over each rollout.
        learning_rate: Of Adam; constant.
        gamma: Discount factor, also of the reward normalisation.
        gae_lambda: Decay of the generalised advantage.
        clip_range: Bound of the policy ratio.
        ent_coef: Weight of the entropy bonus.
        vf_coef: Weight of the value loss.
        max_grad_norm: Bound of the gradient's norm.
        hidden: Widths of the tanh layers, for policy and value each.
        norm_obs: Whether observations are normalised by running statistics.
        norm_reward: Whether rewards are divided by the running deviation of the return.
        threads: Threads torch may use.

    Raises:
        UserError: naming every hyper-parameter that is out of range, or if observations are not
            a ``Box``.
    """

    provides = SIGNALS

    def __init__(
        self,
        make_env: Callable[[], gym.Env[Any, Any]],
        broker: Broker,
        *,
        seed: int = 0,
        n_envs: int = 16,
        n_steps: int = 256,
        batch_size: int = 256,
        n_epochs: int = 10,
        learning_rate: float = 3e-4,
        gamma: float = 0.999,
        gae_lambda: float = 0.95,
        clip_range: float = 0.18,
        ent_coef: float = 0.0,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        hidden: Sequence[int] = (64, 64),
        norm_obs: bool = True,
        norm_reward: bool = True,
        threads: int = 1,
    ) -> None:
        check_hyper(
            "sb3-ppo",
            counts={
                "n_envs": n_envs,
                "n_steps": n_steps,
                "batch_size": batch_size,
                "n_epochs": n_epochs,
                "threads": threads,
            },
            positive={
                "learning_rate": learning_rate,
                "clip_range": clip_range,
                "max_grad_norm": max_grad_norm,
            },
            shares={"gamma": gamma, "gae_lambda": gae_lambda},
            weights={"ent_coef": ent_coef, "vf_coef": vf_coef},
            hidden=hidden,
        )
        super().__init__(broker, Lanes(make_env, broker, n_envs), threads)
        self._signals = EpisodeSignals(gamma)
        self._normalizer = VecNormalize(
            self._lanes, norm_obs=norm_obs, norm_reward=norm_reward, gamma=gamma
        )
        self._model: _Ppo = _Ppo(
            "MlpPolicy",
            self._normalizer,
            learning_rate=learning_rate,
            n_steps=n_steps,
            batch_size=batch_size,
            n_epochs=n_epochs,
            gamma=gamma,
            gae_lambda=gae_lambda,
            clip_range=clip_range,
            ent_coef=ent_coef,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            rollout_buffer_class=_Rollout,
            policy_kwargs={"net_arch": list(hidden)},
            seed=derive_int(seed, "student init"),
            device="cpu",
        )
        self._model.set_logger(Logger(folder=None, output_formats=[]))

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values and arrays."""
        return {
            **super().state_dict(),
            "normalization": {name: _moments(rms) for name, rms in self._statistics().items()},
            "signals": self._signals.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        super().load_state_dict(state)
        for name, rms in self._statistics().items():
            saved = state["normalization"][name]
            rms.mean = np.array(saved["mean"], dtype=np.float64)
            rms.var = np.array(saved["var"], dtype=np.float64)
            rms.count = float(saved["count"])
        self._signals.load_state_dict(state["signals"])

    def _statistics(self) -> dict[str, Any]:
        statistics: dict[str, Any] = {"returns": self._normalizer.ret_rms}
        if self._normalizer.norm_obs:
            statistics["observations"] = self._normalizer.obs_rms
        return statistics

    def _normalized(self, observations: NDArray[Any]) -> NDArray[Any]:
        return cast(NDArray[Any], self._normalizer.normalize_obs(observations))

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"policy": self._model.policy.optimizer}

    def _callback(self, offset: int) -> BaseCallback:
        self._signals.clear()
        return _Recorder(self._broker, offset, self._signals, self._normalizer)


class _Rollout(RolloutBuffer):
    """A rollout whose steps of ``train=False`` trials are left out of the minibatches."""

    trained: NDArray[np.bool_]
    """Which steps to learn from, shape ``(n_steps, n_envs)``."""

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Yield shuffled minibatches, as the base class does."""
        if not self.generator_ready:
            for name in ("observations", "actions", "values", "log_probs"):
                setattr(self, name, self.swap_and_flatten(getattr(self, name)))
            self.advantages = self.swap_and_flatten(self.advantages)
            self.returns = self.swap_and_flatten(self.returns)
            self.generator_ready = True
        order = np.random.permutation(np.flatnonzero(self.trained.T))  # noqa: NPY002
        size = batch_size or len(order)
        for start in range(0, len(order), size):
            yield self._get_samples(order[start : start + size])


class _Ppo(PPO):
    rollout_buffer: _Rollout

    def train(self) -> None:
        """Update, unless the rollout holds nothing to learn from."""
        if self.rollout_buffer.trained.any():
            super().train()


class _Recorder(Advance):
    """Notes who played what in a rollout, and delivers the signals of finished trials."""

    def __init__(
        self, broker: Broker, offset: int, signals: EpisodeSignals, normalizer: VecNormalize
    ) -> None:
        super().__init__(broker, offset)
        self._signals = signals
        self._normalizer = normalizer
        self._played: list[list[Trial]] = []  # by step and lane
        self._rewards: list[NDArray[np.float64]] = []  # raw, by step and lane
        self._ends: list[tuple[int, int, bool]] = []  # lane, step, whether it was played out

    def _on_rollout_start(self) -> None:
        self._played.clear()
        self._rewards.clear()
        self._ends.clear()

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        step = len(self._played)
        self._played.append([info["played"] for info in infos])
        self._rewards.append(self._normalizer.get_original_reward())
        for lane in np.flatnonzero(self.locals["dones"]).tolist():
            self._ends.append((lane, step, "outcome" in infos[lane]))
        return super()._on_step()

    def _on_rollout_end(self) -> None:
        buffer = cast(_Ppo, self.model).rollout_buffer
        buffer.trained = np.array([[trial.train for trial in row] for row in self._played])
        scale = _reward_scale(self._normalizer)
        advantages, values = buffer.advantages * scale, buffer.values * scale
        rewards = np.stack(self._rewards)
        start = [0] * buffer.n_envs

        def add(trial: Trial, lane: int, stop: int) -> None:
            piece = slice(start[lane], stop)
            start[lane] = stop
            self._signals.add(
                trial.id, advantages[piece, lane], values[piece, lane], rewards[piece, lane]
            )

        # Sorted by step: a level's best return grows in the order the episodes ended.
        for lane, step, played_out in self._ends:
            trial = self._played[step][lane]
            add(trial, lane, step + 1)
            if played_out:
                level = level_key(trial.task, trial.level_seed)
                self._broker.signal(trial.id, self._signals.finish(trial.id, level))
            else:
                self._signals.drop(trial.id)
        for lane, trial in enumerate(self._played[-1]):
            add(trial, lane, len(self._played))


def _reward_scale(normalizer: VecNormalize) -> float:
    if not normalizer.norm_reward:
        return 1.0
    return float(np.sqrt(normalizer.ret_rms.var + normalizer.epsilon))


def _moments(rms: Any) -> State:
    return {"mean": np.array(rms.mean), "var": np.array(rms.var), "count": float(rms.count)}
