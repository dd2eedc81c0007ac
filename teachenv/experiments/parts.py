"""The teacher and the student of a run, made by table id from its configuration."""

from __future__ import annotations

import dataclasses
import importlib.util

from teachenv.broker import Broker
from teachenv.env import task_contract
from teachenv.errors import UserError, refuse_unknown
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.protocols import Student, Teacher
from teachenv.seeding import derive_int
from teachenv.space import TaskSpace

ROUND_STEPS = 200_000
"""Usual steps of a round."""

NATIVE_ROUND_STEPS = (1_000_000, 4_000_000)
"""Least and most for PPO on native environments, which takes tens of thousands of steps a second:
a round is a fifth of the run within these bounds, so that evaluations cost little beside it."""

_NATIVE_PPO = ("sb3-ppo", "sbx-ppo", "rllib-ppo")


def resolve(config: RunConfig) -> RunConfig:
    """Replace what a configuration leaves open by what this machine has, so that it is on record.

    The physics of environments that have several: native if it is built. The student: the
    fastest, "sbx-ppo", on native environments where SBX is installed, otherwise "sb3-ppo". The
    steps of a round: see ``NATIVE_ROUND_STEPS``.
    """
    env = config.make_env()
    backend = getattr(env.unwrapped, "backend", None)
    env.close()
    vector = config.make_env.vector(1)
    if vector is not None:
        backend = getattr(vector.unwrapped, "backend", backend)
        vector.close()
    env_args = dict(config.env_args)
    if backend is not None and env_args.get("backend", "auto") == "auto":
        env_args["backend"] = backend
    student = config.student
    if student == "auto":
        fast = vector is not None and importlib.util.find_spec("sbx") is not None
        student = "sbx-ppo" if fast else "sb3-ppo"
    usual = ROUND_STEPS
    if vector is not None and student in _NATIVE_PPO:
        least, most = NATIVE_ROUND_STEPS
        usual = min(max(config.steps // 5, least), most)
    return dataclasses.replace(
        config,
        env_args=env_args,
        student=student,
        round_steps=config.round_steps or usual,
        check_env=True,
    )


def make_teacher(config: RunConfig, space: TaskSpace) -> Teacher:
    """Make the teacher of a run.

    ``preset`` among its arguments names published hyper-parameters. ``mastery`` and ``harder``
    are filled in from the environment when the teacher takes them and the configuration does
    not say.

    Raises:
        ConfigError: if the teacher refuses its arguments.
    """
    import teachers

    accepted = teachers.hyper_parameters(config.teacher)
    given = dict(config.teacher_args)
    env = config.make_env()
    try:
        said = {*given, *teachers.presets(config.teacher).get(given.get("preset", ""), {})}
        if "mastery" in accepted and "mastery" not in said:
            given["mastery"] = task_contract(env)[2]
        if "harder" in accepted and "harder" not in said and env.has_wrapper_attr("harder"):
            given["harder"] = dict(env.get_wrapper_attr("harder"))
        return teachers.make(config.teacher, space, seed=config.seed, **given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"teacher_args: {error}") from None
    finally:
        env.close()


def make_student(config: RunConfig, broker: Broker, generation: int = 0) -> Student:
    """Make a student of a run.

    Args:
        config: The run.
        broker: Where its environments get their trials.
        generation: Tells the students of a run apart, which differ in their seeds; the first is 0.

    Raises:
        ConfigError: if the student refuses its arguments, or does not provide the signals the
            teacher needs.
    """
    import students

    path = (generation,) if generation else ()
    seed = derive_int(config.seed, "student", *path)
    try:
        student = students.make(
            config.student, config.make_env, broker, seed=seed, **config.student_args
        )
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"student_args: {error}") from None
    missing = broker.teacher.needs - student.provides
    if missing:
        student.close()
        raise ConfigError(
            f"teacher: {config.teacher} needs the signals {sorted(missing)}; {config.student} "
            f"provides {sorted(student.provides)}"
        )
    return student


def check_parts(config: RunConfig, space: TaskSpace) -> None:
    """Refuse bad teacher and student arguments together, before a folder is made."""
    import students

    problems = []
    try:
        make_teacher(config, space)
    except ConfigError as error:
        problems.append(str(error))
    try:
        accepted = students.hyper_parameters(config.student)
        refuse_unknown(f"hyper-parameter of {config.student}", config.student_args, accepted)
    except UserError as error:
        problems.append(f"student_args: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
