"""What DataEnvGym found, on digits: state helps, so do true skills, and errors harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_datagen_envs import make

from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.skills import Inferred
from teachenv.lesson import DataPlan
from teachers import data

SEEDS = range(6)
USUAL = {"train_mode": "retrain", "n_samples": 4}


def ends(teacher_id: str, seeds: range = SEEDS, **settings: Any) -> np.ndarray[Any, Any]:
    """Return the test accuracy per seed at the end of an episode."""
    env, accuracies = make(**{**USUAL, **settings}), []
    for seed in seeds:
        teacher = data.make(teacher_id, env.syllabus, seed=seed)
        env.reset(seed=seed)
        teacher.begin(env.rehearse)
        done = False
        while not done:
            plan = teacher.plan(replace(env.reading, privileged=env.privileged()))
            *_, terminated, truncated, _ = env.step_plan(plan)
            done = terminated or truncated
        accuracies.append(env.evaluate("test", 20).accuracy.mean())
    return np.array(accuracies)


@pytest.fixture(scope="module")
def weakness() -> np.ndarray[Any, Any]:
    return ends("weakness")


def test_a_teacher_that_looks_at_its_student_teaches_more(
    weakness: np.ndarray[Any, Any],
) -> None:
    assert (weakness - ends("uniform")).mean() > 0.03
    assert (weakness - ends("anti")).mean() > 0.15


def test_true_skills_teach_more_than_random_groups(weakness: np.ndarray[Any, Any]) -> None:
    assert (weakness - ends("weakness", skill_source="shuffled")).mean() > 0.03


@pytest.mark.slow
def test_found_skills_teach_less_than_true_ones_and_more_than_random_groups() -> None:
    seeds = range(20)
    gold, inferred, shuffled = (
        ends("weakness", seeds, skill_source=source, n_samples=8)
        for source in ("gold", "inferred", "shuffled")
    )
    assert (gold - inferred).mean() > 0.01
    assert (inferred - shuffled).mean() > 0.01


@pytest.mark.slow
def test_the_student_that_was_best_by_validation_beats_the_last_on_the_hidden_test() -> None:
    settings = {"train_mode": "continual", "n_steps": 20, "n_samples": 8}
    best, last = (ends("uniform", range(10), iterate=i, **settings) for i in ("best", "last"))
    assert (best - last).mean() > 0.01


@pytest.mark.slow
def test_lessons_help_most_where_it_is_neither_easy_nor_hopeless() -> None:
    skills, gains = {"skills": ("add",)}, []
    env = make(domain="math", domain_args=skills, profile="warm", n_samples=500, n_steps=10)
    for seed in range(2):
        env.reset(seed=seed)
        before, over = env.evaluate("test", 100), False
        while not over:
            counts = np.full((1, 6), 83)
            *_, terminated, truncated, _ = env.step_plan(DataPlan.of_counts(counts))
            over = terminated or truncated
        gains.append((env.evaluate("test", 100).accuracy - before.accuracy)[0])
    easy, within_reach, hopeless = np.split(np.mean(gains, axis=0), [3, 4])
    assert within_reach > max(easy.max(), hopeless.max()) + 0.03


def test_a_wrong_engine_harms_and_checking_its_answers_mends(
    weakness: np.ndarray[Any, Any],
) -> None:
    wrong = ends("weakness", error_rate=0.4)
    assert (weakness - wrong).mean() > 0.05
    assert (ends("weakness", error_rate=0.4, quality="answer") - wrong).mean() > 0.03


def test_whoever_finds_skills_can_be_given() -> None:
    calls = []

    def find(domain: Domain, items: Items, n_skills: int, seed: int) -> Inferred:
        calls.append((domain.id, len(items), n_skills, seed))
        return Inferred(domain, items, 4, seed)

    env = make(skill_source=find)
    assert calls == [("digits", 30 * 40, 10, 0)]
    assert len(env.syllabus.skills) == 4
    env.reset(seed=0)
    env.step(env.action_space.sample())
