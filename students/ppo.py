"""Proximal policy optimisation with trials and signals, whatever library updates the networks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from students.hyper import check_hyper, ppo_defaults
from students.lanes import Lanes, make_lanes
from students.sb3 import Advance, Sb3Student
from students.signals import SIGNALS, EpisodeSignals, level_key
from students.vector_lanes import VectorLanes
from teachenv.broker import Broker
from teachenv.protocols import State, Trial
from teachenv.seeding import derive_int


class PpoStudent(Sb3Student):
    """Proximal policy optimisation with running normalisation.

    Trials with ``train=False`` are played and scored but left out of the updates.

    Signals (:class:`students.signals.EpisodeSignals`) are in raw reward units: normalised
    advantages and values times the reward scale at the end of the rollout.

    Args:
        make_env: Makes one environment with a task space.
        broker: Where the environments get their trials.
        seed: Fixes the initial parameters.
        n_envs: Environments stepped together. This and the next five are by default those of
            :data:`students.hyper.NATIVE` where the environments are one native vector
            (:meth:`teachenv.env.MakeEnv.vector`), otherwise of :data:`students.hyper.PLAIN`.
        n_steps: Steps of each environment per rollout.
        batch_size: Steps per gradient step; at most a rollout's.
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
        threads: Threads the library may use.

    Raises:
        UserError: naming every hyper-parameter that is out of range, or if observations are not
            a ``Box``.
    """

    provides = SIGNALS
    algorithm: ClassVar[Callable[..., Any]]
    """Makes the model."""
    rollout: ClassVar[type[Rollout]]
    """What it keeps its rollouts in."""

    def __init__(
        self,
        make_env: Callable[[], gym.Env[Any, Any]],
        broker: Broker,
        *,
        seed: int = 0,
        n_envs: int | None = None,
        n_steps: int | None = None,
        batch_size: int | None = None,
        n_epochs: int | None = None,
        learning_rate: float | None = None,
        gamma: float | None = None,
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
        chosen = ppo_defaults(
            make_env,
            n_envs=n_envs,
            n_steps=n_steps,
            batch_size=batch_size,
            n_epochs=n_epochs,
            learning_rate=learning_rate,
            gamma=gamma,
        )
        check_hyper(
            self.name,
            counts={
                "n_envs": chosen.n_envs,
                "n_steps": chosen.n_steps,
                "batch_size": chosen.batch_size,
                "n_epochs": chosen.n_epochs,
                "threads": threads,
            },
            positive={
                "learning_rate": chosen.learning_rate,
                "clip_range": clip_range,
                "max_grad_norm": max_grad_norm,
            },
            shares={"gamma": chosen.gamma, "gae_lambda": gae_lambda},
            weights={"ent_coef": ent_coef, "vf_coef": vf_coef},
            hidden=hidden,
        )
        super().__init__(broker, threads)
        self._lanes = make_lanes(make_env, broker, chosen.n_envs)
        self._signals = EpisodeSignals(chosen.gamma)
        self._normalizer = VecNormalize(
            self._lanes, norm_obs=norm_obs, norm_reward=norm_reward, gamma=chosen.gamma
        )
        with self._computing():
            self._take(
                self.algorithm(
                    "MlpPolicy",
                    self._normalizer,
                    learning_rate=chosen.learning_rate,
                    n_steps=chosen.n_steps,
                    batch_size=min(chosen.batch_size, chosen.n_envs * chosen.n_steps),
                    n_epochs=chosen.n_epochs,
                    gamma=chosen.gamma,
                    gae_lambda=gae_lambda,
                    clip_range=clip_range,
                    ent_coef=ent_coef,
                    vf_coef=vf_coef,
                    max_grad_norm=max_grad_norm,
                    rollout_buffer_class=self.rollout,
                    policy_kwargs={"net_arch": list(hidden)},
                    seed=derive_int(seed, "student init"),
                    device="cpu",
                )
            )

    @property
    def gradient_steps(self) -> int:
        """Gradient steps since this object was made: minibatches, each counted once."""
        rollout: Rollout = self._model.rollout_buffer  # type: ignore[attr-defined]
        return rollout.n_minibatches

    @property
    def carries(self) -> bool:
        """Whether the environments can be taken up where they were left: native ones."""
        return isinstance(self._lanes, VectorLanes) and self._lanes.carries

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values and arrays."""
        return {
            **super().state_dict(),
            "playing": self._episodes() if self._playing else None,
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
        self._playing = False
        if state.get("playing") is not None:
            self._go_on_with(state["playing"])

    def _episodes(self) -> State:
        """Return where the episodes are that the next ``learn`` goes on with."""
        model: Any = self._model
        return {
            "lanes": cast(VectorLanes, self._lanes).state_dict(),
            "observations": model._last_obs.copy(),
            "starts": model._last_episode_starts.copy(),
            "returns": self._normalizer.returns.copy(),
        }

    def _go_on_with(self, state: State) -> None:
        if not self.carries:
            raise ValueError(
                "load_state_dict: the state holds episodes of native environments, which these "
                "are not"
            )
        model: Any = self._model
        cast(VectorLanes, self._lanes).load_state_dict(state["lanes"])
        model._last_obs = np.array(state["observations"])
        model._last_episode_starts = np.array(state["starts"])
        self._normalizer.returns = np.array(state["returns"])
        self._playing = True

    def _statistics(self) -> dict[str, Any]:
        statistics: dict[str, Any] = {"returns": self._normalizer.ret_rms}
        if self._normalizer.norm_obs:
            statistics["observations"] = self._normalizer.obs_rms
        return statistics

    def _normalized(self, observations: NDArray[Any]) -> NDArray[Any]:
        return cast(NDArray[Any], self._normalizer.normalize_obs(observations))

    def _callback(self, offset: int) -> BaseCallback:
        if not self._playing:
            self._signals.clear()
        return Recorder(self._broker, offset, self._signals, self._normalizer, self._lanes)


class Rollout(RolloutBuffer):
    """A rollout whose steps of ``train=False`` trials are left out of the minibatches."""

    trained: NDArray[np.bool_]
    """Which steps to learn from, shape ``(n_steps, n_envs)``."""
    n_minibatches = 0
    """Minibatches given out so far, over all rollouts."""

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
        order = self._fill(order, size)
        for start in range(0, len(order), size):
            self.n_minibatches += 1
            yield self._get_samples(order[start : start + size])

    def _fill(self, order: NDArray[np.intp], batch_size: int) -> NDArray[np.intp]:
        """Return the steps of an epoch; subclasses may want the last minibatch filled up."""
        return order


class Recorder(Advance):
    """Notes who played what in a rollout, and delivers the signals of finished trials."""

    def __init__(
        self,
        broker: Broker,
        offset: int,
        signals: EpisodeSignals,
        normalizer: VecNormalize,
        lanes: Lanes | VectorLanes,
    ) -> None:
        super().__init__(broker, offset)
        self._signals = signals
        self._normalizer = normalizer
        self._lanes = lanes
        self._trained: list[NDArray[np.bool_]] = []  # by step and lane
        self._rewards: list[NDArray[np.float64]] = []  # raw, by step and lane
        self._ends: list[tuple[Trial, int, int, bool]] = []  # lane, step, whether played out

    def _on_rollout_start(self) -> None:
        self._trained.clear()
        self._rewards.clear()
        self._ends.clear()

    def _on_step(self) -> bool:
        lanes, infos, step = self._lanes, self.locals["infos"], len(self._rewards)
        self._trained.append(lanes.trained)
        self._rewards.append(self._normalizer.get_original_reward())
        for lane in np.flatnonzero(self.locals["dones"]).tolist():
            self._ends.append((lanes.played[lane], lane, step, "outcome" in infos[lane]))
        return super()._on_step()

    def _on_rollout_end(self) -> None:
        buffer = cast(Any, self.model).rollout_buffer
        buffer.trained = np.stack(self._trained)
        scale = _reward_scale(self._normalizer)
        advantages, values = (buffer.advantages * scale).T, (buffer.values * scale).T
        rewards = np.stack(self._rewards, axis=1)
        start = [0] * buffer.n_envs

        def add(trial: Trial, lane: int, stop: int) -> None:
            steps = slice(start[lane], stop)
            start[lane] = stop
            self._signals.add(
                trial.id, advantages[lane, steps], values[lane, steps], rewards[lane, steps]
            )

        # Sorted by step: a level's best return grows in the order the episodes ended.
        for trial, lane, step, played_out in self._ends:
            add(trial, lane, step + 1)
            if played_out:
                level = level_key(trial.task, trial.level_seed)
                self._broker.signal(trial.id, self._signals.finish(trial.id, level))
            else:
                self._signals.drop(trial.id)
        for lane, trial in enumerate(self._lanes.played):
            add(trial, lane, len(self._rewards))


def _reward_scale(normalizer: VecNormalize) -> float:
    if not normalizer.norm_reward:
        return 1.0
    return float(np.sqrt(normalizer.ret_rms.var + normalizer.epsilon))


def _moments(rms: Any) -> State:
    return {"mean": np.array(rms.mean), "var": np.array(rms.var), "count": float(rms.count)}
