"""What analytic students have in common, and the cells most of them are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State, Teacher
from teachenv.space import Task, TaskSpace

UNLOCK, FULL = 75, 100
"""Competence of a cell from which it unlocks others, and the highest there is."""

MASTERY = UNLOCK / FULL
"""Score above which a task is mastered."""

SIGNALS = frozenset(
    {"positive_value_loss", "value_l1", "max_monte_carlo", "value_mean", "value_start"}
)
"""Signals that analytic students can give honestly; see :meth:`Learner.signals`."""


class Learner(ABC):
    """A student made of a few rules, in place of a network and a world.

    An episode takes one step: :meth:`play` answers with the score of a task, and the student may
    have learnt from it. Since its rules are known, so is its best curriculum (:meth:`best_task`),
    which bounds from above what any teacher can reach.

    Attributes:
        task_space: The tasks.
        harder: Parameters along which tasks get harder; see :class:`teachenv.env.TaskEnv`.
        provides: Names of the :meth:`signals`.
    """

    task_space: TaskSpace
    harder: Mapping[str, int]
    provides: ClassVar[frozenset[str]] = SIGNALS

    @abstractmethod
    def play(self, task: NDArray[Any], train: bool = True) -> tuple[float, bool]:
        """Play one episode.

        Args:
            task: Numbers of shape ``(dim,)``; taken to lie in the task space, unchecked.
            train: ``False`` plays without learning.

        Returns:
            Score in [0, 1], after what was learnt; and whether that is above ``MASTERY``.
        """

    def play_many(
        self, tasks: NDArray[Any], train: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Play episodes, one after the other; see :meth:`play`.

        Args:
            tasks: Shape ``(n, dim)``.
            train: As there.

        Returns:
            Scores and successes, shape ``(n,)`` each.
        """
        played = [self.play(task, train) for task in tasks]
        scores = np.array([score for score, _ in played], dtype=np.float64)
        return scores, np.array([success for _, success in played], dtype=np.bool_)

    @property
    @abstractmethod
    def mastered_share(self) -> float:
        """Share in [0, 1] of what there is to master whose score is above ``MASTERY`` now."""

    @abstractmethod
    def best_task(self) -> Task:
        """Return the task that the best known curriculum plays next."""

    @abstractmethod
    def signals(self) -> dict[str, float]:
        """Return what a perfect critic would say about the last episode.

        Its value of a task is the score the student had there before the episode
        (``value_start``, ``value_mean``). ``positive_value_loss`` is how far the score came out
        above it, ``value_l1`` how far from it, ``max_monte_carlo`` how far the best score ever
        was above it; levels that the student cannot tell apart count as one.
        """

    @abstractmethod
    def restart(self, seed: int | None = None) -> None:
        """Become a new student: forget everything.

        Args:
            seed: Of whatever is random in the student; unchanged if left out.
        """

    @abstractmethod
    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values."""

    @abstractmethod
    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: if the state does not fit this student.
        """

    def learn_from(self, teacher: Teacher, n_episodes: int) -> float:
        """Play what a teacher asks, one episode after the other.

        Args:
            teacher: On this student's task space; the signals it needs must be provided.
            n_episodes: How many.

        Returns:
            :attr:`mastered_share` in the end.
        """
        ask, tell, play, needs = teacher.ask, teacher.tell, self.play, teacher.needs
        for _ in range(n_episodes):
            trial = ask()
            score, success = play(trial.task, trial.train)
            signals = self.signals() if needs else {}
            tell(trial, Outcome(score, score, 1, success, signals=signals))
        return self.mastered_share

    def learn_best(self, n_episodes: int) -> float:
        """Play the best known curriculum; return :attr:`mastered_share` in the end."""
        for _ in range(n_episodes):
            self.play(self.best_task())
        return self.mastered_share


