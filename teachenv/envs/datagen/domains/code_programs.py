"""Small list programs: as steps, as Python, in tokens, and executed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.sandbox.expressions import RefusedError, compile_expression, evaluate

__all__ = ["ARGUMENTS", "LISTS", "MAX_ARGUMENT", "MAX_STEPS", "OPERATIONS", "PYTHON", "Step"]
__all__ += ["canonical", "expression", "outputs"]

Step = tuple[str, int]
"""An operation and its argument; 0 where it has none."""

LISTS = tuple("abcdefghijkl")
"""Names of the lists a program may use."""
MAX_STEPS = 4

OPERATIONS: dict[str, tuple[str, ...]] = {
    "sort": ("sorted", "(", "L", ")"),
    "reverse": ("L", "[::-1]"),
    "add": ("[", "v", "+", "K", "for", "v", "in", "L", "]"),
    "times": ("[", "v", "*", "K", "for", "v", "in", "L", "]"),
    "above": ("[", "v", "for", "v", "in", "L", "if", "v", ">", "K", "]"),
    "even": ("[", "v", "for", "v", "in", "L", "if", "v", "%", "2", "==", "0", "]"),
    "first": ("L", "[:", "K", "]"),
    "drop": ("L", "[", "K", ":]"),
}
"""Operation -> the words of its Python; "L" is the list it works on, "K" its argument."""

ARGUMENTS = {
    "add": range(1, 10),
    "times": range(2, 10),
    "above": range(1, 8),
    "first": range(4, 10),
    "drop": range(1, 4),
}
"""Arguments of the operations that have one: such that something is left of a list."""
MAX_ARGUMENT = 9

PYTHON = tuple(
    dict.fromkeys(
        word
        for words in (("(", "+", ")"), *OPERATIONS.values(), map(str, range(MAX_ARGUMENT + 1)))
        for word in words
        if word not in ("L", "K")
    )
)
"""All words of programs but the lists' names."""

_EACH, _CHOOSE, _CUT = {"add", "times"}, {"above", "even"}, {"first", "drop"}
_COMMUTE = frozenset(
    frozenset((one, other))
    for ones, others in (
        ({"sort", "reverse"}, _EACH | _CHOOSE),
        (_EACH, _CUT),
        ({"above"}, {"even"}),
    )
    for one in ones
    for other in others
)
_RANK = {name: rank for rank, name in enumerate(OPERATIONS)}

N_INPUTS = 8


def expression(names: tuple[str, str], steps: Iterable[Step]) -> list[str]:
    """Return the words of the program that joins two lists and takes the steps in order."""
    words = ["(", names[0], "+", names[1], ")"]
    for operation, argument in steps:
        parts = ({"L": words, "K": [str(argument)]}.get(w, [w]) for w in OPERATIONS[operation])
        words = [word for part in parts for word in part]
    return words


def canonical(steps: Sequence[Step]) -> list[Step]:
    """Return the steps in the one order that stands for all that follow by swapping steps.

    Neighbours may be swapped if that changes no result: sorting and adding 2, say.
    """
    left, ordered = list(steps), []
    while left:
        movable = [
            index
            for index, (name, _) in enumerate(left)
            if all(frozenset((name, before)) in _COMMUTE for before, _ in left[:index])
        ]
        best = min(movable, key=lambda index: _RANK[left[index][0]])
        ordered.append(left.pop(best))
    return ordered


@functools.lru_cache(maxsize=20_000)
def outputs(source: str) -> tuple[Any, ...] | None:
    """Return what a program gives on the hidden inputs; ``None`` if it is no program."""
    try:
        code = compile_expression(source, LISTS)
    except RefusedError:
        return None
    values = (evaluate(code, lists) for lists in _hidden_inputs())
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)


@functools.cache
def _hidden_inputs() -> list[dict[str, list[int]]]:
    """Return the lists programs are tried on, always the same."""
    rng = np.random.default_rng(20_240)
    return [{name: _draw_list(rng).tolist() for name in LISTS} for _ in range(N_INPUTS)]


def _draw_list(rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.integers(-5, 13, rng.integers(3, 8))
