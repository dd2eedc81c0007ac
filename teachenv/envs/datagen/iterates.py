"""Which student an episode is judged by: the last, or the best on validation questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from teachenv.envs.datagen.classroom import Classroom, Scores

__all__ = ["ITERATES", "BestIterate"]

ITERATES = ("last", "best")


class BestIterate:
    """The student that did best on validation questions so far; the earliest of equal ones.

    Args:
        metric: What is best.
        room: Its classroom, before the first lesson.

    Attributes:
        number: Lessons that student had.
    """

    def __init__(self, metric: Callable[[Scores], float], room: Classroom) -> None:
        self._metric, self._best = metric, -1.0
        self.offer(room)

    def offer(self, room: Classroom) -> None:
        """Ask the student and keep it if it is better than all before."""
        value = self._metric(room.ask("validation"))
        if value > self._best:
            self._best, self.number = value, room.step
            self._state = room.student.state_dict()

    @contextmanager
    def in_place(self, room: Classroom) -> Iterator[None]:
        """Put it in the last student's place for a while."""
        last = room.student.state_dict()
        room.student.load_state_dict(self._state)
        try:
            yield
        finally:
            room.student.load_state_dict(last)
