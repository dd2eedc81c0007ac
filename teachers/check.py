"""The ask/tell contract, executable: ``check_teacher`` finds where a teacher breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from teachenv.findings import Finding
from teachenv.protocols import Teacher, Trial
from teachenv.space import TaskSpace
from teachers import probe

N_TRIALS = 600
"""Trials of the longer checks: past the bootstrap and two fits of every published method."""

SEEDS = (0, 1, 42, 2**31 - 1, 2**63)

LearnsFrom = Literal["nothing", "outcomes", "tasks"]


class Factory(Protocol):
    """Builds the teacher to check; a teacher class is one."""

    def __call__(self, space: TaskSpace, *, seed: int) -> Teacher:
        """Return a fresh teacher."""


@dataclass(frozen=True)
class _Case:
    factory: Factory
    space: TaskSpace
    learns_from: LearnsFrom

    def build(self, seed: int = 0) -> Teacher:
        return self.factory(self.space, seed=seed)


def check_teacher(
    factory: Factory, space: TaskSpace, *, learns_from: LearnsFrom = "nothing"
) -> list[Finding]:
    """Check a teacher against the ask/tell contract.

    Sweep over :data:`teachers.probe.SAMPLE_SPACES` to check one dimension, many dimensions and
    whole numbers. Not covered: different processes (hash seeds), disk and network.

    Args:
        factory: A teacher class, or ``lambda space, *, seed: MyTeacher(space, seed=seed, ...)``.
        space: The tasks to pick from.
        learns_from: What the teacher's future must depend on: "nothing", "outcomes" (scores or
            returns, whatever their task) or "tasks" (which task an outcome belongs to).

    Returns:
        Findings, at most one per code, the first seen; empty if all is well.
    """
    case = _Case(factory, space, learns_from)
    found: dict[str, Finding] = {}
    for rule in RULES:
        try:
            with probe.strict_warnings():
                for code, message in rule(case):
                    finding = Finding(code, "error", message)
                    if code in WARNINGS:
                        finding = replace(finding, severity="warning")
                    found.setdefault(code, finding)
        except Exception as error:  # noqa: BLE001  (whatever a foreign teacher raises)
            name = rule.__name__.strip("_").replace("_", " ")
            text = f"{name}: {type(error).__name__}: {error}"
            found.setdefault("crash", Finding("crash", "error", text))
    return list(found.values())


Problems = Iterator[tuple[str, str]]


def _asking_without_telling(case: _Case) -> Problems:
    teacher = case.build()
    for i in range(100):
        try:
            trial = teacher.ask()
        except Exception as error:  # noqa: BLE001
            yield "needs-tell", f"ask() number {i + 1} without a tell() raised {error!r}"
            return
        yield from _trial_problems(case.space, trial, i)


def _trial_problems(space: TaskSpace, trial: Trial, number: int) -> Problems:
    if not isinstance(trial, Trial):
        yield "bad-trial", f"ask() must return a Trial, got {trial!r:.80}"
        return
    if type(trial.id) is not int or trial.id != number:
        yield "bad-trial", f"ids must count from 0: expected {number}, got {trial.id!r}"
    if not isinstance(trial.reason, str) or not trial.reason:
        yield "bad-trial", f"reason must say why, got {trial.reason!r}"
    task = trial.task
    if not isinstance(task, np.ndarray) or task.dtype != np.float64:
        yield "bad-trial", f"task must be a float64 array, got {task!r:.80}"
    elif task.flags.writeable:
        yield "task-writable", "the task can be changed by whoever gets it; make it read-only"
    if not space.contains(task):
        yield "outside-space", f"trial {trial.id}: task {task!r} is not in {space!r:.200}"


def _long_run(case: _Case) -> Problems:
    teacher, trials, space = case.build(), list[Trial](), case.space
    before = space.to_json(), space.low.copy(), space.high.copy()
    probe.drive(teacher, N_TRIALS, on_trial=trials.append)
    for i, trial in enumerate(trials):
        yield from _trial_problems(space, trial, i)
    same = np.array_equal(before[1], space.low) and np.array_equal(before[2], space.high)
    if before[0] != space.to_json() or not same:
        yield "mutates-input", "the task space was changed"
    floats = [i for i, dim in enumerate(space.dims) if dim.kind == "float"]
    values = np.unique([trial.task[floats] for trial in trials])
    if len(values) > 100 and np.array_equal(values, values.astype(np.float32)):
        yield "float32-tasks", "tasks are rounded to float32, which can leave the space"


def _seeds(case: _Case) -> Problems:
    runs = []
    for seed in SEEDS:
        first, second = case.build(seed), case.build(seed)
        runs.append([probe.record(first.ask())[1] for _ in range(60)])
        if runs[-1] != [probe.record(second.ask())[1] for _ in range(60)]:
            yield "not-reproducible", f"two teachers with seed {seed} asked different tasks"
    one_task = all(dim.n_values == 1 for dim in case.space)
    if not one_task and len({tuple(run) for run in runs}) < len(SEEDS):
        yield "seed-ignored", f"some of the seeds {SEEDS} give the same 60 tasks"


def _same_calls_same_trials(case: _Case) -> Problems:
    runs = []
    for foreign in (1, 2):
        with probe.foreign_world(foreign) as touched:
            runs.append(probe.drive(case.build(), N_TRIALS))
            if touched():
                yield "global-rng-used", "the global generator of numpy or random moved"
    if runs[0] != runs[1]:
        yield (
            "not-reproducible",
            f"same seed and calls, but trial {_first_difference(*runs)} differs; look for "
            "global randomness, clocks, ids and shared state",
        )


def _bad_calls_refused(case: _Case) -> Problems:
    teacher = case.build()
    probe.drive(teacher, 40)
    for name, trial, outcome in probe.bad_calls(teacher):
        before = probe.fingerprint(teacher.state_dict())
        try:
            teacher.tell(trial, outcome)
        except (ValueError, TypeError) as error:
            if not str(error):
                yield "silent-refusal", f"{name}: the error has no message"
        except Exception as error:  # noqa: BLE001
            yield "wrong-exception", f"{name}: expected ValueError or TypeError, got {error!r}"
        else:
            yield f"accepts-{name}", f"tell({trial!r:.120}, {outcome!r:.120}) must be refused"
            continue
        if probe.fingerprint(teacher.state_dict()) != before:
            yield "refusal-changes-state", f"{name}: refused, but the state is not as before"
    trial = teacher.ask()
    outcome = probe.outcome_for(teacher, 0.5)
    signals = dict(outcome.signals)
    teacher.tell(trial, outcome)
    if dict(outcome.signals) != signals:
        yield "mutates-input", "tell() changed the signals of the outcome"


def _lost_and_failed(case: _Case) -> Problems:
    statuses: tuple[Literal["lost", "failed"], ...] = ("lost", "failed")
    for status in statuses:
        silent, told = case.build(), case.build()
        for teacher in (silent, told):
            probe.drive(teacher, N_TRIALS // 2)
            trials = [teacher.ask() for _ in range(30)]
            if teacher is told:
                for trial in trials:
                    teacher.tell(trial, probe.outcome_for(teacher, 0.0, status))
        if probe.drive(silent, N_TRIALS // 2) != probe.drive(told, N_TRIALS // 2):
            yield f"{status}-changes-sampling", f"30 {status} trials changed the trials after"


def _state(case: _Case) -> Problems:
    teacher, waiting = case.build(), list[Trial]()
    probe.drive(teacher, N_TRIALS // 2, waiting=waiting)
    state = teacher.state_dict()
    try:
        saved = probe.stored(state)
    except (TypeError, ValueError) as error:
        yield "state-not-json", f"state_dict must be JSON values and arrays: {error}"
        return
    before = probe.fingerprint(saved)
    other = case.build(seed=7)
    other.load_state_dict(saved)
    if probe.fingerprint(other.state_dict()) != before:
        yield "state-round-trip", "state_dict() after load_state_dict(state) is not the state"
    runs = [probe.drive(t, N_TRIALS // 2, waiting=list(waiting)) for t in (teacher, other)]
    if runs[0] != runs[1]:
        yield (
            "state-round-trip",
            f"after loading, trial {_first_difference(*runs)} differs from the original's",
        )
    if probe.fingerprint(state) != before or probe.fingerprint(saved) != before:
        yield "state-shared", "a saved or loaded state changes while teachers go on; copy arrays"


def _instances_apart(case: _Case) -> Problems:
    alone = case.build()
    expected = [probe.drive(alone, N_TRIALS // 6, seed=i) for i in range(3)]
    first, second = case.build(), case.build(seed=7)
    for i in range(3):
        if probe.drive(first, N_TRIALS // 6, seed=i) != expected[i]:
            yield "shares-state", "a second teacher in the same process changed the first one"
            return
        probe.drive(second, N_TRIALS // 6, seed=i, history=lambda i, u: 1.0 - float(u[0]))


def _degenerate_histories(case: _Case) -> Problems:
    for name, history in probe.HISTORIES.items():
        teacher = case.build()
        try:
            trials: list[Trial] = []
            probe.drive(teacher, N_TRIALS, history=history, on_trial=trials.append)
            outside = [t.task for t in trials if not case.space.contains(t.task)]
            if outside:
                yield "outside-space", f"{name}: {outside[0]!r} is not in {case.space!r:.200}"
            yield from _describe_problems(teacher)
        except Exception as error:  # noqa: BLE001
            yield "degenerate-history", f"{name}: {type(error).__name__}: {error}"


def _describe(case: _Case) -> Problems:
    teacher = case.build()
    yield from _describe_problems(teacher)
    probe.drive(teacher, N_TRIALS)
    before = probe.fingerprint(teacher.state_dict())
    yield from _describe_problems(teacher)
    if probe.fingerprint(teacher.state_dict()) != before:
        yield "describe-changes-state", "describe() must only look"


def _describe_problems(teacher: Teacher) -> Problems:
    text = teacher.describe()
    try:
        probe.stored(text)
    except (TypeError, ValueError) as error:
        yield "bad-describe", f"describe() must be JSON values and arrays: {error}"
        return
    missing = {"teacher", "n_asked", "n_told", "n_failed", "n_lost"} - set(text)
    if missing:
        yield "bad-describe", f"describe() lacks {sorted(missing)}"
    for path, value in _leaves(text):
        if not np.isfinite(value).all():
            yield "bad-describe", f"describe(): {path} is not finite"
        elif path.endswith(".weights") and abs(value.sum() - 1.0) > 1e-9:
            yield "bad-describe", f"describe(): {path} are probabilities, but sum to {value.sum()}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, np.ndarray):
        yield path, value


def _memory(case: _Case) -> Problems:
    teacher, sizes = case.build(), []
    for _ in range(3):
        waiting: list[Trial] = []
        probe.drive(teacher, N_TRIALS, waiting=waiting)
        for trial in waiting:
            teacher.tell(trial, probe.outcome_for(teacher, 0.5))
        sizes.append(probe.deep_size(teacher))
    growth = min(np.diff(sizes)) / N_TRIALS
    if growth > 8.0:
        yield (
            "memory-grows",
            f"{growth:.0f} bytes a trial after the first {N_TRIALS}; bound what is remembered, "
            "and take the memory of large windows at construction",
        )


def _learning(case: _Case) -> Problems:
    if case.learns_from == "nothing":
        return
    teachers = case.build(), case.build()
    histories: tuple[probe.History, probe.History] = (
        lambda i, u: 0.5 + 0.5 * float(u[0]),
        lambda i, u: 0.0,
    )
    pairs = zip(teachers, histories, strict=True)
    runs = [[r[1] for r in probe.drive(t, N_TRIALS, history=h)] for t, h in pairs]
    if runs[0] == runs[1]:
        yield "ignores-outcomes", f"{N_TRIALS} outcomes of either kind led to the same tasks"
    if case.learns_from == "tasks":
        yield from _credit(case)


def _credit(case: _Case) -> Problems:
    prints = []
    for chosen in (3, 7):
        teacher = case.build()
        trials = [teacher.ask() for _ in range(12)]
        teacher.tell(trials[chosen], probe.outcome_for(teacher, 0.7))
        for trial in trials:
            if trial is not trials[chosen]:
                teacher.tell(trial, probe.outcome_for(teacher, 0.0, "lost"))
        prints.append(probe.fingerprint(teacher.state_dict()))
    if prints[0] == prints[1]:
        yield "credits-wrong-task", "telling trial 3 or trial 7 of 12 led to the same state"


def _first_difference(first: list[probe.Record], second: list[probe.Record]) -> int:
    pairs = enumerate(zip(first, second, strict=True))
    return next(i for i, (one, other) in pairs if one != other)


WARNINGS = frozenset({"seed-ignored", "float32-tasks"})

RULES: tuple[Callable[[_Case], Problems], ...] = (
    _asking_without_telling,
    _long_run,
    _seeds,
    _same_calls_same_trials,
    _bad_calls_refused,
    _lost_and_failed,
    _state,
    _instances_apart,
    _degenerate_histories,
    _describe,
    _memory,
    _learning,
)
