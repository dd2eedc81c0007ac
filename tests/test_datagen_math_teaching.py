"""Teaching matters: with a warm student among noise, and with a fresh one."""

from __future__ import annotations

import numpy as np
import pytest

import students.data
from teachenv.envs.datagen.classroom import Classroom
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine
from teachenv.lesson import DataPlan


def taught(weights: np.ndarray, *, lessons: int, samples: int, seed: int) -> np.ndarray:
    """Return the test accuracy per level of a fresh student of comparisons."""
    domain = make_domain("math", skills=("reverse",), n_levels=4)
    student = students.data.make("transformer", domain.format, seed=seed)
    classroom = Classroom(Engine(domain), student, train_mode="continual", probe_size=5)
    classroom.begin(seed, student.state_dict(), None)
    counts = np.rint(samples * weights / weights.sum()).astype(int)[None]
    for _ in range(lessons):
        classroom.teach(DataPlan.of_counts(counts))
    return classroom.ask("test", 50).accuracy[0]


def test_taught_levels_are_learnt_and_others_hardly() -> None:
    uniform = taught(np.ones(4), lessons=6, samples=1000, seed=0)
    easiest = taught(np.array([1.0, 0.0, 0.0, 0.0]), lessons=6, samples=1000, seed=0)
    assert uniform.mean() > 0.5
    assert easiest[1:].max() < 0.3
