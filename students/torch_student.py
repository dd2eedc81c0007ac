"""Students whose parameters are torch modules."""

from __future__ import annotations

import torch

from students.sb3 import Sb3Student
from students.tensors import (
    load_optimizer,
    optimizer_to_state,
    tensors_from_state,
    tensors_to_state,
)
from teachenv.protocols import State


class TorchStudent(Sb3Student):
    """Knows where a model of Stable-Baselines3 keeps its parameters."""

    def _networks(self) -> State:
        return {
            "policy": tensors_to_state(self._model.policy.state_dict()),
            "optimizers": {n: optimizer_to_state(o) for n, o in self._optimizers().items()},
        }

    def _load_networks(self, state: State) -> None:
        self._model.policy.load_state_dict(tensors_from_state(state["policy"]))
        for name, optimizer in self._optimizers().items():
            load_optimizer(optimizer, state["optimizers"][name])

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        raise NotImplementedError
