"""Operations on lists of digits: how operands are drawn, written, solved and botched."""

from __future__ import annotations

import numpy as np

from teachenv.envs.datagen.domains.math_operation import DIGIT, MAX_LEVELS, Ints, Operation

__all__ = ["LISTS"]


class _List:
    """A list of ``level + 3`` digits, padded behind; a list holds -1 there."""

    width = MAX_LEVELS + 2
    answer_width = MAX_LEVELS + 2
    family = "list"
    symbol = ""
    needs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        digits = np.full((n, self.width), -1)
        digits[:, : self._length(level)] = rng.integers(0, 10, (n, self._length(level)))
        return digits

    def _length(self, level: int) -> int:
        return level + 3

    def admits(self, level: int, operands: Ints) -> bool:
        digits = (operands >= 0) & (operands <= 9)
        return len(operands) == self._length(level) and bool(digits.all())

    def canonical(self, operands: Ints) -> Ints:
        return operands

    def variant(self, operands: Ints) -> Ints:
        return np.zeros(len(operands), dtype=np.int64)

    def write(self, operands: Ints) -> Ints:
        return operands + DIGIT

    def read(self, tokens: Ints) -> Ints:
        return tokens[:, : self.width] - DIGIT


class _Sort(_List):
    symbol = "sort"

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
    symbol = "reverse"

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

    symbol = "parity"
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


LISTS: dict[str, Operation] = {"sort": _Sort(), "reverse": _Reverse(), "parity": _Parity()}
"""Name of a skill -> its operation."""


def _swapped(tokens: Ints, rng: np.random.Generator) -> Ints:
    """Swap two neighbouring digits of every row."""
    length = (tokens > 0).sum(axis=1)
    first = rng.integers(0, length - 1)
    rows, swapped = np.arange(len(tokens)), tokens.copy()
    swapped[rows, first], swapped[rows, first + 1] = tokens[rows, first + 1], tokens[rows, first]
    return swapped
