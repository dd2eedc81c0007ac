"""Teachers that plan training data.

``make("zpd", env.unwrapped.syllabus, seed=0)`` builds one by its id; :data:`DATA_TEACHERS` is the
table. Those of the other games of teaching are in :mod:`teachers.data.games`.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, cast

import teachers
from teachenv.errors import UserError, refuse_unknown, unknown
from teachenv.lesson import Syllabus
from teachers.data.base import DataTeacher

__all__ = [
    "DATA_TEACHERS",
    "DataTeacher",
    "hyper_parameters",
    "known_ids",
    "make",
    "teacher_class",
]

DATA_TEACHERS: dict[str, str] = {
    "alp": "teachers.data.alp:Alp",
    "anti": "teachers.data.simple:Anti",
    "llm": "teachers.data.llm:Llm",
    "mastery": "teachers.data.mastery:Mastery",
    "meta-label": "teachers.data.meta_label:MetaLabel",
    "missing-skill": "teachers.data.missing_skill:MissingSkill",
    "oracle": "teachers.data.simple:Oracle",
    "preference": "teachers.data.preference:Preference",
    "random": "teachers.data.simple:Random",
    "skill-tree": "teachers.data.skill_tree:SkillTree",
    "stages": "teachers.data.stages:Stages",
    "target-success": "teachers.data.target_success:TargetSuccess",
    "trained": "teachers.data.trained:Trained",
    "uniform": "teachers.data.simple:Uniform",
    "weakness": "teachers.data.missing_skill:Weakness",
    "zpd": "teachers.data.zpd:Zpd",
}
"""Teacher id -> "module:Class"; a module is imported when its teacher is first asked for."""

ADAPTER_OPTIONS: dict[str, Any] = {"draws": 10, "mastered": 0.8}
"""Hyper-parameters of every adapted teacher of tasks, with their defaults."""


def teacher_class(id: str) -> type[DataTeacher]:
    """Return the class behind an id of :data:`DATA_TEACHERS`.

    Raises:
        UserError: for an unknown id; the message lists the known ones and the nearest.
    """
    if id not in DATA_TEACHERS:
        raise UserError(unknown("data teacher", str(id), sorted(DATA_TEACHERS)))
    module, name = DATA_TEACHERS[id].split(":")
    return cast(type[DataTeacher], getattr(importlib.import_module(module), name))


def known_ids() -> list[str]:
    """Return every id :func:`make` knows: of data teachers, then of teachers of tasks."""
    return [*DATA_TEACHERS, *(id for id in teachers.TEACHERS if id not in DATA_TEACHERS)]


def hyper_parameters(id: str) -> dict[str, Any]:
    """Return the hyper-parameters a teacher accepts, with their defaults (seed left out).

    Raises:
        UserError: for an unknown id.
    """
    if id not in DATA_TEACHERS and id in teachers.TEACHERS:
        return {**ADAPTER_OPTIONS, "preset": None, **teachers.hyper_parameters(id)}
    parameters = inspect.signature(teacher_class(id)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "seed"}


def make(id: str, syllabus: Syllabus, *, seed: int = 0, **hyper: Any) -> DataTeacher:
    """Build a data teacher.

    Args:
        id: One of :data:`DATA_TEACHERS`; or else of :data:`teachers.TEACHERS`, which is adapted,
            see :class:`teachers.data.adapter.TaskTeacher`.
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63]; 0 is a seed like any other.
        hyper: Hyper-parameters of the method, see :func:`hyper_parameters`.

    Raises:
        UserError: for an unknown id or hyper-parameter, naming the known ones; for a teacher that
            students of data cannot serve.
        ValueError: for a refused value.
        TypeError: if ``syllabus`` is not a syllabus.
    """
    if id not in known_ids():
        raise UserError(unknown("data teacher", str(id), sorted(known_ids())))
    refuse_unknown(f"hyper-parameter of {id}", hyper, hyper_parameters(id))
    if id in DATA_TEACHERS:
        return teacher_class(id)(syllabus, seed=seed, **hyper)
    from teachers.data.adapter import TaskTeacher

    return TaskTeacher(syllabus, seed=seed, teacher=id, **hyper)
