"""Proximal policy optimisation, from Stable-Baselines3."""

from __future__ import annotations

import torch
from stable_baselines3 import PPO

from students.ppo import PpoStudent, Rollout
from students.torch_student import TorchStudent


class _Ppo(PPO):
    rollout_buffer: Rollout

    def train(self) -> None:
        """Update, unless the rollout holds nothing to learn from."""
        if self.rollout_buffer.trained.any():
            super().train()


class Sb3Ppo(TorchStudent, PpoStudent):
    """Proximal policy optimisation with running normalisation, from Stable-Baselines3.

    The defaults for environments stepped one by one learn BipedalWalker's flat terrain in about
    half a million steps; they follow the published rl-baselines3-zoo settings, with smaller
    rollouts. Arguments, signals and errors are those of :class:`students.ppo.PpoStudent`.
    """

    name = "sb3-ppo"
    algorithm = _Ppo
    rollout = Rollout

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"policy": self._model.policy.optimizer}
