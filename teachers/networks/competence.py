"""MAGELLAN's estimate of the student's competence."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from teachenv.one_thread import one_thread
from teachenv.protocols import State
from teachers.networks.layers import (
    Floats,
    load_module,
    load_optimizer,
    mlp,
    module_state,
    optimizer_state,
    step,
    tensor,
)

BATCH = 128


class Competence:
    """A network that predicts the mean signal of a task.

    Args:
        dim: Dimensions of the unit cube.
        hidden: Units of each of the two hidden layers.
        learning_rate: Step size of Adam.
        rng: Draws the first weights.
    """

    def __init__(
        self, dim: int, hidden: int, learning_rate: float, rng: np.random.Generator
    ) -> None:
        self._network = mlp([dim, hidden, hidden, 1], nn.ReLU(), rng)
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=learning_rate, fused=True)

    def predict(self, points: Floats) -> Floats:
        """Return predictions in (0, 1), shape ``(n,)``."""
        with one_thread(), torch.no_grad():
            said: Floats = torch.sigmoid(self._network(_centred(points))[:, 0]).numpy()
        return said

    def train(
        self, points: Floats, signals: Floats, n_steps: int, rng: np.random.Generator
    ) -> None:
        """Take ``n_steps`` steps on the cross entropy with signals in [0, 1]."""
        all_points, all_signals = _centred(points), tensor(signals)
        with one_thread():
            for _ in range(n_steps):
                chosen = torch.from_numpy(rng.integers(len(points), size=BATCH))
                said = self._network(all_points[chosen])[:, 0]
                loss = functional.binary_cross_entropy_with_logits(said, all_signals[chosen])
                step(self._optimizer, loss)

    def weights(self) -> Floats:
        """Return all weights, shape ``(n_weights,)``."""
        vector: Floats = nn.utils.parameters_to_vector(self._network.parameters()).detach().numpy()
        return vector

    def predict_with(self, weights: Floats, points: Floats) -> Floats:
        """Return what other weights predict, see :meth:`predict`; the own ones stay."""
        own = self.weights()
        self._load_weights(weights)
        said = self.predict(points)
        self._load_weights(own)
        return said

    def _load_weights(self, weights: Floats) -> None:
        nn.utils.vector_to_parameters(tensor(weights), self._network.parameters())

    def state_dict(self) -> State:
        """Return network and optimizer."""
        return {
            "network": module_state(self._network),
            "optimizer": optimizer_state(self._optimizer),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        load_module(self._network, state["network"])
        load_optimizer(self._optimizer, state["optimizer"])


def _centred(points: Floats) -> torch.Tensor:
    return tensor(4.0 * points - 2.0)
