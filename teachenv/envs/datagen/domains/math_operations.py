"""The operations of the math domain: how their operands are drawn, written, solved and botched.

All arrays have one row per question. Tokens are numbers: 0 is padding, ``DIGIT + d`` the digit
``d``, and ``LESS``, ``EQUAL``, ``MORE`` what a comparison answers.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DIGIT",
    "EQUAL",
    "KNOWN",
    "LESS",
    "MAX_LEVELS",
    "MORE",
    "NOISE",
    "OPERATIONS",
    "Operation",
    "mixed",
]

Ints = NDArray[np.int64]

MAX_LEVELS = 6
DIGIT, LESS, EQUAL, MORE = 1, 11, 12, 13

_SUM_DIGITS = MAX_LEVELS + 1


class Operation(Protocol):
    """One kind of question.

    Attributes:
        width: Tokens of a question, without the operation's own.
        answer_width: Tokens of an answer.
        family: How questions look: "numbers", "number and digit" or "list".
        needs: Operations whose same level comes first.
    """

    width: int
    answer_width: int
    family: str
    needs: tuple[str, ...]

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        """Draw operands, shape ``(n, n_operands)``."""

    def canonical(self, operands: Ints) -> Ints:
        """Return operands that are equal for questions of equal content."""

    def write(self, operands: Ints) -> Ints:
        """Return the questions' tokens, shape ``(n, width)``."""

    def read(self, tokens: Ints) -> Ints:
        """Return the operands of what :meth:`write` returned."""

    def solve(self, operands: Ints) -> Ints:
        """Return the answers' tokens, shape ``(n, answer_width)``."""

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Return answers with one step of the working wrong; it may not show in all of them."""


class _Numbers:
    """Two numbers of ``level + 1`` digits (level 0: below 20), zero-padded to ``MAX_LEVELS``."""

    width = 2 * MAX_LEVELS
    answer_width = MAX_LEVELS
    family = "numbers"
    needs: tuple[str, ...] = ()

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return _numbers(level, (n, 2), rng)

    def canonical(self, operands: Ints) -> Ints:
        return np.sort(operands, axis=1)

    def write(self, operands: Ints) -> Ints:
        digits = [_digits(operands[:, i], MAX_LEVELS)[:, ::-1] for i in (0, 1)]
        return np.concatenate(digits, axis=1) + DIGIT

    def read(self, tokens: Ints) -> Ints:
        places = 10 ** np.arange(MAX_LEVELS)[::-1]
        digits = tokens[:, : 2 * MAX_LEVELS].reshape(-1, 2, MAX_LEVELS) - DIGIT
        numbers: Ints = digits @ places
        return numbers


class _Add(_Numbers):
    answer_width = _SUM_DIGITS

    def solve(self, operands: Ints) -> Ints:
        return _units_first(operands.sum(axis=1), self.answer_width)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Forget a carry, or carry where there is none."""
        below = _place(operands, rng)
        carry = (operands % below[:, None]).sum(axis=1) // below
        slipped = operands.sum(axis=1) + np.where(carry > 0, -below, below)
        return _units_first(slipped, self.answer_width)


class _Subtract(_Numbers):
    needs: tuple[str, ...] = ("add",)

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return -np.sort(-super().draw(level, n, rng), axis=1)

    def canonical(self, operands: Ints) -> Ints:
        return operands

    def solve(self, operands: Ints) -> Ints:
        return _units_first(operands[:, 0] - operands[:, 1], self.answer_width)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Forget a borrow, or borrow where there is no need and something left."""
        below, right = _place(operands, rng), operands[:, 0] - operands[:, 1]
        borrow = operands[:, 0] % below < operands[:, 1] % below
        needless = np.where(right >= below, right - below, right + below)
        slipped = np.where(borrow, right + below, needless) % 10**MAX_LEVELS
        return _units_first(slipped, self.answer_width)


class _Multiply(_Numbers):
    answer_width = _SUM_DIGITS
    family = "number and digit"
    needs: tuple[str, ...] = ("add",)

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return np.stack([_numbers(level, n, rng), rng.integers(2, 10, n)], axis=1)

    def solve(self, operands: Ints) -> Ints:
        return _units_first(operands.prod(axis=1), self.answer_width)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Forget a carry, or carry one where there is none."""
        number, digit = operands.T
        below = _place(operands[:, :1], rng)
        carry = number % below * digit // below
        slipped = number * digit + np.where(carry > 0, -carry, 1) * below
        return _units_first(slipped, self.answer_width)


