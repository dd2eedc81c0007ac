"""Operations on two numbers: how operands are drawn, written, solved and botched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domains.math_operation import (
    DIGIT,
    EQUAL,
    MAX_LEVELS,
    Ints,
    Operation,
)

__all__ = ["KNOWN", "NOISE", "NUMBERS"]

_SUM_DIGITS = MAX_LEVELS + 1


class _Numbers:
    """Two numbers of ``level + 1`` digits (level 0: below 20), zero-padded to ``MAX_LEVELS``."""

    width = 2 * MAX_LEVELS
    answer_width = MAX_LEVELS
    family = "numbers"
    symbol = ""
    needs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return _numbers(level, (n, 2), rng)

    def variant(self, operands: Ints) -> Ints:
        return np.zeros(len(operands), dtype=np.int64)

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

    def admits(self, level: int, operands: Ints) -> bool:
        low, high = _bounds(level)
        return len(operands) == 2 and bool(((low <= operands) & (operands < high)).all())


class _Add(_Numbers):
    symbol = "+"
    answer_width = _SUM_DIGITS
    variants: tuple[str, ...] = ("without carry", "with carry")

    def variant(self, operands: Ints) -> Ints:
        first, second = (_digits(operands[:, i], MAX_LEVELS) for i in (0, 1))
        return _any(first + second > 9)

    def solve(self, operands: Ints) -> Ints:
        return _units_first(operands.sum(axis=1), self.answer_width)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Forget a carry, or carry where there is none."""
        below = _place(operands, rng)
        carry = (operands % below[:, None]).sum(axis=1) // below
        slipped = operands.sum(axis=1) + np.where(carry > 0, -below, below)
        return _units_first(slipped, self.answer_width)


class _Subtract(_Numbers):
    symbol = "-"
    needs: tuple[str, ...] = ("add",)
    variants: tuple[str, ...] = ("without borrow", "with borrow")

    def variant(self, operands: Ints) -> Ints:
        first, second = (_digits(operands[:, i], MAX_LEVELS) for i in (0, 1))
        return _any(first < second)

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return -np.sort(-super().draw(level, n, rng), axis=1)

    def admits(self, level: int, operands: Ints) -> bool:
        return super().admits(level, operands) and bool(operands[0] >= operands[1])

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
    symbol = "*"
    answer_width = _SUM_DIGITS
    family = "number and digit"
    needs: tuple[str, ...] = ("add",)
    variants: tuple[str, ...] = ("without carry", "with carry")

    def variant(self, operands: Ints) -> Ints:
        return _any(_digits(operands[:, 0], MAX_LEVELS) * operands[:, 1:] > 9)

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return np.stack([_numbers(level, n, rng), rng.integers(2, 10, n)], axis=1)

    def admits(self, level: int, operands: Ints) -> bool:
        return _with_digit(level, operands)

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
    symbol = "%"
    answer_width = 1
    family = "number and digit"
    needs: tuple[str, ...] = ("sub",)

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        return np.stack([_numbers(level, n, rng), rng.integers(2, 10, n)], axis=1)

    def admits(self, level: int, operands: Ints) -> bool:
        return _with_digit(level, operands)

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
    symbol = "?"
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
    symbol = "max"
    answer_width = MAX_LEVELS
    needs: tuple[str, ...] = ("compare",)

    def solve(self, operands: Ints) -> Ints:
        return _units_first(operands.max(axis=1), self.answer_width)

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Take the smaller number."""
        return _units_first(operands.min(axis=1), self.answer_width)


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

    variants: tuple[str, ...] = ()

    def variant(self, operands: Ints) -> Ints:
        return np.zeros(len(operands), dtype=np.int64)


NUMBERS: dict[str, Operation] = {
    "add": _Add(),
    "sub": _Subtract(),
    "mul": _Multiply(),
    "compare": _Compare(),
    "mod": _Modulo(),
    "max": _Max(),
}
"""Name of a skill -> its operation."""

KNOWN: Operation = _Known()
NOISE: Operation = _Noise()


def _numbers(level: int, shape: int | tuple[int, int], rng: np.random.Generator) -> Ints:
    """Draw numbers of ``level + 1`` digits; at level 0 below 20, as few are below 10."""
    return rng.integers(*_bounds(level), shape)


def _bounds(level: int) -> tuple[int, int]:
    return (10**level, 10 ** (level + 1)) if level else (0, 20)


def _with_digit(level: int, operands: Ints) -> bool:
    """Whether they are a number of the level and a digit from 2 on."""
    low, high = _bounds(level)
    return len(operands) == 2 and low <= operands[0] < high and 2 <= operands[1] <= 9


def _digits(numbers: Ints, width: int) -> Ints:
    """Return the digits of numbers, units first."""
    return numbers[:, None] // 10 ** np.arange(width) % 10


def _any(places: NDArray[np.bool_]) -> Ints:
    """Return 1 for the rows in which it is so at any place, 0 for others."""
    found: Ints = np.asarray(places.any(axis=1), dtype=np.int64)
    return found


def _units_first(numbers: Ints, width: int) -> Ints:
    """Write numbers as answers: units first, as they come about by hand, zero-padded."""
    return _digits(numbers, width) + DIGIT


def _place(operands: Ints, rng: np.random.Generator) -> Ints:
    """Return the place (10, 100, ...) behind a random digit of every row's largest number."""
    largest = operands.max(axis=1)[:, None]
    n_digits = np.maximum((largest >= 10 ** np.arange(MAX_LEVELS)).sum(axis=1), 1)
    places: Ints = 10 ** rng.integers(1, n_digits + 1)
    return places
