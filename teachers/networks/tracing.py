"""Knowledge tracing by a small recurrent network."""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from teachenv.lesson import Reading, Syllabus
from teachenv.one_thread import one_thread
from teachenv.protocols import State
from teachers.networks.layers import (
    Floats,
    Linear,
    load_module,
    load_optimizer,
    module_state,
    optimizer_state,
    step,
    tensor,
)

HIDDEN = 16
N_STUDENTS = 8
"""Students whose histories are kept to train on; memory is
``48 * N_STUDENTS * (n_steps + 1) * n_cells`` bytes."""
N_GRADIENT_STEPS = 5
"""Steps after every reading."""
LEARNING_RATE = 0.01
N_INPUTS = 5


class _Cell(nn.Module):
    """A gated recurrent unit and its reading of a cell's accuracy, as a logit."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.gates = Linear(N_INPUTS + HIDDEN, 2 * HIDDEN, rng)
        self.candidate = Linear(N_INPUTS + HIDDEN, HIDDEN, rng)
        self.readout = Linear(HIDDEN, 1, rng)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits ``(time, n)`` for ``(time, n, N_INPUTS)``."""
        hidden = inputs.new_zeros(inputs.shape[1], HIDDEN)
        logits = []
        for now in inputs:
            both = torch.cat([now, hidden], dim=1)
            update, reset = torch.sigmoid(self.gates(both)).chunk(2, dim=1)
            new = torch.tanh(self.candidate(torch.cat([now, reset * hidden], dim=1)))
            hidden = update * hidden + (1.0 - update) * new
            logits.append(self.readout(hidden)[:, 0])
        return torch.stack(logits)


class Recurrent:
    """Deep knowledge tracing (Piech et al., NeurIPS 2015) of cells, trained as it goes.

    One network reads the history of any cell: its accuracy where it is probed, what it was
    taught, its level, and how the other probed cells of its level do. It is trained on probed
    cells, half of which are hidden from it as if they were not, to say their accuracy.

    Args:
        syllabus: The cells.
        rng: Draws the first weights and what is hidden; owned from now on.
    """

    def __init__(self, syllabus: Syllabus, rng: np.random.Generator) -> None:
        self._syllabus = syllabus
        self._rng = rng.spawn(1)[0]
        self._network = _Cell(self._rng)
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=LEARNING_RATE)
        # Per student (time, n_cells, N_INPUTS + 1): the inputs, and the accuracy at the end.
        self._histories: deque[Floats] = deque(maxlen=N_STUDENTS)
        self.accuracy: Floats = np.full(syllabus.shape, 0.5)

    def begin(self) -> None:
        """Forget the student; the network and the last histories stay."""
        if not self._histories or len(self._histories[-1]):
            self._histories.append(np.empty((0, self._syllabus.n_cells, N_INPUTS + 1)))
        self.accuracy = np.full(self._syllabus.shape, 0.5)

    def observe(self, taught: NDArray[np.int64], reading: Reading) -> None:
        """Take a reading, train a little, and say anew what every cell's accuracy is."""
        probed = (reading.visible > 0.0).reshape(-1)
        row = self._row(taught, reading)
        self._histories[-1] = np.concatenate([self._histories[-1], row[None]])
        with one_thread():
            for _ in range(N_GRADIENT_STEPS if probed.any() else 0):
                self._train(self._histories[int(self._rng.integers(len(self._histories)))])
            with torch.no_grad():
                logits = self._network(tensor(self._histories[-1][:, :, :N_INPUTS]))[-1]
        said: Floats = torch.sigmoid(logits).numpy()
        self.accuracy = np.where(probed, row[:, -1], said).reshape(self._syllabus.shape)

    def _row(self, taught: NDArray[np.int64], reading: Reading) -> Floats:
        """Return the inputs and the accuracy of every cell, ``(n_cells, N_INPUTS + 1)``."""
        probed = reading.visible > 0.0
        accuracy = np.where(probed, reading.accuracy, 0.0)
        peers: Floats = np.full(accuracy.shape, 0.5)
        for axis in (None, 0):  # the other probed cells; those of the level, if there are any
            others = accuracy.sum(axis=axis) - accuracy
            n_others = probed.sum(axis=axis) - probed
            peers = np.where(n_others > 0, others / np.maximum(n_others, 1), peers)
        even = self._syllabus.n_samples / self._syllabus.n_cells
        levels = np.arange(self._syllabus.n_levels) / max(self._syllabus.n_levels - 1, 1)
        columns = [
            accuracy,
            probed,
            np.log1p(taught / even),
            np.broadcast_to(levels, probed.shape),
            peers,
            accuracy,
        ]
        return np.stack([np.asarray(c, dtype=np.float64).reshape(-1) for c in columns], axis=1)

    def _train(self, history: Floats) -> None:
        probed = history[:1, :, 1] > 0.0
        hidden = self._rng.random(history.shape[1]) < 0.5
        inputs = history[:, :, :N_INPUTS].copy()
        inputs[:, hidden, :2] = 0.0
        said = self._network(tensor(inputs))
        each = functional.binary_cross_entropy_with_logits(
            said, tensor(history[:, :, -1]), reduction="none"
        )
        weight = tensor((probed & hidden).astype(np.float64)).expand_as(each)
        step(self._optimizer, (each * weight).sum() / weight.sum().clamp(min=1.0), max_norm=1.0)

    def state_dict(self) -> State:
        """Return network, optimizer, histories and randomness."""
        return {
            "rng": self._rng.bit_generator.state,
            "network": module_state(self._network),
            "optimizer": optimizer_state(self._optimizer),
            "histories": {str(i): each for i, each in enumerate(self._histories)},
            "accuracy": self.accuracy,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        load_module(self._network, state["network"])
        load_optimizer(self._optimizer, state["optimizer"])
        bits = np.random.PCG64()
        bits.state = state["rng"]
        self._rng = np.random.Generator(bits)
        histories = state["histories"]
        self._histories = deque((histories[str(i)] for i in range(len(histories))), N_STUDENTS)
        self.accuracy = state["accuracy"]
