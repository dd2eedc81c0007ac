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

MAX_EDIT = 1e15
"""Largest size of a mutation."""

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
        edit: Least and greatest size of one mutation (:meth:`TaskSpace.edit`), in ``unit``; a
            tenth of the range, but at least 1 for whole numbers, if not given.

    Raises:
        TaskError: for an empty name, a unit or meaning that is no text, choices that are not
            different strings, bounds that are not finite or not ordered, a default outside the
            bounds, whole-number dimensions with fractional bounds or edits, or edits that are
            not ordered or not positive.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    default: float | None = None
    unit: str = ""
    meaning: str = ""
    kind: Kind = "float"
    choices: tuple[str, ...] = ()
    edit: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TaskError(f"Dim: the name must be a non-empty string, got {self.name!r}")
        if self.kind not in ("float", "int", "choice"):
            raise TaskError(
                f"Dim {self.name!r}: kind must be 'float', 'int' or 'choice', got {self.kind!r}"
            )
        for field in ("unit", "meaning"):
            if not isinstance(getattr(self, field), str):
                raise TaskError(
                    f"Dim {self.name!r}: {field} must be text, got {getattr(self, field)!r:.80}"
                )
        if not _different_labels(self.choices):
            raise TaskError(
                f"Dim {self.name!r}: choices must be different strings, got {self.choices!r:.80}"
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
        if self.edit is not None:
            object.__setattr__(self, "edit", self._sizes(self.edit))

    def _sizes(self, edit: tuple[float, float]) -> tuple[float, float]:
        if not isinstance(edit, tuple | list) or len(edit) != 2:
            raise TaskError(f"Dim {self.name!r}: edit must be a pair of numbers, got {edit!r:.80}")
        least, greatest = (self._number("edit", size) for size in edit)
        if not (0.0 <= least <= greatest <= MAX_EDIT and greatest > 0.0):
            raise TaskError(
                f"Dim {self.name!r}: edit must be the least and the greatest size of a mutation, "
                f"at most {MAX_EDIT:g}, got ({least}, {greatest})"
            )
        if self.kind != "float" and not (least.is_integer() and greatest.is_integer()):
            raise TaskError(
                f"Dim {self.name!r}: {self.kind!r} needs whole edits, got ({least}, {greatest})"
            )
        return least, greatest

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

    def draw_edit(self, rng: np.random.Generator) -> float:
        """Draw the size of one mutation, uniformly; consumes one number of ``rng``."""
        tenth = 0.1 * (self.high - self.low)
        if self.kind == "float":
            least, greatest = self.edit or (tenth, tenth)
            return float(rng.uniform(least, greatest))
        least, greatest = self.edit or (max(1.0, round(tenth)),) * 2
        return float(rng.integers(int(least), int(greatest), endpoint=True))

    def bounds(self) -> str:
        """Bounds and unit in words."""
        unit = f" {self.unit}" if self.unit else ""
        return f"[{self.low:g}, {self.high:g}]{unit}"


def _different_labels(choices: object) -> bool:
    """Whether choices can be told apart, also after a round trip through JSON."""
    return (
        isinstance(choices, tuple | list)
        and all(isinstance(label, str) for label in choices)
        and len(set(choices)) == len(choices)
    )