class CellLearner(Learner):
    """A student with a competence in each cell of its task space, from 0 to ``FULL``.

    An episode in a cell raises its competence by 1, up to the cell's ceiling, if the cell is open:
    a cell without predecessors always is, any other while one of them has at least ``UNLOCK``.
    The score of a task is the competence of its cell over ``FULL``; a cell is mastered while its
    competence is *above* ``UNLOCK``.

    Args:
        task_space: The tasks.
        n_cells: Number of cells.
        curriculum: The cells that can be mastered, in an order in which that works.
        harder: See :class:`Learner`.
    """

    def __init__(
        self,
        task_space: TaskSpace,
        n_cells: int,
        curriculum: Sequence[int],
        harder: Mapping[str, int],
    ) -> None:
        self.task_space = task_space
        self.harder = harder
        self._curriculum = curriculum
        self._n_cells = n_cells
        self._predecessors: dict[int, tuple[int, ...]] = {}
        CellLearner.restart(self)

    # -- what a student implements ---------------------------------------------------------

    @abstractmethod
    def _cell(self, task: NDArray[Any]) -> int:
        """Return the cell of a task; -1 where nothing can be learnt."""

    @abstractmethod
    def _centre(self, cell: int) -> Task:
        """Return the task in the middle of a cell."""

    @abstractmethod
    def _find_predecessors(self, cell: int) -> tuple[int, ...]:
        """Return the cells any of which opens a cell; none: it is open from the start."""

    def _ceiling(self, cell: int) -> int:
        """Return the highest competence in a cell."""
        return FULL

    def _competence_now(self, cell: int) -> float:
        """Return the competence of a cell at this episode."""
        return self._competence[cell]

    def _play_nowhere(self) -> tuple[float, float]:
        """Play where nothing can be learnt; return the score and the one to be expected."""
        return 0.0, 0.0

    # -- learner ---------------------------------------------------------------------------

    def play(self, task: NDArray[Any], train: bool = True) -> tuple[float, bool]:
        """Play one episode; see :meth:`Learner.play`."""
        self.n_episodes += 1
        cell = self._cell(task)
        if cell < 0:
            score, value = self._play_nowhere()
        else:
            before = self._competence_now(cell)
            value = before / FULL
            score = self._practise(cell, before) / FULL if train else value
        best = max(score, self._best.get(cell, 0.0))
        self._best[cell] = best
        self._last = (score, value, best)
        return score, score > MASTERY

    def _practise(self, cell: int, before: float) -> float:
        """Play an episode in a cell with a competence; return the new one."""
        if not self._is_open(cell):
            return before
        after = max(before, min(before + 1, self._ceiling(cell)))
        self._competence[cell] = after
        self._n_mastered += before <= UNLOCK < after
        return after

    def _is_open(self, cell: int) -> bool:
        known = self._predecessors.get(cell)
        if known is None:
            known = self._predecessors[cell] = self._find_predecessors(cell)
        return not known or any(self._competence_now(other) >= UNLOCK for other in known)

    @property
    def mastered_share(self) -> float:
        """Share of the cells that can be mastered which are, in [0, 1]."""
        return self._n_mastered / len(self._curriculum)

    def best_task(self) -> Task:
        """Return the first cell of the curriculum that is not mastered, else the first."""
        left = (cell for cell in self._curriculum if self._competence_now(cell) <= UNLOCK)
        return self._centre(next(left, self._curriculum[0]))

    def signals(self) -> dict[str, float]:
        """Return what a perfect critic would say; see :meth:`Learner.signals`."""
        score, value, best = self._last
        return {
            "value_start": value,
            "value_mean": value,
            "positive_value_loss": max(0.0, score - value),
            "value_l1": abs(score - value),
            "max_monte_carlo": best - value,
        }

    def restart(self, seed: int | None = None) -> None:
        """Become a new student; see :meth:`Learner.restart`."""
        self.n_episodes = 0
        self._n_mastered = 0
        self._competence: list[float] = [0] * self._n_cells
        self._best: dict[int, float] = {}  # by cell: all its levels are one to this student
        self._last = (0.0, 0.0, 0.0)

    def state_dict(self) -> State:
        """Return counters, competence by cell and best scores, as JSON values."""
        return {
            "n_episodes": self.n_episodes,
            "competence": list(self._competence),
            "best": {str(cell): score for cell, score in self._best.items()},
            "last": list(self._last),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`; see :meth:`Learner.load_state_dict`."""
        try:
            competence = list(state["competence"])
            best = {int(cell): float(score) for cell, score in state["best"].items()}
            score, value, top = map(float, state["last"])
            n_episodes = int(state["n_episodes"])
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"load_state_dict: not a state of this student: {error!r}") from None
        if len(competence) != self._n_cells:
            raise ValueError(
                f"load_state_dict: expected {self._n_cells} cells, got {len(competence)}"
            )
        self.n_episodes, self._competence, self._best = n_episodes, competence, best
        self._last = (score, value, top)
        self._n_mastered = sum(competence[cell] > UNLOCK for cell in self._curriculum)
