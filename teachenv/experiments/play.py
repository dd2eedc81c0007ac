"""Playing a run's student after training: test sets, chosen tasks, videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from teachenv.broker import Broker
from teachenv.env import FIRST_TEST_LEVEL
from teachenv.errors import UserError
from teachenv.experiments import testsets
from teachenv.experiments.checkpoint import newest_checkpoint
from teachenv.experiments.evaluate import evaluate
from teachenv.experiments.parts import make_student, make_teacher
from teachenv.experiments.run_state import fitting
from teachenv.experiments.store import Run, read_run
from teachenv.experiments.testsets import TestSet
from teachenv.experiments.video import record_video
from teachenv.protocols import Student

N_VIDEOS = 6
"""Tasks of a test set that are rendered when none are named."""


def evaluate_run(
    folder: Path,
    *,
    test_sets: Sequence[str] = (),
    tasks: Sequence[Mapping[str, Any]] = (),
    video: bool = False,
) -> Iterator[str]:
    """Play the student of a run and yield lines that say how it did.

    Args:
        folder: The run folder; only ``RUN/videos`` is written to.
        test_sets: Names of test sets; the run's own if empty.
        tasks: Tasks to play instead, as ``{name: value}``.
        video: Render the tasks (for test sets, ``N_VIDEOS`` of them spread over the set).

    Raises:
        UserError: for an unknown test set, a bad task, or a folder that is no run.
    """
    if tasks and test_sets:
        raise UserError("evaluate: give tasks or test sets, not both")
    run = read_run(folder)
    chosen = _chosen(run, test_sets, tasks)
    student = load_student(folder)
    try:
        for test_set in chosen:
            result = evaluate(student.act, run.config.make_env, test_set)
            yield (
                f"{test_set.name} ({test_set.hash}): {result.share_mastered:.1%} of "
                f"{len(test_set)} tasks mastered, mean return {np.mean(result.returns):.1f}"
            )
            if tasks:
                for task, value in zip(test_set.tasks, result.returns, strict=True):
                    yield f"  {run.task_space.to_dict(task)}: return {value:.1f}"
            if not video:
                continue
            n_shown = len(test_set) if tasks else min(N_VIDEOS, len(test_set))
            shown = np.linspace(0, len(test_set) - 1, n_shown)
            for index in np.unique(shown.round().astype(int)):
                path = folder / "videos" / f"{test_set.name}-{index:03d}.mp4"
                record_video(
                    student.act,
                    run.config.make_env,
                    test_set.tasks[index],
                    test_set.level_seeds[index],
                    path,
                )
                yield f"  {path}"
    finally:
        student.close()


def load_student(out: Path) -> Student:
    """Return the student of a run as its newest intact checkpoint left it.

    Raises:
        UserError: if the folder is not a run or has no intact checkpoint that fits it.
    """
    run = read_run(out)
    if run.data is not None:
        raise UserError(
            f"{out}: every episode had a student of its own and none is kept; how they did is in "
            "evals.jsonl, see: teachenv plot"
        )
    _, state, _ = newest_checkpoint(out / "checkpoints")
    broker = Broker(make_teacher(run.config, run.task_space), seed=run.config.seed)
    student = make_student(run.config, broker)
    try:
        with fitting(out):
            known = dict(state["student"])
            known.pop("playing", None)  # episodes to go on with; acting needs none
            student.load_state_dict(known)
    except BaseException:
        student.close()
        raise
    return student


def _chosen(run: Run, names: Sequence[str], tasks: Sequence[Mapping[str, Any]]) -> list[TestSet]:
    if tasks:
        points = np.stack([run.task_space.task(task) for task in tasks])
        return [TestSet("tasks", points, tuple(FIRST_TEST_LEVEL + i for i in range(len(tasks))))]
    if names:
        return [testsets.load(name, run.task_space) for name in names]
    return list(run.test_sets.values())
