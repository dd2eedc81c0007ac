"""The hypercube student of Portelas et al. (2019, toy environment): skills unlock one another."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, Teacher

UNLOCK, FULL = 75, 100


class Hypercubes:
    """Competence in each cell of a cut unit cube; a cell is learnt once a neighbour is known.

    An episode in the origin's cell, or in a cell one of whose preceding neighbours has
    competence ``UNLOCK``, raises the cell's competence by 1 up to ``FULL``. Deterministic,
    nothing is forgotten.
    """

    def __init__(self, n_dims: int = 2, n_cells: int = 10) -> None:
        self.n_dims, self.n_cells = n_dims, n_cells
        self.competence = np.zeros((n_cells,) * n_dims, dtype=np.int64)

    def play(self, point: NDArray[np.float64]) -> float:
        """Play one episode at a unit point (further dimensions are ignored); return the score."""
        inside = np.minimum((point[: self.n_dims] * self.n_cells).astype(int), self.n_cells - 1)
        cell = tuple(inside.tolist())
        before = itertools.product(*[{i, max(0, i - 1)} for i in cell])
        known = any(self.competence[c] >= UNLOCK for c in before if c != cell)
        if known or not any(cell):
            self.competence[cell] = min(self.competence[cell] + 1, FULL)
        return float(self.competence[cell]) / FULL

    @property
    def mastered(self) -> float:
        """Share of cells with competence above ``UNLOCK``, in per cent."""
        return 100.0 * float(np.mean(self.competence > UNLOCK))

    def learn_from(self, teacher: Teacher, n_episodes: int) -> float:
        """Play what the teacher asks, one episode after the other; return :attr:`mastered`."""
        for _ in range(n_episodes):
            trial = teacher.ask()
            score = self.play(teacher.space.to_unit(trial.task))
            teacher.tell(trial, Outcome(score, score, 1, score > UNLOCK / FULL))
        return self.mastered
