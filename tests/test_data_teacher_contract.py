"""Every data teacher keeps the contract, and broken ones are found out."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from teachenv.lesson import DataPlan
from teachers.data import DATA_TEACHERS, teacher_class
from teachers.data.base import WeightTeacher
from teachers.data.check import check_data_teacher
from teachers.data.missing_skill import MissingSkill
from teachers.data.pretender import SAMPLE_SYLLABI
from teachers.data.skill_tree import SkillTree
from teachers.data.zpd import Zpd

ELSEWHERE = {"llm", "trained"}
"""Teachers that need a server or a file; their own tests check them."""
BLIND = {"meta-label", "random", "stages", "uniform"}
"""Plans that do not depend on readings, or not so soon: meta-label learns over students."""
DRAWLESS = {"skill-tree"}
"""Plans that do not depend on the seed."""
VARIANTS = {
    "missing-skill sel": ("missing-skill", {"mode": "sel"}),
    "missing-skill bare": ("missing-skill", {"guard": False}),
    "stages strict": ("stages", {"order": "strict"}),
    "stages hard-only": ("stages", {"order": "hard-only"}),
    "target-success three": ("target-success", {"targets": (0.8, 0.5, 0.2)}),
    "zpd average": ("zpd", {"unprobed": "average"}),
}


@pytest.mark.parametrize("id", sorted(set(DATA_TEACHERS) - ELSEWHERE))
def test_teacher_keeps_the_contract(id: str) -> None:
    assert teacher_class(id).id == id
    factory, random = teacher_class(id), id not in DRAWLESS
    assert check_data_teacher(factory, learns=id not in BLIND, random=random) == []


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_keeps_the_contract(name: str) -> None:
    id, hyper = VARIANTS[name]
    factory = partial(teacher_class(id), **hyper)
    assert check_data_teacher(factory, learns=id not in BLIND) == []


@pytest.mark.slow
def test_recurrent_estimate_keeps_the_contract() -> None:
    factory = partial(Zpd, unprobed="recurrent")
    syllabi = {"usual": SAMPLE_SYLLABI["usual"], "one-cell": SAMPLE_SYLLABI["one-cell"]}
    assert check_data_teacher(factory, syllabi=syllabi) == []


class TooFew(Zpd):
    def _plan(self, reading):
        plan = super()._plan(reading)
        return DataPlan(plan.items[1:], plan.reason)


class NoReason(Zpd):
    def _plan(self, reading):
        return DataPlan(super()._plan(reading).items)


class OutsideSyllabus(Zpd):
    def _plan(self, reading):
        item = super()._plan(reading).items[0]
        return DataPlan((type(item)(99, 0, self.syllabus.n_samples),), "away")


class GlobalRandom(Zpd):
    def _weights(self, reading):
        return np.random.random(self.syllabus.shape)  # noqa: NPY002


class SeedIgnored(Zpd):
    def __init__(self, syllabus, *, seed=0):
        super().__init__(syllabus, seed=7)


class ForgetsOnLoad(MissingSkill):
    def _load_memory(self, state):
        pass


class LosesRandomnessOnLoad(Zpd):
    def load_state_dict(self, state):
        rng = self._rng
        super().load_state_dict(state)
        self._rng = rng


class SharesItsState(MissingSkill):
    def state_dict(self):
        return {**super().state_dict(), "method": self._state()}

    def _learned(self, lesson):
        self._stalled += lesson.taught


class AcceptsNan(Zpd):
    def plan(self, reading):
        if np.isnan(reading.accuracy).any():
            return None
        return super().plan(reading)


class ToldTwice(Zpd):
    def tell(self, lesson):
        if self._planned is not None:
            super().tell(lesson)


class ChangesFirst(Zpd):
    def tell(self, lesson):
        self._counts["lessons"] += 1
        super().tell(lesson)


class DividesByZero(WeightTeacher):
    id = "divides-by-zero"

    def _weights(self, reading):
        return reading.accuracy / reading.accuracy.sum()


class WritesIntoReadings(Zpd):
    def _weights(self, reading):
        reading.accuracy[0, 0] = 0.0
        return super()._weights(reading)


class Hoards(Zpd):
    def __init__(self, syllabus, *, seed=0):
        super().__init__(syllabus, seed=seed)
        self._hoard = []

    def _learned(self, lesson):
        self._hoard.append(lesson.reading.accuracy.tolist())

    def _memory(self):
        return {"hoard": self._hoard}

    def _load_memory(self, state):
        self._hoard = list(state["hoard"])


class Unmoved(Zpd):
    def _weights(self, reading):
        return np.ones(self.syllabus.shape)


class UnknownMove(SkillTree):
    def _move(self, tree):
        return "explore"


class NeedsNoTrees(SkillTree):
    needs = frozenset()


MUTANTS = {
    TooFew: "wrong-total",
    NoReason: "no-reason",
    OutsideSyllabus: "outside-syllabus",
    GlobalRandom: "global-random",
    SeedIgnored: "seed-ignored",
    ForgetsOnLoad: "state-lost",
    LosesRandomnessOnLoad: "state-lost",
    SharesItsState: "state-shared",
    AcceptsNan: "accepts-nan-accuracy",
    ToldTwice: "accepts-told-twice",
    ChangesFirst: "refusal-changes-state",
    DividesByZero: "crash",
    WritesIntoReadings: "crash",
    Hoards: "memory-grows",
    Unmoved: "ignores-readings",
    UnknownMove: "bad-moves",
    NeedsNoTrees: "needs-no-trees",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda cls: cls.__name__)
def test_mutant_is_found_out(mutant: type) -> None:
    assert MUTANTS[mutant] in {finding.code for finding in check_data_teacher(mutant)}
