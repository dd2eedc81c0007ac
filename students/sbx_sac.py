"""Soft actor-critic, from SBX (JAX)."""

from __future__ import annotations

from typing import Any

from sbx import SAC

from students.jax_student import JaxStudent
from students.sac import Replay, SacStudent


class _Sac(SAC):
    replay_buffer: Replay

    def train(self, gradient_steps: int, batch_size: int) -> None:
        """Update, unless there is nothing to learn from yet."""
        if self.replay_buffer.size():
            super().train(gradient_steps, batch_size)


class SbxSac(JaxStudent, SacStudent):
    """Soft actor-critic with a learned entropy coefficient, from SBX (JAX).

    As ``sb3-sac`` but for the initial parameters and a block of updates computed in one go.
    Arguments and errors are those of :class:`students.sac.SacStudent`.
    """

    name = "sbx-sac"
    algorithm = _Sac

    def _train_states(self) -> dict[str, tuple[Any, str]]:
        policy = self._model.policy
        return {
            "actor": (policy, "actor_state"),
            "critic": (policy, "qf_state"),
            "ent_coef": (self._model, "ent_coef_state"),
        }
