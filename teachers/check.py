"""The ask/tell contract, executable: ``check_teacher`` finds where a teacher breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from teachenv.findings import Finding
from teachenv.protocols import State, Teacher, Trial
from teachenv.seeding import MAX_SEED
from teachenv.space import TaskSpace
from teachers import (
    check_calls,
    check_histories,
    check_processes,
    check_sameness,
    check_state,
    probe,
)
from teachers.check_case import Case, Factory, LearnsFrom, Problems, Rule

__all__ = ["N_TRIALS", "Factory", "LearnsFrom", "check_teacher"]

N_TRIALS = 600
"""Trials of the longer rules: past the bootstrap and two fits of most published methods."""


def check_teacher(
    factory: Factory,
    space: TaskSpace,
    *,
    learns_from: LearnsFrom = "nothing",
    spaces: Mapping[str, TaskSpace] = probe.SAMPLE_SPACES,
    n_trials: int = N_TRIALS,
    processes: bool = True,
) -> list[Finding]:
    """Check a teacher against the ask/tell contract.

    Covered: any number of trials outstanding, told in any order or never; 24 bad calls refused
    with the state unchanged (:data:`teachers.check_calls.BAD_CALLS`); 12 degenerate histories
    (:data:`teachers.check_histories.HISTORIES`); the same trials for the same seed and calls,
    in three other processes too, whatever happens to global generators and clocks; saving and
    loading; memory; what ``describe`` tells. Warnings of NumPy count as errors. Not covered:
    disk and network.

    Args:
        factory: A teacher class, a :class:`functools.partial` of one, or any function of
            ``(space, *, seed)``. Other processes must be able to import it; they are left out
            where they are not (functions inside functions, scripts).
        space: The tasks to pick from.
        learns_from: What the teacher's future must depend on: "nothing", "outcomes" (scores or
            returns, whatever their task) or "tasks" (which task an outcome belongs to).
        spaces: Spaces for the histories about odd spaces, named as in
            :data:`teachers.probe.SAMPLE_SPACES`; a teacher may refuse one with ``ValueError``.
        n_trials: Trials of the longer rules. Should be enough to fill the teacher's windows:
            check large windows with a smaller one.
        processes: Whether to start other processes (about a second).

    Returns:
        Findings, at most one per code, the first seen; empty if all is well.
    """
    case = Case(factory, space, spaces, learns_from, n_trials)
    found: dict[str, Finding] = {}
    for rule in RULES if processes else RULES[:-1]:
        try:
            with probe.strict_warnings():
                for code, message in rule(case):
                    finding = Finding(code, "error", message)
                    if code in WARNINGS:
                        finding = replace(finding, severity="warning")
                    found.setdefault(code, finding)
        except Exception as error:  # noqa: BLE001  (whatever a foreign teacher raises)
            name = rule.__name__.replace("_", " ")
            text = f"{name}: {type(error).__name__}: {error}"
            found.setdefault("crash", Finding("crash", "error", text))
    return list(found.values())


def asking_without_telling(case: Case) -> Problems:
    """A teacher never waits for outcomes."""
    teacher = case.build()
    if not isinstance(teacher, Teacher):
        wanted = "space, needs, ask, tell, describe, state_dict, load_state_dict"
        yield "bad-teacher", f"a teacher has {wanted}; derive it from teachers.base.BaseTeacher"
    elif teacher.space is not case.space or not isinstance(teacher.needs, frozenset):
        yield "bad-teacher", "space must be the task space given, needs a frozenset of signal names"
    for i in range(100):
        try:
            trial = teacher.ask()
        except Exception as error:  # noqa: BLE001
            yield (
                "needs-tell",
                f"ask() number {i + 1} without a tell() raised {error!r}; environments run in "
                "parallel, any number of trials may be outstanding",
            )
            return
        yield from trial_problems(case.space, trial, i)


def well_formed_trials(case: Case) -> Problems:
    """Trials are well formed and inside the space, also after many outcomes."""
    trials: list[Trial] = []
    records = probe.drive(case.build(), case.n_trials, on_trial=trials.append)
    for i, trial in enumerate(trials):
        yield from trial_problems(case.space, trial, i)
        if probe.record(trial) != records[i]:
            yield (
                "mutates-input",
                f"the task of trial {i} changed after it was issued; copy what you change",
            )
    floats = [i for i, dim in enumerate(case.space.dims) if dim.kind == "float"]
    values = np.unique([trial.task[floats] for trial in trials])
    if len(values) > 100 and np.array_equal(values, values.astype(np.float32)):
        yield "float32-tasks", "tasks are rounded to float32, which can leave the space"


def trial_problems(space: TaskSpace, trial: Trial, number: int) -> Problems:
    """Yield what is wrong with the ``number``-th trial of a teacher."""
    if not isinstance(trial, Trial):
        yield "bad-trial", f"ask() must return a Trial, got {trial!r:.80}"
        return
    if type(trial.id) is not int or trial.id != number:
        yield "bad-trial", f"ids must count from 0: expected {number}, got {trial.id!r}"
    if not isinstance(trial.reason, str) or not trial.reason:
        yield "bad-trial", f"reason must say why this task was chosen, got {trial.reason!r}"
    seed = trial.level_seed
    if seed is not None and (type(seed) is not int or not 0 <= seed <= MAX_SEED):
        yield "bad-trial", f"level_seed must be None or an int in [0, 2**63], got {seed!r}"
    if type(trial.train) is not bool:
        yield "bad-trial", f"train must be True or False, got {trial.train!r}"
    task = trial.task
    if not isinstance(task, np.ndarray) or task.dtype != np.float64:
        yield "bad-trial", f"task must be a float64 array, got {task!r:.80}"
    elif task.flags.writeable:
        yield "task-writable", "the task can be changed by whoever gets it; make it read-only"
    if not space.contains(task):
        yield "outside-space", f"trial {trial.id}: task {task!r} is not in {space!r:.200}"


def learning(case: Case) -> Problems:
    """Outcomes change what is asked, and belong to their task."""
    if case.learns_from == "nothing":
        return
    teachers = case.build(), case.build()
    histories: tuple[probe.History, probe.History] = (
        lambda i, u: min(1.0, 3.0 * i / case.n_trials) * (1.0 - 0.2 * float(u[0])),
        lambda i, u: 0.0,
    )
    pairs = zip(teachers, histories, strict=True)
    runs = [[r[1:] for r in probe.drive(t, case.n_trials, history=h)] for t, h in pairs]
    if runs[0] == runs[1]:
        yield (
            "ignores-outcomes",
            f"{case.n_trials} outcomes that improve and as many that are all 0 led to the same "
            "trials",
        )
    if case.learns_from == "tasks":
        yield from _credit(case)


def _credit(case: Case) -> Problems:
    fresh, waiting = case.build(), list[Trial]()
    state = fresh.state_dict()
    probe.drive(fresh, case.n_trials, waiting=waiting)
    for trial in waiting:
        fresh.tell(trial, probe.outcome_for(fresh, 0.0, "lost"))
    if not (_tells_apart(case, state) or _tells_apart(case, fresh.state_dict())):
        yield (
            "credits-wrong-task",
            "whichever of 12 outstanding trials came back, the state is the same; credit the "
            "task of the trial told, not the last one asked",
        )


def _tells_apart(case: Case, state: State) -> bool:
    """Whether it matters which of 12 outstanding trials comes back."""
    prints = set()
    for chosen in range(12):
        teacher = case.build()
        teacher.load_state_dict(state)
        trials = [teacher.ask() for _ in range(12)]
        teacher.tell(trials[chosen], probe.outcome_for(teacher, 0.7))
        for trial in trials:
            if trial is not trials[chosen]:
                teacher.tell(trial, probe.outcome_for(teacher, 0.0, "lost"))
        prints.add(probe.fingerprint(teacher.state_dict()))
    return len(prints) > 1


WARNINGS = frozenset({"seed-ignored", "float32-tasks", "memory-grows"})

RULES: tuple[Rule, ...] = (
    check_state.arguments_kept,
    asking_without_telling,
    well_formed_trials,
    check_sameness.seeds,
    check_sameness.foreign_randomness,
    check_calls.bad_calls_refused,
    check_calls.lost_and_failed,
    check_state.saving,
    check_sameness.instances_apart,
    check_histories.degenerate_histories,
    check_histories.describing,
    check_state.memory,
    learning,
    check_processes.other_processes,
)
"""In the order in which they run: the first sees the arguments before any teacher is built, the
last starts processes."""
