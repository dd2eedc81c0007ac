"""A pool of items without labels, a weak teacher that labels some, and a student of its labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import Part, draw
from teachenv.errors import UserError, at_least, one_of
from teachenv.lesson import PoolView, Selection
from teachenv.seeding import derive, derive_int

if TYPE_CHECKING:
    from students.data.base import DataStudent

__all__ = ["Errors", "Pool", "Selected"]

Floats = NDArray[np.float64]
Errors = Literal["mentor", "uniform", "adversarial"]
Select = Callable[[PoolView, int], Selection]

_EPOCHS = 20
_STUDENT = {"alpha": 1e-2}
"""Enough passes for the student to converge on some 100 labels, and a penalty that fits them."""

_STEEP = 0.95
"""Probability a mentor without errors of its own gives its answer."""


@dataclass(frozen=True)
class Selected:
    """What came of a selection of items.

    Attributes:
        accuracy: Of the student on the hidden test part, after every round.
        label_accuracy: Share of right labels among those learnt.
    """

    accuracy: tuple[float, ...]
    label_accuracy: float


class Pool:
    """Active learning from a fallible teacher on digits: which items shall it label?

    A round shows a selector the pool, has the mentor label what it selects, and trains a new
    student on all labels so far (``train_mode`` "retrain"). Nothing in the view depends on truth
    but through the mentor.

    Args:
        seed: Of the pool, the mentor, the students; whole number in [0, 2**63].
        n_items: Items drawn for the pool; repeated pictures are dropped.
        errors: Who errs. "mentor": a student of ``mentor_items`` right labels. "uniform": the
            right labels but for a random ``error_rate`` of the pool. "adversarial": but for the
            ``error_rate`` on which a student would have learnt most, by its margin, in every
            round anew.
        error_rate: See ``errors``, in [0, 1].
        mentor_items: See ``errors``.

    Raises:
        UserError: for a refused argument.
    """

    def __init__(
        self,
        seed: int,
        *,
        n_items: int = 1000,
        errors: Errors = "mentor",
        error_rate: float = 0.25,
        mentor_items: int = 40,
    ) -> None:
        self.errors = one_of("errors", errors, get_args(Errors))
        if not 0.0 <= error_rate <= 1.0:
            raise UserError(f"error_rate: expected in [0, 1], got {error_rate!r}")
        self.error_rate = error_rate
        self._seed = seed
        self._domain = make_domain("digits")
        rng = derive(seed, "pool")
        items = self._drawn("train", at_least(1, "n_items", n_items), rng)
        _, first = np.unique(items.keys, return_index=True)
        self.items = items.take(np.sort(first))
        """The pool; the selectors never see it."""
        self._test = self._drawn("test", 500, rng)
        self._mentor = self._mentored(at_least(1, "mentor_items", mentor_items), rng)
        self._flipped = rng.random(len(self.items)) < error_rate
        self._wrong = self._domain.wrong(self.items, rng)

    @property
    def mentor_accuracy(self) -> float:
        """Share of the pool that the mentor labels right; adversarial errors apart."""
        return float(np.mean(self._labels(self._blank()).argmax(axis=1) == self.items.truth))

    def run(self, select: Select, *, n_rounds: int = 8, n_labels: int = 20) -> Selected:
        """Let a selector choose, round by round.

        Args:
            select: Gets a view and how many items to choose.
            n_rounds: Rounds.
            n_labels: Labels a round.

        Raises:
            ValueError: for a selection of items that are taken, repeated or too many.
        """
        student, right, accuracy = self._blank(), [], []
        taken = np.zeros(len(self.items), dtype=np.bool_)
        lessons: list[tuple[Items, Floats, Selection]] = []
        for number in range(n_rounds):
            probabilities, labels = self._seen(student), self._labels(student)
            chosen = select(PoolView(probabilities, labels, taken.copy()), n_labels)
            index = _checked(chosen, taken, n_labels)
            taken[index] = True
            given = labels[index]
            answers = given.argmax(axis=1).astype(np.int16)
            picked = replace(self.items.take(index), answers=answers)
            target = (1.0 - chosen.soft) * np.eye(given.shape[1])[answers] + chosen.soft * given
            lessons.append((picked, target, chosen))
            right.append(answers == picked.truth)
            student = self._taught(lessons, number)
            found = self._domain.grade(self._test, student.predict(self._test).answers)
            accuracy.append(float(found.mean()))
        return Selected(tuple(accuracy), float(np.concatenate(right).mean()))

    def _drawn(self, part: Part, n: int, rng: np.random.Generator) -> Items:
        """Draw items of the easiest level, evenly of all skills that can be learnt."""
        skills = np.flatnonzero(self._domain.kinds[:, 0] == "taught")
        counts = np.bincount(rng.integers(0, len(skills), n), minlength=len(skills))
        parts = [
            draw(self._domain, int(skill), 0, int(count), part, rng)
            for skill, count in zip(skills, counts, strict=True)
            if count
        ]
        return Items.concat(parts).take(rng.permutation(n))

    def _mentored(self, n: int, rng: np.random.Generator) -> Floats:
        """Return the labels of a mentor taught ``n`` right answers, as probabilities."""
        if self.errors != "mentor":
            return np.zeros((len(self.items), self._domain.format.n_answers))
        mentor = self._blank()
        mentor.train(self._drawn("train", n, rng), seed=self._seed_of("mentor"), epochs=_EPOCHS)
        return self._seen(mentor)

    def _labels(self, student: DataStudent) -> Floats:
        """Return what the mentor says of every item now."""
        if self.errors == "mentor":
            return self._mentor
        flipped = self._flipped
        if self.errors == "adversarial":
            two = np.sort(self._seen(student), axis=1)[:, -2:]
            order = np.argsort(two[:, 1] - two[:, 0], kind="stable")
            flipped = np.zeros(len(self.items), dtype=np.bool_)
            flipped[order[: round(self.error_rate * len(order))]] = True
        answers = np.where(flipped, self._wrong, self.items.truth)
        n_classes = self._domain.format.n_answers
        rest = (1.0 - _STEEP) / (n_classes - 1)
        return rest + (_STEEP - rest) * np.eye(n_classes)[answers]

    def _taught(self, lessons: list[tuple[Items, Floats, Selection]], number: int) -> DataStudent:
        items, targets, chosen = zip(*lessons, strict=True)
        weights = [
            np.ones(len(each.index)) if each.weights is None else each.weights for each in chosen
        ]
        soft = np.concatenate(targets).astype(np.float32) if any(c.soft for c in chosen) else None
        student = self._blank()
        student.train(
            Items.concat(items),
            seed=self._seed_of("student", number),
            epochs=_EPOCHS,
            weights=np.concatenate(weights).astype(np.float32),
            soft=soft,
        )
        return student

    def _seen(self, student: DataStudent) -> Floats:
        probabilities = student.predict(self.items).probabilities
        if probabilities is None:
            raise ValueError("pool: expected a student that gives the probability of every class")
        return probabilities.astype(np.float64)

    def _blank(self) -> DataStudent:
        from students.data import make

        return make("sgd", self._domain.format, seed=self._seed_of("blank"), **_STUDENT)

    def _seed_of(self, role: str, number: int = 0) -> int:
        return derive_int(self._seed, f"pool {role}", number)


def _checked(chosen: Selection, taken: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    index = np.asarray(chosen.index, dtype=np.int64)
    if len(index) > n or len(np.unique(index)) < len(index) or taken[index].any():
        raise ValueError(f"selection: expected at most {n} different items not taken yet")
    return index
