"""What the digits benchmarks share: play an episode, print a table of means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  (registers the environments)
from teachenv.lesson import Lesson
from teachers import data

ENV = "teachenv/DataGenSkillList-digits-v0"
TEST_SIZE = 30
"""Test questions per cell."""


def make(env_id: str = ENV, **settings: Any) -> Any:
    return gym.make(env_id, **settings).unwrapped


def play(env: Any, teacher_id: str, seed: int, **hyper: Any) -> NDArray[np.float64]:
    """Return the test accuracy on the cells that can be taught, before and after an episode."""
    teacher = data.make(teacher_id, env.syllabus, seed=seed, **hyper)
    env.reset(seed=seed)
    before = test(env)
    teacher.begin(env.rehearse)
    done = False
    while not done:
        plan = teacher.plan(replace(env.reading, privileged=env.privileged()))
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        teacher.tell(Lesson(plan, info["taught"], env.reading, reward, done))
    return np.array([before, test(env)])


def test(env: Any) -> float:
    scores = env.evaluate("test", TEST_SIZE)
    return float(scores.accuracy[env.domain.kinds == "taught"].mean())


def mean(values: Iterable[float]) -> str:
    """Return "mean ± standard error"."""
    v = np.asarray(list(values))
    return f"{v.mean():.3f} ± {v.std(ddof=1) / np.sqrt(len(v)):.3f}"


def row(cells: Sequence[str], line: str = "") -> None:
    print("| " + " | ".join(cells) + " |", flush=True)
    if line:
        print("|" + line * len(cells))


def head(cells: Sequence[str]) -> None:
    row(cells, "---|")
