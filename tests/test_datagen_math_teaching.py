"""What is taught decides what a fresh student of text learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import students.data
import teachers.data
from teachenv.envs.datagen.classroom import Classroom
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine
from teachenv.lesson import DataPlan, Lesson


def taught(skill: str, weights: list[float], *, lessons: int, width: int, seed: int) -> np.ndarray:
    """Return the test accuracy per level of a fresh student after lessons of 1,000 samples."""
    domain = make_domain("math", skills=(skill,), n_levels=len(weights))
    student = students.data.make("transformer", domain.format, seed=seed, width=width)
    classroom = Classroom(Engine(domain), student, train_mode="continual", probe_size=1)
    classroom.begin(seed, student.state_dict(), None)
    shares = np.array([weights]) / np.sum(weights)
    for _ in range(lessons):
        classroom.teach(DataPlan.of_counts(np.rint(1000 * shares).astype(int)))
    accuracy: np.ndarray = classroom.ask("test", 50).accuracy[0]
    return accuracy


def test_levels_that_are_not_taught_are_hardly_learnt() -> None:
    uniform = taught("reverse", [1, 1, 1], lessons=3, width=32, seed=0)
    easiest = taught("reverse", [1, 0, 0], lessons=3, width=32, seed=0)
    assert uniform.mean() > 0.5
    assert easiest[0] > 0.8
    assert easiest[1:].max() < 0.3


@pytest.mark.slow
def test_a_fresh_student_of_the_hardest_sums_learns_none() -> None:
    uniform = taught("add", [1] * 6, lessons=25, width=64, seed=0)
    hardest = taught("add", [0] * 5 + [1], lessons=25, width=64, seed=0)
    assert uniform.mean() > 0.6
    assert hardest.mean() < 0.25 * uniform.mean()


@pytest.mark.slow
def test_where_half_the_cells_are_noise_zpd_beats_uniform_and_the_oracle_zpd() -> None:
    """As ``benchmarks/datagen/warm_headline.py`` has it, with one seed."""
    env: Any = gym.make(
        "teachenv/DataGenSkillList-math-v0",
        domain_args={"skills": ("add",), "n_noise": 1},
        profile="warm",
        warm_levels=3,
        base_samples=10_000,
        train_mode="continual",
        n_steps=20,
        n_samples=500,
    ).unwrapped
    accuracy, on_noise = {}, {}
    for name in ("uniform", "zpd", "oracle"):
        env.reset(seed=0)
        teacher = teachers.data.make(name, env.syllabus, seed=0)
        teacher.begin()
        over, given = False, np.zeros(env.syllabus.shape)
        while not over:
            plan = teacher.plan(replace(env.reading, privileged=env.privileged()))
            _, reward, terminated, truncated, info = env.step_plan(plan)
            over = terminated or truncated
            given += info["taught"]
            teacher.tell(Lesson(plan, info["taught"], env.reading, reward, over))
        accuracy[name] = env.evaluate("test", 100).accuracy[0].mean()
        on_noise[name] = given[1:].sum() / given.sum()
    assert accuracy["uniform"] + 0.05 < accuracy["zpd"] < accuracy["oracle"] - 0.05
    assert on_noise["uniform"] > 0.4
    assert on_noise["zpd"] < 0.2
    assert on_noise["oracle"] == 0.0
