"""A student, an engine and what is known of the student: everything but spaces and rewards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items, Prediction
from teachenv.envs.datagen.split import Part, draw
from teachenv.lesson import Cells, DataPlan
from teachenv.protocols import State
from teachenv.seeding import derive, derive_int

if TYPE_CHECKING:
    from students.data.base import DataStudent

__all__ = ["Classroom", "Scores", "TrainMode"]

TrainMode = Literal["retrain", "continual", "replay"]


@dataclass(frozen=True)
class Scores:
    """How a student did on items of every cell.

    Attributes:
        accuracy: Share of right answers per cell.
        loss: Mean loss per cell, in nats.
        confidence: Mean probability of the given answer per cell.
        items: What was asked.
        prediction: What was answered.
        right: Which answers were right, bool ``(n,)``.
    """

    accuracy: Cells
    loss: Cells
    confidence: Cells
    items: Items
    prediction: Prediction
    right: NDArray[np.bool_]


class Classroom:
    """Teaches one student by plans and asks it questions.

    All randomness derives from the episode's seed and the number of lessons so far, apart for
    data, training and questions: two plans for one lesson meet the same questions after it.

    Args:
        engine: Makes the data.
        student: The student; its state is replaced at every :meth:`begin`.
        train_mode: "continual": every lesson is trained on once. "replay": with it, as many
            earlier samples again. "retrain": from the first state on everything so far, so that
            the order of lessons cannot matter (DataEnvGym's rule).
        epochs: Passes over a lesson's data.
        probe_size: Questions per cell of a probe.
        fresh_probe: Ask new questions every time; else an episode's stay the same.
        locked_below: Cells with prerequisites cannot be learnt while the accuracy in any of
            these is below this; 0 to let everything be learnt at any time.
    """

    def __init__(
        self,
        engine: Engine,
        student: DataStudent,
        *,
        train_mode: TrainMode = "replay",
        epochs: int = 1,
        probe_size: int = 50,
        fresh_probe: bool = True,
        locked_below: float = 0.0,
    ) -> None:
        self.engine = engine
        self.student = student
        self.train_mode = train_mode
        self.epochs = epochs
        self.probe_size = probe_size
        self.fresh_probe = fresh_probe
        self.locked_below = locked_below
        self.n_tests = 0
        """How often the hidden test part was looked at since :meth:`begin`."""

    @property
    def domain(self) -> Domain:
        """Where questions come from."""
        return self.engine.domain

    def begin(self, seed: int, state: State, base: Items | None) -> Scores:
        """Start an episode.

        Args:
            seed: Of everything random in it.
            state: The student's state.
            base: What it was trained on before, for "replay" and "retrain".

        Returns:
            The first probe.
        """
        self._seed, self._state, self._base = seed, state, base
        self._lessons: list[Items] = []
        self.step, self.n_tests = 0, 0
        self.student.load_state_dict(state)
        self.last = self.ask("probe")
        return self.last

    def teach(self, plan: DataPlan) -> tuple[NDArray[np.int64], Scores]:
        """Give a lesson.

        Returns:
            The samples trained on per cell, and the probe after it.
        """
        made = self.engine.make(plan, derive(self._seed, "data", self.step), self._locked())
        if made.items is not None:
            self._lessons.append(made.items)
            self._train()
        self.step += 1
        self.last = self.ask("probe")
        return made.made, self.last

    def rehearse(self, plans: Iterable[DataPlan]) -> list[Cells]:
        """Try plans on a copy of the student: see :class:`teachenv.lesson.Rehearsal`."""
        before, state, gains = self.last, self.student.state_dict(), []
        for plan in plans:
            n_lessons = len(self._lessons)
            _, after = self.teach(plan)
            gains.append(after.accuracy - before.accuracy)
            del self._lessons[n_lessons:]
            self.step, self.last = self.step - 1, before
            self.student.load_state_dict(state)
        return gains

    def ask(self, part: Part, size: int = 0) -> Scores:
        """Question the student on a part of every cell; changes nothing of it.

        Args:
            part: Which items; "test" is counted and must never reach a teacher.
            size: Questions per cell; ``probe_size`` if 0.
        """
        moment = self.step if part == "probe" and self.fresh_probe else 0
        self.n_tests += part == "test"
        cells = np.ndindex(*self.domain.kinds.shape)
        rng = derive(self._seed, f"ask {part}", moment)
        items = Items.concat(
            [draw(self.domain, s, v, size or self.probe_size, part, rng) for s, v in cells]
        )
        prediction = self.student.predict(items)
        right = self.domain.grade(items, prediction.answers)
        accuracy = self._mean(items, right)
        loss, confidence = (self._mean(items, v) for v in (prediction.loss, prediction.confidence))
        return Scores(accuracy, loss, confidence, items, prediction, right)

    def _mean(self, items: Items, values: NDArray[np.generic]) -> Cells:
        shape = self.domain.kinds.shape
        sums, counts = np.zeros(shape), np.zeros(shape)
        np.add.at(sums, (items.skill, items.level), values.astype(np.float64))
        np.add.at(counts, (items.skill, items.level), 1.0)
        return sums / np.maximum(counts, 1.0)

    def _locked(self) -> NDArray[np.bool_] | None:
        needs = self.domain.prerequisites
        if needs is None or self.locked_below == 0.0:
            return None
        missing = (self.last.accuracy < self.locked_below).reshape(-1)
        locked: NDArray[np.bool_] = np.any(needs & missing, axis=1)
        return locked.reshape(self.domain.kinds.shape)

    def _train(self) -> None:
        seed = derive_int(self._seed, "train", self.step)
        lesson, earlier = self._lessons[-1], self._lessons[:-1]
        if self.train_mode == "retrain":
            self.student.load_state_dict(self._state)
            lesson = Items.concat([*self._base_items(), *self._lessons])
        elif self.train_mode == "replay" and (pool := [*self._base_items(), *earlier]):
            known = Items.concat(pool)
            rng = derive(self._seed, "replay", self.step)
            index = rng.choice(len(known), min(len(lesson), len(known)), replace=False)
            lesson = Items.concat([lesson, known.take(index)])
        self.student.train(lesson, seed=seed, epochs=self.epochs)

    def _base_items(self) -> list[Items]:
        return [] if self._base is None else [self._base]
