"""Playing what a teacher asks, with scores by a function of the task."""

from __future__ import annotations

from collections.abc import Callable

from teachenv.protocols import Outcome, Trial
from teachenv.space import Dim, TaskSpace
from teachers.base import BaseTeacher, UnitPoint

LINE = TaskSpace([Dim("x")])
SQUARE = TaskSpace([Dim("x"), Dim("y")])
MASTERED = 0.75


def play(teacher: BaseTeacher, n: int, score: Callable[[UnitPoint], float]) -> list[Trial]:
    """Play ``n`` trials one after the other; a success is a score above ``MASTERED``."""
    trials = []
    for _ in range(n):
        trial = teacher.ask()
        tell(teacher, trial, score(teacher.space.to_unit(trial.task)))
        trials.append(trial)
    return trials


def tell(teacher: BaseTeacher, trial: Trial, score: float) -> None:
    """Tell an outcome; the student's value of the first state is 100 times the score."""
    signals = {"value_start": 100.0 * score}
    teacher.tell(trial, Outcome(score, score, 1, score > MASTERED, signals=signals))


def asked(teacher: BaseTeacher, n: int) -> list[UnitPoint]:
    """Return the unit points of the next ``n`` trials, which are never told."""
    return [teacher.space.to_unit(teacher.ask().task) for _ in range(n)]
