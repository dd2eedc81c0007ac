"""Cells that are tested only: what carries over to combinations that were never met."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_datagen_envs import even, make

from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.plans import accept
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, PlanItem, Syllabus

HELD_OUT = [[2, 0], [3, 1], [9, 2]]
WHERE = tuple(np.array(HELD_OUT).T)


def cells(items: Items) -> np.ndarray[Any, Any]:
    """Where there are items."""
    there = np.zeros((10, 3), dtype=np.bool_)
    there[items.skill, items.level] = True
    return there


@pytest.mark.parametrize("variant", ["SkillList", "SkillTree", "OpenEnded"])
def test_held_out_cells_are_neither_taught_nor_probed_whatever_is_asked(variant: str) -> None:
    env = make(variant, held_out=HELD_OUT, profile="fresh", n_steps=4, n_samples=90)
    env.reset(seed=0)
    env.action_space.seed(0)
    done, taught = False, np.zeros((10, 3))
    while not done:
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        done = terminated or truncated
        made = env.classroom.made
        taught += made.made
        assert not made.made[WHERE].any()
        asked = cells(env.classroom.last.items)
        assert asked.sum() == 27
        assert not asked[WHERE].any()
    assert taught.sum() > 0
    assert (env.reading.visible[WHERE] == 0).all()
    assert np.unique(env.evaluate("test", 2).items.skill).size == 10


def test_no_student_has_learnt_them_before() -> None:
    env = make(held_out=HELD_OUT, profile="warm")
    for profile in ("warm", ["digit 2", "digit 3"]):
        learnt = cells(env._newcomers.base(0, profile, None).items)
        assert not learnt[WHERE].any()
        assert learnt[3, 0]


def test_what_is_asked_of_them_goes_to_the_rest_of_the_plan() -> None:
    env = make(held_out=HELD_OUT, n_samples=60, n_steps=2)
    env.reset(seed=0)
    info = env.step_plan(even(env, 60))[-1]
    assert info["taught"].sum() == info["spent"] == 60
    assert info["malformed"] == 0
    assert not info["taught"][WHERE].any()
    info = env.step_plan(DataPlan((PlanItem(2, 0, 60),)))[-1]
    assert (info["taught"].sum(), info["spent"], info["malformed"]) == (0, 60, 1)


def test_plans_keep_their_proportions_options_and_faults() -> None:
    syllabus = Syllabus(("a", "b"), 2, 3, 100)
    held_out = np.array([[True, False], [False, False]])
    items = (
        PlanItem(0, 0, 30),
        PlanItem(0, 1, 10),
        PlanItem(1, 0, 20, {"variant": "odd"}),
        PlanItem(7, 0, 5),
    )
    plan, cost, malformed = accept(DataPlan(items), syllabus, ((), ("odd",)), 100, held_out)
    assert plan.items == (PlanItem(0, 1, 20), PlanItem(1, 0, 40, {"variant": "odd"}))
    assert (cost, malformed) == (65, 1)


def test_the_oracle_is_told_that_they_cannot_be_learnt() -> None:
    env = make(held_out=HELD_OUT, profile="fresh")
    env.reset(seed=0)
    learnable = env.privileged()["learnable"]
    assert not learnable[WHERE].any()
    assert learnable.sum() == (env.reading.accuracy <= env.mastery).sum() - len(HELD_OUT)


def test_the_probed_share_is_of_the_other_cells() -> None:
    env = make(held_out=HELD_OUT, visible_share=0.5)
    seen = []
    for seed in range(3):
        env.reset(seed=seed)
        seen.append(env.reading.visible.astype(bool))
        assert seen[-1].sum() == round(27 / 2)
        assert not seen[-1][WHERE].any()
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"held_out": [[10, 0]]}, r"held_out: expected \(skill, level\) below \(10, 3\)"),
        ({"held_out": [[0]]}, r"held_out: expected \(skill, level\)"),
        ({"held_out": [[0.5, 1]]}, r"held_out: expected \(skill, level\) below"),
        ({"held_out": [[True, 1]]}, r"held_out: expected \(skill, level\) below"),
        ({"held_out": [3]}, r"held_out: expected \(skill, level\) below"),
        ({"held_out": 3}, r"held_out: expected a list"),
        (
            {"held_out": [[10, 1]], "domain_args": {"n_noise": 1}},
            r"\(10, 1\) is a cell that cannot be taught anyway",
        ),
        (
            {"held_out": [[1, 1]], "reward_mode": "target", "target_cells": [[1, 1]]},
            r"\(1, 1\) is a cell to aim at",
        ),
        ({"held_out": [[s, v] for s in range(10) for v in range(3)]}, "nothing is left to teach"),
        ({"held_out": [[0, 0]], "skill_source": "shuffled"}, 'leave skill_source "gold"'),
    ],
)
def test_cells_that_cannot_be_held_out_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make(**change)
