"""The network that ``students.rllib`` trains, with its observation normalisation."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule

from teachenv.protocols import State

CLIP = 10.0
"""Normalised observations and rewards are clipped to [-CLIP, CLIP]."""

EPSILON = 1e-8
"""Added to variances before their root is divided by."""


class Moments:
    """Running mean and variance over batches (Chan, Golub and LeVeque 1979).

    Starts as if a vanishing number of samples with mean 0 and variance 1 had been seen.

    Args:
        dim: Numbers per sample.
    """

    def __init__(self, dim: int) -> None:
        self.count = 1e-4
        self.mean = np.zeros(dim)
        self.variance = np.ones(dim)

    def update(self, samples: NDArray[Any]) -> None:
        """Take samples of shape ``(n, dim)``."""
        batch = np.asarray(samples, dtype=np.float64)
        share = len(batch) / (self.count + len(batch))
        shift = batch.mean(axis=0) - self.mean
        self.mean = self.mean + share * shift
        self.variance = (
            (1 - share) * self.variance
            + share * batch.var(axis=0)
            + share * (1 - share) * np.square(shift)
        )
        self.count += len(batch)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation, shape ``(dim,)``."""
        return np.sqrt(self.variance + EPSILON)

    def state_dict(self) -> State:
        """Return count, mean and variance."""
        return {"count": self.count, "mean": self.mean.copy(), "variance": self.variance.copy()}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self.count = float(state["count"])
        self.mean = np.array(state["mean"], dtype=np.float64)
        self.variance = np.array(state["variance"], dtype=np.float64)


class PpoModule(TorchRLModule, ValueFunctionAPI):
    """Separate tanh networks for policy and value on normalised observations.

    The observation mean and deviation are buffers: they reach the environment runners with the
    weights and change only between iterations, so that an iteration is played and learned with
    the same ones. Continuous actions are Gaussian with a free log deviation. Orthogonal
    initialisation as usual for PPO (gain sqrt 2; 0.01 for the policy's last layer, 1 for the
    value's).

    ``model_config``: ``hidden`` (widths of the hidden layers), ``normalise_observations`` and, for
    the learner, ``scale_rewards``.
    """

    def setup(self) -> None:
        """Build the networks."""
        (n,) = self.observation_space.shape
        hidden = self.model_config["hidden"]
        action = self.action_space
        discrete = isinstance(action, gym.spaces.Discrete)
        n_out = int(action.n) if discrete else int(action.shape[0])
        self.pi = _mlp(n, hidden, n_out, gain=0.01)
        self.vf = _mlp(n, hidden, 1, gain=1.0)
        self.log_std = None if discrete else torch.nn.Parameter(torch.zeros(n_out))
        self.register_buffer("obs_mean", torch.zeros(n))
        self.register_buffer("obs_std", torch.ones(n))

    def normalise_by(self, moments: Moments) -> None:
        """Set the observation mean and deviation."""
        self.obs_mean.copy_(torch.from_numpy(moments.mean))
        self.obs_std.copy_(torch.from_numpy(moments.deviation))

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        """Return state values, shape ``(n,)``."""
        values: torch.Tensor = self.vf(self._observations(batch)).squeeze(-1)
        return values

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        out = self.pi(self._observations(batch))
        if self.log_std is not None:
            out = torch.cat([out, self.log_std.expand_as(out)], dim=-1)
        return {Columns.ACTION_DIST_INPUTS: out}

    def _observations(self, batch: dict[str, Any]) -> torch.Tensor:
        observations: torch.Tensor = batch[Columns.OBS].float()
        if not self.model_config["normalise_observations"]:
            return observations
        normalised: torch.Tensor = (observations - self.obs_mean) / self.obs_std
        return normalised.clamp(-CLIP, CLIP)


def _mlp(n_in: int, hidden: list[int], n_out: int, *, gain: float) -> torch.nn.Sequential:
    widths = [n_in, *hidden, n_out]
    layers: list[torch.nn.Module] = []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        linear = torch.nn.Linear(a, b)
        torch.nn.init.orthogonal_(linear.weight, gain if i == len(hidden) else 2**0.5)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])
