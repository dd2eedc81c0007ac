"""A student, an engine and what is known of the student: everything but spaces and rewards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.engine import Engine, Made
from teachenv.envs.datagen.items import Items, Prediction, agreeing
from teachenv.envs.datagen.split import Part, draw
from teachenv.lesson import Cells, DataPlan
from teachenv.protocols import State
from teachenv.seeding import derive, derive_int

if TYPE_CHECKING:
    from students.data.base import DataStudent

__all__ = ["Classroom", "Scores", "TrainMode", "cell_means"]

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


def cell_means(
    skill: NDArray[np.integer[Any]],
    level: NDArray[np.integer[Any]],
    values: NDArray[np.generic],
    shape: tuple[int, int],
) -> Cells:
    """Return the mean of ``values`` per cell, 0 where there are none."""
    flat, n = skill.astype(np.int64) * shape[1] + level, shape[0] * shape[1]
    sums = np.bincount(flat, weights=values.astype(np.float64), minlength=n)
    means: Cells = sums / np.maximum(np.bincount(flat, minlength=n), 1)
    return means.reshape(shape)


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
            these (as far as they are probed) is below this; 0 to let everything be learnt at
            any time.
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
        self.n_rehearsed = 0
        """Training samples of rehearsed plans since :meth:`begin`."""

    @property
    def domain(self) -> Domain:
        """Where questions come from."""
        return self.engine.domain

    def begin(
        self,
        seed: int,
        state: State,
        base: Items | None,
        probed: NDArray[np.bool_] | None = None,
    ) -> Scores:
        """Start an episode.

        Args:
            seed: Of everything random in it.
            state: The student's state.
            base: What it was trained on before, for "replay" and "retrain".
            probed: Cells whose questions a probe asks, at least one; ``None`` for all.

        Returns:
            The first probe.
        """
        self._seed, self._state, self._base = seed, state, base
        self._probed = np.ones(self.domain.kinds.shape, bool) if probed is None else probed
        self._lessons: list[Items] = []
        self.made: Made | None = None
        """The data of the last lesson."""
        self.step, self.n_tests, self.n_rehearsed = 0, 0, 0
        self.student.load_state_dict(state)
        self.last = self.ask("probe")
        return self.last

    def teach(self, plan: DataPlan) -> tuple[NDArray[np.int64], Scores]:
        """Give a lesson.

        Returns:
            The samples trained on per cell, and the probe after it.
        """
        rng = derive(self._seed, "data", self.step)
        made = self.engine.make(plan, rng, self.locked(), self._knows)
        if made.items is not None:
            self._lessons.append(made.items)
            self._train()
        self.step, self.made = self.step + 1, made
        self.last = self.ask("probe")
        return made.made, self.last

    def rehearse(self, plans: Iterable[DataPlan]) -> list[Cells]:
        """Try plans on a copy of the student: see :class:`teachenv.lesson.Rehearsal`."""
        before = self.last.accuracy
        return [scores.accuracy - before for scores in self.rehearsals(plans)]

    def rehearsals(self, plans: Iterable[DataPlan]) -> list[Scores]:
        """Return the probes after plans that are tried on a copy of the student."""
        before, made, state, scores = self.last, self.made, self.student.state_dict(), []
        for plan in plans:
            n_lessons = len(self._lessons)
            _, after = self.teach(plan)
            scores.append(after)
            del self._lessons[n_lessons:]
            self.step, self.last, self.made = self.step - 1, before, made
            self.n_rehearsed += plan.total
            self.student.load_state_dict(state)
        return scores

    def ask(self, part: Part, size: int = 0) -> Scores:
        """Question the student on a part of every cell; changes nothing of it.

        Args:
            part: Which items; "test" is counted and must never reach a teacher.
            size: Questions per cell; ``probe_size`` if 0.
        """
        moment = self._probe_moment if part == "probe" else 0
        self.n_tests += part == "test"
        asked = self._probed if part == "probe" else np.ones_like(self._probed)
        cells = np.argwhere(asked).tolist()
        rng = derive(self._seed, f"ask {part}", moment)
        items = Items.concat(
            [draw(self.domain, s, v, size or self.probe_size, part, rng) for s, v in cells]
        )
        prediction = self.student.predict(items)
        right = self.domain.grade(items, prediction.answers)
        accuracy, loss, confidence = (
            cell_means(items.skill, items.level, values, self.domain.kinds.shape)
            for values in (right, prediction.loss, prediction.confidence)
        )
        return Scores(accuracy, loss, confidence, items, prediction, right)

    def proxy(self) -> Cells:
        """Return the share of the last probe that is answered as the engine would, per cell.

        The engine answers with its errors, drawn by a generator of their own: nothing else
        changes, and the same questions get the same answers. A fixed probe keeps them.
        """
        last, rng = self.last, derive(self._seed, "engine on probe", self._probe_moment)
        same = agreeing(last.prediction.answers, self.engine.answers(last.items, rng))
        return cell_means(last.items.skill, last.items.level, same, self.domain.kinds.shape)

    @property
    def _probe_moment(self) -> int:
        """Lessons before the questions of the next probe were drawn."""
        return self.step if self.fresh_probe else 0

    def _knows(self, items: Items) -> NDArray[np.bool_]:
        return self.domain.grade(items, self.student.predict(items).answers)

    def locked(self) -> NDArray[np.bool_] | None:
        """Return the cells whose prerequisites are missing; ``None`` if nothing needs any."""
        needs = self.domain.prerequisites
        if needs is None or self.locked_below == 0.0:
            return None
        missing = ((self.last.accuracy < self.locked_below) & self._probed).reshape(-1)
        locked: NDArray[np.bool_] = np.any(needs & missing, axis=1)
        return locked.reshape(self.domain.kinds.shape)

    def _train(self) -> None:
        seed = derive_int(self._seed, "train", self.step)
        lesson, earlier = self._lessons[-1], self._lessons[:-1]
        if self.train_mode == "retrain":
            self.student.load_state_dict(self._state)
            lesson = Items.concat([*self._base_items(), *self._lessons])
        elif self.train_mode == "replay" and (pool := [*self._base_items(), *earlier]):
            rng = derive(self._seed, "replay", self.step)
            lesson = Items.concat([lesson, *_sample(pool, len(lesson), rng)])
        self.student.train(lesson, seed=seed, epochs=self.epochs)

    def _base_items(self) -> list[Items]:
        return [] if self._base is None else [self._base]


def _sample(pool: list[Items], n: int, rng: np.random.Generator) -> Iterator[Items]:
    """Yield ``n`` different items of a pool, or all if it has fewer, part by part."""
    ends = np.cumsum([len(part) for part in pool])
    index = np.sort(rng.choice(ends[-1], min(n, ends[-1]), replace=False))
    places = np.searchsorted(index, ends)
    for part, end, first, last in zip(pool, ends, [0, *places], places, strict=False):
        if last > first:
            yield part.take(index[first:last] - (end - len(part)))
