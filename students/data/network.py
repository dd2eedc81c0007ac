"""What the students that are torch networks share: training, threads, seeds and state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from students.tensors import (
    load_optimizer,
    optimizer_to_state,
    tensors_from_state,
    tensors_to_state,
)
from teachenv.envs.datagen.items import Items
from teachenv.one_thread import one_thread
from teachenv.protocols import State
from teachenv.seeding import derive

__all__ = ["NetworkStudent", "seeded"]

Tensors = tuple[torch.Tensor, ...]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's own generator for a while: modules draw their parameters from it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


class NetworkStudent:
    """Trains a network on batches of shuffled items.

    Args:
        network: The network.
        optimizer: Of its parameters.
        batch_size: Items of a gradient step.

    Attributes:
        gradient_steps: Gradient steps since this object was made.
    """

    max_norm: ClassVar[float] = 0.0
    """Gradients are scaled down to this norm; 0 for never."""

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, *, batch_size: int
    ) -> None:
        self._network, self._optimizer = network, optimizer
        self._batch_size = batch_size
        self.gradient_steps = 0

    def train(
        self,
        items: Items,
        *,
        seed: int,
        epochs: int = 1,
        weights: NDArray[np.float32] | None = None,
        soft: NDArray[np.float32] | None = None,
    ) -> None:
        """Learn; see :meth:`students.data.base.DataStudent.train`."""
        data = self._examples(items, soft)
        scale = torch.ones(len(items)) if weights is None else torch.from_numpy(weights)
        rng = derive(seed, "batches")
        with one_thread():
            for _ in range(epochs):
                order = torch.from_numpy(rng.permutation(len(items)))
                for batch in torch.split(order, self._batch_size):
                    losses = self._losses(*(part[batch] for part in data))
                    self._optimizer.zero_grad()
                    (losses * scale[batch]).mean().backward()  # type: ignore[no-untyped-call]
                    if self.max_norm:
                        nn.utils.clip_grad_norm_(self._network.parameters(), self.max_norm)
                    self._optimizer.step()
                    self.gradient_steps += 1

    def state_dict(self) -> State:
        """Return the network's parameters and the optimiser's moments."""
        return {
            "network": tensors_to_state(self._network.state_dict()),
            "optimizer": optimizer_to_state(self._optimizer),
        }

    def load_state_dict(self, state: State) -> None:
        """Become the student :meth:`state_dict` was taken from."""
        self._network.load_state_dict(tensors_from_state(state["network"]))
        load_optimizer(self._optimizer, state["optimizer"])

    # -- what a network has of its own -----------------------------------------------------------

    def _examples(self, items: Items, soft: NDArray[np.float32] | None) -> Tensors:
        """Return what :meth:`_losses` takes, row by row."""
        raise NotImplementedError

    def _losses(self, *data: torch.Tensor) -> torch.Tensor:
        """Return the loss of every row, ``(n,)``."""
        raise NotImplementedError
