"""Teachers broken on purpose: ``check_teacher`` says what is broken."""

from __future__ import annotations

from functools import partial

import broken_teachers
import pytest
from broken_teachers import MORE, TWENTY
from small_teachers import LEARNS_FROM, SMALL

import teachers
from teachenv.space import TaskSpace
from teachers.check import check_teacher
from teachers.probe import SAMPLE_SPACES

SPACE = SAMPLE_SPACES["two"]


def codes_of(mutation: type, id: str, n_trials: int) -> set[str]:
    hyper = dict(SMALL.get(id, {}))
    if mutation is broken_teachers.SortsTheCallersList:
        hyper["order"] = [3, 1, 2]
    if id == "oracle":
        hyper |= {"mastery": 0.0, "harder": {"height": 1}}
    found = check_teacher(
        partial(broken_teachers.broken(mutation, teachers.teacher_class(id)), **hyper),
        TaskSpace(SPACE.dims),  # a copy: one mutation breaks it
        learns_from=LEARNS_FROM.get(id, "tasks"),
        spaces=SAMPLE_SPACES if id != "oracle" else {},
        n_trials=n_trials,
        processes=mutation is broken_teachers.DifferentInAnotherProcess,
    )
    return {finding.code for finding in found}


def missed(mutations: dict[type, str], id: str, n_trials: int) -> dict[str, set[str]]:
    """Mutations whose finding is missing, with what was found instead."""
    found = {mutation: codes_of(mutation, id, n_trials) for mutation in mutations}
    return {m.__name__: found[m] for m, code in mutations.items() if code not in found[m]}


def test_the_unbroken_teacher_passes():
    factory = partial(teachers.teacher_class("tscl-online"), **SMALL["tscl-online"])
    assert check_teacher(factory, SPACE, learns_from="tasks", n_trials=80) == []


def test_twenty_mutants_are_caught(bar):
    assert len(TWENTY) == 20
    assert missed(TWENTY, "tscl-online", 80) == {}
    bar("C2", mutants=len(TWENTY), missed=0)


@pytest.mark.slow
def test_more_mutants_are_caught(bar):
    assert missed(MORE, "oracle", 45) == {}
    bar("C2", more_mutants=len(MORE), missed=0)


@pytest.mark.slow
@pytest.mark.parametrize("id", ["alp-gmm", "grid", "riac", "ucb"])
def test_mutants_of_other_teachers_are_caught(id, bar):
    assert missed(TWENTY, id, 120) == {}
    bar("C2", mutants=len(TWENTY), missed=0)
