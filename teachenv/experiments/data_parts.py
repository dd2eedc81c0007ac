"""The parts of a run in a data-generation environment: made and checked by its configuration."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
from gymnasium.spaces import flatdim
from numpy.typing import NDArray

from teachenv.env import FIRST_TEST_LEVEL
from teachenv.envs.datagen.base_env import DataGenEnv
from teachenv.errors import UserError, unknown
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.data_signs import HELD_OUT, TAUGHT, data_signs
from teachenv.experiments.store import Run
from teachenv.experiments.testsets import TestSet
from teachenv.lesson import Syllabus
from teachenv.space import TaskSpace
from teachers.data.base import DataTeacher

__all__ = [
    "USUAL_EPISODES",
    "cells_test_sets",
    "check_data",
    "data_env",
    "data_teacher",
    "resolve_data",
    "summary",
    "teaches_data",
    "usual_steps",
]

USUAL_EPISODES = 5
"""Episodes of a run that does not say how long it is."""


def teaches_data(config: RunConfig) -> bool:
    """Whether a configuration's environment is one of data generation.

    Raises:
        ConfigError: if the environment cannot be made.
    """
    try:
        env = config.make_env()
    except Exception as error:  # noqa: BLE001  an environment may raise anything
        raise ConfigError(
            f"env: cannot make {config.env} with {config.env_args}: {type(error).__name__}: {error}"
        ) from None
    env.close()
    return isinstance(env.unwrapped, DataGenEnv)


def usual_steps(config: RunConfig) -> int:
    """Return the steps of a run that does not say: those of the configuration, or some episodes.

    Raises:
        ConfigError: if the environment cannot be made.
    """
    return USUAL_EPISODES * data_env(config).budget if teaches_data(config) else config.steps


def data_env(config: RunConfig) -> DataGenEnv[Any]:
    """Make the environment of a run, its student chosen by the configuration.

    Raises:
        ConfigError: if it cannot be made.
    """
    chosen = {} if config.student == "auto" else {"student": config.student}
    given = {"student_args": dict(config.student_args)} if config.student_args else {}
    try:
        args = {**config.env_args, **chosen, **given}
        env = dataclasses.replace(config.make_env, kwargs=args, timeout_s=0.0)().unwrapped
    except (UserError, TypeError) as error:
        raise ConfigError(f"env: cannot make {config.env}: {error}") from None
    assert isinstance(env, DataGenEnv)  # decided by teaches_data
    return env


def resolve_data(config: RunConfig) -> RunConfig:
    """Replace what a configuration leaves open: the student, and the round: one episode.

    Raises:
        ConfigError: listing every field that has no meaning here.
    """
    env = data_env(config)
    student = env.settings.student or env.domain.student
    problems = []
    if config.round_steps not in (0, env.budget):
        problems.append(f"round_steps: a round is an episode of {env.budget} samples; leave it out")
    if config.new_student_every:
        problems.append("new_student_every: every episode has a new student; leave it out")
    if config.test_sets:
        problems.append("test_sets: the hidden test questions of every cell are used; leave it out")
    there = config.env_args.get("student", student)
    if config.student != "auto" and there != config.student:
        problems.append(f"student: {config.student!r}, but env_args say {there!r}")
    if config.student_args and "student_args" in config.env_args:
        problems.append("student_args: given in env_args as well; give them once")
    if problems:
        raise ConfigError("\n".join(problems))
    return dataclasses.replace(config, student=student, round_steps=env.budget, check_env=True)


def check_data(config: RunConfig) -> tuple[RunConfig, dict[str, Any], list[TestSet]]:
    """Return what a run will be: resolved, its environment's contract, and its test set.

    Raises:
        UserError: if any of it is refused, all problems at once.
    """
    import students.data
    import teachers.data

    problems = []
    if config.teacher not in teachers.data.known_ids():
        known = sorted(teachers.data.known_ids())
        problems.append(f"teacher: {unknown('data teacher', config.teacher, known)}")
    if config.student not in ("auto", *students.data.DATA_STUDENTS):
        known = ["auto", *students.data.DATA_STUDENTS]
        problems.append(f"student: {unknown('student of data', config.student, known)}")
    if problems:
        raise ConfigError("\n".join(problems))
    config = resolve_data(config)
    env = data_env(config)
    try:
        students.data.make(config.student, env.domain.format, seed=0, **env.settings.student_args)
    except (TypeError, ValueError) as error:
        problems.append(f"student: {error}")
    try:
        data_teacher(config, env)
    except ConfigError as error:
        problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return config, _contract(env), cells_test_sets(env)


def data_teacher(config: RunConfig, env: DataGenEnv[Any]) -> DataTeacher:
    """Make the teacher of a run; ids of data teachers win over those of teachers of tasks.

    Raises:
        ConfigError: if the teacher refuses its arguments, cannot teach data, or needs what the
            environment does not provide.
    """
    import teachers.data

    try:
        teacher = teachers.data.make(
            config.teacher, env.syllabus, seed=config.seed, **dict(config.teacher_args)
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"teacher_args: {error}") from None
    missing = sorted(teacher.needs - env.provides)
    if missing:
        raise ConfigError(
            f"teacher: {config.teacher} needs {', '.join(missing)}, which {config.env} does not "
            "have; DataGenSkillTree environments have trees, all but DataGenOpenEnded tell the "
            "accuracy of cells"
        )
    shown = flatdim(env.observation_space)
    if teacher.observes not in (0, shown):
        raise ConfigError(
            f"teacher: {config.teacher} goes by {teacher.observes} numbers of an observation, "
            f"{config.env} shows {shown}; it was trained in another environment: train one in this"
        )
    return teacher


def summary(run: Run) -> str:
    """Return what became of a run: accuracy on the hidden test, over its evaluated episodes."""
    rows = [row for row in run.evals if row["test_set"] == TAUGHT]
    after = np.array([row["mean_return"] for row in rows])
    before = np.array([np.mean(row["before"]) for row in rows])
    text = f"{len(run.times)} episodes, {run.status['step']:,} training samples"
    if not len(after):
        return text
    error = after.std(ddof=1) / math.sqrt(len(after)) if len(after) > 1 else math.nan
    spread = f" (standard error {error:.3f})" if len(after) > 1 else ""
    text += f"; hidden test of {len(after)}: accuracy {before.mean():.3f} -> {after.mean():.3f}"
    signs = data_signs(run).text()
    return text + spread + (f"; {signs}" if signs else "")


def cells_test_sets(env: DataGenEnv[Any]) -> list[TestSet]:
    """Return the cells there are to teach, as a test set, and those held out, as another.

    Noise and known cells are in none.
    """
    taught = env.domain.kinds == "taught"
    parts = {TAUGHT: taught & ~env.held_out, HELD_OUT: env.held_out}
    return [_test_set(name, np.argwhere(mask)) for name, mask in parts.items() if mask.any()]


def _test_set(name: str, cells: NDArray[np.int64]) -> TestSet:
    levels = tuple(FIRST_TEST_LEVEL + i for i in range(len(cells)))
    return TestSet(name, cells.astype(np.float64), levels)


def domain_space(env: DataGenEnv[Any]) -> TaskSpace:
    """Return the domain's own cells as tasks, whatever skills the teacher is told of."""
    n_levels = env.domain.n_levels
    return Syllabus(tuple(env.domain.skills), n_levels, 1, 1).task_space


def _contract(env: DataGenEnv[Any]) -> dict[str, Any]:
    needs = env.domain.prerequisites
    return {
        "task_space": json.loads(domain_space(env).to_json()),
        "return_range": list(env.return_range),
        "mastery": env.mastery,
        "data": {
            "told_skills": list(env.syllabus.skills),
            "n_steps": env.syllabus.n_steps,
            "n_samples": env.syllabus.n_samples,
            "kinds": env.domain.kinds.tolist(),
            "prerequisites": [] if needs is None else np.argwhere(needs).tolist(),
        },
    }
