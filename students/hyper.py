"""Hyper-parameters in range, or one error that names all that are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from teachenv.errors import UserError

Group = Mapping[str, Any]
_NONE: Group = {}


def check_hyper(
    student: str,
    *,
    counts: Group,
    positive: Group,
    shares: Group,
    weights: Group,
    hidden: Any,
    counts_or_0: Group = _NONE,
) -> None:
    """Refuse hyper-parameters out of range, all at once.

    Args:
        student: Id for the message.
        counts: Positive whole numbers, by name.
        positive: Positive numbers, by name.
        shares: Numbers in (0, 1], by name.
        weights: Numbers from 0 up, by name.
        hidden: A sequence of positive whole numbers.
        counts_or_0: Whole numbers from 0 up, by name.

    Raises:
        UserError: naming every refused one, with what was expected.
    """
    rules: list[tuple[Group, str, Callable[[Any], bool]]] = [
        (counts, "a positive whole number", _is_count),
        (counts_or_0, "a whole number from 0 up", lambda x: _is_count(x, 0)),
        (positive, "a positive number", lambda x: _is_number(x) and x > 0),
        (shares, "a number in (0, 1]", lambda x: _is_number(x) and 0 < x <= 1),
        (weights, "a number from 0 up", lambda x: _is_number(x) and x >= 0),
        ({"hidden": hidden}, "a list of positive whole numbers", _is_widths),
    ]
    problems = [
        f"{name}: expected {expected}, got {value!r}"
        for values, expected, accepts in rules
        for name, value in values.items()
        if not accepts(value)
    ]
    if problems:
        raise UserError(f"{student}: " + "; ".join(problems))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_widths(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_count, value))