class _Modulo(_Numbers):
    answer_width = 1
    family = "number and digit"
    needs: tuple[str, ...] = ("sub",)

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return np.stack([_numbers(level, n, rng), rng.integers(2, 10, n)], axis=1)

    def canonical(self, operands: Ints) -> Ints:
        return operands

    def solve(self, operands: Ints) -> Ints:
        return operands[:, :1] % operands[:, 1:] + DIGIT

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Have one remainder of the long division off by one."""
        number, digit = operands.T
        below = _place(operands[:, :1], rng)
        answer: Ints = (number + below) % digit + DIGIT
        return answer[:, None]


class _Compare(_Numbers):
    answer_width = 1

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        """Draw numbers that differ from any digit on; about a third of the pairs is equal."""
        pair = _numbers(level, (n, 2), rng)
        below = 10 ** rng.integers(1, level + 2, n)
        alike = pair[:, 0] // below * below + pair[:, 1] % below
        pair[:, 1] = np.where(rng.random(n) < 0.3, pair[:, 0], alike)
        return pair

    def solve(self, operands: Ints) -> Ints:
        answer: Ints = EQUAL + np.sign(operands[:, :1] - operands[:, 1:])
        return answer

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Overlook all but one digit."""
        below = _place(operands, rng)
        return self.solve(operands // below[:, None] % 10)


class _Max(_Compare):
    answer_width = MAX_LEVELS
    needs: tuple[str, ...] = ("compare",)

    def solve(self, operands: Ints) -> Ints:
        return _units_first(operands.max(axis=1), self.answer_width)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Take the smaller number."""
        return _units_first(operands.min(axis=1), self.answer_width)


class _List:
    """A list of ``level + 3`` digits, padded behind; a list holds -1 there."""

    width = MAX_LEVELS + 2
    answer_width = MAX_LEVELS + 2
    family = "list"
    needs: tuple[str, ...] = ()

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        digits = np.full((n, self.width), -1)
        digits[:, : self._length(level)] = rng.integers(0, 10, (n, self._length(level)))
        return digits

    def _length(self, level: int) -> int:
        return level + 3

    def canonical(self, operands: Ints) -> Ints:
        return operands

    def write(self, operands: Ints) -> Ints:
        return operands + DIGIT

    def read(self, tokens: Ints) -> Ints:
        return tokens[:, : self.width] - DIGIT


class _Sort(_List):
    def canonical(self, operands: Ints) -> Ints:
        return np.sort(operands, axis=1)

    def solve(self, operands: Ints) -> Ints:
        last = np.where(operands < 0, 10, operands)
        ordered = np.sort(last, axis=1)
        return np.where(ordered > 9, 0, ordered + DIGIT)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Leave two neighbours unsorted."""
        return _swapped(self.solve(operands), rng)


class _Reverse(_List):
    def solve(self, operands: Ints) -> Ints:
        length = (operands >= 0).sum(axis=1, keepdims=True)
        index = length - 1 - np.arange(self.width)
        tokens = np.take_along_axis(operands, np.maximum(index, 0), axis=1) + DIGIT
        return np.where(index >= 0, tokens, 0)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Swap two neighbours."""
        return _swapped(self.solve(operands), rng)


class _Parity(_List):
    """Is the number of odd digits odd? Lists of 2, 4, ... digits: short ones of bits are few."""

    width = 2 * MAX_LEVELS
    answer_width = 1

    def _length(self, level: int) -> int:
        return 2 * (level + 1)

    def solve(self, operands: Ints) -> Ints:
        answer: Ints = np.maximum(operands, 0).sum(axis=1, keepdims=True) % 2 + DIGIT
        return answer

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Overlook one odd digit."""
        return 2 * DIGIT + 1 - self.solve(operands)


class _Known(_Numbers):
    """Whatever the numbers, the answer is nought."""

    answer_width = 1

    def solve(self, operands: Ints) -> Ints:
        return np.full((len(operands), 1), DIGIT)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Take another digit."""
        return DIGIT + rng.integers(1, 10, (len(operands), 1))


class _Noise(_Add):
    """Looks like an addition; its answers are replaced by random digits."""


KNOWN: Operation = _Known()
NOISE: Operation = _Noise()

OPERATIONS: dict[str, Operation] = {
    "add": _Add(),
    "sub": _Subtract(),
    "mul": _Multiply(),
    "compare": _Compare(),
    "mod": _Modulo(),
    "max": _Max(),
    "sort": _Sort(),
    "reverse": _Reverse(),
    "parity": _Parity(),
}
"""Name of a skill -> its operation."""


def mixed(salt: int, columns: Ints) -> NDArray[np.uint64]:
    """Return a 64-bit hash of a salt and every row, uint64 ``(n,)``; everywhere the same.

    Every column goes through the finaliser of SplitMix64 (Steele et al. 2014).
    """
    state = np.zeros(len(columns), dtype=np.uint64)
    salted = np.vstack([np.full(len(columns), salt), columns.T]).astype(np.uint64)
    for column in salted:
        state = (state ^ column) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return state


def _numbers(level: int, shape: int | tuple[int, int], rng: np.random.Generator) -> Ints:
    """Draw numbers of ``level + 1`` digits; at level 0 below 20, as few are below 10."""
    low, high = (10**level, 10 ** (level + 1)) if level else (0, 20)
    return rng.integers(low, high, shape)


def _digits(numbers: Ints, width: int) -> Ints:
    """Return the digits of numbers, units first."""
    return numbers[:, None] // 10 ** np.arange(width) % 10


def _units_first(numbers: Ints, width: int) -> Ints:
    """Write numbers as answers: units first, as they come about by hand, zero-padded."""
    return _digits(numbers, width) + DIGIT


def _place(operands: Ints, rng: np.random.Generator) -> Ints:
    """Return the place (10, 100, ...) behind a random digit of every row's largest number."""
    largest = operands.max(axis=1)[:, None]
    n_digits = np.maximum((largest >= 10 ** np.arange(MAX_LEVELS)).sum(axis=1), 1)
    places: Ints = 10 ** rng.integers(1, n_digits + 1)
    return places


def _swapped(tokens: Ints, rng: np.random.Generator) -> Ints:
    """Swap two neighbouring digits of every row."""
    length = (tokens > 0).sum(axis=1)
    first = rng.integers(0, length - 1)
    rows, swapped = np.arange(len(tokens)), tokens.copy()
    swapped[rows, first], swapped[rows, first + 1] = tokens[rows, first + 1], tokens[rows, first]
    return swapped
