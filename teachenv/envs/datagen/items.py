"""Questions with answers, in arrays, and what a student is told of their form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Format", "Items", "Prediction", "agreeing", "content_keys"]


@dataclass(frozen=True)
class Format:
    """What the items of a domain look like to a student.

    Attributes:
        fields: Shape of one item's array, per field: "features" (float32), "tokens" (int16,
            padded to one width for the whole domain, never per batch), "image" (uint8, height,
            width, 3).
        answer: "class": an answer is one class; "tokens": a sequence of fixed width.
        n_answers: Classes, or size of the vocabulary.
        answer_width: Tokens of an answer, padding included; 1 for a class.
        vocabulary: What the tokens stand for; index 0 is padding, only behind an answer.
        free: Answers are graded by more than equality (execution, a scorer), so a student must
            really write them; else it may be asked which token it would write after the right
            ones, which costs less and is right exactly as often.
    """

    fields: Mapping[str, tuple[int, ...]]
    answer: Literal["class", "tokens"]
    n_answers: int
    answer_width: int = 1
    vocabulary: tuple[str, ...] = ()
    free: bool = False


@dataclass(frozen=True)
class Items:
    """Some items; all arrays have the same first length ``n``.

    Attributes:
        inputs: What the student sees, by field.
        answers: What it shall answer: int16 of shape ``(n,)`` or ``(n, answer_width)``. An
            engine that errs changes these, not ``truth``.
        truth: The right answers, of the same shape.
        skill: Index of the skill, int16.
        level: Index of the level, int16.
        keys: Hash of the content, uint64; equal questions have equal keys.
        extra: What the domain's grader needs besides, by name.
    """

    inputs: Mapping[str, NDArray[Any]]
    answers: NDArray[np.int16]
    truth: NDArray[np.int16]
    skill: NDArray[np.int16]
    level: NDArray[np.int16]
    keys: NDArray[np.uint64]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, index: NDArray[Any] | slice) -> Items:
        """Return the items at ``index`` (positions, a mask or a slice)."""
        return Items(
            {name: array[index] for name, array in self.inputs.items()},
            self.answers[index],
            self.truth[index],
            self.skill[index],
            self.level[index],
            self.keys[index],
            {name: array[index] for name, array in self.extra.items()},
        )

    def answered(self, answers: NDArray[np.int16]) -> Items:
        """Return the items with other answers; the truth stays."""
        return replace(self, answers=answers)

    @classmethod
    def concat(cls, parts: Sequence[Items]) -> Items:
        """Return items of one domain behind one another; at least one part."""
        first = parts[0]
        return cls(
            {name: np.concatenate([p.inputs[name] for p in parts]) for name in first.inputs},
            np.concatenate([p.answers for p in parts]),
            np.concatenate([p.truth for p in parts]),
            np.concatenate([p.skill for p in parts]),
            np.concatenate([p.level for p in parts]),
            np.concatenate([p.keys for p in parts]),
            {name: np.concatenate([p.extra[name] for p in parts]) for name in first.extra},
        )


@dataclass(frozen=True)
class Prediction:
    """A student's answers.

    Attributes:
        answers: Shape and dtype of :attr:`Items.answers`.
        confidence: Probability it gives its own answer, float32 ``(n,)``.
        loss: Loss on the items' ``answers`` in nats (mean over an answer's tokens), float32
            ``(n,)``.
        probabilities: Of every class, float32 ``(n, n_answers)``; ``None`` for sequences.
    """

    answers: NDArray[np.int16]
    confidence: NDArray[np.float32]
    loss: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None


def content_keys(contents: Iterable[bytes]) -> NDArray[np.uint64]:
    """Return the hash of every content (canonical bytes), uint64; the same on every machine."""
    digests = (hashlib.blake2b(content, digest_size=8).digest() for content in contents)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def agreeing(answers: NDArray[np.int16], others: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which answers are the same, bool ``(n,)``; both of the shape of Items.answers."""
    same: NDArray[np.bool_] = (answers == others).reshape(len(answers), -1).all(axis=1)
    return same
