"""Soft actor-critic, from Stable-Baselines3."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from stable_baselines3 import SAC

from students.sac import Replay, SacStudent
from students.torch_student import TorchStudent
from teachenv.protocols import State


class _Sac(SAC):
    replay_buffer: Replay

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update, unless there is nothing to learn from yet."""
        if self.replay_buffer.size():
            super().train(gradient_steps, batch_size)


class Sb3Sac(TorchStudent, SacStudent):
    """Soft actor-critic with a learned entropy coefficient, from Stable-Baselines3.

    One update per step, with smaller networks and batches than the rl-baselines3-zoo settings for
    BipedalWalker, for the CPU, and without their state-dependent exploration, which did not learn
    at this size. The defaults walk flat BipedalWalker after 300 k steps, with a mean training
    return above 300 at 500 k, for about 5 CPU-ms a step. Arguments and errors are those of
    :class:`students.sac.SacStudent`.
    """

    name = "sb3-sac"
    algorithm = _Sac

    def _networks(self) -> State:
        return {**super()._networks(), "log_ent_coef": self._log_ent_coef().detach().numpy().copy()}

    def _load_networks(self, state: State) -> None:
        super()._load_networks(state)
        with torch.no_grad():
            self._log_ent_coef().copy_(torch.from_numpy(np.array(state["log_ent_coef"])))

    def _log_ent_coef(self) -> torch.Tensor:
        return cast(torch.Tensor, self._sac.log_ent_coef)

    @property
    def _sac(self) -> Any:
        return self._model

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {
            "actor": self._sac.actor.optimizer,
            "critic": self._sac.critic.optimizer,
            "log_ent_coef": self._sac.ent_coef_optimizer,
        }
