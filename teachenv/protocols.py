"""The words environments, teachers and students share: types only, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from teachenv.space import Task, TaskSpace

__all__ = ["Outcome", "State", "Status", "Student", "Task", "Teacher", "Trial", "TrialSource"]

Status = Literal["ok", "failed", "lost"]
"""How a trial ended: played to its end, broken by the environment, or abandoned."""

State = dict[str, Any]
"""Nested dictionaries with string keys; leaves are JSON values or NumPy arrays (no objects)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One issued task.

    Attributes:
        id: Number unique in a run, counted from 0 by the teacher.
        task: The task, float64 of shape ``(dim,)``, read-only, in the environment's units.
        reason: Why the teacher chose it ("bootstrap", "explore", "component 3", ...).
        level_seed: With the task it fixes the level exactly. ``None``: the teacher does not
            mind; the broker then derives one from the run seed and the id.
        train: ``False`` asks the student to play without learning from it.
    """

    id: int
    task: Task
    reason: str = ""
    level_seed: int | None = None
    train: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the trial as JSON values."""
        return {
            "id": self.id,
            "task": self.task.tolist(),
            "reason": self.reason,
            "level_seed": self.level_seed,
            "train": self.train,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Trial:
        """Read :meth:`to_json` back."""
        task = np.array(row["task"], dtype=np.float64)
        task.setflags(write=False)
        seed = row["level_seed"]
        known = None if seed is None else int(seed)
        return cls(int(row["id"]), task, str(row["reason"]), known, bool(row["train"]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back from a trial.

    Attributes:
        score: Competence in [0, 1], by the environment's return range.
        episode_return: Undiscounted sum of rewards.
        episode_length: Steps played, at least 1 for status "ok".
        success: Whether the task was mastered.
        status: "ok", "failed" (the environment broke) or "lost" (never finished).
        signals: Named numbers a student adds ("positive_value_loss", "max_monte_carlo", ...).
    """

    score: float
    episode_return: float
    episode_length: int
    success: bool
    status: Status = "ok"
    signals: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def lost(cls) -> Outcome:
        """The outcome of a trial that was abandoned."""
        return cls(0.0, 0.0, 0, False, "lost")

    @classmethod
    def failed(cls) -> Outcome:
        """The outcome of a trial whose environment broke."""
        return cls(0.0, 0.0, 0, False, "failed")


@runtime_checkable
class Teacher(Protocol):
    """Chooser of tasks; the contract is spelled out and tested by ``teachers.check``."""

    space: TaskSpace
    needs: frozenset[str]

    def ask(self) -> Trial:
        """Issue the next trial."""

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take the outcome of an issued trial, once per trial, in any order."""

    def describe(self) -> dict[str, Any]:
        """Return what the teacher currently believes, as JSON values and arrays."""

    def state_dict(self) -> State:
        """Return everything the future depends on."""

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""


class TrialSource(Protocol):
    """What the curriculum wrapper talks to: a broker, or its client in another process."""

    @property
    def on_env_error(self) -> str:
        """What to do when an environment raises; see :class:`teachenv.broker.Broker`."""

    def ask(self, lane: str) -> Trial:
        """Issue a trial (with a level seed) that ``lane`` is about to play."""

    def tell(
        self, trial_id: int, outcome: Outcome, message: str = "", *, raised: bool = False
    ) -> None:
        """Report how a trial ended."""


@runtime_checkable
class Student(Protocol):
    """Learner of tasks.

    One that learns by gradient may count its steps in an attribute ``gradient_steps: int``, which
    never falls; runs then record them.
    """

    provides: frozenset[str]
    carries: bool
    """Whether :meth:`learn` can leave its episodes to the next one; its state holds them then."""

    def learn(self, n_steps: int, *, seed: int, carry: bool = False) -> int:
        """Train for at least ``n_steps`` environment steps.

        Everything random is reseeded from ``seed``; episodes are fresh, but for those that were
        left. With ``carry`` the episodes being played at the end are left to the next call, only
        where the student :attr:`carries`; otherwise they are given up. Returns the steps really
        taken.
        """

    def act(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return deterministic actions for a batch of observations, shape ``(n, ...)``."""

    def state_dict(self) -> State:
        """Return everything that :meth:`learn` and :meth:`act` depend on."""

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""

    def close(self) -> None:
        """Release environments and processes."""
