"""The hypercube student of Portelas et al. (2019): skills unlock their neighbours."""

from __future__ import annotations

import itertools
from typing import Any

from numpy.typing import NDArray

from teachenv.envs.toy.env import LearnerEnv
from teachenv.envs.toy.learner import CellLearner
from teachenv.errors import at_least
from teachenv.space import Dim, Task, TaskSpace

MAX_CELLS = 10_000_000
"""More are refused: the student would not fit into memory."""


class SkillGrid(CellLearner):
    """The toy student of ALP-GMM's paper (Portelas, Colas, Hofmann and Oudeyer, CoRL 2019).

    The unit cube is cut into ``n_cells ** n_dims`` cells. The origin's cell is open from the
    start, any other once one of its preceding neighbours (in each dimension the same index or one
    less) has competence ``UNLOCK``. Deterministic, and nothing is forgotten.

    Best curriculum: cell after cell, 76 episodes each, ``76 * n_cells ** n_dims`` in all.

    Args:
        n_dims: Parameters that matter.
        n_cells: Cells per such parameter.
        n_irrelevant: Further parameters, without any effect.

    Raises:
        ValueError: for numbers that are not positive (``n_irrelevant``: negative), or more than
            ``MAX_CELLS`` cells.
    """

    def __init__(self, n_dims: int = 2, n_cells: int = 10, n_irrelevant: int = 0) -> None:
        self.n_dims = at_least(1, "n_dims", n_dims)
        self.n_cells = at_least(1, "n_cells", n_cells)
        total = self.n_cells**self.n_dims
        if total > MAX_CELLS:
            raise ValueError(
                f"n_cells ** n_dims: expected at most {MAX_CELLS:,} cells, got {total:,}"
            )
        names = [f"x{i}" for i in range(n_dims)]
        extra = [f"irrelevant{i}" for i in range(at_least(0, "n_irrelevant", n_irrelevant))]
        dims = [Dim(name, 0.0, 1.0) for name in names + extra]
        self._strides = tuple(n_cells**i for i in reversed(range(n_dims)))
        super().__init__(TaskSpace(dims), total, range(total), dict.fromkeys(names, 1))

    def _cell(self, task: NDArray[Any]) -> int:
        cell, n = 0, self.n_cells
        for value in task[: self.n_dims].tolist():
            cell = cell * n + min(max(int(value * n), 0), n - 1)
        return cell

    def _centre(self, cell: int) -> Task:
        middle = [(index + 0.5) / self.n_cells for index in self._indices(cell)]
        rest = self.task_space.dim - self.n_dims
        return self.task_space.task([*middle, *[0.5] * rest])

    def _indices(self, cell: int) -> list[int]:
        return [cell // stride % self.n_cells for stride in self._strides]

    def _find_predecessors(self, cell: int) -> tuple[int, ...]:
        pairs = zip(self._indices(cell), self._strides, strict=True)
        steps = itertools.product(*[(0, stride) if index else (0,) for index, stride in pairs])
        return tuple(cell - sum(step) for step in steps if any(step))


class SkillGridEnv(LearnerEnv):
    """:class:`SkillGrid` behind Gymnasium's interface; see :class:`LearnerEnv`.

    Args:
        n_dims: See :class:`SkillGrid`, as for the rest.
        n_cells: See there.
        n_irrelevant: See there.
    """

    def __init__(self, n_dims: int = 2, n_cells: int = 10, n_irrelevant: int = 0) -> None:
        super().__init__(SkillGrid(n_dims, n_cells, n_irrelevant))
