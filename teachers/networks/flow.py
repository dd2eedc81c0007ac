"""The setter, a conditional normalising flow, and the judge of Setter-Solver."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

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

N_BLOCKS = 3
N_HIGHWAYS = 3
LEAST_SCALE = 0.01
EDGE = 1e-4
LEARNING_RATE = 3e-4
MAX_NORM = 10.0


class Highway(nn.Module):
    """A tanh layer followed by highway layers: gates between a new value and the old one."""

    def __init__(self, n_in: int, hidden: int, n_out: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.first = Linear(n_in, hidden, rng)
        self.highways = nn.ModuleList(Linear(hidden, 2 * hidden, rng) for _ in range(N_HIGHWAYS))
        self.last = Linear(hidden, n_out, rng)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return ``(n, n_out)`` for ``(n, n_in)``."""
        x = torch.tanh(self.first(inputs))
        for highway in self.highways:
            value, gate = highway(x).chunk(2, dim=1)
            x = torch.lerp(x, torch.tanh(value), torch.sigmoid(gate))
        out: torch.Tensor = self.last(x)
        return out


class Setter(nn.Module):
    """A real NVP from normal noise to the unit cube, given the wanted feasibility.

    Three blocks of three affine couplings (left to right, right to left, interlaced), and a
    sigmoid. In one dimension all couplings depend on the feasibility alone.
    """

    def __init__(self, dim: int, hidden: int, rng: np.random.Generator) -> None:
        super().__init__()
        left = np.arange(dim) < dim // 2
        masks = [left, ~left, np.arange(dim) % 2 == 1] * N_BLOCKS
        self.masks = [tensor(mask) for mask in masks]
        self.nets = nn.ModuleList(Highway(dim + 1, hidden, 2 * dim, rng) for _ in masks)

    def _coupling(
        self, i: int, kept: torch.Tensor, feasibility: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        both = self.nets[i](torch.cat([kept, feasibility], dim=1))
        raw, shift = both.chunk(2, dim=1)
        moved = 1.0 - self.masks[i]
        # 1 for a raw value of 0, so that the flow begins near the identity.
        scale = LEAST_SCALE + (1.0 - LEAST_SCALE) * functional.softplus(raw) / math.log(2.0)
        return 1.0 - moved + moved * scale, moved * shift

    def forward(
        self, noise: torch.Tensor, feasibility: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return points of the cube, ``(n, dim)``, and their log densities, ``(n,)``.

        Args:
            noise: Shape ``(n, dim)``.
            feasibility: In (0, 1), shape ``(n, 1)``.
        """
        x, log_density = noise, _normal(noise)
        for i, mask in enumerate(self.masks):
            scale, shift = self._coupling(i, x * mask, feasibility)
            x = x * scale + shift
            log_density = log_density - scale.log().sum(dim=1)
        return torch.sigmoid(x), log_density - _log_slope(x)

    def log_density(self, points: torch.Tensor, feasibility: torch.Tensor) -> torch.Tensor:
        """Return log densities, shape ``(n,)``, of points of the cube."""
        x = torch.logit(points.clamp(EDGE, 1.0 - EDGE))
        log_density = -_log_slope(x)
        for i in reversed(range(len(self.masks))):
            scale, shift = self._coupling(i, x * self.masks[i], feasibility)
            x = (x - shift) / scale
            log_density = log_density - scale.log().sum(dim=1)
        return log_density + _normal(x)


def _normal(x: torch.Tensor) -> torch.Tensor:
    return -0.5 * (x * x + math.log(2.0 * math.pi)).sum(dim=1)


def _log_slope(x: torch.Tensor) -> torch.Tensor:
    """Return the log determinant of the sigmoid."""
    return (functional.logsigmoid(x) + functional.logsigmoid(-x)).sum(dim=1)


class SetterAndJudge:
    """Both networks and how they are trained.

    Args:
        dim: Dimensions of the unit cube.
        hidden: Units of the setter's hidden layers; the judge has three of 64.
        noise: Half the width of the noise added to reached tasks.
        rng: Draws the first weights.
    """

    def __init__(self, dim: int, hidden: int, noise: float, rng: np.random.Generator) -> None:
        self._dim, self._noise = dim, noise
        self._setter = Setter(dim, hidden, rng)
        self._judge = mlp([dim, 64, 64, 64, 1], nn.ReLU(), rng)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
            for network in (self._setter, self._judge)
        ]

    def tasks(self, feasibility: Floats, rng: np.random.Generator) -> Floats:
        """Return one point of the cube for each wanted feasibility, shape ``(n, dim)``."""
        noise = tensor(rng.standard_normal((len(feasibility), self._dim)))
        with one_thread(), torch.no_grad():
            points: Floats = self._setter(noise, tensor(feasibility)[:, None])[0].numpy()
        return points

    def feasibility(self, points: Floats) -> Floats:
        """Return what the judge says of points, in (0, 1), shape ``(n,)``."""
        with one_thread(), torch.no_grad():
            said: Floats = torch.sigmoid(self._judge(tensor(points))[:, 0]).numpy()
        return said

    def train(
        self,
        points: Floats,
        signals: Floats,
        n_steps: int,
        batch: int,
        rng: np.random.Generator,
    ) -> None:
        """Take ``n_steps`` steps of both networks.

        Args:
            points: Unit points, shape ``(n, dim)``, at least one.
            signals: In [0, 1], shape ``(n,)``.
            n_steps: Batches.
            batch: Tasks in a batch; all, in order, if there are no more.
            rng: Draws batches and noise.
        """
        with one_thread():
            for _ in range(n_steps):
                chosen = np.arange(len(points))
                if len(points) > batch:
                    chosen = rng.integers(len(points), size=batch)
                self._judge_step(points[chosen], signals[chosen])
                self._setter_step(points[chosen], signals[chosen], rng)

    def _judge_step(self, points: Floats, signals: Floats) -> None:
        said = self._judge(tensor(points))[:, 0]
        loss = functional.binary_cross_entropy_with_logits(said, tensor(signals))
        step(self._optimizers[1], loss, MAX_NORM)

    def _setter_step(self, points: Floats, signals: Floats, rng: np.random.Generator) -> None:
        n = len(points)
        wanted = tensor(rng.uniform(EDGE, 1.0 - EDGE, (2 * n, 1)))
        made, log_density = self._setter(tensor(rng.standard_normal((n, self._dim))), wanted[:n])
        feasible = (self._judge(made)[:, 0] - torch.logit(wanted[:n, 0])).square().mean()
        loss = feasible + log_density.mean()
        total = float(signals.sum())
        noise = self._noise * rng.uniform(-1.0, 1.0, points.shape)
        if total > 0.0:
            near = tensor(np.clip(points + noise, 0.0, 1.0))
            reached = tensor(signals / total)
            loss = loss - (reached * self._setter.log_density(near, wanted[n:])).sum()
        step(self._optimizers[0], loss, MAX_NORM)

    def state_dict(self) -> State:
        """Return networks and optimizers."""
        return {
            "setter": module_state(self._setter),
            "judge": module_state(self._judge),
            "optimizers": {str(i): optimizer_state(o) for i, o in enumerate(self._optimizers)},
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        load_module(self._setter, state["setter"])
        load_module(self._judge, state["judge"])
        for i, optimizer in enumerate(self._optimizers):
            load_optimizer(optimizer, state["optimizers"][str(i)])
