"""Sums and the like in fixed-width fields, made by the thousand in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.domains.math_lists import LISTS
from teachenv.envs.datagen.domains.math_numbers import KNOWN, NOISE, NUMBERS
from teachenv.envs.datagen.domains.math_operation import (
    DIGIT,
    LESS,
    MAX_LEVELS,
    MORE,
    Ints,
    Operation,
    mixed,
)
from teachenv.envs.datagen.items import Format, Items
from teachenv.envs.datagen.texts import read_answer
from teachenv.errors import UserError, at_least, unknown

__all__ = ["OPERATIONS", "Math"]

OPERATIONS: dict[str, Operation] = {**NUMBERS, **LISTS}
"""Name of a skill -> its operation."""

VOCABULARY = ("", *"0123456789<=>", *(o.symbol for o in OPERATIONS.values()))
FAMILIES = ("numbers", "number and digit", "list")


class Math:
    """Operations on whole numbers and on lists of digits.

    A skill is an operation, a level how many digits its numbers have: level + 1 (level 0:
    numbers below 20). Lists have level + 3 digits, those of "parity" 2 (level + 1). A question
    is the operation's token and a field of fixed width: two zero-padded numbers, or a list
    padded behind. Numbers in answers are zero-padded and written units first, as they come
    about by hand. Commuted questions, and lists to sort of equal digits, count as one question
    in the split.

    Sums, differences and products have two variants: with a carry (or borrow) and without.

    Level l needs level l - 1; "mul" and "sub" need "add", "mod" needs "sub", "max" needs
    "compare".

    Args:
        skills: The operations, of :data:`OPERATIONS`; all if empty.
        n_levels: Levels, from 1 to 6.
        n_noise: Further skills that look like additions and have random answers.
        n_known: Further skills that every student has mastered: the answer is always 0.

    Raises:
        UserError: for an unknown or repeated skill, or a number out of range.
    """

    id = "math"
    student = "transformer"

    def __init__(
        self,
        *,
        skills: Sequence[str] = (),
        n_levels: int = MAX_LEVELS,
        n_noise: int = 0,
        n_known: int = 0,
    ) -> None:
        names = tuple(skills) or tuple(OPERATIONS)
        for name in names:
            if name not in OPERATIONS:
                raise UserError(unknown("skill", str(name), OPERATIONS))
        if len(set(names)) < len(names):
            raise UserError(f"skills: expected different ones, got {names}")
        at_least(0, "n_noise", n_noise)
        at_least(0, "n_known", n_known)
        if not 1 <= n_levels <= MAX_LEVELS:
            raise UserError(f"n_levels: expected a number in [1, {MAX_LEVELS}], got {n_levels!r}")
        noise = tuple(f"noise {n}" for n in range(n_noise))
        known = tuple(f"known {n}" for n in range(n_known))
        self.skills = names + noise + known
        self.n_levels = n_levels
        self._operations = [OPERATIONS[name] for name in names]
        self._operations += [NOISE] * n_noise + [KNOWN] * n_known
        kinds = ["taught"] * len(names) + ["noise"] * n_noise + ["known"] * n_known
        self.kinds = np.repeat(np.array(kinds)[:, None], n_levels, axis=1)
        self.variants = tuple(operation.variants for operation in self._operations)
        self.prerequisites = self._prerequisites()
        self._set_tokens(names, noise + known)
        samples = max(1500, 10_000 // len(names))
        self.usual: dict[str, Any] = {"profile": "warm", "warm_levels": 3, "base_samples": samples}

    def _set_tokens(self, names: tuple[str, ...], others: tuple[str, ...]) -> None:
        vocabulary = VOCABULARY + others
        symbols = [OPERATIONS[name].symbol for name in names] + list(others)
        self._symbols = [vocabulary.index(symbol) for symbol in symbols]
        self._width = 1 + max(operation.width for operation in self._operations)
        self.format = Format(
            {"tokens": (self._width,)},
            "tokens",
            len(vocabulary),
            max(operation.answer_width for operation in self._operations),
            vocabulary,
        )
        places = range(self._width - 1)
        self.feature_names = (*FAMILIES, "length", *(f"token {n}" for n in places))

    def _prerequisites(self) -> NDArray[np.bool_]:
        shape = (len(self.skills), self.n_levels)
        needs = np.zeros(shape + shape, dtype=np.bool_)
        for skill, operation in enumerate(self._operations):
            if self.kinds[skill, 0] == "taught":
                for level in range(1, self.n_levels):
                    needs[skill, level, skill, level - 1] = True
                for name in set(operation.needs) & set(self.skills):
                    for level in range(self.n_levels):
                        needs[skill, level, self.skills.index(name), level] = True
        return needs.reshape(np.prod(shape), np.prod(shape))

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw items of a cell; see :class:`teachenv.envs.datagen.domain.Domain`."""
        operands = self._operations[skill].draw(level, n, rng)
        keys = self._keys(skill, operands)
        kept = keep(keys)
        items = self._items(skill, level, operands[kept], keys[kept])
        if self.kinds[skill, level] != "noise":
            return items
        solved = self._operations[skill].solve(operands[kept])
        truth = self._answer(DIGIT + rng.integers(0, 10, solved.shape))
        return replace(items, answers=truth, truth=truth)

    def read(self, skill: int, level: int, question: str, answer: str) -> Items | None:
        """Return one item of a cell from text like that of :meth:`text`.

        ``None`` where the question is of another form, skill or level, where the answer is none,
        and for skills that cannot be taught.
        """
        operation, words = self._operations[skill], question.split()
        symbol = self.format.vocabulary[self._symbols[skill]]
        place = 0 if operation.family == "list" else 1
        numbers = [word for index, word in enumerate(words) if index != place]
        given = read_answer(self.format, answer)
        form = len(words) > place and words[place] == symbol and given is not None
        plain = all(word.isascii() and word.isdigit() and len(word) < 10 for word in numbers)
        if not (form and plain) or self.kinds[skill, level] == "noise":
            return None
        operands = np.array(numbers, dtype=np.int64)
        if not operation.admits(level, operands):
            return None
        if operation.family == "list":
            operands = np.pad(operands, (0, operation.width - len(operands)), constant_values=-1)
        row = operands[None]
        item = self._items(skill, level, row, self._keys(skill, row))
        return item.answered(np.array(given)[None])

    def _keys(self, skill: int, operands: Ints) -> NDArray[np.uint64]:
        return mixed(self._symbols[skill], self._operations[skill].canonical(operands))

    def _items(self, skill: int, level: int, operands: Ints, keys: NDArray[np.uint64]) -> Items:
        """Return questions with their right answers."""
        operation = self._operations[skill]
        tokens = np.zeros((len(keys), self._width), dtype=np.int16)
        tokens[:, 0] = self._symbols[skill]
        tokens[:, 1 : 1 + operation.width] = operation.write(operands)
        truth = self._answer(operation.solve(operands))
        cell = np.full((2, len(keys)), [[skill], [level]], dtype=np.int16)
        return Items({"tokens": tokens}, truth, truth, cell[0], cell[1], keys)

    def _answer(self, tokens: Ints) -> NDArray[np.int16]:
        answers = np.zeros((len(tokens), self.format.answer_width), dtype=np.int16)
        answers[:, : tokens.shape[1]] = tokens
        return answers

    def grade(self, items: Items, answers: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return where every token of an answer is right."""
        right: NDArray[np.bool_] = (answers == items.truth).all(axis=1)
        return right

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return answers with one token changed to another of its kind."""
        answers, rows = items.truth.copy(), np.arange(len(items))
        place = rng.integers(0, (answers > 0).sum(axis=1))
        old = answers[rows, place]
        parity = np.array([name == "parity" for name in self.skills])[items.skill]
        first = np.where(old >= LESS, LESS, DIGIT)
        n_kinds = np.where(old >= LESS, MORE - LESS + 1, np.where(parity, 2, 10))
        answers[rows, place] = first + (old - first + rng.integers(1, n_kinds)) % n_kinds
        return answers

    def wrong_steps(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return answers with one step wrong: a carry, a borrow, a remainder, two neighbours.

        Where that happens to give the right answer, and where answers are random, one token is
        wrong instead.
        """
        answers = items.truth.copy()
        for skill in np.unique(items.skill):
            if self.kinds[skill, 0] != "noise":
                rows = np.flatnonzero(items.skill == skill)
                operation = self._operations[skill]
                operands = operation.read(items.inputs["tokens"][rows, 1:].astype(np.int64))
                answers[rows] = self._answer(operation.slip(operands, rng))
        same = self.grade(items, answers)
        answers[same] = self.wrong(items, rng)[same]
        return answers

    def variant(self, items: Items) -> NDArray[np.int64]:
        """Return whether the working has a carry or borrow; 0 where none is told apart."""
        variants = np.zeros(len(items), dtype=np.int64)
        for skill in np.unique(items.skill):
            rows = np.flatnonzero(items.skill == skill)
            operation = self._operations[skill]
            operands = operation.read(items.inputs["tokens"][rows, 1:].astype(np.int64))
            variants[rows] = operation.variant(operands)
        return variants

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return how questions look without their operation: family, length and field."""
        field = items.inputs["tokens"][:, 1:].astype(np.float32)
        family = np.array([FAMILIES.index(operation.family) for operation in self._operations])
        length = (field > DIGIT).sum(axis=1, keepdims=True) / field.shape[1]
        shape = np.eye(len(FAMILIES), dtype=np.float32)[family[items.skill]]
        columns = [shape, length.astype(np.float32), field / np.float32(DIGIT + 9)]
        return np.concatenate(columns, axis=1)

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return a question as one would write it, and its answer."""
        skill = int(items.skill[index])
        operation = self._operations[skill]
        tokens = items.inputs["tokens"][index : index + 1, 1:].astype(np.int64)
        operands = operation.read(tokens)[0]
        symbol = self.format.vocabulary[self._symbols[skill]]
        if operation.family == "list":
            question = f"{symbol} {' '.join(str(d) for d in operands if d >= 0)}"
        else:
            question = f"{operands[0]} {symbol} {operands[1]}"
        return {"question": question, "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return an answer as the student writes it, numbers units first."""
        return " ".join(self.format.vocabulary[token] for token in answer if token)
