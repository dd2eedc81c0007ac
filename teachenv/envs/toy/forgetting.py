"""A student that forgets what it does not practise."""

from __future__ import annotations

from teachenv.envs.toy.env import LearnerEnv
from teachenv.envs.toy.learner import FULL, UNLOCK
from teachenv.envs.toy.skill_grid import SkillGrid
from teachenv.errors import at_least
from teachenv.protocols import State
from teachenv.space import Task


class Forgetting(SkillGrid):
    """A :class:`SkillGrid` whose cells lose competence while they are not practised.

    In every episode each cell but the one practised (if it is open) loses ``1 / memory`` points,
    down to 0; a cell whose predecessors have been forgotten is closed again. So one episode in
    ``memory`` keeps a cell as it is, and at most ``memory`` cells can be kept. Episodes played
    without learning count as episodes without practice.

    Best known curriculum: rehearse the mastered cell that is about to be lost, if there is one;
    otherwise practise the next cell. With ``m`` cells mastered that leaves a share ``1 - m /
    memory`` of the episodes for new ones, and mastering ``n`` takes about
    ``-76 * memory * ln(1 - n / memory)`` episodes.

    Args:
        n_dims: See :class:`SkillGrid`.
        n_cells: See there.
        memory: Episodes without practice that cost one point of competence.

    Raises:
        ValueError: for numbers that are not positive, or fewer ``memory`` than cells: they could
            not all be kept.
    """

    def __init__(self, n_dims: int = 2, n_cells: int = 5, memory: int = 100) -> None:
        super().__init__(n_dims, n_cells)
        self._practised = [0] * self._n_cells  # episode of the last practice, by cell
        self.memory = at_least(1, "memory", memory)
        if memory < self._n_cells:
            raise ValueError(
                f"memory: expected at least one episode per cell ({self._n_cells}), got {memory}"
            )

    def _competence_now(self, cell: int) -> float:
        lost = (self.n_episodes - self._practised[cell]) / self.memory
        return max(0.0, self._competence[cell] - lost)

    def _practise(self, cell: int, before: float) -> float:
        # The episode has been counted: what it takes from others, it does not take from this one.
        if self._is_open(cell):
            kept = before + 1 / self.memory if before else 0.0
            before = self._competence[cell] = min(kept + 1, FULL)
            self._practised[cell] = self.n_episodes
        return before

    @property
    def mastered_share(self) -> float:
        """Share of the cells that are mastered now, in [0, 1]."""
        mastered = sum(self._competence_now(cell) > UNLOCK for cell in self._curriculum)
        return mastered / len(self._curriculum)

    def best_task(self) -> Task:
        """Return the mastered cell that is about to be lost, or the next one to learn."""
        now = [self._competence_now(cell) for cell in self._curriculum]
        mastered = [cell for cell, competence in enumerate(now) if competence > UNLOCK]
        if mastered:
            weakest = min(mastered, key=now.__getitem__)
            if now[weakest] - (len(mastered) + 1) / self.memory <= UNLOCK:
                return self._centre(weakest)
        return super().best_task()

    def restart(self, seed: int | None = None) -> None:
        """Become a new student."""
        super().restart(seed)
        self._practised = [0] * self._n_cells

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values."""
        return {**super().state_dict(), "practised": list(self._practised)}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        practised = [int(episode) for episode in state.get("practised", [])]
        if len(practised) != self._n_cells:
            raise ValueError(
                f"load_state_dict: expected {self._n_cells} cells, got {len(practised)}"
            )
        super().load_state_dict(state)
        self._practised = practised


class ForgettingEnv(LearnerEnv):
    """:class:`Forgetting` behind Gymnasium's interface; see :class:`LearnerEnv`.

    Args:
        n_dims: See :class:`Forgetting`, as for the rest.
        n_cells: See there.
        memory: See there.
    """

    def __init__(self, n_dims: int = 2, n_cells: int = 5, memory: int = 100) -> None:
        super().__init__(Forgetting(n_dims, n_cells, memory))
