"""A student on a winding path with dead ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from teachenv.envs.toy.env import LearnerEnv
from teachenv.envs.toy.learner import FULL, CellLearner
from teachenv.space import Dim, Task, TaskSpace

MAP = (
    "Soooooox",
    "x##x##o#",
    "#xooooox",
    "##o##x##",
    "#xoooooo",
)
"""``S``: open from the start; ``o``: stepping stone; ``x``: dead end; ``#``: out of reach."""

PLATEAU = 50
"""Highest competence on a dead end."""


class SteppingStones(CellLearner):
    """Skills that have to be learnt one after the other, along a path that turns back and forth.

    A map is laid over the unit square, ``row`` downwards and ``column`` to the right. A stepping
    stone is open once one of its neighbours in the four directions has competence ``UNLOCK``. So
    is a dead end, but its competence ends at ``PLATEAU``: it never opens anything and can never
    be mastered, while its scores, neither good nor bad, look like work in progress for ever. Only
    stones count for the share mastered.

    No direction of the task space is the hard one, and what is learnt next is one cell in forty.
    Best curriculum: stone after stone, 76 episodes each.

    Args:
        stones: The map: rows of equal length, made of the letters of :data:`MAP`.

    Raises:
        ValueError: for rows of different length, other letters, not exactly one ``S``, or stones
            that no path over other stones leads to.
    """

    def __init__(self, stones: Sequence[str] = MAP) -> None:
        self.stones = _read_map(stones)
        self._n_rows, self._n_columns = len(self.stones), len(self.stones[0])
        self._kinds = "".join(self.stones)
        self._start = self._kinds.index("S")
        space = TaskSpace([Dim("row", 0.0, 1.0), Dim("column", 0.0, 1.0)])
        super().__init__(space, len(self._kinds), self._path(), {})

    def _cell(self, task: NDArray[Any]) -> int:
        row, column = task.tolist()
        i = min(max(int(row * self._n_rows), 0), self._n_rows - 1)
        j = min(max(int(column * self._n_columns), 0), self._n_columns - 1)
        cell = i * self._n_columns + j
        return -1 if self._kinds[cell] == "#" else cell

    def _centre(self, cell: int) -> Task:
        i, j = divmod(cell, self._n_columns)
        return self.task_space.task([(i + 0.5) / self._n_rows, (j + 0.5) / self._n_columns])

    def _find_predecessors(self, cell: int) -> tuple[int, ...]:
        return () if cell == self._start else self._stones_around(cell)

    def _ceiling(self, cell: int) -> int:
        return PLATEAU if self._kinds[cell] == "x" else FULL

    def _stones_around(self, cell: int) -> tuple[int, ...]:
        i, j = divmod(cell, self._n_columns)
        around = ((i - 1, j), (i, j - 1), (i, j + 1), (i + 1, j))
        inside = [
            row * self._n_columns + column
            for row, column in around
            if 0 <= row < self._n_rows and 0 <= column < self._n_columns
        ]
        return tuple(other for other in inside if self._kinds[other] in "So")

    def _path(self) -> list[int]:
        """Return the stones in order of their distance from the start."""
        path = [self._start]
        for cell in path:  # grows while it is read
            path += [other for other in self._stones_around(cell) if other not in path]
        unreached = self._kinds.count("o") + 1 - len(path)
        if unreached:
            raise ValueError(f"stones: {unreached} of them cannot be reached from 'S'")
        return path


class SteppingStonesEnv(LearnerEnv):
    """:class:`SteppingStones` behind Gymnasium's interface; see :class:`LearnerEnv`.

    Args:
        stones: See :class:`SteppingStones`.
    """

    def __init__(self, stones: Sequence[str] = MAP) -> None:
        super().__init__(SteppingStones(stones))


def _read_map(stones: Sequence[str]) -> tuple[str, ...]:
    rows = tuple(stones)
    if not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        raise ValueError(f"stones: expected rows of one length, got {rows!r}")
    strange = sorted(set("".join(rows)) - set("Sox#"))
    if strange:
        raise ValueError(f"stones: expected only the letters S, o, x and #, got {strange}")
    if "".join(rows).count("S") != 1:
        raise ValueError(f"stones: expected exactly one 'S', got {rows!r}")
    return rows
