"""Which number of an outcome a teacher learns from."""

from __future__ import annotations

from typing import Literal, get_args

from teachenv.protocols import Outcome
from teachers.values import one_of_problems

Signal = Literal["score", "success", "value_start"]
"""The score in [0, 1]; 1 for a success and 0 otherwise; or the student's value of the first state
in raw reward units, which only some students send."""

SIGNALS: tuple[Signal, ...] = get_args(Signal)
IN_UNIT: tuple[Signal, ...] = ("score", "success")
"""The signals that lie in [0, 1]."""


def signal_needs(signal: Signal) -> frozenset[str]:
    """Return what outcomes must carry for ``signal``."""
    return frozenset({"value_start"}) if signal == "value_start" else frozenset()


def signal_of(outcome: Outcome, signal: Signal) -> float:
    """Return the number called ``signal`` of a validated outcome."""
    if signal == "score":
        return float(outcome.score)
    if signal == "success":
        return float(outcome.success)
    return float(outcome.signals["value_start"])


def signal_problems(signal: object, allowed: tuple[Signal, ...] = SIGNALS) -> list[str]:
    """Return a problem if ``signal`` is not one of ``allowed``."""
    return one_of_problems("signal", signal, allowed)
