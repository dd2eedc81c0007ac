"""Curriculum teachers: they pick tasks and learn from what came back.

``make("alp-gmm", space, seed=0)`` builds a teacher by its id; :data:`TEACHERS` is the table.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, cast

from teachenv.errors import UserError, refuse_unknown, unknown
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
        UserError: for an unknown id; the message lists the known ones and the nearest.
    """
    if id not in TEACHERS:
        raise UserError(unknown("teacher", str(id), sorted(TEACHERS)))
    module, name = TEACHERS[id].split(":")
    return cast(type[BaseTeacher], getattr(importlib.import_module(module), name))


def hyper_parameters(id: str) -> dict[str, Any]:
    """Return the hyper-parameters a teacher accepts, with their defaults (seed left out).

    Raises:
        UserError: for an unknown id.
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
        UserError: for an unknown id or hyper-parameter, naming the known ones.
        ValueError: for a refused value.
        TypeError: if ``space`` is not a task space.
    """
    cls, known = teacher_class(id), hyper_parameters(id)
    refuse_unknown(f"hyper-parameter of {id}", hyper, known)
    return cls(space, seed=seed, **hyper)
