"""Layers, threads and plain state: what the networks of teachers share.

All random numbers come from a NumPy generator; torch's own are never drawn from.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from teachenv.protocols import State

Floats = NDArray[np.float64]

DTYPE = torch.float64


class Linear(nn.Module):
    """A linear layer with weights and biases uniform in ``+-1 / sqrt(n_in)``.

    ``torch.nn.Linear`` would draw them from torch's own generator.
    """

    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(n_in)
        self.weight = nn.Parameter(tensor(rng.uniform(-bound, bound, (n_out, n_in))))
        self.bias = nn.Parameter(tensor(rng.uniform(-bound, bound, n_out)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return ``(n, n_out)`` for ``(n, n_in)``."""
        return functional.linear(inputs, self.weight, self.bias)


def mlp(sizes: Sequence[int], activation: nn.Module, rng: np.random.Generator) -> nn.Sequential:
    """Return linear layers of the given sizes with an activation between them."""
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [Linear(n_in, n_out, rng), activation]
    return nn.Sequential(*layers[:-1])


def tensor(array: NDArray[Any]) -> torch.Tensor:
    """Return a copy of an array as a tensor of ``DTYPE``."""
    return torch.tensor(array, dtype=DTYPE)


def step(
    optimizer: torch.optim.Optimizer, loss: torch.Tensor, max_norm: float | None = None
) -> None:
    """Take a step down the gradient of ``loss``, clipped to a norm if one is given."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if max_norm is not None:
        nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], max_norm)
    optimizer.step()


def module_state(module: nn.Module) -> State:
    """Return copies of a module's parameters."""
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def load_module(module: nn.Module, state: State) -> None:
    """Take over what :func:`module_state` returned.

    Raises:
        ValueError: if the parameters have other names or shapes.
    """
    try:
        module.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    except RuntimeError as error:
        raise ValueError(f"the networks are of another kind: {error}") from None


def optimizer_state(optimizer: torch.optim.Optimizer) -> State:
    """Return copies of what an optimizer remembers, by number of the parameter."""
    slots = optimizer.state_dict()["state"]
    return {
        str(number): {name: value.numpy().copy() for name, value in slot.items()}
        for number, slot in slots.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Take over what :func:`optimizer_state` returned."""
    slots = {
        int(number): {name: torch.tensor(array) for name, array in slot.items()}
        for number, slot in state.items()
    }
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})
