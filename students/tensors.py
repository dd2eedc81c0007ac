"""Torch modules and optimizers to plain state (NumPy arrays and JSON values) and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from teachenv.protocols import State


def tensors_to_state(tensors: Mapping[str, torch.Tensor]) -> State:
    """Return copies of named tensors (a module's ``state_dict``) as NumPy arrays."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in tensors.items()}


def tensors_from_state(state: State) -> dict[str, torch.Tensor]:
    """Return named tensors from :func:`tensors_to_state`; nothing is shared with ``state``."""
    return {name: _tensor(array) for name, array in state.items()}


def optimizer_to_state(optimizer: torch.optim.Optimizer) -> State:
    """Return an optimizer's state: ``groups`` (JSON) and ``slots`` (arrays by parameter)."""
    raw = optimizer.state_dict()
    return {
        "groups": [_plain(group) for group in raw["param_groups"]],
        "slots": {str(i): tensors_to_state(slots) for i, slots in raw["state"].items()},
    }


def load_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Continue from :func:`optimizer_to_state`.

    Raises:
        ValueError: if the optimizer has other parameter groups.
    """
    groups = [
        {k: tuple(v) if isinstance(v, list) and k != "params" else v for k, v in group.items()}
        for group in state["groups"]
    ]
    slots = {int(i): tensors_from_state(values) for i, values in state["slots"].items()}
    optimizer.load_state_dict({"param_groups": groups, "state": slots})


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array, copy=True))


def _plain(group: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in group.items():
        if isinstance(value, torch.Tensor):
            raise TypeError(f"optimizer setting {key!r} is a tensor; only plain numbers are kept")
        plain[key] = list(value) if isinstance(value, tuple) else value
    return plain
