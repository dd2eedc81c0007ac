"""Grid-adaptive curriculum: cells open up next to cells that are mastered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, Pick
from teachers.values import direction_problems, number_problems, refuse, whole_problems


class Grid(BaseTeacher):
    """Growing grid, after an idea of Margolis et al. (2022), in a form of our own.

    ("Rapid locomotion via reinforcement learning", RSS 2022: the grid-adaptive curriculum.)

    The unit cube is cut into cells, ``n_cells`` along each parameter (one per value for
    parameters of fewer values). At first only the cell of the easiest task is open. A cell
    counts as mastered while at least ``success_rate`` of its last ``n_outcomes`` outcomes were
    successes; once mastered, its neighbours (one step along one parameter) open up, for good.
    A share ``review`` of the tasks comes from mastered cells, the rest from open cells that are
    not, or no longer, mastered; evenly among cells, uniformly within.

    Deviations from Margolis et al.: cells are drawn from the frontier rather than from all that
    are open, and mastery is a rate of successes rather than one good episode.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        harder: Parameter name -> +1 where larger values are harder, -1 where smaller ones are;
            an environment's ``harder``. The first cell lies at the easy end of these.
        start: The first task, {name: value}; names left out are at their easy end or, without
            one, at the default of the space.
        n_cells: Cells along each parameter.
        success_rate: Share of successes that makes a cell mastered, in [0, 1].
        n_outcomes: Outcomes of a cell that are looked at.
        review: Share of tasks from mastered cells, in [0, 1].
        max_cells: Open cells there may be, for bounded memory (taken at construction).

    Raises:
        ValueError: for values out of range, all named at once, or a start that is no task.
    """

    id = "grid"
    knowledge: ClassVar[Knowledge] = "initial distribution"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        harder: Mapping[str, int] | None = None,
        start: Mapping[str, Any] | None = None,
        n_cells: int = 10,
        success_rate: float = 0.8,
        n_outcomes: int = 10,
        review: float = 0.2,
        max_cells: int = 10_000,
    ) -> None:
        super().__init__(space, seed=seed)
        problems = [
            *whole_problems(n_cells=n_cells, n_outcomes=n_outcomes, max_cells=max_cells),
            *number_problems(0.0, 1.0, success_rate=success_rate, review=review),
            *direction_problems(space, harder or {}),
        ]
        refuse(self.id, problems)
        self._rate, self._review = success_rate, review
        counts = [min(n_cells, dim.n_values or n_cells) for dim in space]
        self._n = np.array(counts, dtype=np.int64)
        self._n_open = 0
        self._cells = np.zeros((max_cells, space.dim), dtype=np.int64)
        # Of each open cell: its latest outcomes as a ring (1: success), how many there were,
        # whether it is mastered, and whether it ever was.
        self._successes = np.zeros((max_cells, n_outcomes), dtype=np.bool_)
        self._played = np.zeros(max_cells, dtype=np.int64)
        self._mastered = np.zeros(max_cells, dtype=np.bool_)
        self._grown = np.zeros(max_cells, dtype=np.bool_)
        easiest = {name: _easy_end(space, name, sign) for name, sign in (harder or {}).items()}
        first = space.to_unit(space.task({**easiest, **(start or {})}))
        self._open_up(np.minimum((first * self._n).astype(np.int64), self._n - 1))

    def _open_up(self, cell: NDArray[np.int64]) -> None:
        n = self._n_open
        if n < len(self._cells) and not (self._cells[:n] == cell).all(axis=1).any():
            self._cells[n] = cell
            self._n_open += 1

    def _sample(self) -> Pick:
        mastered = self._mastered[: self._n_open]
        review = bool(self._rng.random() < self._review)
        if not mastered.any() or mastered.all():
            review = bool(mastered.all())
        candidates = np.flatnonzero(mastered if review else ~mastered)
        chosen = int(candidates[self._rng.integers(len(candidates))])
        point = (self._cells[chosen] + self._rng.random(self.space.dim)) / self._n
        return Pick(point, f"{'review' if review else 'frontier'} cell {chosen}", note=chosen)

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        i = int(pick.note)
        ring = self._successes[i]
        ring[self._played[i] % len(ring)] = bool(outcome.success)
        self._played[i] += 1
        enough = self._played[i] >= len(ring)
        self._mastered[i] = enough and np.count_nonzero(ring) / len(ring) >= self._rate
        if self._mastered[i] and not self._grown[i]:
            self._grown[i] = True
            self._open_neighbours(self._cells[i])

    def _open_neighbours(self, cell: NDArray[np.int64]) -> None:
        for dim in range(self.space.dim):
            for step in (-1, 1):
                neighbour = cell.copy()
                neighbour[dim] += step
                if 0 <= neighbour[dim] < self._n[dim]:
                    self._open_up(neighbour)

    def _describe(self) -> dict[str, Any]:
        n = self._n_open
        low, size = self._cells[:n] / self._n, 1.0 / self._n
        return {
            "cells": {
                "low": low,
                "high": low + size,
                "mastered": self._mastered[:n].copy(),
                "n_outcomes": self._played[:n].copy(),
            },
            "n_open": n,
            "n_mastered": int(self._mastered.sum()),
        }

    def _state(self) -> State:
        return {name: cast(NDArray[Any], getattr(self, name))[: self._n_open] for name in _ARRAYS}

    def _load_state(self, state: State) -> None:
        arrays = {name: cast(NDArray[Any], state[name]) for name in _ARRAYS}
        n = len(arrays["_cells"])
        for name, array in arrays.items():
            expected = (n, *getattr(self, name).shape[1:])
            if array.shape != expected or not 1 <= n <= len(self._cells):
                raise ValueError(
                    f"grid: {name}: expected shape {expected} and up to {len(self._cells)} "
                    f"cells, got {array.shape}"
                )
        for name, array in arrays.items():
            own = getattr(self, name)
            own[:n], own[n:] = array, 0
        self._n_open = n


_ARRAYS = ("_cells", "_successes", "_played", "_mastered", "_grown")


def _easy_end(space: TaskSpace, name: str, sign: int) -> float:
    dim = space.dims[space.names.index(name)]
    return dim.low if sign > 0 else dim.high
