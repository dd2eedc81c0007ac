"""Hyper-parameters in range, or one error that names all that are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Group = Mapping[str, Any]


def check_hyper(
    student: str,
    *,
    counts: Group,
    positive: Group,
    shares: Group,
    not_negative: Group,
    counts_or_0: Group,
) -> None:
    """Check hyper-parameters.

    Args:
        student: Id of the student, for the message.
        counts: Whole numbers of at least 1, by name.
        positive: Finite numbers above 0.
        shares: Numbers in (0, 1].
        not_negative: Finite numbers of at least 0.
        counts_or_0: Whole numbers of at least 0.

    Raises:
        ValueError: naming every hyper-parameter that is out of range.
    """
    rules: list[tuple[Group, str, Callable[[Any], bool]]] = [
        (counts, "a positive whole number", lambda v: isinstance(v, int) and v >= 1),
        (counts_or_0, "a whole number of at least 0", lambda v: isinstance(v, int) and v >= 0),
        (positive, "a positive number", lambda v: _number(v) and v > 0),
        (shares, "a number in (0, 1]", lambda v: _number(v) and 0 < v <= 1),
        (not_negative, "a number of at least 0", lambda v: _number(v) and v >= 0),
    ]
    problems = [
        f"{name}: expected {expected}, got {value!r}"
        for group, expected, holds in rules
        for name, value in group.items()
        if isinstance(value, bool) or not holds(value)
    ]
    if problems:
        raise ValueError(f"{student}: " + "; ".join(problems))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
