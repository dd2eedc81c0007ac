"""What the rules of ``teachers.check`` get and yield."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from teachenv.protocols import Teacher
from teachenv.space import TaskSpace

LearnsFrom = Literal["nothing", "outcomes", "tasks"]
"""What a teacher's future must depend on: nothing; outcomes, whatever their task; or which task
an outcome belongs to."""

Problems = Iterator[tuple[str, str]]
"""Code and message of what a rule found."""


class Factory(Protocol):
    """Builds the teacher to check; a teacher class is one."""

    def __call__(self, space: TaskSpace, *, seed: int) -> Teacher:
        """Return a fresh teacher."""


@dataclass(frozen=True)
class Case:
    """A teacher under check.

    Attributes:
        factory: Builds it.
        space: The tasks it picks from.
        spaces: Further spaces by name, for the degenerate histories.
        learns_from: What its future must depend on.
        n_trials: Trials of the longer rules.
    """

    factory: Factory
    space: TaskSpace
    spaces: Mapping[str, TaskSpace]
    learns_from: LearnsFrom
    n_trials: int

    def build(self, seed: int = 0, space: TaskSpace | None = None) -> Teacher:
        """Return a fresh teacher."""
        return self.factory(self.space if space is None else space, seed=seed)


Rule = Callable[[Case], Problems]
