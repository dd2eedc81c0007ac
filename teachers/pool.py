"""What the teachers share that draw from a pool of candidates, weighted anew now and then."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, UnitPoint
from teachers.candidates import Candidates
from teachers.recent import Recent
from teachers.signal import Signal, signal_needs, signal_of
from teachers.values import refuse, whole_problems


class PoolTeacher(BaseTeacher):
    """Remembers the last outcomes and draws tasks from candidates by the weights a method gives.

    A method implements :meth:`_renew`. While the pool is empty, tasks are uniform.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: What is remembered of an outcome.
        window: Outcomes remembered; memory is ``16 * window * (dim + 1)`` bytes.
        update_every: Outcomes between two renewals of the pool, at most ``window``.
        n_candidates: Size of the pool.
        problems: What the method found wrong with its own hyper-parameters.

    Raises:
        ValueError: for hyper-parameters out of range, all named at once.
    """

    reasons: ClassVar[tuple[str, str]]
    """Why a task is uniform, and why it is one of the pool."""

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int,
        signal: Signal,
        window: int,
        update_every: int,
        n_candidates: int,
        problems: Iterable[str],
    ) -> None:
        super().__init__(space, seed=seed)
        whole = {"window": window, "update_every": update_every, "n_candidates": n_candidates}
        found = [*whole_problems(1, **whole), *problems]
        if not found and update_every > window:
            found.append(f"expected update_every <= window, got {update_every} and {window}")
        refuse(self.id, found)
        self.needs = signal_needs(signal)
        self._signal: Signal = signal
        self._recent = Recent(space.dim, window)
        self._candidates = Candidates(space, n_candidates)
        self._update_every = self._until = update_every

    @abstractmethod
    def _renew(self) -> None:
        """Draw candidates and weigh them by what is remembered."""

    def _sample(self) -> tuple[UnitPoint, str]:
        uniform, pooled = self.reasons
        if not self._candidates.ready:
            return self._rng.random(self.space.dim), uniform
        return self._candidates.sample(self._rng), pooled

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self._recent.add(point, signal_of(outcome, self._signal))
        self._until -= 1
        if self._until == 0:
            self._until = self._update_every
            self._renew()

    def _describe(self) -> dict[str, Any]:
        if not self._candidates.ready:
            return {"candidates": None}
        points, weights = self._candidates.points.copy(), self._candidates.weights.copy()
        return {"candidates": {"points": points, "weights": weights}}

    def _state(self) -> State:
        return {
            "recent": self._recent.state_dict(),
            "candidates": self._candidates.state_dict(),
            "until": self._until,
        }

    def _load_state(self, state: State) -> None:
        until = int(state["until"])
        self._recent.load_state_dict(state["recent"])
        self._candidates.load_state_dict(state["candidates"])
        self._until = until
