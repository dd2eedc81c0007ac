"""One teacher and one student of the bench, from beginning to end."""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import teachers
from teachenv.envs.toy.learner import MASTERY, Learner
from teachenv.protocols import Outcome, Teacher
from teachenv.stress import NewStudents, StressedLearner
from teachers.base import TeacherWarning

BEST = "(best known)"
"""Stands for the best known curriculum among the teachers."""


@dataclass(frozen=True)
class World:
    """A student, what is done to it, and for how long it is taught.

    Attributes:
        what: In a few words.
        learner: "module:Class" of the student.
        args: Its arguments.
        stress: A name of ``teachenv.deform.STRESSES``; empty: none.
        how: Arguments of the stress.
        new_student_every: Episodes after which another student takes over; 0: never.
        n_episodes: How long it is taught.
    """

    what: str
    learner: str
    args: Mapping[str, Any] = field(default_factory=dict)
    stress: str = ""
    how: Mapping[str, Any] = field(default_factory=dict)
    new_student_every: int = 0
    n_episodes: int = 3000

    def make(self, seed: int) -> Learner:
        """Return a new student; the seed is that of its noise."""
        module, _, name = self.learner.partition(":")
        learner = cast(Learner, getattr(importlib.import_module(module), name)(**self.args))
        learner.restart(seed)
        if self.new_student_every:
            learner = NewStudents(learner, self.new_student_every)
        return StressedLearner(learner, self.stress, **self.how) if self.stress else learner


class CannotTeachError(Exception):
    """A teacher cannot be used in a world; the message says why."""


@dataclass(frozen=True)
class Played:
    """How it went.

    Attributes:
        share: Share mastered in the end, in [0, 1].
        us: Mean CPU time of ask and tell, in microseconds.
    """

    share: float
    us: float


def play(teacher: str, world: World, seed: int) -> Played:
    """Teach a student for as long as its world says.

    Args:
        teacher: Id of the teacher, or ``BEST``.
        world: The world.
        seed: Of teacher and student.

    Raises:
        CannotTeachError: if the teacher needs what the student cannot give.
    """
    learner = world.make(seed)
    if teacher == BEST:
        return Played(learner.learn_best(world.n_episodes), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TeacherWarning)
        return _teach(make_teacher(teacher, learner, seed), learner, world.n_episodes)


def make_teacher(id: str, learner: Learner, seed: int) -> Teacher:
    """Make a teacher for a student; ``mastery`` and ``harder`` are filled in from the student.

    Raises:
        CannotTeachError: if it cannot be made without more, or needs signals the student does
            not provide.
    """
    accepted = teachers.hyper_parameters(id)
    facts: dict[str, Any] = {"mastery": MASTERY, "harder": dict(learner.harder)}
    given = {name: value for name, value in facts.items() if name in accepted}
    try:
        teacher = teachers.make(id, learner.task_space, seed=seed, **given)
    except (ImportError, TypeError, ValueError) as error:
        raise CannotTeachError(str(error)) from None
    missing = sorted(teacher.needs - learner.provides)
    if missing:
        raise CannotTeachError(f"needs the signals {', '.join(missing)} of a real student")
    return teacher


def _teach(teacher: Teacher, learner: Learner, n_episodes: int) -> Played:
    """As :meth:`Learner.learn_from`, with a clock."""
    clock, needs, spent = time.process_time, teacher.needs, 0.0
    for _ in range(n_episodes):
        start = clock()
        trial = teacher.ask()
        spent += clock() - start
        score, success = learner.play(trial.task, trial.train)
        outcome = Outcome(score, score, 1, success, signals=learner.signals() if needs else {})
        start = clock()
        teacher.tell(trial, outcome)
        spent += clock() - start
    return Played(learner.mastered_share, 1e6 * spent / n_episodes)
