"""Curriculum teachers: they pick tasks and learn from what came back.

``make("alp-gmm", space, seed=0)`` builds a teacher by its id; :data:`TEACHERS` is the table.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any, cast

from teachenv.errors import UserError, one_of, refuse_unknown, unknown
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher

__all__ = ["TEACHERS", "hyper_parameters", "make", "presets", "teacher_class"]

TEACHERS: dict[str, str] = {
    "accel": "teachers.accel:Accel",
    "adr": "teachers.adr:Adr",
    "alp-gmm": "teachers.alp_gmm:AlpGmm",
    "covar-gmm": "teachers.covar_gmm:CovarGmm",
    "currot": "teachers.currot:Currot",
    "doraemon": "teachers.doraemon:Doraemon",
    "exp3s": "teachers.exp3s:Exp3s",
    "goal-gan": "teachers.goal_gan:GoalGan",
    "grid": "teachers.grid:Grid",
    "lp-bins": "teachers.lp_bins:LpBins",
    "magellan": "teachers.magellan:Magellan",
    "mix": "teachers.mix:Mix",
    "oracle": "teachers.oracle:Oracle",
    "plr": "teachers.plr:Plr",
    "procurl": "teachers.procurl:ProCurl",
    "riac": "teachers.riac:Riac",
    "robust-plr": "teachers.robust_plr:RobustPlr",
    "schedule": "teachers.schedule:Schedule",
    "setter-solver": "teachers.setter_solver:SetterSolver",
    "sfl": "teachers.sfl:Sfl",
    "sliding-ucb": "teachers.ucb:SlidingUcb",
    "spdl": "teachers.spdl:Spdl",
    "spgl": "teachers.spgl:Spgl",
    "thompson": "teachers.thompson:Thompson",
    "tscl-naive": "teachers.tscl_naive:TsclNaive",
    "tscl-online": "teachers.tscl_online:TsclOnline",
    "tscl-sampling": "teachers.tscl_sampling:TsclSampling",
    "tscl-window": "teachers.tscl_window:TsclWindow",
    "ucb": "teachers.ucb:Ucb",
    "uniform": "teachers.uniform:Uniform",
    "vds": "teachers.vds:Vds",
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


def presets(id: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the published hyper-parameters of a teacher: preset name -> {name: value}.

    Raises:
        UserError: for an unknown id.
    """
    return teacher_class(id).presets


def make(
    id: str, space: TaskSpace, *, seed: int = 0, preset: str | None = None, **hyper: Any
) -> BaseTeacher:
    """Build a teacher.

    Args:
        id: One of :data:`TEACHERS`.
        space: The tasks it picks from.
        seed: Whole number in [0, 2**63]; 0 is a seed like any other.
        preset: Name of published hyper-parameters to start from, see :func:`presets`.
        hyper: Hyper-parameters of the method, see :func:`hyper_parameters`; they win over the
            preset's.

    Raises:
        UserError: for an unknown id, preset or hyper-parameter, naming the known ones.
        ValueError: for a refused value.
        TypeError: if ``space`` is not a task space.
    """
    cls, known = teacher_class(id), hyper_parameters(id)
    refuse_unknown(f"hyper-parameter of {id}", hyper, known)
    if preset is not None:
        hyper = {**cls.presets[one_of(f"preset of {id}", preset, cls.presets)], **hyper}
    return cls(space, seed=seed, **hyper)
