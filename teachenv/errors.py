"""Errors that are the user's to mend; the command line prints them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

MAX_TEXT = 2000
"""Characters of a message that are written down."""


class UserError(ValueError):
    """Something given from outside was refused; the message says what, why and what to do."""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name: the known ones and the nearest match.

    Args:
        kind: What the name was taken for.
        name: The name.
        known: What could have been said; "name=default" counts as its name.
    """
    shown = list(known)
    near = difflib.get_close_matches(name, [text.partition("=")[0] for text in shown], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}; known: {', '.join(shown) or 'none'}{hint}"


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is known.

    Raises:
        UserError: naming the known ones.
    """
    known = list(known)
    if name not in known:
        raise UserError(unknown(kind, str(name), known))
    return name


def refuse_unknown(kind: str, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse names that are not among ``known`` (name -> default), all at once.

    Raises:
        UserError: naming every unknown one, with the known ones and their defaults.
    """
    defaults = [f"{name}={default!r}" for name, default in known.items()]
    problems = [unknown(kind, name, defaults) for name in names if name not in known]
    if problems:
        raise UserError("; ".join(problems))


def shortened(text: str) -> str:
    """Return what is written down of a message: of a giant one, the beginning."""
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}... ({len(text):,} characters)"


def at_least(low: int, name: str, value: Any) -> int:
    """Return ``value``, a whole number of at least ``low``.

    Raises:
        UserError: otherwise, naming it.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise UserError(f"{name}: expected a whole number of at least {low}, got {value!r}")
    return value
