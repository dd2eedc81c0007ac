"""Driving a data teacher from outside, with a formula in the student's place; for checks only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from teachenv.envs.datagen.proposers import InOrder
from teachenv.envs.datagen.trees import Seen, Trees
from teachenv.lesson import DataPlan, Lesson, Reading, Rehearsal, Syllabus
from teachers.data.base import MAPS, Cells, DataTeacher

__all__ = ["SAMPLE_SYLLABI", "Pretender", "drive"]

SAMPLE_SYLLABI: dict[str, Syllabus] = {
    "usual": Syllabus(("add", "sort", "noise"), 4, 6, 60),
    "one-cell": Syllabus(("add",), 1, 3, 10),
    "one-lesson": Syllabus(("add", "sort"), 2, 1, 7),
    "many-cells": Syllabus(tuple(f"skill {i}" for i in range(12)), 6, 3, 20),
    "prerequisites": Syllabus(("add", "mul"), 2, 5, 40, np.tri(4, k=-1).astype(np.bool_)),
}
"""Syllabi on which a data teacher should be checked."""

Mood = Callable[[Cells], Cells]


@dataclass
class Pretender:
    """No learner: its accuracy is a formula of the samples taught; "noise" never rises.

    It has skill trees, for teachers that make moves.

    Args:
        syllabus: What it is taught.
        mood: Changes the accuracy it shows; for degenerate histories.
        visible: Which cells are probed; all if ``None``.
    """

    syllabus: Syllabus
    mood: Mood = field(default=lambda accuracy: accuracy)
    visible: Cells | None = None

    def __post_init__(self) -> None:
        self.taught = np.zeros(self.syllabus.shape)
        self.step = 0
        syllabus, names = self.syllabus, [()] * len(self.syllabus.skills)
        self.trees = Trees(
            syllabus.n_levels,
            names,
            n_slots=4,
            block=max(1, syllabus.n_samples // len(names)),
            limit=syllabus.n_samples,
            proposer=InOrder(syllabus.n_levels, names),
        )
        self.reading = self._read(np.zeros(self.syllabus.shape), np.zeros(self.syllabus.shape))

    def accuracy(self, taught: Cells) -> Cells:
        """Return the accuracy after so many samples per cell."""
        hard = 1.0 + np.arange(self.syllabus.n_levels)
        known: Cells = 1.0 - 0.9 * np.exp(-taught / (10.0 * hard))
        known[[name == "noise" for name in self.syllabus.skills]] = 0.1
        return known

    def teach(self, plan: DataPlan) -> Lesson:
        """Give a lesson."""
        counts, before = plan.counts(self.syllabus.shape), self.reading.accuracy
        if plan.moves:
            for skill, move in enumerate(plan.moves):
                self.trees.move(skill, move, self._seen(before))
            counts = self.trees.counts(self.syllabus.n_samples).sum(axis=2)
        self.taught += counts
        self.step += 1
        self.reading = self._read(before, counts / max(int(counts.sum()), 1))
        reward = float((self.reading.accuracy - before).mean())
        return Lesson(plan, counts, self.reading, reward, self.step == self.syllabus.n_steps)

    def rehearse(self, plans: Iterable[DataPlan], students: int = 1) -> list[Cells]:
        """Return what each plan would change, the same for all ``students``.

        See :class:`teachenv.lesson.Rehearsal`.
        """
        shape = self.syllabus.shape
        now = self.accuracy(self.taught)
        return [self.accuracy(self.taught + plan.counts(shape)) - now for plan in plans]

    def _seen(self, accuracy: Cells, asked: Cells | float = 10.0) -> Seen:
        """Return answers of that accuracy, of no variant."""
        asked = np.broadcast_to(asked, accuracy.shape)[:, :, None]
        return Seen(asked, asked * accuracy[:, :, None])

    def _read(self, before: Cells, last: Cells) -> Reading:
        shape = self.syllabus.shape
        visible = np.ones(shape) if self.visible is None else self.visible
        accuracy = self.mood(self.accuracy(self.taught)) * visible
        learnable = np.ones(shape)
        learnable[[name == "noise" for name in self.syllabus.skills]] = 0.0
        reading = Reading(
            accuracy=accuracy,
            delta=(accuracy - before) * (self.step > 0),
            loss=(1.0 - accuracy) * visible,
            confidence=accuracy.copy(),
            data_share=self.taught / max(float(self.taught.sum()), 1.0),
            last_alloc=last,
            visible=visible.copy(),
            step=self.step,
            budget_left=1.0 - self.step / self.syllabus.n_steps,
            privileged={"learnable": learnable},
            trees=self.trees.readings(
                self._seen(accuracy, 10.0 * visible),
                self._seen(accuracy, self.taught),
                accuracy.mean(axis=1),
                (accuracy - before).mean(axis=1),
            ),
        )
        self.trees.begin_step()
        for name in MAPS:
            getattr(reading, name).flags.writeable = False
        learnable.flags.writeable = False
        return reading


def drive(
    teacher: DataTeacher,
    n_lessons: int,
    *,
    mood: Mood | None = None,
    visible: Cells | None = None,
    student: Pretender | None = None,
) -> list[DataPlan]:
    """Teach students one after another and return the plans.

    Args:
        teacher: Whom to drive.
        n_lessons: Lessons in all; a new student comes when one's episode is over.
        mood: See :class:`Pretender`.
        visible: See :class:`Pretender`.
        student: One met already, whose episode goes on first.
    """
    plans = []
    for _ in range(n_lessons):
        if student is None or student.step == teacher.syllabus.n_steps:
            student = Pretender(teacher.syllabus, mood or (lambda each: each), visible)
            teacher.begin(rehearsal(teacher, student))
        plans.append(teacher.plan(student.reading))
        teacher.tell(student.teach(plans[-1]))
    return plans


def rehearsal(teacher: DataTeacher, student: Pretender) -> Rehearsal | None:
    """Return what :meth:`DataTeacher.begin` shall get: a rehearsal if it is needed."""
    return student.rehearse if "rehearsal" in teacher.needs else None
