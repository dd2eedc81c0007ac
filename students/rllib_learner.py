"""What ``students.rllib`` changes in RLlib's PPO: advantages, reward scale, signals, state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.connectors.learner import GeneralAdvantageEstimation
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.evaluation.postprocessing import Postprocessing
from scipy.signal import lfilter

from students.rllib_module import CLIP, EPSILON, Moments, PpoModule
from students.signals import EpisodeSignals, level_key
from students.tensors import (
    load_optimizer,
    optimizer_to_state,
    tensors_from_state,
    tensors_to_state,
)
from teachenv.protocols import State


class TrialAdvantages(ConnectorV2):
    """Generalised advantages, reward scaling and signals, in one pass over the episodes.

    Takes the place of RLlib's ``GeneralAdvantageEstimation``, which throws away the values and
    the advantages before standardising that the signals are made of. Rewards are divided by
    the running deviation of the discounted return; signals are multiplied back to raw units.

    Args:
        gamma: Discount.
        lambda_: Of the generalised advantage (Schulman et al. 2016, equation 16).
        scale_rewards: Whether to divide rewards.
        observations: Moments to update with every batch, if observations are normalised.

    Attributes:
        steps: Environment steps that came by.
        nothing_to_learn: Whether the last batch held only trials with ``train=False``.
        report: Called with trial id and signals when an episode has ended.
    """

    def __init__(
        self, *, gamma: float, lambda_: float, scale_rewards: bool, observations: Moments | None
    ) -> None:
        super().__init__()
        self.signals = EpisodeSignals(gamma)
        self.returns = Moments(1)
        self.observations = observations
        self.report: Callable[[int, dict[str, float]], None] | None = None
        self.steps = 0
        self.nothing_to_learn = False
        self._gamma = gamma
        self._lambda = lambda_
        self._scale_rewards = scale_rewards
        self._running: dict[int, float] = {}  # discounted return so far, by trial

    def restart(self) -> None:
        """Forget unfinished episodes."""
        self.signals.clear()
        self._running.clear()

    def __call__(
        self, *, rl_module: Any, batch: dict[str, Any], episodes: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Add advantages and value targets to the batch; see the class."""
        columns = batch[DEFAULT_MODULE_ID]
        with torch.no_grad():
            values = rl_module[DEFAULT_MODULE_ID].compute_values(columns).cpu().numpy()
        if self._scale_rewards:
            self.returns.update(np.concatenate([self._discounted(e) for e in episodes])[:, None])
            scale = float(self.returns.deviation[0])
        else:
            scale = 1.0
        advantages = np.zeros(len(values), dtype=np.float32)
        played = np.zeros(len(values), dtype=bool)  # not the slot RLlib adds to each episode
        trained = np.zeros(len(values), dtype=bool)
        start = 0
        for episode in episodes:
            n = len(episode) - 1
            steps = slice(start, start + n)
            own = values[start : start + n + 1].astype(np.float64)
            advantages[steps] = gae = self._advantages(episode, own, scale)
            played[steps] = True
            trained[steps] = episode.get_infos(-1).get("train", True)
            self._signal(episode, gae * scale, own[:-1] * scale)
            start += n + 1
        assert start == len(values), "RLlib's batch is not its episodes end to end"
        self.steps += int(played.sum())
        self.nothing_to_learn = not trained.any()
        if self.observations is not None:
            self.observations.update(columns[Columns.OBS].cpu().numpy()[played])
        keep = played if self.nothing_to_learn else trained
        columns[Postprocessing.VALUE_TARGETS] = torch.from_numpy(advantages + values)
        mean, deviation = advantages[keep].mean(), advantages[keep].std()
        advantages = (advantages - mean) / (deviation + EPSILON)
        columns[Postprocessing.ADVANTAGES] = torch.from_numpy(advantages)
        rows = torch.from_numpy(np.flatnonzero(keep))
        batch[DEFAULT_MODULE_ID] = {name: column[rows] for name, column in columns.items()}
        return batch

    def _discounted(self, episode: SingleAgentEpisode) -> NDArray[np.float64]:
        """Discounted returns up to each step, continued from the episode's earlier pieces."""
        info = episode.get_infos(-1)
        trial = int(info["trial"])
        carry = [self._gamma * self._running.pop(trial, 0.0)]
        rewards = np.asarray(episode.get_rewards(), dtype=np.float64)[:-1]
        returns, _ = lfilter([1.0], [1.0, -self._gamma], rewards, zi=carry)
        if not _ended(info):
            self._running[trial] = float(returns[-1])
        return np.asarray(returns)

    def _advantages(
        self, episode: SingleAgentEpisode, values: NDArray[np.float64], scale: float
    ) -> NDArray[np.float64]:
        """Generalised advantages of ``n`` steps from ``n + 1`` values, in scaled units."""
        rewards = np.asarray(episode.get_rewards(), dtype=np.float64)[:-1] / scale
        if self._scale_rewards:
            rewards = rewards.clip(-CLIP, CLIP)
        following = values[1:].copy()
        if episode.is_terminated:
            following[-1] = 0.0
        delta = rewards + self._gamma * following - values[:-1]
        decay = self._gamma * self._lambda
        return np.asarray(lfilter([1.0], [1.0, -decay], delta[::-1])[::-1])

    def _signal(self, episode: SingleAgentEpisode, gae: NDArray[Any], values: NDArray[Any]) -> None:
        info = episode.get_infos(-1)
        trial = int(info["trial"])
        rewards = np.asarray(episode.get_rewards(), dtype=np.float64)[:-1]
        self.signals.add(trial, gae, values, rewards)
        if "outcome" in info:
            level = level_key(info["task"], int(info["level_seed"]))
            named = self.signals.finish(trial, level)
            if self.report is not None:
                self.report(trial, named)
        elif _ended(info):
            self.signals.drop(trial)


