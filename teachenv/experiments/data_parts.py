"""The parts of a run in a data-generation environment: made and checked by its configuration."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np

from teachenv.env import FIRST_TEST_LEVEL
from teachenv.envs.datagen.base_env import DataGenEnv
from teachenv.envs.datagen.monitors import teacher_hacking
from teachenv.errors import UserError, refuse_unknown, unknown
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.store import Run
from teachenv.experiments.testsets import TestSet
from teachenv.lesson import Syllabus
from teachenv.space import TaskSpace
from teachers.data.base import DataTeacher

__all__ = [
    "USUAL_EPISODES",
    "cells_test_set",
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
    try:
        accepted = students.data.hyper_parameters(config.student)
        refuse_unknown(f"hyper-parameter of {config.student}", config.student_args, accepted)
    except UserError as error:
        problems.append(f"student_args: {error}")
    env = data_env(config)
    try:
        data_teacher(config, env.syllabus)
    except ConfigError as error:
        problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return config, _contract(env), [cells_test_set(env)]


def data_teacher(config: RunConfig, syllabus: Syllabus) -> DataTeacher:
    """Make the teacher of a run; ids of data teachers win over those of teachers of tasks.

    Raises:
        ConfigError: if the teacher refuses its arguments, or cannot teach data.
    """
    import teachers.data

    try:
        return teachers.data.make(
            config.teacher, syllabus, seed=config.seed, **dict(config.teacher_args)
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"teacher_args: {error}") from None


def summary(run: Run) -> str:
    """Return what became of a run: accuracy on the hidden test, over its evaluated episodes."""
    after = np.array([row["mean_return"] for row in run.evals])
    before = np.array([np.mean(row["before"]) for row in run.evals])
    text = f"{len(run.times)} episodes, {run.status['step']:,} training samples"
    if not len(after):
        return text
    error = after.std(ddof=1) / math.sqrt(len(after)) if len(after) > 1 else math.nan
    spread = f" (standard error {error:.3f})" if len(after) > 1 else ""
    text += f"; hidden test of {len(after)}: accuracy {before.mean():.3f} -> {after.mean():.3f}"
    return text + spread + _hacked(run)


def _hacked(run: Run) -> str:
    """Return in how many episodes the student learnt the engine's errors; "" if it makes none."""
    episodes: dict[int, list[dict[str, Any]]] = {}
    for row in run.teacher:
        if "proxy" in row:
            episodes.setdefault(row["round"], []).append(row)
    flagged = sum(
        teacher_hacking(
            [row["proxy"] for row in rows],
            [row["metric"] for row in rows],
            n_proxy=rows[-1]["n_proxy"],
            n_golden=rows[-1]["n_golden"],
        ).flagged
        for rows in episodes.values()
    )
    return f"; teacher hacking flagged in {flagged} of {len(episodes)}" if episodes else ""


def cells_test_set(env: DataGenEnv[Any]) -> TestSet:
    """Return the cells there are to teach, as a test set; noise and known cells are none."""
    tasks = np.argwhere(env.domain.kinds == "taught").astype(np.float64)
    return TestSet("cells-v1", tasks, tuple(FIRST_TEST_LEVEL + i for i in range(len(tasks))))


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
