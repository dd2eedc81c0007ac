"""Digits with hints, and a student that has learnt, in part wrongly, what the hints mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.items import Format, Items
from teachenv.envs.datagen.split import Part, draw

__all__ = ["MARKS", "HintedDigits", "Questions"]

MARKS = 5
"""Marks a hint may be; each stands for a pair of digits."""

_STRENGTH = 2.0
"""Value of a mark's feature where it is shown; pixels are in [0, 1]."""

_N_TAUGHT, _EPOCHS = 600, 2
_PIXELS = 64


@dataclass(frozen=True)
class Questions:
    """Pictures with the mark that belongs to each.

    Attributes:
        items: The pictures, without a mark.
        marks: Index of the mark of each picture's pair, int64 ``(n,)``.
    """

    items: Items
    marks: NDArray[np.int64]


class HintedDigits:
    """A student of the domain ``digits`` whose questions may carry a mark.

    Which two digits share a mark is drawn. The student (``sgd``, logistic regression on 64 pixels
    and 5 marks) is really trained: on 600 pictures, half of them with a mark. A misread mark was
    shown to it with another pair than the one it stands for, so the student errs by what it
    learnt.

    Args:
        rng: Draws the meanings of the marks and the student's training data.
        n_misread: Marks that the student misunderstands, 0 to 4.
    """

    n_features = 10 + 1 + MARKS
    """Columns of :meth:`features`."""

    def __init__(self, rng: np.random.Generator, n_misread: int) -> None:
        from students.data import make

        self._domain = make_domain("digits")
        self._pairs = rng.permutation(10) % MARKS
        self.misread = np.sort(rng.permutation(MARKS)[:n_misread])
        """The marks misunderstood."""
        self._meaning = np.arange(MARKS)
        self._meaning[self.misread] += rng.integers(1, MARKS, n_misread)
        self._meaning %= MARKS
        form = Format({"features": (_PIXELS + MARKS,)}, "class", 10)
        self._seed = int(rng.integers(2**31))
        self._student = make("sgd", form, seed=self._seed)
        taught = self.questions("train", _N_TAUGHT, rng)
        marks = self._marks_taught(taught, rng)
        self._taught = _marked(taught.items, marks)
        self._student.train(self._taught, seed=self._seed, epochs=_EPOCHS)

    def _marks_taught(self, taught: Questions, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the mark shown with each picture, -1 for none: one that means its pair."""
        means = self._meaning == taught.marks[:, None]
        lot = np.where(means, rng.random(means.shape), -1.0)
        shown = means.any(axis=1) & (rng.random(len(means)) < 0.5)
        return np.where(shown, lot.argmax(axis=1), -1)

    def questions(self, part: Part, n: int, rng: np.random.Generator) -> Questions:
        """Draw questions evenly from all digits and levels of noise."""
        shape = self._domain.kinds.shape
        counts = np.bincount(rng.integers(0, shape[0] * shape[1], n), minlength=shape[0] * shape[1])
        cells = np.argwhere(counts.reshape(shape) > 0)
        drawn = [
            draw(self._domain, int(s), int(v), int(counts[s * shape[1] + v]), part, rng)
            for s, v in cells
        ]
        items = Items.concat(drawn).take(rng.permutation(n))
        return Questions(items, self._pairs[items.truth])

    def features(self, questions: Questions) -> NDArray[np.float32]:
        """Return what a teacher sees of questions.

        Returns:
            Float32 ``(n, 16)`` in [0, 1]: the student's ten probabilities without help, the
            level, the mark one-hot.
        """
        prediction = self._student.predict(self._without(questions))
        level = questions.items.level[:, None] / (self._domain.n_levels - 1)
        marks = np.eye(MARKS)[questions.marks]
        shown = np.concatenate([prediction.probabilities, level, marks], axis=1)
        return shown.astype(np.float32)

    def answers_right(self, questions: Questions) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which answers are right without help, and which with it."""
        with_help = _marked(questions.items, questions.marks)
        return self._grade(self._without(questions)), self._grade(with_help)

    def learn(self, questions: Questions, helped: NDArray[np.bool_], later: Questions) -> float:
        """Learn the answers to the questions there was help with, marks beside them.

        What it was taught before is repeated with them, or it would forget it.

        Returns:
            The change of accuracy on ``later`` questions, without help.
        """
        if not helped.any():
            return 0.0
        unhelped = self._without(later)
        before = self._grade(unhelped).mean()
        lesson = _marked(questions.items.take(helped), questions.marks[helped])
        lesson = Items.concat([self._taught, lesson])
        self._student.train(lesson, seed=self._seed, epochs=1)
        return float(self._grade(unhelped).mean() - before)

    def _grade(self, items: Items) -> NDArray[np.bool_]:
        return self._domain.grade(items, self._student.predict(items).answers)

    def _without(self, questions: Questions) -> Items:
        return _marked(questions.items, np.full(len(questions.items), -1))


def _marked(items: Items, marks: NDArray[np.int64]) -> Items:
    """Return the items with five more features: the mark shown, -1 for none."""
    shown = np.zeros((len(items), MARKS), dtype=np.float32)
    rows = np.flatnonzero(marks >= 0)
    shown[rows, marks[rows]] = _STRENGTH
    pixels = items.inputs["features"][:, :_PIXELS]
    return replace(items, inputs={"features": np.concatenate([pixels, shown], axis=1)})
