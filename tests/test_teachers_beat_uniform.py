"""A teacher that learns beats uniform tasks, in almost every one of twenty fixed seeds."""

from __future__ import annotations

import warnings

from bars import Bar
from broken_teachers import IgnoresOutcomes, broken

import teachers
from teachenv.envs.toy.unlearnable_box import UnlearnableBox
from teachers.base import BaseTeacher, TeacherWarning

SEEDS = range(20)
N_EPISODES = 1500
SMALL = {"fit_rate": 100, "min_k": 2, "max_k": 4}


def mastered(teacher: type[BaseTeacher], seed: int, **hyper: int) -> float:
    student = UnlearnableBox(learnable=0.2)  # exact: it draws nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TeacherWarning)  # nothing to fit before the first progress
        return student.learn_from(teacher(student.task_space, seed=seed, **hyper), N_EPISODES)


def wins(teacher: type[BaseTeacher], seeds: range = SEEDS) -> int:
    uniform = teachers.teacher_class("uniform")
    return sum(mastered(teacher, seed, **SMALL) > mastered(uniform, seed) for seed in seeds)


def test_alp_gmm_beats_uniform(bar: Bar) -> None:
    won = wins(teachers.teacher_class("alp-gmm"))
    assert won >= 18
    bar("C5", seeds=len(SEEDS), won_by_alp_gmm=won)


def test_alp_gmm_that_ignores_outcomes_does_not(bar: Bar) -> None:
    seeds = SEEDS[:5]
    won = wins(broken(IgnoresOutcomes, teachers.teacher_class("alp-gmm")), seeds)
    assert won <= 1
    bar("C5", seeds_of_one_that_ignores_outcomes=len(seeds), won_by_that=won)