def _ended(info: dict[str, Any]) -> bool:
    return "outcome" in info or "failed" in info


class TrialPpoLearner(PPOTorchLearner):
    """RLlib's PPO learner with :class:`TrialAdvantages`."""

    advantages: TrialAdvantages
    gradient_steps = 0
    """Gradient steps so far."""

    def build(self) -> None:
        """Build the learner and put the advantages into its pipeline."""
        super().build()
        settings = self._ppo_module.model_config
        (n,) = self._ppo_module.observation_space.shape
        self.advantages = TrialAdvantages(
            gamma=self.config.gamma,
            lambda_=self.config.lambda_,
            scale_rewards=settings["scale_rewards"],
            observations=Moments(n) if settings["normalise_observations"] else None,
        )
        self._learner_connector.remove(GeneralAdvantageEstimation)
        self._learner_connector.append(self.advantages)

    def after_gradient_based_update(self, *, timesteps: dict[str, Any]) -> None:
        """Bring the observation moments of this iteration to the next one."""
        super().after_gradient_based_update(timesteps=timesteps)
        moments = self.advantages.observations
        if moments is not None:
            self._ppo_module.normalise_by(moments)

    def apply_gradients(self, gradients_dict: Any) -> None:
        """Update the parameters, unless the batch holds nothing to learn from."""
        if not self.advantages.nothing_to_learn:
            self.gradient_steps += 1
            super().apply_gradients(gradients_dict)

    def plain_state(self) -> State:
        """Return what later updates depend on, as JSON values and arrays."""
        gae = self.advantages
        return {
            "module": tensors_to_state(self._ppo_module.state_dict()),
            "optimizer": optimizer_to_state(self.get_optimizer(DEFAULT_MODULE_ID)),
            "kl_coef": float(self.curr_kl_coeffs_per_module[DEFAULT_MODULE_ID]),
            "returns": gae.returns.state_dict(),
            "observations": gae.observations.state_dict() if gae.observations else {},
            "signals": gae.signals.state_dict(),
        }

    def load_plain_state(self, state: State) -> None:
        """Continue from :meth:`plain_state`.

        Raises:
            KeyError: if something is missing.
            RuntimeError: if the parameters are those of another network.
        """
        gae = self.advantages
        self._ppo_module.load_state_dict(tensors_from_state(state["module"]))
        load_optimizer(self.get_optimizer(DEFAULT_MODULE_ID), state["optimizer"])
        self.curr_kl_coeffs_per_module[DEFAULT_MODULE_ID].data.fill_(state["kl_coef"])
        gae.returns.load_state_dict(state["returns"])
        if gae.observations:
            gae.observations.load_state_dict(state["observations"])
        gae.signals.load_state_dict(state["signals"])
        self._weights_seq_no += 1  # runners take only weights newer than theirs

    @property
    def _ppo_module(self) -> PpoModule:
        return cast(PpoModule, self.module[DEFAULT_MODULE_ID].unwrapped())
