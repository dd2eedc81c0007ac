"""Curriculum teachers: they pick tasks and learn from what came back.

``make("alp-gmm", space, seed=0)`` builds a teacher by its id; :data:`TEACHERS` is the table.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any, cast

from teachenv.space import TaskSpace
from teachers.base import BaseTeacher

__all__ = ["TEACHERS", "hyper_parameters", "make", "teacher_class"]

TEACHERS: dict[str, str] = {
    "alp-gmm": "teachers.alp_gmm:AlpGmm",
    "oracle": "teachers.oracle:Oracle",
    "uniform": "teachers.uniform:Uniform",
}
"""Teacher id -> "module:Class"; a module is imported when its teacher is first asked for."""


def teacher_class(id: str) -> type[BaseTeacher]:
    """Return the class behind a teacher id.

    Raises:
        ValueError: for an unknown id; the message lists the known ones and the nearest.
    """
    if id not in TEACHERS:
        near = difflib.get_close_matches(str(id), TEACHERS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown teacher {id!r}; known: {', '.join(sorted(TEACHERS))}{hint}")
    module, name = TEACHERS[id].split(":")
    return cast(type[BaseTeacher], getattr(importlib.import_module(module), name))


def hyper_parameters(id: str) -> dict[str, Any]:
    """Return the hyper-parameters a teacher accepts, with their defaults (seed left out).

    Raises:
        ValueError: for an unknown id.
    """
    parameters = inspect.signature(teacher_class(id)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "seed"}


def make(id: str, space: TaskSpace, *, seed: int = 0, **hyper: Any) -> BaseTeacher:
    """Build a teacher.

    Args:
        id: One of :data:`TEACHERS`.
        space: The tasks it picks from.
        seed: Whole number in [0, 2**63]; 0 is a seed like any other.
        hyper: Hyper-parameters of the method, see :func:`hyper_parameters`.

    Raises:
        ValueError: for an unknown id, an unknown hyper-parameter or a refused value.
        TypeError: if ``space`` is not a task space.
    """
    cls, known = teacher_class(id), hyper_parameters(id)
    unknown = [name for name in hyper if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        accepted = ", ".join(f"{name}={value!r}" for name, value in known.items()) or "none"
        raise ValueError(
            f"teacher {id!r}: unknown hyper-parameters {unknown}; accepted: {accepted}{hint}"
        )
    return cls(space, seed=seed, **hyper)
