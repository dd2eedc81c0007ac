"""Every teacher of tasks as a teacher of data: its trials share the samples of a lesson."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import teachers
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, Lesson, PlanItem, Reading, Syllabus
from teachenv.protocols import Outcome, State, Trial
from teachers.data import ADAPTER_OPTIONS
from teachers.data.base import DataTeacher
from teachers.values import number_problems, refuse, whole_problems

__all__ = ["TaskTeacher"]

MAX_ASKED = 20
"""Trials asked for per draw while a teacher only wants to look (``train=False``)."""

PROVIDES = frozenset({"value_start"})


class TaskTeacher(DataTeacher):
    """A teacher of :data:`teachers.TEACHERS` over the cells (``syllabus.task_space``).

    For every lesson it is asked for ``draws`` trials, which share the samples evenly. Once the
    lesson is over each trial comes back with the accuracy of its cell as score and return, the
    samples as length and, as "value_start", the mean confidence in the cell before the lesson:
    what the student itself expected of it. Trials of cells that are not probed are lost. Trials
    not to be trained on get no samples and come back all the same; level seeds play no part.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        teacher: Id of the teacher.
        draws: Trials to train on per lesson, at least 1 and at most a lesson's samples.
        mastered: Accuracy from which a trial is a success, in [0, 1]; also the teacher's
            "mastery", where it takes one.
        hyper: Hyper-parameters of the teacher.

    Raises:
        UserError: if the teacher needs signals that students of data do not have.
    """

    needs = frozenset({"cells"})

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        teacher: str,
        draws: int = ADAPTER_OPTIONS["draws"],
        mastered: float = ADAPTER_OPTIONS["mastered"],
        **hyper: Any,
    ) -> None:
        super().__init__(syllabus, seed=seed)
        self.id = teacher  # type: ignore[misc]  # one class, the id of whom it adapts
        problems = whole_problems(draws=draws) + number_problems(0.0, 1.0, mastered=mastered)
        refuse(teacher, problems)
        self._draws, self._mastered = min(draws, syllabus.n_samples), mastered
        accepted = teachers.hyper_parameters(teacher)
        said = {**teachers.presets(teacher).get(hyper.get("preset", ""), {}), **hyper}
        known: dict[str, Any] = {"mastery": mastered, "harder": {"level": 1}}
        usual = {k: v for k, v in known.items() if k in accepted and k not in said}
        self._teacher = teachers.make(teacher, syllabus.task_space, seed=seed, **usual, **hyper)
        missing = sorted(self._teacher.needs - PROVIDES)
        if missing:
            raise UserError(
                f"teacher {teacher}: needs the signals {missing} of an agent that acts; students "
                f"of data provide {sorted(PROVIDES)}"
            )
        self._trials: list[Trial] = []
        self._counts_given: list[int] = []
        self._expected = np.zeros(syllabus.shape)

    def _begin(self) -> None:
        self._give_up()

    def _give_up(self) -> None:
        """Tell the trials of a plan that was never taught as lost."""
        for trial in self._trials:
            self._teacher.tell(trial, Outcome.lost())
        self._trials, self._counts_given = [], []

    def _plan(self, reading: Reading) -> DataPlan:
        self._give_up()
        trials = self._ask()
        trained = [i for i, trial in enumerate(trials) if trial.train] or list(range(len(trials)))
        counts = np.zeros(len(trials), dtype=np.int64)
        counts[trained] = _even(self.syllabus.n_samples, len(trained))
        self._trials, self._counts_given = trials, counts.tolist()
        self._expected = reading.confidence.copy()
        items = tuple(
            PlanItem(*_cell(trial), count)
            for trial, count in zip(trials, self._counts_given, strict=True)
            if count
        )
        return DataPlan(items, ", ".join(dict.fromkeys(t.reason for t in trials))[:200])

    def _ask(self) -> list[Trial]:
        trials: list[Trial] = []
        n_trained = 0
        while n_trained < self._draws and len(trials) < MAX_ASKED * self._draws:
            trials.append(self._teacher.ask())
            n_trained += trials[-1].train
        return trials

    def _learn(self, lesson: Lesson) -> None:
        reading = lesson.reading
        for trial, count in zip(self._trials, self._counts_given, strict=True):
            cell = _cell(trial)
            if reading.visible[cell] == 0.0:
                self._teacher.tell(trial, Outcome.lost())
                continue
            accuracy = float(np.clip(reading.accuracy[cell], 0.0, 1.0))
            signals = {"value_start": float(self._expected[cell])}
            success = accuracy >= self._mastered
            outcome = Outcome(accuracy, accuracy, max(count, 1), success, signals=signals)
            self._teacher.tell(trial, outcome)
        self._trials, self._counts_given = [], []

    def _describe(self) -> dict[str, Any]:
        return self._teacher.describe()

    def _state(self) -> State:
        return {
            "teacher": self._teacher.state_dict(),
            "counts": list(self._counts_given),
            "expected": self._expected,
            "tasks": np.array([trial.task for trial in self._trials]).reshape(-1, 2),
            "rest": [[t.id, t.reason, t.level_seed, t.train] for t in self._trials],
        }

    def _load_state(self, state: State) -> None:
        self._teacher.load_state_dict(state["teacher"])
        self._counts_given = [int(count) for count in state["counts"]]
        self._expected = state["expected"]
        tasks = [self.syllabus.task_space.task(task) for task in state["tasks"]]
        self._trials = [
            Trial(number, task, reason, level_seed, train)
            for task, (number, reason, level_seed, train) in zip(tasks, state["rest"], strict=True)
        ]


def _cell(trial: Trial) -> tuple[int, int]:
    """Return skill and level of a trial."""
    return int(trial.task[0]), int(trial.task[1])


def _even(total: int, parts: int) -> NDArray[np.int64]:
    """Return ``parts`` whole numbers that differ by one at most and sum to ``total``."""
    return np.diff(np.arange(parts + 1) * total // parts)
