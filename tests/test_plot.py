"""Pictures of synthetic runs: real teachers driving an analytic student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import teachers
from teachenv.experiments.config import RunConfig
from teachenv.experiments.store import RunFolder
from teachenv.experiments.testsets import TestSet
from teachenv.protocols import Outcome, Trial
from teachenv.space import Dim, TaskSpace

RETURNS = (-150.0, 350.0)
MASTERY = 230.0

STUMPS = TaskSpace(
    [
        Dim("stump_height", 0.0, 3.0, unit="terrain steps"),
        Dim("stump_spacing", 0.0, 6.0, default=6.0, unit="m"),
    ]
)


class AnalyticStudent:
    """Competence that spreads from easy tasks to the neighbours of practised ones."""

    def __init__(self, space: TaskSpace, seed: int) -> None:
        self.space = space
        self.rng = np.random.default_rng(seed)
        self.reach = 0.12

    def ability(self, task: Any) -> float:
        u = self.space.to_unit(task)
        difficulty = float(u[0] * (1.25 - 0.5 * u[-1]) if len(u) > 1 else u[0])
        return float(1 / (1 + np.exp((difficulty - self.reach) / 0.06)))

    def play(self, task: Any) -> float:
        """Return the episode return; practice near the border of ability teaches most."""
        ability = self.ability(task)
        self.reach += 0.0022 * ability * (1 - ability)
        value = -110 + 420 * ability + self.rng.normal(0, 30)
        return float(np.clip(value, -160, 340))


def write_run(
    folder: Path,
    space: TaskSpace = STUMPS,
    teacher: str = "alp-gmm",
    n_rounds: int = 20,
    per_round: int = 100,
    test_sets: dict[str, np.ndarray] | None = None,
    eval_every: int = 2,
    seed: int = 0,
    **teacher_args: Any,
) -> Path:
    """Write a run folder in which a real teacher drives the analytic student."""
    guide = teachers.make(teacher, space, seed=seed, **teacher_args)
    student = AnalyticStudent(space, seed)
    if test_sets is None:
        test_sets = {"grid-v1": space.grid(10) if space.dim == 2 else space.grid(2)[:100]}
    run = _create(folder, space, teacher, seed, test_sets)
    step = 0
    for k in range(n_rounds):
        rows = []
        for n in range(per_round):
            trial = guide.ask()
            if n == per_round - 1:  # the episode that the end of a round cuts off
                value, outcome = 0.0, Outcome.lost()
            else:
                step += int(300 + 600 * student.ability(trial.task))
                value = student.play(trial.task)
                outcome = _outcome(value)
            guide.tell(trial, outcome)
            rows.append(_episode_row(trial, outcome, k, step))
        run.append("episodes.jsonl", rows)
        believed = json.loads(json.dumps(guide.describe(), default=np.ndarray.tolist))
        run.append("teacher.jsonl", [{"round": k, "step": step, "describe": believed}])
        if eval_every and k % eval_every == eval_every - 1:
            rows = [_eval_row(student, name, tasks) for name, tasks in test_sets.items()]
            run.append("evals.jsonl", [{"round": k, "step": step, **row} for row in rows])
    run.close()
    return folder


def _create(
    folder: Path, space: TaskSpace, teacher: str, seed: int, test_sets: dict[str, np.ndarray]
) -> RunFolder:
    config = RunConfig("teachenv/StumpTracks-v0", teacher, seed=seed)
    header = {
        "config": config.to_json(),
        "task_space": json.loads(space.to_json()),
        "return_range": RETURNS,
        "mastery": MASTERY,
        "versions": {},
    }
    sets = [TestSet(name, tasks, tuple(range(len(tasks)))) for name, tasks in test_sets.items()]
    return RunFolder.create(folder, header, sets)


def _episode_row(trial: Trial, outcome: Outcome, k: int, step: int) -> dict[str, Any]:
    return {
        "trial": trial.id,
        "task": trial.task.tolist(),
        "score": outcome.score,
        "episode_return": outcome.episode_return,
        "status": outcome.status,
        "round": k,
        "step": step,
    }


def _eval_row(student: AnalyticStudent, name: str, tasks: np.ndarray) -> dict[str, Any]:
    returns = [student.ability(task) * 420 - 110 for task in tasks]
    share = float(np.mean(np.array(returns) > MASTERY))
    return {"test_set": name, "status": "ok", "share_mastered": share, "returns": returns}


def _outcome(value: float) -> Outcome:
    score = float(np.clip((value - RETURNS[0]) / (RETURNS[1] - RETURNS[0]), 0, 1))
    return Outcome(score, value, 500, value > MASTERY)
