"""Refusing bad values: outcomes, and hyper-parameters with all problems named at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import numpy as np

from teachenv.protocols import Outcome, Status
from teachenv.space import TaskSpace

STATUSES: tuple[str, ...] = get_args(Status)

_NUMBER = int | float | np.integer | np.floating  # made once: that takes longer than the check


def check_outcome(outcome: Outcome, needs: frozenset[str]) -> None:
    """Refuse an outcome that a teacher could not learn from.

    Raises:
        TypeError: for values of the wrong type.
        ValueError: for values out of range, not finite or missing; the message names the field.
    """
    if not isinstance(outcome, Outcome):
        raise TypeError(f"tell: expected an Outcome, got {outcome!r:.80}")
    status = outcome.status
    if not isinstance(status, str):
        raise TypeError(f"status: expected one of {STATUSES}, got {status!r:.80}")
    if status not in STATUSES:
        raise ValueError(f"status: expected one of {STATUSES}, got {status!r:.80}")
    if not 0.0 <= finite_number("score", outcome.score) <= 1.0:
        raise ValueError(f"score: expected a number in [0, 1], got {outcome.score}")
    finite_number("episode_return", outcome.episode_return)
    length = outcome.episode_length
    if isinstance(length, bool) or not isinstance(length, int | np.integer):
        raise TypeError(f"episode_length: expected a whole number, got {length!r:.80}")
    shortest = 1 if status == "ok" else 0
    if length < shortest:
        raise ValueError(f"episode_length: expected at least {shortest} ({status!r}), got {length}")
    if not isinstance(outcome.success, bool | np.bool_):
        raise TypeError(f"success: expected True or False, got {outcome.success!r:.80}")
    if not isinstance(outcome.signals, Mapping):
        raise TypeError(f"signals: expected a mapping, got {outcome.signals!r:.80}")
    if status == "ok":
        missing = sorted(needs - set(outcome.signals))
        if missing:
            raise ValueError(f"signals: {missing} missing; this teacher needs {sorted(needs)}")
        for name, value in outcome.signals.items():
            finite_number(f"signal {name!r}", value)


def finite_number(name: str, value: Any) -> float:
    """Return ``value`` as a float.

    Raises:
        TypeError: if it is not a number; the message begins with ``name``.
        ValueError: if it is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        raise TypeError(f"{name}: expected a number, got {value!r:.80}")
    if not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    return float(value)


def whole_problems(low: int = 1, **values: Any) -> list[str]:
    """Return a problem for every value that is not a whole number of at least ``low``."""
    return [
        f"{name}: expected a whole number of at least {low}, got {value!r:.80}"
        for name, value in values.items()
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low
    ]


def number_problems(low: float, high: float, **values: Any) -> list[str]:
    """Return a problem for every value that is not a number in [``low``, ``high``].

    An infinite bound is no bound; values must be finite all the same.
    """
    return [
        f"{name}: expected a finite number in [{low:g}, {high:g}], got {value!r:.80}"
        for name, value in values.items()
        if isinstance(value, bool)
        or not isinstance(value, _NUMBER)
        or not (math.isfinite(value) and low <= value <= high)
    ]


def flag_problems(**values: Any) -> list[str]:
    """Return a problem for every value that is not True or False."""
    return [
        f"{name}: expected True or False, got {value!r:.80}"
        for name, value in values.items()
        if not isinstance(value, bool)
    ]


def one_of_problems(name: str, value: object, known: tuple[str, ...]) -> list[str]:
    """Return a problem if ``value`` is not one of the ``known`` names."""
    return [] if value in known else [f"{name}: expected one of {known}, got {value!r:.80}"]


def direction_problems(space: TaskSpace, harder: Mapping[str, int]) -> list[str]:
    """Return what is wrong with an order of difficulty: parameter name -> +1 or -1."""
    if not isinstance(harder, Mapping):
        return [f"harder: expected {{name: +1 or -1}}, got {harder!r:.80}"]
    problems = [
        f"harder: {name!r} is not one of {', '.join(space.names)}"
        for name in harder
        if name not in space.names
    ]
    return problems + [
        f"harder: {name!r}: expected +1 or -1, got {sign!r:.80}"
        for name, sign in harder.items()
        if isinstance(sign, bool) or sign not in (1, -1)
    ]


def refuse(id: str, problems: Iterable[str]) -> None:
    """Refuse hyper-parameters.

    Raises:
        ValueError: naming all problems at once, behind the teacher's id; if there are any.
    """
    found = list(problems)
    if found:
        raise ValueError(f"{id}: " + "; ".join(found))
