"""Other students who are taught the same lessons, so that plans can be tried on several."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.bases import Base
from teachenv.envs.datagen.classroom import Classroom, Scores
from teachenv.lesson import DataPlan
from teachenv.protocols import State
from teachenv.seeding import derive_int

__all__ = ["Classmates"]


class Classmates:
    """Students of one profile and kind who have had an episode's lessons, but data of their own.

    There is none until a teacher rehearses with several students; then they catch up on the
    lessons they missed. All of them take turns in the one student object of the classroom, whose
    gradient steps therefore count theirs; the samples they are taught and tried with are added to
    the classroom's ``n_rehearsed``.

    Args:
        room: The classroom of the episode, begun.
        newcomer: Gives the student of a seed.
        seed: Of the episode.
        probed: Cells whose questions a probe asks.
    """

    def __init__(
        self,
        room: Classroom,
        newcomer: Callable[[int], Base],
        seed: int,
        probed: NDArray[np.bool_],
    ) -> None:
        self._room, self._newcomer, self._seed, self._probed = room, newcomer, seed, probed
        self._plans: list[DataPlan] = []
        self._mates: list[Classroom] = []
        self._states: list[State] = []

    def hear(self, plan: DataPlan) -> None:
        """Note a lesson that was given."""
        self._plans.append(plan)

    def rehearsals(self, plans: Sequence[DataPlan], n: int) -> list[tuple[Scores, list[Scores]]]:
        """Return of ``n`` students the last probe, and those after plans tried on a copy.

        The first of them is the episode's own.
        """
        tried = [(self._room.last, self._room.rehearsals(plans))]
        if n == 1:
            return tried
        own = self._room.student.state_dict()
        try:
            for number in range(n - 1):
                mate = self._present(number)
                tried.append((mate.last, mate.rehearsals(plans)))
                self._room.n_rehearsed += sum(plan.total for plan in plans)
        finally:
            self._room.student.load_state_dict(own)
        return tried

    def _present(self, number: int) -> Classroom:
        """Put a classmate, taught what was missed, in the place of the student."""
        student = self._room.student
        if number == len(self._mates):
            seed = derive_int(self._seed, "classmate", number)
            base = self._newcomer(seed)
            self._mates.append(copy.copy(self._room))
            self._mates[number].begin(seed, base.state, base.items, self._probed)
            self._states.append(base.state)
        mate = self._mates[number]
        student.load_state_dict(self._states[number])
        for plan in self._plans[mate.step :]:
            mate.teach(plan)
            self._room.n_rehearsed += plan.total
        self._states[number] = student.state_dict()
        return mate
