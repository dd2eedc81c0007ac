"""What there is: tables for ``teachenv list`` and checks for ``teachenv check``."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.table import Table
from rich.text import Text

import students
import teachers
from teachenv.check import check_task_env
from teachenv.env import MakeEnv, task_contract
from teachenv.envs import ENVS
from teachenv.errors import UserError, unknown
from teachenv.experiments.store import is_run, read_run
from teachenv.experiments.testsets import TEST_SETS
from teachenv.findings import Finding
from teachenv.protocols import Teacher
from teachenv.space import TaskSpace
from teachenv.speed import describe_speed
from teachers.check import check_teacher
from teachers.check_processes import resolve
from teachers.probe import SAMPLE_SPACES

N_TRIALS = 300
"""Trials of the longer rules about our own teachers; the tests go further."""


def everything() -> Iterator[Table]:
    """Yield one table each for environments, teachers, students and test sets."""
    table = Table("environment", "tasks", "mastered above", title="Environments")
    for env_id in ENVS:
        env = MakeEnv(env_id)()
        space, _, mastery = task_contract(env)
        env.close()
        lines = [f"{dim.name} [{dim.low:g}, {dim.high:g}] {dim.unit}" for dim in space]
        table.add_row(env_id, "\n".join(lines), f"{mastery:g}")
    yield table
    for title, entries in (("teacher", teachers.TEACHERS), ("student", students.STUDENTS)):
        table = Table(title, "what it is", title=f"{title.capitalize()}s")
        for name, path in entries.items():
            table.add_row(name, _first_line(path))
        yield table
    table = Table("test set", "what it is", title="Test sets")
    for name, function in TEST_SETS.items():
        table.add_row(name, inspect.getdoc(function) or "")
    yield table


def runs(folder: Path) -> Iterator[Table]:
    """Yield a table of the runs in a folder; "mastered" is by the first test set of each.

    Raises:
        UserError: if there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    table = Table("run", "teacher", "student", "seed", "steps", "mastered", "status")
    for path in sorted(p for p in [folder, *folder.rglob("*")] if p.is_dir() and is_run(p)):
        try:
            run = read_run(path)
        except UserError as error:
            table.add_row(Text(str(path)), "", "", "", "", "", Text(str(error)))
            continue
        first = next(iter(run.test_sets), None)
        rows = [row for row in run.evals if row["test_set"] == first and row["status"] == "ok"]
        shares = [row["share_mastered"] for row in rows]
        config = run.config
        table.add_row(
            Text(str(path)),
            config.teacher,
            config.student,
            str(config.seed),
            f"{run.status['step']:,}/{config.steps:,}",
            f"{shares[-1]:.0%}" if shares else "-",
            run.status["status"],
        )
    yield table


def check(names: Iterable[str] | None) -> Iterator[tuple[str, list[Finding], str]]:
    """Yield name, findings and speed (of environments) for every named environment or teacher.

    Args:
        names: Ids; all of ours if ``None``.

    Raises:
        UserError: for an unknown id.
    """
    chosen = list(names) if names else [*ENVS, *teachers.TEACHERS]
    for name in chosen:
        if name in teachers.TEACHERS:
            yield name, _check_one_teacher(name), ""
        elif name in gym.registry or ":" in name:
            try:
                findings = check_task_env(MakeEnv(name))
                speed = describe_speed(MakeEnv(name)) if not findings else ""
            except (ImportError, gym.error.Error) as error:
                raise UserError(f"{name}: {error}") from None
            yield name, findings, speed
        else:
            raise UserError(unknown("id", name, [*ENVS, *teachers.TEACHERS]))


def check_own(
    paths: Iterable[str], hyper: Mapping[str, Any]
) -> Iterator[tuple[str, list[Finding], str]]:
    """Yield name and findings of teacher classes that are in no table of ours.

    Args:
        paths: "module:Class" each; modules are also looked for in the current directory.
        hyper: Hyper-parameters for all of them.

    Raises:
        UserError: where there is no such class, or it cannot be built.
    """
    for path in paths:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        space = SAMPLE_SPACES["two"]
        try:
            factory = partial(resolve(path), **hyper)
            factory(space, seed=0).ask()
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: {error}; expected MODULE:CLASS with a constructor of (space, *, seed, "
                "...) and a task from ask()"
            ) from None
        yield path, check_teacher(factory, space), ""


def _check_one_teacher(name: str) -> list[Finding]:
    env = MakeEnv("teachenv/StumpTracks-v0")()
    space, _, mastery = task_contract(env)
    harder = dict(env.get_wrapper_attr("harder"))
    env.close()
    accepted = teachers.hyper_parameters(name)

    def factory(space: TaskSpace, *, seed: int) -> Teacher:
        known = {key: sign for key, sign in harder.items() if key in space.names}
        facts = {"mastery": mastery, "harder": known or {space.names[0]: 1}}
        given: dict[str, Any] = {k: value for k, value in facts.items() if k in accepted}
        return teachers.make(name, space, seed=seed, **given)

    return check_teacher(factory, space, n_trials=N_TRIALS)


def _first_line(path: str) -> str:
    module, _, name = path.partition(":")
    try:
        target: Callable[..., object] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        return f"(not installed: {error.name})"
    return (inspect.getdoc(target) or "").split("\n")[0]
