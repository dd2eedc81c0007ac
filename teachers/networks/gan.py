"""The generator and the discriminator of GoalGAN."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from teachenv.one_thread import one_thread
from teachenv.protocols import State
from teachers.networks.layers import (
    Floats,
    Linear,
    load_module,
    load_optimizer,
    mlp,
    module_state,
    optimizer_state,
    step,
    tensor,
)

BATCH = 64
LEARNING_RATE = 1e-3


class Gan:
    """A least-squares GAN that knows good points from bad ones.

    As in Florensa, Held, Geng and Abbeel, ICML 2018, with a = -1 and b = 1: the
    discriminator is drawn to 1 at good points and to -1 at bad and generated ones, the
    generator makes points at which it is ``generator_target`` (c, 0 as published).

    Args:
        dim: Dimensions of a point and of the noise it is made from.
        generator_target: c.
        hidden: Units of the generator's two hidden layers; the discriminator's have half.
        rng: Draws the first weights.
    """

    def __init__(
        self, dim: int, generator_target: float, hidden: int, rng: np.random.Generator
    ) -> None:
        self._dim, self._target = dim, generator_target
        self._generator = nn.Sequential(
            mlp([dim, hidden, hidden], nn.ReLU(), rng),
            nn.ReLU(),
            Linear(hidden, dim, rng),
            nn.Tanh(),
        )
        half = max(1, hidden // 2)
        self._discriminator = mlp([dim, half, half, 1], nn.LeakyReLU(0.1), rng)
        self._optimizers = [
            torch.optim.RMSprop(network.parameters(), lr=LEARNING_RATE)
            for network in (self._generator, self._discriminator)
        ]

    def generate(self, n: int, rng: np.random.Generator) -> Floats:
        """Return ``n`` points in [-1, 1], shape ``(n, dim)``."""
        noise = tensor(rng.standard_normal((n, self._dim)))
        with one_thread(), torch.no_grad():
            points: Floats = self._generator(noise).numpy()
        return points

    def train(
        self, points: Floats, good: NDArray[np.bool_], n_iterations: int, rng: np.random.Generator
    ) -> None:
        """Take ``n_iterations`` steps of both networks.

        Args:
            points: In [-1, 1], shape ``(n, dim)``, at least one.
            good: Which are good, shape ``(n,)``.
            n_iterations: Batches.
            rng: Draws batches and noise.
        """
        all_points, all_targets = tensor(points), tensor(2.0 * good - 1.0)
        make, judge = self._optimizers
        with one_thread():
            for _ in range(n_iterations):
                chosen = torch.from_numpy(rng.integers(len(points), size=BATCH))
                noise = tensor(rng.standard_normal((2, BATCH, self._dim)))
                with torch.no_grad():
                    made = self._generator(noise[0])
                known = self._discriminator(all_points[chosen])[:, 0]
                loss = ((known - all_targets[chosen]) ** 2).mean()
                loss = loss + ((self._discriminator(made) + 1.0) ** 2).mean()
                step(judge, loss)
                made = self._generator(noise[1])
                step(make, ((self._discriminator(made) - self._target) ** 2).mean())

    def state_dict(self) -> State:
        """Return networks and optimizers."""
        return {
            "generator": module_state(self._generator),
            "discriminator": module_state(self._discriminator),
            "optimizers": {str(i): optimizer_state(o) for i, o in enumerate(self._optimizers)},
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        load_module(self._generator, state["generator"])
        load_module(self._discriminator, state["discriminator"])
        for i, optimizer in enumerate(self._optimizers):
            load_optimizer(optimizer, state["optimizers"][str(i)])
