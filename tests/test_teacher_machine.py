"""Ask, tell, bad calls, saving and loading in any order, against a model of the books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

import pytest
from bars import Bar
from broken_teachers import (
    AcceptsNan,
    AcceptsRepeats,
    CountsRefusedCalls,
    DropsStateOnLoad,
    LosesRngOnLoad,
    broken,
)
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from small_teachers import REFUSES, build

import teachers
from teachenv.protocols import Trial
from teachenv.space import TaskSpace
from teachers import probe
from teachers.base import BaseTeacher

CHEAP = ("plr", "tscl-online")
"""Teachers that go through many sequences; the others go through a few."""

SCORES = st.floats(0.0, 1.0)
STATUSES = st.sampled_from(("ok", "ok", "ok", "failed", "lost"))
BAD = st.sampled_from(
    (
        {"score": float("nan")},
        {"score": 1.5},
        {"score": "0.5"},
        {"episode_return": float("inf")},
        {"episode_length": 0},
        {"status": "done"},
        {"signals": None},
    )
)


class Books(RuleBasedStateMachine):
    """What must hold whatever is called: a model counts, a saved state comes back."""

    make: ClassVar[Callable[..., BaseTeacher]]
    space: ClassVar[TaskSpace]
    done: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.teacher = self.make(self.space, seed=11)
        self.counts = dict.fromkeys(("asked", "told", "failed", "lost"), 0)
        self.waiting: dict[int, Trial] = {}
        self.over: list[Trial] = []
        self.saved: tuple = ()

    def take(self, data: st.DataObject) -> Trial:
        return self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))]

    @rule()
    def ask(self) -> None:
        trial = self.teacher.ask()
        assert trial.id == self.counts["asked"]
        assert self.space.contains(trial.task)
        self.counts["asked"] += 1
        self.waiting[trial.id] = trial

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), score=SCORES, status=STATUSES)
    def tell(self, data: st.DataObject, score: float, status: str) -> None:
        trial = self.take(data)
        self.teacher.tell(trial, probe.outcome_for(self.teacher, score, status))
        self.counts["told" if status == "ok" else status] += 1
        self.over.append(self.waiting.pop(trial.id))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), changes=BAD)
    def tell_badly(self, data: st.DataObject, changes: dict) -> None:
        good = probe.outcome_for(self.teacher, 0.5)
        self.refused(self.take(data), replace(good, **changes))

    @precondition(lambda self: self.over)
    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        trial = self.over[data.draw(st.integers(0, len(self.over) - 1))]
        self.refused(trial, probe.outcome_for(self.teacher, 0.5))

    def refused(self, trial: Trial, outcome: object) -> None:
        before = probe.fingerprint(self.teacher.state_dict())
        with pytest.raises((ValueError, TypeError)):
            self.teacher.tell(trial, outcome)
        assert probe.fingerprint(self.teacher.state_dict()) == before

    @rule()
    def save(self) -> None:
        state = probe.stored(self.teacher.state_dict())
        self.saved = (state, dict(self.counts), dict(self.waiting), list(self.over))

    @precondition(lambda self: self.saved)
    @rule()
    def go_back(self) -> None:
        """A fresh teacher goes on where the saved one was."""
        state, counts, waiting, over = self.saved
        self.teacher = self.make(self.space, seed=99)
        self.teacher.load_state_dict(state)
        assert probe.fingerprint(self.teacher.state_dict()) == probe.fingerprint(state)
        self.counts, self.waiting, self.over = dict(counts), dict(waiting), list(over)

    @rule()
    def move_house(self) -> None:
        """Another teacher takes over; both ask the same next."""
        state = probe.stored(self.teacher.state_dict())
        other = self.make(self.space, seed=99)
        other.load_state_dict(state)
        assert probe.fingerprint(other.state_dict()) == probe.fingerprint(state)
        old, self.teacher = self.teacher, other
        trial = old.ask()
        again = other.ask()
        assert probe.record(again) == probe.record(trial)
        self.counts["asked"] += 1
        self.waiting[again.id] = again

    def teardown(self) -> None:
        self.done["sequences"] += 1

    @invariant()
    def books_agree(self) -> None:
        self.done["steps"] += 1
        text = self.teacher.describe()
        assert {key: text[f"n_{key}"] for key in self.counts} == self.counts


def go_through(
    make: Callable[..., BaseTeacher],
    n_sequences: int,
    n_steps: int,
    *,
    space: str = "two",
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
) -> Counter[str]:
    """Play sequences of calls and return how many there were, and their steps."""
    done: Counter[str] = Counter()
    members = {"make": staticmethod(make), "space": probe.SAMPLE_SPACES[space], "done": done}
    run_state_machine_as_test(
        type("Books", (Books,), members),
        settings=settings(
            max_examples=n_sequences,
            stateful_step_count=n_steps,
            derandomize=True,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return done


def sequences(id: str, n_sequences: int, n_steps: int, bar: Bar) -> None:
    space = "whole" if "two" in REFUSES.get(id, ()) else "two"
    done = go_through(partial(build, id), n_sequences, n_steps, space=space)
    assert done["sequences"] >= n_sequences
    bar("B6", teachers=1, **done)


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_books_are_kept_in_any_order(id, bar):
    sequences(id, *((60, 50) if id in CHEAP else (6, 25)), bar)


@pytest.mark.slow
@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_books_are_kept_over_long_sequences(id, bar):
    sequences(id, *((1000, 100) if id in CHEAP else (200, 50)), bar)


@pytest.mark.parametrize(
    "mutation", [AcceptsNan, AcceptsRepeats, CountsRefusedCalls, DropsStateOnLoad, LosesRngOnLoad]
)
def test_broken_books_are_found(mutation, bar):
    teacher = broken(mutation, teachers.teacher_class("riac"))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        go_through(partial(teacher, max_region_size=20), 200, 50, phases=(Phase.generate,))
    bar("B6", broken_teachers_found=1)
