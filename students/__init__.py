"""Students: learners of tasks, made by id; their libraries load when one is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import gymnasium as gym

from students.table import load
from teachenv.broker import Broker
from teachenv.errors import refuse_unknown
from teachenv.protocols import Student

__all__ = ["STUDENTS", "hyper_parameters", "make"]

STUDENTS: dict[str, str] = {
    "sb3-ppo": "students.sb3_ppo:Sb3Ppo",
    "sb3-sac": "students.sb3_sac:Sb3Sac",
    "sbx-ppo": "students.sbx_ppo:SbxPpo",
    "sbx-sac": "students.sbx_sac:SbxSac",
    "rllib-ppo": "students.rllib:RllibPpo",
}
"""Student id to ``"module:Class"``."""

_GIVEN = ("make_env", "broker", "seed")


def make(
    student_id: str,
    make_env: Callable[[], gym.Env[Any, Any]],
    broker: Broker,
    *,
    seed: int = 0,
    **hyper: Any,
) -> Student:
    """Make a student.

    Args:
        student_id: One of :data:`STUDENTS`.
        make_env: Makes one environment with a task space; called once per lane.
        broker: Where its environments get their trials.
        seed: Run seed; fixes the initial parameters.
        **hyper: Hyper-parameters, see :func:`hyper_parameters`.

    Raises:
        UserError: for an unknown id, an unknown hyper-parameter, a refused value, or if the
            student's library is not installed.
    """
    refuse_unknown(f"hyper-parameter of {student_id}", hyper, hyper_parameters(student_id))
    return cast(Student, _load(student_id)(make_env, broker, seed=seed, **hyper))


def hyper_parameters(student_id: str) -> dict[str, Any]:
    """Return a student's hyper-parameters with their defaults; loads its library.

    Raises:
        UserError: for an unknown id, or if the student's library is not installed.
    """
    parameters = inspect.signature(_load(student_id)).parameters
    return {name: p.default for name, p in parameters.items() if name not in _GIVEN}


def _load(student_id: str) -> type:
    return load("student", student_id, STUDENTS, str(student_id).partition("-")[0])
