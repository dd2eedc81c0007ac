"""What an operation of the math domain is, its tokens, and hashes of its operands.

Tokens are numbers: 0 is padding, ``DIGIT + d`` the digit ``d``, and ``LESS``, ``EQUAL``,
``MORE`` what a comparison answers. All arrays have one row per question.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIGIT", "EQUAL", "LESS", "MAX_LEVELS", "MORE", "Ints", "Operation", "mixed"]

Ints = NDArray[np.int64]

MAX_LEVELS = 6
DIGIT, LESS, EQUAL, MORE = 1, 11, 12, 13


class Operation(Protocol):
    """One kind of question.

    Attributes:
        symbol: What its token stands for.
        width: Tokens of a question, without the operation's own.
        answer_width: Tokens of an answer.
        family: How questions look: "numbers", "number and digit" or "list".
        needs: Operations whose same level comes first.
        variants: Names of kinds of questions; none if they are all alike.
    """

    symbol: str
    width: int
    answer_width: int
    family: str
    needs: tuple[str, ...]
    variants: tuple[str, ...]

    def draw(self, level: int, n: int, rng: np.random.Generator) -> Ints:
        """Draw operands, shape ``(n, n_operands)``."""

    def canonical(self, operands: Ints) -> Ints:
        """Return operands that are equal for questions of equal content."""

    def variant(self, operands: Ints) -> Ints:
        """Return the variant of questions, ``(n,)``; 0 where there are none."""

    def write(self, operands: Ints) -> Ints:
        """Return the questions' tokens, shape ``(n, width)``."""

    def read(self, tokens: Ints) -> Ints:
        """Return the operands of what :meth:`write` returned."""

    def admits(self, level: int, operands: Ints) -> bool:
        """Whether operands of one question (a row as long as was given) could be drawn."""

    def solve(self, operands: Ints) -> Ints:
        """Return the answers' tokens, shape ``(n, answer_width)``."""

    def slip(self, operands: Ints, rng: np.random.Generator) -> Ints:
        """Return answers with one step of the working wrong; it may not show in all of them."""


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
