"""What there is: tables for ``teachenv list`` and checks for ``teachenv check``."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator
from gymnasium.utils.env_checker import check_env
from rich.table import Column, Table
from rich.text import Text

import students.data
import teachers.data
from teachenv.check import check_task_env
from teachenv.env import MakeEnv, task_contract
from teachenv.envs import ENVS
from teachenv.envs.datagen.base_env import DataGenEnv
from teachenv.envs.datagen.domain import DOMAINS
from teachenv.errors import UserError, unknown
from teachenv.experiments.store import is_run, read_run
from teachenv.experiments.testsets import TEST_SETS
from teachenv.findings import Finding
from teachenv.lesson import Syllabus
from teachenv.protocols import Teacher
from teachenv.space import TaskSpace
from teachenv.speed import describe_speed
from teachers.check import check_teacher
from teachers.check_processes import resolve
from teachers.data import games
from teachers.data.check import check_data_teacher
from teachers.data.pretender import SAMPLE_SYLLABI
from teachers.probe import SAMPLE_SPACES

N_TRIALS = 300
"""Trials of the longer rules about our own teachers; the tests go further."""


def everything() -> Iterator[Table]:
    """Yield one table each for environments, teachers, students and test sets."""
    table = _table("environment", "tasks", "mastered above", title="Environments")
    for env_id in ENVS:
        space, mastery = tasks_of(env_id)
        lines = [f"{dim.name} [{dim.low:g}, {dim.high:g}] {dim.unit}" for dim in space]
        table.add_row(env_id, "\n".join(lines), f"{mastery:g}")
    yield table
    for title, entries in (
        ("teacher", teachers.TEACHERS),
        ("teacher of data", teachers.data.DATA_TEACHERS),
        *((f"teacher of the game {game}", table) for game, table in games.GAMES.items()),
        ("student", students.STUDENTS),
        ("student of data", students.data.DATA_STUDENTS),
    ):
        table = _table(title, "what it is", title=_plural(title))
        for name, path in entries.items():
            table.add_row(name, _first_line(path))
        yield table
    table = _table("test set", "what it is", title="Test sets")
    for name, function in TEST_SETS.items():
        table.add_row(name, inspect.getdoc(function) or "")
    yield table


def _table(name: str, *others: str, title: str) -> Table:
    """Return a table whose names are whole however narrow the terminal is."""
    return Table(Column(name, no_wrap=True), *others, title=title)


def tasks_of(env_id: str) -> tuple[TaskSpace, float]:
    """Return the tasks of one of our environments, and its mastery threshold.

    Read from its class, or from that of its domain, where they say so: making an environment may
    load libraries and pictures for seconds.
    """
    entry = ENVS[env_id]
    creator = load_env_creator(entry.single)
    space, mastery = getattr(creator, "task_space", None), getattr(creator, "mastery", None)
    if "domain" in entry.kwargs:
        domain: Any = resolve(DOMAINS[entry.kwargs["domain"]])
        skills = getattr(domain, "skills", None)
        space = Syllabus(skills, domain.n_levels, 1, 1).task_space if skills else None
    if isinstance(space, TaskSpace) and isinstance(mastery, float):
        return space, mastery
    env = MakeEnv(env_id)()
    space, _, mastery = task_contract(env)
    env.close()
    return space, mastery


def _plural(title: str) -> str:
    noun, of, rest = title.capitalize().partition(" of ")
    return f"{noun}s{of}{rest}"


def runs(folder: Path) -> Iterator[Table]:
    """Yield a table of the runs in a folder; "mastered" is by the first test set of each.

    Raises:
        UserError: if there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    path_column = Column("run", overflow="fold")
    table = Table(path_column, "teacher", "student", "seed", "steps", "mastered", "status")
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
    known = [*teachers.TEACHERS, *(id for id in _data_teachers() if id not in teachers.TEACHERS)]
    for name in list(names) if names else [*ENVS, *known]:
        if name in teachers.TEACHERS:
            yield name, _check_one_teacher(name), ""
        elif name in teachers.data.DATA_TEACHERS:
            blind = name in ("random", "stages")
            cls, draws = teachers.data.teacher_class(name), name != "skill-tree"
            findings = check_data_teacher(cls, learns=not blind, random=draws)
            yield name, findings, ""
        elif name in gym.registry or ":" in name:
            try:
                findings, speed = _check_env(MakeEnv(name))
            except (ImportError, gym.error.Error) as error:
                raise UserError(f"{name}: {error}") from None
            yield name, findings, speed
        else:
            raise UserError(unknown("id", name, [*ENVS, *known]))


def _data_teachers() -> list[str]:
    """Return the data teachers that need nothing but a syllabus: no file, no server."""
    found = []
    for name in teachers.data.DATA_TEACHERS:
        try:
            teachers.data.make(name, next(iter(SAMPLE_SYLLABI.values())))
        except UserError:
            continue
        found.append(name)
    return found


def _check_env(make_env: MakeEnv) -> tuple[list[Finding], str]:
    """Return findings about an environment and, if there are none, its speed."""
    env = make_env()
    env.close()
    if not isinstance(env.unwrapped, DataGenEnv):
        findings = check_task_env(make_env)
        return findings, "" if findings else describe_speed(make_env)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is merely unusual
            check_env(env.unwrapped, skip_render_check=True)
    except Exception as error:  # noqa: BLE001  whatever a foreign environment raises
        return [Finding("gymnasium", "error", f"{type(error).__name__}: {error}")], ""
    return [], ""


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
    """Return what a class says it is, read from its file: importing learners takes seconds."""
    module, _, name = path.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    for package in _imported(body):
        if importlib.util.find_spec(package) is None:
            return f"(not installed: {package})"
    said = (ast.get_docstring(n) for n in body if isinstance(n, ast.ClassDef) and n.name == name)
    return (next(said, None) or "").split("\n")[0]


def _imported(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the packages that statements import."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
