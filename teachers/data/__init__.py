"""Teachers that plan training data.

``make("zpd", env.unwrapped.syllabus, seed=0)`` builds one by its id; :data:`DATA_TEACHERS` is the
table.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, cast

from teachenv.errors import UserError, refuse_unknown, unknown
from teachenv.lesson import Syllabus
from teachers.data.base import DataTeacher

__all__ = ["DATA_TEACHERS", "DataTeacher", "hyper_parameters", "make", "teacher_class"]

DATA_TEACHERS: dict[str, str] = {
    "anti": "teachers.data.simple:Anti",
    "llm": "teachers.data.llm:Llm",
    "oracle": "teachers.data.simple:Oracle",
    "random": "teachers.data.simple:Random",
    "uniform": "teachers.data.simple:Uniform",
}
"""Teacher id -> "module:Class"; a module is imported when its teacher is first asked for."""


def teacher_class(id: str) -> type[DataTeacher]:
    """Return the class behind an id of :data:`DATA_TEACHERS`.

    Raises:
        UserError: for an unknown id; the message lists the known ones and the nearest.
    """
    if id not in DATA_TEACHERS:
        raise UserError(unknown("data teacher", str(id), sorted(DATA_TEACHERS)))
    module, name = DATA_TEACHERS[id].split(":")
    return cast(type[DataTeacher], getattr(importlib.import_module(module), name))


def hyper_parameters(id: str) -> dict[str, Any]:
    """Return the hyper-parameters a teacher accepts, with their defaults (seed left out).

    Raises:
        UserError: for an unknown id.
    """
    parameters = inspect.signature(teacher_class(id)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "seed"}


def make(id: str, syllabus: Syllabus, *, seed: int = 0, **hyper: Any) -> DataTeacher:
    """Build a data teacher.

    Args:
        id: One of :data:`DATA_TEACHERS`.
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63]; 0 is a seed like any other.
        hyper: Hyper-parameters of the method, see :func:`hyper_parameters`.

    Raises:
        UserError: for an unknown id or hyper-parameter, naming the known ones.
        ValueError: for a refused value.
        TypeError: if ``syllabus`` is not a syllabus.
    """
    cls = teacher_class(id)
    refuse_unknown(f"hyper-parameter of {id}", hyper, hyper_parameters(id))
    return cls(syllabus, seed=seed, **hyper)
