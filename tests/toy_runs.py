"""Runs of the toy student: cheap enough for hundreds of them, in this process and in others."""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest import mock

from test_loop import digests
from toy_student import CLIMB, TOY

import students
from teachenv import cli
from teachenv.experiments import cells, loop, task_loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.drive import rounds
from teachenv.experiments.store import RunFolder

__all__ = [
    "FORKS",
    "ROUND",
    "command",
    "digests",
    "in_process",
    "mutant",
    "stop_after",
    "to_the_end",
    "toy_config",
    "toys",
]

ROUND = 60
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["toy_runs"])  # a process then takes milliseconds to start


def toys() -> contextlib.AbstractContextManager[Any]:
    """Let runs find the toy student."""
    return mock.patch.dict(students.STUDENTS, toy=TOY)


def toy_config(rounds: int = 3, **change: Any) -> RunConfig:
    fields: dict[str, Any] = {
        "env": CLIMB,
        "teacher": "lp-bins",
        "teacher_args": {"bins": 2},
        "student": "toy",
        "steps": rounds * ROUND,
        "round_steps": ROUND,
        "test_sets": ("grid-v1",),
        **change,
    }
    with toys():
        return RunConfig(**fields)


def to_the_end(config: RunConfig, folder: Path, broken: str = "") -> None:
    """Start a run, or continue it where it was left; ``broken``: see :func:`mutant`."""
    with toys(), mutant(broken), closing(cells.make_loop(config, folder)) as played:
        for _ in played:
            pass


@contextmanager
def mutant(name: str) -> Iterator[None]:
    """Break what keeps runs whole: a negative control.

    "rows are not cut": a resumed run leaves rows from after its checkpoint where they are.
    "teacher forgets": checkpoints lose what the teacher learnt.
    "nothing is locked": any number of processes may write to a run.
    "signals are not caught": SIGTERM ends the process as it ends any other.
    """
    if not name:
        yield
        return
    broken = {
        "rows are not cut": mock.patch.object(RunFolder, "cut"),
        "teacher forgets": mock.patch.object(
            task_loop.RunLoop, "load_state_dict", _forgets_teacher
        ),
        "nothing is locked": mock.patch("fcntl.flock"),
        "signals are not caught": mock.patch("signal.signal"),
    }
    with broken[name]:
        yield


_load = task_loop.RunLoop.load_state_dict


def _forgets_teacher(run: task_loop.RunLoop, state: dict[str, Any]) -> None:
    _load(run, {**state, "teacher": run.teacher.state_dict()})


def stop_after(config: RunConfig, folder: Path, n_rounds: int) -> None:
    """Start a run and interrupt it when it has played so many rounds."""
    with toys(), closing(rounds(*loop.open_new(config, folder))) as played:
        for _ in range(n_rounds):
            next(played)


def command(*arguments: str) -> int:
    """Run the command line here and return its exit status."""
    with toys(), mock.patch.object(sys, "argv", ["teachenv", *arguments]):
        try:
            cli.main()
        except SystemExit as done:
            return int(done.code or 0)
    return 0


def in_process(function: Any, *args: Any) -> BaseProcess:
    """Start a function of a module in a process of its own."""
    process = FORKS.Process(target=function, args=args)
    process.start()
    return process
