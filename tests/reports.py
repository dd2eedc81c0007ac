"""Studies for tests of reports: written, not played; students are as good as is said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from worlds import POLE, POLE_SPACE

from teachenv.experiments.store import RunFolder
from teachenv.experiments.study import Cell
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder
from teachenv.experiments.testsets import TestSet
from teachenv.space import TaskSpace

N_ROUNDS = 3
MASTERY, RETURNS = 400.0, (0.0, 500.0)


def write_study(
    path: Path,
    skills: Mapping[str, float],
    n_seeds: int = 5,
    failed: Mapping[str, str] | None = None,
    space: TaskSpace = POLE_SPACE,
    **change: Any,
) -> Path:
    """Write a study whose students master about as large a share of the tasks as is said.

    Args:
        path: The study folder to make.
        skills: Teacher -> about the share of test tasks its students master in the end.
        n_seeds: Seeds.
        failed: Cell -> error, of cells that were given up.
        space: The task space.
        change: Fields of the study.
    """
    row = {
        "teachers": list(skills),
        "environments": [{"id": POLE, "name": "Pole"}],
        "students": ["sb3-ppo"],
        "baselines": False,
        "seeds": n_seeds,
        "steps": 100 * N_ROUNDS,
        **change,
    }
    study = read_study(row)
    folder = StudyFolder.create(path, study, None)
    failed = failed or {}
    folder.write_ended(
        {name: {"status": "failed", "reason": text} for name, text in failed.items()}
    )
    for cell in study.cells():
        if cell.name not in failed:
            _write_run(folder.runs / cell.name, cell, skills[cell.name.split("/")[1]], space)
    return path


def _write_run(path: Path, cell: Cell, skill: float, space: TaskSpace) -> None:
    rng = np.random.default_rng(cell.config.seed)
    tasks = space.grid(4)[:64]
    header = {
        "config": cell.config.to_json(),
        "task_space": json.loads(space.to_json()),
        "return_range": list(RETURNS),
        "mastery": MASTERY,
        "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    }
    run = RunFolder.create(path, header, [TestSet("grid-v1", tasks, tuple(range(len(tasks))))])
    for k in range(N_ROUNDS):
        ability = skill * (k + 1) / N_ROUNDS + rng.normal(0, 0.01)
        run.append("episodes.jsonl", [_episode(space, rng, ability, k, n) for n in range(10)])
        run.append("evals.jsonl", [_evaluation(space, tasks, ability, k)])
        describe: dict[str, Any] = {"mixture": None}
        run.append("teacher.jsonl", [{"round": k, "step": 100 * (k + 1), "describe": describe}])
        times = {"total_s": 2.0, "learn_s": 1.5, "cpu_s": 1.0, "gradient_steps": 8}
        counts = {"trials": 10, "lost": 0, "steps_per_s": 50.0}
        run.append("times.jsonl", [{"round": k, "step": 100 * (k + 1), **times, **counts}])
    run.write_json(
        "status.json",
        {"status": "finished", "reason": "", "round": N_ROUNDS, "step": 100 * N_ROUNDS},
    )
    run.close()


def _episode(
    space: TaskSpace, rng: np.random.Generator, ability: float, k: int, n: int
) -> dict[str, Any]:
    task = space.from_unit(rng.random(space.dim))
    (value,) = _returns(space, task[None], ability)
    return {
        "trial": 10 * k + n,
        "task": task.tolist(),
        "train": True,
        "score": value / RETURNS[1],
        "episode_return": value,
        "episode_length": 10,
        "success": value > MASTERY,
        "status": "ok",
        "signals": {},
        "round": k,
        "step": 100 * k + 10 * (n + 1),
    }


def _evaluation(space: TaskSpace, tasks: Any, ability: float, k: int) -> dict[str, Any]:
    returns = _returns(space, tasks, ability)
    success = [value > MASTERY for value in returns]
    return {
        "round": k,
        "step": 100 * (k + 1),
        "test_set": "grid-v1",
        "status": "ok",
        "share_mastered": float(np.mean(success)),
        "mean_return": float(np.mean(returns)),
        "returns": returns,
        "lengths": [10] * len(returns),
        "success": success,
    }


def _returns(space: TaskSpace, tasks: Any, ability: float) -> Sequence[float]:
    difficulty = space.to_unit(tasks).mean(axis=1)
    high = np.clip(MASTERY + 500 * (ability - difficulty), *RETURNS)
    return [float(value) for value in high]
