"""A student that can learn a small part of its tasks, and nothing elsewhere."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from teachenv.envs.toy.env import LearnerEnv
from teachenv.envs.toy.skill_grid import SkillGrid
from teachenv.protocols import State
from teachenv.seeding import derive
from teachenv.space import Task

OFFSET = 0.75
"""Where the learnable part lies: at 0 it would touch the low end of each dimension, at 1 the
high end."""


class UnlearnableBox(SkillGrid):
    """A :class:`SkillGrid` in a small box inside a large task space.

    Everywhere else nothing can be learnt: the score is 0, or with ``noise`` drawn from
    U(0, ``noise``) each time, which looks like progress to whoever compares two scores.

    Best curriculum: that of the grid inside.

    Args:
        n_dims: Parameters.
        n_cells: Cells per parameter, inside.
        learnable: Share of the task space that can be learnt, in (0, 1].
        noise: Highest score elsewhere, in [0, 0.75].
        seed: Of the noise.

    Raises:
        ValueError: for numbers out of range.
    """

    def __init__(
        self,
        n_dims: int = 2,
        n_cells: int = 3,
        learnable: float = 0.1,
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not 0.0 < learnable <= 1.0:
            raise ValueError(f"learnable: expected a number in (0, 1], got {learnable!r}")
        if not 0.0 <= noise <= 0.75:
            raise ValueError(f"noise: expected a number in [0, 0.75], got {noise!r}")
        self.noise = noise
        self.seed = seed
        self._rng = derive(seed, "learner")
        super().__init__(n_dims, n_cells)
        self.harder = {}
        self._side = learnable ** (1 / n_dims)
        self._low = OFFSET * (1 - self._side)

    def _cell(self, task: NDArray[Any]) -> int:
        inside = (task - self._low) / self._side
        if (inside < 0.0).any() or (inside > 1.0).any():
            return -1
        return super()._cell(inside)

    def _centre(self, cell: int) -> Task:
        return self.task_space.task(self._low + self._side * super()._centre(cell))

    def _play_nowhere(self) -> tuple[float, float]:
        if not self.noise:
            return 0.0, 0.0
        return self.noise * self._rng.random(), self.noise / 2

    def restart(self, seed: int | None = None) -> None:
        """Become a new student; the noise begins anew."""
        super().restart(seed)
        self.seed = self.seed if seed is None else seed
        self._rng = derive(self.seed, "learner")

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values."""
        return {**super().state_dict(), "seed": self.seed, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        if not {"seed", "rng"} <= set(state):
            raise ValueError("load_state_dict: expected seed and rng in the state")
        super().load_state_dict(state)
        self.seed = state["seed"]
        self._rng.bit_generator.state = state["rng"]


class UnlearnableBoxEnv(LearnerEnv):
    """:class:`UnlearnableBox` behind Gymnasium's interface; see :class:`LearnerEnv`.

    Args:
        n_dims: See :class:`UnlearnableBox`, as for the rest.
        n_cells: See there.
        learnable: See there.
        noise: See there.
    """

    def __init__(
        self, n_dims: int = 2, n_cells: int = 3, learnable: float = 0.1, noise: float = 0.0
    ) -> None:
        super().__init__(UnlearnableBox(n_dims, n_cells, learnable, noise))
