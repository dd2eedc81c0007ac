"""Students of generated data, made by id; their libraries load when one is made."""

from __future__ import annotations

import inspect
from typing import Any, cast

from students.data.base import DataStudent
from students.table import load
from teachenv.envs.datagen.items import Format
from teachenv.errors import refuse_unknown

__all__ = ["DATA_STUDENTS", "DataStudent", "hyper_parameters", "make"]

DATA_STUDENTS: dict[str, str] = {
    "llm": "students.data.llm:Llm",
    "film": "students.data.film:Film",
    "scikit": "students.data.scikit:Scikit",
    "sgd": "students.data.sgd:Sgd",
    "gru": "students.data.gru:Gru",
    "hf": "students.data.hf:Hf",
    "transformer": "students.data.transformer:Transformer",
}
"""Student id to ``"module:Class"``."""

EXTRAS = {"hf": "hf", "llm": "llm"}
"""Student id to the extra its libraries are in, where that is not "data"."""


def make(student_id: str, format: Format, *, seed: int, **hyper: Any) -> DataStudent:
    """Make a student of generated data.

    Args:
        student_id: One of :data:`DATA_STUDENTS`.
        format: What its items look like.
        seed: Fixes the initial parameters.
        hyper: Hyper-parameters, see :func:`hyper_parameters`.

    Raises:
        UserError: for an unknown id, an unknown hyper-parameter, a format it cannot learn, or
            if its library is not installed.
    """
    refuse_unknown(f"hyper-parameter of {student_id}", hyper, hyper_parameters(student_id))
    return cast(DataStudent, _load(student_id)(format, seed=seed, **hyper))


def hyper_parameters(student_id: str) -> dict[str, Any]:
    """Return a student's hyper-parameters with their defaults; loads its library."""
    parameters = inspect.signature(_load(student_id)).parameters
    return {name: p.default for name, p in parameters.items() if name not in ("format", "seed")}


def _load(student_id: str) -> type:
    return load("student", student_id, DATA_STUDENTS, EXTRAS.get(str(student_id), "data"))
