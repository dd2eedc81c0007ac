"""Hyper-parameters: those that suit a kind of environment, and refusing those out of range."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from teachenv.errors import UserError

Group = Mapping[str, Any]
_NONE: Group = {}


@dataclass(frozen=True)
class Batching:
    """How many steps PPO puts into a rollout and into an update.

    Attributes:
        n_envs: Environments stepped together.
        n_steps: Steps of each of them per rollout.
        batch_size: Steps per gradient step.
        n_epochs: Passes over each rollout.
    """

    n_envs: int
    n_steps: int
    batch_size: int
    n_epochs: int

    def but(self, **given: int | None) -> Batching:
        """Return this with the numbers that are given in place of its own."""
        return replace(self, **{name: n for name, n in given.items() if n is not None})


PLAIN = Batching(n_envs=16, n_steps=256, batch_size=256, n_epochs=10)
"""For environments that are stepped one by one and take longer than the updates."""

NATIVE = Batching(n_envs=256, n_steps=64, batch_size=2048, n_epochs=5)
"""For native vector environments, where the updates take most of the time."""


def check_hyper(
    student: str,
    *,
    counts: Group,
    positive: Group,
    shares: Group,
    weights: Group,
    hidden: Any,
    counts_or_0: Group = _NONE,
    counts_or_none: Group = _NONE,
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
        counts_or_none: Positive whole numbers or ``None``, by name.

    Raises:
        UserError: naming every refused one, with what was expected.
    """
    rules: list[tuple[Group, str, Callable[[Any], bool]]] = [
        (counts, "a positive whole number", _is_count),
        (counts_or_0, "a whole number from 0 up", lambda x: _is_count(x, 0)),
        (counts_or_none, "a positive whole number", lambda x: x is None or _is_count(x)),
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
