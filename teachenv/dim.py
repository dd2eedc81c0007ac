"""One named environment parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from teachenv.errors import UserError

Kind = Literal["float", "int", "choice"]

MAX_WHOLE = 2**48
"""Whole-number dimensions stay within +-MAX_WHOLE: exact on the way to the unit cube and back."""

_NO_NUMBERS = (bool, np.bool_, str, bytes)  # float() would take them


class TaskError(UserError):
    """A task or a task space was refused; the message names field, bounds and value."""


@dataclass(frozen=True, slots=True)
class Dim:
    """One named environment parameter.

    Args:
        name: Key under which the parameter is given in task dictionaries.
        low: Smallest value (inclusive). For ``kind="choice"`` leave it at 0.
        high: Largest value (inclusive). For ``kind="choice"`` it is derived from ``choices``.
        default: Value taken when a task leaves this name out; ``low`` if not given.
        unit: Unit of the value ("m", "terrain steps", "rad", ...).
        meaning: What the parameter does, in a few words.
        kind: "float", "int" (whole numbers low..high) or "choice" (index into ``choices``).
        choices: Labels of a "choice" dimension; tasks hold the index, dictionaries may hold either.

    Raises:
        TaskError: for an empty name, bounds that are not finite or not ordered, a default
            outside the bounds, or whole-number dimensions with fractional bounds.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    default: float | None = None
    unit: str = ""
    meaning: str = ""
    kind: Kind = "float"
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TaskError(f"Dim: the name must be a non-empty string, got {self.name!r}")
        if self.kind not in ("float", "int", "choice"):
            raise TaskError(
                f"Dim {self.name!r}: kind must be 'float', 'int' or 'choice', got {self.kind!r}"
            )
        if (self.kind == "choice") != bool(self.choices):
            raise TaskError(f"Dim {self.name!r}: choices belong to kind='choice', and only to it")
        if self.kind == "choice":
            object.__setattr__(self, "choices", tuple(self.choices))
            object.__setattr__(self, "low", 0.0)
            object.__setattr__(self, "high", float(len(self.choices) - 1))
        low, high = self._number("low", self.low), self._number("high", self.high)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise TaskError(f"Dim {self.name!r}: bounds must be finite, got [{low}, {high}]")
        if low > high or (low == high and self.kind == "float"):
            raise TaskError(f"Dim {self.name!r}: low must be below high, got [{low}, {high}]")
        if self.kind == "float" and not math.isfinite(high - low):
            raise TaskError(f"Dim {self.name!r}: the range [{low}, {high}] overflows")
        if self.kind == "int" and not (low.is_integer() and high.is_integer()):
            raise TaskError(f"Dim {self.name!r}: 'int' needs whole bounds, got [{low}, {high}]")
        if self.kind == "int" and max(-low, high) > MAX_WHOLE:
            raise TaskError(
                f"Dim {self.name!r}: 'int' bounds lie within +-2**48, got [{low}, {high}]"
            )
        default = low if self.default is None else self._number("default", self.default)
        if not low <= default <= high or (self.kind != "float" and not default.is_integer()):
            raise TaskError(
                f"Dim {self.name!r}: the default {default} is not a value in [{low}, {high}]"
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "default", default)

    def _number(self, field: str, value: object) -> float:
        try:
            if isinstance(value, _NO_NUMBERS):
                raise TypeError
            return float(cast(float, value))
        except (TypeError, ValueError, OverflowError):
            raise TaskError(
                f"Dim {self.name!r}: {field} must be a number, got {value!r:.80}"
            ) from None

    @property
    def n_values(self) -> int | None:
        """Number of values of a whole-number dimension, ``None`` for a continuous one."""
        return None if self.kind == "float" else int(self.high - self.low) + 1

    def parse(self, value: Any) -> float:
        """Return ``value`` as a float of this dimension.

        Raises:
            TaskError: if it is not a number (or a label, for choices) inside the bounds.
        """
        if isinstance(value, str) and self.kind == "choice":
            if value in self.choices:
                return float(self.choices.index(value))
            raise TaskError(f"{self.name}: {value!r} is not one of {list(self.choices)}")
        try:
            if isinstance(value, _NO_NUMBERS) or (isinstance(value, np.ndarray) and value.ndim):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise TaskError(
                f"{self.name}: expected a number in {self.bounds()}, got {value!r:.80}"
            ) from None
        if not self.low <= number <= self.high:
            raise TaskError(f"{self.name}: {number} is outside {self.bounds()}")
        if self.kind != "float" and not number.is_integer():
            raise TaskError(f"{self.name}: {number} is not a whole number in {self.bounds()}")
        return number

    def bounds(self) -> str:
        """Bounds and unit in words."""
        unit = f" {self.unit}" if self.unit else ""
        return f"[{self.low:g}, {self.high:g}]{unit}"
