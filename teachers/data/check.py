"""The contract of data teachers, executable: ``check_data_teacher`` finds where one breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from teachenv.errors import UserError
from teachenv.findings import Finding
from teachenv.lesson import DataPlan, Lesson, Reading, Syllabus
from teachenv.trees import read_moves
from teachers import probe
from teachers.data.base import CHANNELS, Cells, DataTeacher
from teachers.data.pretender import SAMPLE_SYLLABI, Mood, Pretender, drive, rehearsal

__all__ = ["Factory", "check_data_teacher"]

N_LESSONS = 14
Problems = Iterator[tuple[str, str]]


class Factory(Protocol):
    """A data teacher class, or a :func:`functools.partial` of one."""

    def __call__(self, syllabus: Syllabus, *, seed: int) -> DataTeacher:
        """Build one."""


MOODS: dict[str, Mood] = {
    "all-zero": np.zeros_like,
    "all-one": np.ones_like,
    "half": lambda accuracy: np.full_like(accuracy, 0.5),
    "falling": lambda accuracy: 1.0 - accuracy,
}
"""Accuracies that no teacher may stumble over."""


def check_data_teacher(
    factory: Factory,
    *,
    learns: bool = True,
    random: bool = True,
    syllabi: Mapping[str, Syllabus] = SAMPLE_SYLLABI,
) -> list[Finding]:
    """Check a data teacher against its contract.

    Covered: plans hold exactly the samples of a lesson, inside the syllabus, or a move of every
    tree by a teacher that needs trees; the same plans for
    the same seed and calls, whatever happens to global generators; saving and loading at any
    moment; bad calls refused with the state unchanged; readings left as they are; degenerate
    accuracies, unprobed cells, one cell, one lesson; memory; warnings of NumPy count as errors.

    Args:
        factory: Builds the teacher.
        learns: Whether plans must depend on readings.
        random: Whether plans must depend on the seed.
        syllabi: What to check it on; the first is the usual one.

    Returns:
        Findings, at most one per code, the first seen; empty if all is well.
    """
    found: dict[str, Finding] = {}
    usual = next(iter(syllabi.values()))
    rules: list[Callable[[], Problems]] = [
        lambda: (problem for each in syllabi.values() for problem in _plans(factory, each)),
        lambda: _same(factory, usual, random),
        lambda: _saving(factory, usual),
        lambda: _refusals(factory, usual),
        lambda: _degenerate(factory, syllabi),
        lambda: _memory(factory, usual),
        lambda: _learning(factory, usual) if learns else iter(()),
    ]
    for rule in rules:
        try:
            with probe.strict_warnings():
                for code, message in rule():
                    found.setdefault(code, Finding(code, "error", message))
        except Exception as error:  # noqa: BLE001  (whatever a foreign teacher raises)
            text = f"{type(error).__name__}: {error}"
            found.setdefault("crash", Finding("crash", "error", text))
    return list(found.values())


def _plans(factory: Factory, syllabus: Syllabus) -> Problems:
    teacher, student = factory(syllabus, seed=0), Pretender(syllabus)
    teacher.begin(rehearsal(teacher, student))
    plan = teacher.plan(student.reading)
    problems = list(_plan_problems(plan, syllabus))
    yield from problems
    if getattr(plan, "moves", ()) and "trees" not in teacher.needs:
        yield "needs-no-trees", 'a teacher that moves trees must name "trees" in its needs'
    if not problems:
        for plan in drive(teacher, N_LESSONS):
            yield from _plan_problems(plan, syllabus)


def _plan_problems(plan: object, syllabus: Syllabus) -> Problems:
    if not isinstance(plan, DataPlan):
        yield "bad-plan", f"plan() must return a DataPlan, got {plan!r:.80}"
        return
    if plan.moves:
        try:
            read_moves(plan.moves, len(syllabus.skills), syllabus.n_samples)
        except UserError as error:
            yield "bad-moves", str(error)
    elif plan.total != syllabus.n_samples:
        yield "wrong-total", f"a plan asks for {plan.total} samples, not {syllabus.n_samples}"
    if not plan.reason:
        yield "no-reason", "a plan must say why, for people"
    for item in plan.items:
        numbers = (item.skill, item.level, item.count)
        inside = item.skill in range(len(syllabus.skills)) and item.level in range(
            syllabus.n_levels
        )
        if any(type(number) is not int for number in numbers) or not inside or item.count < 0:
            yield "outside-syllabus", f"{item} is not in {syllabus.skills} x {syllabus.n_levels}"


def _same(factory: Factory, syllabus: Syllabus, random: bool) -> Problems:
    first = drive(factory(syllabus, seed=3), N_LESSONS)
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(12345)  # noqa: NPY002
        before = repr(np.random.get_state())  # noqa: NPY002
        second = drive(factory(syllabus, seed=3), N_LESSONS)
        if repr(np.random.get_state()) != before:  # noqa: NPY002
            yield "global-random", "the global generator was drawn from; draw from self._rng"
    finally:
        np.random.set_state(state)  # noqa: NPY002
    if first != second:
        yield "not-repeatable", "the same seed and calls led to other plans"
    if random and drive(factory(syllabus, seed=0), N_LESSONS) == first:
        yield "seed-ignored", "seeds 0 and 3 led to the same plans"


def _saving(factory: Factory, syllabus: Syllabus) -> Problems:
    for told in (False, True):
        teacher, student = factory(syllabus, seed=1), Pretender(syllabus)
        teacher.begin(rehearsal(teacher, student))
        for _ in range(3):
            lesson = student.teach(teacher.plan(student.reading))
            teacher.tell(lesson)
        lesson = student.teach(teacher.plan(student.reading))
        if told:
            teacher.tell(lesson)
        state = teacher.state_dict()
        kept = probe.fingerprint(state)
        other = factory(syllabus, seed=2)
        drive(other, 2)
        other.begin(rehearsal(other, student))
        other.load_state_dict(probe.stored(state))
        if probe.fingerprint(other.state_dict()) != kept:
            yield "state-lost", "state_dict() of a teacher that loaded a state is not that state"
        futures = []
        for each in (teacher, other):
            if not told:
                each.tell(lesson)
            futures.append(drive(each, N_LESSONS))
        if futures[0] != futures[1]:
            yield "state-lost", "a teacher that loaded a state plans otherwise than the saved one"
        if probe.fingerprint(state) != kept:
            yield "state-shared", "a saved state changed when its teacher went on; copy arrays"


def _refusals(factory: Factory, syllabus: Syllabus) -> Problems:
    teacher, student = factory(syllabus, seed=0), Pretender(syllabus)
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("plan-before-begin", lambda: teacher.plan(student.reading))
    ]
    yield from _refused(teacher, calls)
    teacher.begin(rehearsal(teacher, student))
    good = student.reading
    calls = [
        (name, _planning(teacher, bad)) for name, bad in _bad_readings(good, teacher.needs).items()
    ]
    yield from _refused(teacher, calls)
    plan = teacher.plan(good)
    lesson = student.teach(plan)
    bad_lessons: dict[str, Lesson] = {
        "foreign-plan": replace(lesson, plan=DataPlan((), "another")),
        "nan-reward": replace(lesson, reward=np.nan),
        "wrong-taught": replace(lesson, taught=np.zeros((1, 99), np.int64)),
    }
    for name, bad in _bad_readings(lesson.reading, frozenset()).items():
        bad_lessons[f"{name}-told"] = replace(lesson, reading=bad)
    yield from _refused(teacher, [(n, _telling(teacher, bad)) for n, bad in bad_lessons.items()])
    teacher.tell(lesson)
    yield from _refused(teacher, [("told-twice", _telling(teacher, lesson))])


def _planning(teacher: DataTeacher, reading: Reading) -> Callable[[], Any]:
    return lambda: teacher.plan(reading)


def _telling(teacher: DataTeacher, lesson: Lesson) -> Callable[[], Any]:
    return lambda: teacher.tell(lesson)


def _bad_readings(good: Reading, needs: frozenset[str]) -> dict[str, Reading]:
    nan = good.accuracy.copy()
    nan[0, 0] = np.nan
    missing = {"missing-privileged": replace(good, privileged={})}
    return {
        **(missing if needs - CHANNELS else {}),
        **({"missing-trees": replace(good, trees=())} if "trees" in needs else {}),
        "nan-accuracy": replace(good, accuracy=nan),
        "infinite-loss": replace(good, loss=good.loss + np.inf),
        "wrong-shape": replace(good, delta=good.delta.T.copy()),
    }


def _refused(teacher: DataTeacher, calls: list[tuple[str, Callable[[], Any]]]) -> Problems:
    for name, call in calls:
        before = probe.fingerprint(teacher.state_dict())
        try:
            call()
        except ValueError:
            pass
        else:
            yield f"accepts-{name}", f"{name}: expected a ValueError"
            continue
        if probe.fingerprint(teacher.state_dict()) != before:
            yield "refusal-changes-state", f"{name}: check everything first, then change"


def _degenerate(factory: Factory, syllabi: Mapping[str, Syllabus]) -> Problems:
    for name, syllabus in syllabi.items():
        halves: dict[str, Cells | None] = {"all": None, "none": np.zeros(syllabus.shape)}
        half = np.zeros(syllabus.shape)
        half.reshape(-1)[::2] = 1.0
        halves["half"] = half
        for mood_name, mood in MOODS.items():
            for seen, visible in halves.items():
                teacher = factory(syllabus, seed=0)
                for plan in drive(teacher, syllabus.n_steps + 1, mood=mood, visible=visible):
                    for code, message in _plan_problems(plan, syllabus):
                        yield code, f"{name}, {mood_name}, {seen} probed: {message}"
                probe.stored(teacher.state_dict())
                for path, value in probe.leaves(teacher.describe()):
                    if isinstance(value, np.ndarray | float) and not np.isfinite(value).all():
                        yield "bad-describe", f"describe(): {path} is not finite"


def _memory(factory: Factory, syllabus: Syllabus) -> Problems:
    teacher, sizes = factory(syllabus, seed=0), []
    for _ in range(2):
        drive(teacher, 10 * syllabus.n_steps)
        sizes.append(probe.deep_size(teacher.state_dict()))
    if sizes[1] > 1.2 * sizes[0] + 1000:
        yield "memory-grows", f"the state grew from {sizes[0]} to {sizes[1]} bytes"


def _learning(factory: Factory, syllabus: Syllabus) -> Problems:
    upside_down: Mood = lambda accuracy: accuracy[::-1, ::-1].copy()  # noqa: E731
    plans = []
    for mood in (None, upside_down, MOODS["all-one"]):
        given = drive(factory(syllabus, seed=0), N_LESSONS, mood=mood)
        plans.append([(plan.items, plan.moves) for plan in given])
    if plans[0] == plans[1] == plans[2]:
        yield "ignores-readings", "whatever the student can do, the plans are the same"
