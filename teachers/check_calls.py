"""Bad calls that every teacher must refuse, and trials that never came back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from teachenv.protocols import Outcome, Teacher, Trial
from teachenv.space import Dim, TaskSpace
from teachers import probe
from teachers.check_case import Case, Problems

Tell = tuple[Any, Any]
"""Arguments of a ``tell`` that must be refused."""

BAD_OUTCOMES: dict[str, tuple[dict[str, Any], ...]] = {
    "nan": ({"score": math.nan}, {"episode_return": math.nan}),
    "infinity": (
        {"score": math.inf},
        {"score": -math.inf},
        {"episode_return": math.inf},
        {"episode_return": -math.inf},
    ),
    "none": ({"score": None}, {"episode_return": None}, {"episode_length": None}),
    "string": ({"score": "0.5"}, {"episode_return": "1"}),
    "complex": ({"score": 0.5 + 0j}, {"episode_return": 1j}),
    "bool-array": ({"score": np.array([True, False])}, {"score": True}),
    "unknown-status": ({"status": "done"}, {"status": None}),
    "score-above-one": ({"score": 1.0000001},),
    "score-below-zero": ({"score": -0.1},),
    "zero-length": ({"episode_length": 0},),
    "negative-length": ({"episode_length": -1}, {"episode_length": -1, "status": "lost"}),
}
"""Changes to a good outcome, each of which must be refused; ``tell`` gets one per call."""


def _wrong_shape(trial: Trial) -> Iterator[Any]:
    yield replace(trial, task=np.append(trial.task, 0.0))
    yield replace(trial, task=trial.task[:-1])


def _fractional_id(trial: Trial) -> Iterator[Any]:
    yield replace(trial, id=trial.id + 0.5)  # type: ignore[arg-type]
    yield replace(trial, id=float(trial.id))  # type: ignore[arg-type]


BAD_TRIALS: dict[str, Callable[[Trial], Iterator[Any]]] = {
    "wrong-shape": _wrong_shape,
    "negative-id": lambda trial: iter([replace(trial, id=-1)]),
    "unknown-id": lambda trial: iter([replace(trial, id=trial.id + 10**6)]),
    "fractional-id": _fractional_id,
}
"""Changes to an outstanding trial, each of which must be refused."""

_X = Dim("x", 0.0, 1.0)

BAD_SPACES: dict[str, tuple[Callable[[], TaskSpace], ...]] = {
    "empty-space": (lambda: TaskSpace([]),),
    "unordered-bounds": (
        lambda: TaskSpace([Dim("x", 1.0, 1.0)]),
        lambda: TaskSpace([Dim("x", 2.0, 1.0)]),
    ),
    "nan-bound": (
        lambda: TaskSpace([Dim("x", math.nan, 1.0)]),
        lambda: TaskSpace([Dim("x", 0.0, math.inf)]),
    ),
    "repeated-names": (lambda: TaskSpace([_X, _X]),),
    "million-dimensions": (lambda: TaskSpace([_X] * 10**6),),
}
"""Spaces no teacher can be built for."""

BAD_CALLS: tuple[str, ...] = (
    *BAD_OUTCOMES,
    *BAD_TRIALS,
    "repeated-id",
    "mutated-task",
    "missing-signal",
    "nan-signal",
    *BAD_SPACES,
)
"""Names of the 24 bad calls; a teacher that accepts one is reported as "accepts-NAME"."""


def bad_tells(teacher: Teacher) -> Iterator[tuple[str, list[Tell]]]:
    """Yield the name and the arguments of calls of ``tell`` that must be refused.

    Asks for all trials before the first is yielded.
    """
    good = probe.outcome_for(teacher, 0.5)
    n_trials = sum(map(len, BAD_OUTCOMES.values())) + 2 * max(1, len(good.signals)) + 3
    told, kept, *fresh = (teacher.ask() for _ in range(n_trials))
    teacher.tell(told, good)
    for name, changes in BAD_OUTCOMES.items():
        yield name, [(fresh.pop(), replace(good, **each)) for each in changes]
    yield "none", [(None, good), (kept, None)]
    for name, change in BAD_TRIALS.items():
        yield name, [(trial, good) for trial in change(kept)]
    yield "repeated-id", [(told, good)]
    yield "mutated-task", list(_mutated(teacher.space, kept, fresh.pop(), good))
    signals = dict(good.signals)
    if signals:
        missing: list[Any] = [{k: v for k, v in signals.items() if k != n} for n in signals]
        unclear: list[Any] = [{**signals, name: math.nan} for name in signals]
    else:
        missing, unclear = [None], [{"value_start": math.nan}]
    yield "missing-signal", [(fresh.pop(), replace(good, signals=each)) for each in missing]
    yield "nan-signal", [(fresh.pop(), replace(good, signals=each)) for each in unclear]


def _mutated(space: TaskSpace, kept: Trial, victim: Trial, good: Outcome) -> Iterator[Tell]:
    """Yield a trial with a foreign task, and one whose array was written to."""
    other = space.from_unit((space.to_unit(kept.task) + 0.5) % 1.0)
    if np.array_equal(other, kept.task):  # no other task exists
        other = kept.task + 1.0
    yield replace(kept, task=other), good
    victim.task.flags.writeable = True
    victim.task[:] += 1.0
    yield victim, good


def bad_calls_refused(case: Case) -> Problems:
    """All 24 bad calls are refused and leave the state as it was, bit for bit."""
    for name, makers in BAD_SPACES.items():
        for make in makers:
            try:
                case.factory(make(), seed=0)
            except (ValueError, TypeError):
                continue
            yield f"accepts-{name}", f"a teacher was built for a task space with {name}"
    teacher = case.build()
    probe.drive(teacher, 40)
    for name, tells in bad_tells(teacher):
        before = probe.fingerprint(teacher.state_dict())
        for trial, outcome in tells:
            accepted = False
            for code, message in _refusal(teacher, trial, outcome):
                yield code.replace("NAME", name), f"{name}: {message}"
                accepted |= code == "accepts-NAME"
            after = probe.fingerprint(teacher.state_dict())
            if after != before and not accepted:
                yield (
                    "refusal-changes-state",
                    f"{name}: state_dict() is not as before the refused tell(); check all of "
                    "trial and outcome first, then learn",
                )
            before = after
    yield from _good_calls(teacher)


def _refusal(teacher: Teacher, trial: Any, outcome: Any) -> Problems:
    try:
        teacher.tell(trial, outcome)
    except (ValueError, TypeError) as error:
        if not str(error):
            yield "silent-refusal", "the error has no message; say what was wrong"
    except Exception as error:  # noqa: BLE001
        yield "wrong-exception", f"expected ValueError or TypeError, got {error!r}"
    else:
        yield (
            "accepts-NAME",
            f"tell({trial!r:.120}, {outcome!r:.120}) must raise ValueError or TypeError",
        )


def _good_calls(teacher: Teacher) -> Problems:
    """A trial whose bad outcome was refused can still be told; inputs stay as they are."""
    trial, outcome = teacher.ask(), probe.outcome_for(teacher, 0.5)
    signals = dict(outcome.signals)
    try:
        teacher.tell(trial, replace(outcome, score=math.nan))
    except (ValueError, TypeError):
        pass
    else:
        return
    try:
        teacher.tell(trial, outcome)
    except (ValueError, TypeError) as error:
        yield (
            "refusal-loses-trial",
            f"after a refused outcome the trial is gone ({error}); forget it only once the "
            "outcome is accepted",
        )
    if dict(outcome.signals) != signals:
        yield "mutates-input", "tell() changed outcome.signals; copy what you change"


def lost_and_failed(case: Case) -> Problems:
    """Trials that were lost or failed are counted and change nothing else."""
    statuses: tuple[Literal["lost", "failed"], ...] = ("lost", "failed")
    half = case.n_trials // 2
    for status in statuses:
        silent, told = case.build(), case.build()
        for teacher in (silent, told):
            probe.drive(teacher, half)
            trials = [teacher.ask() for _ in range(30)]
            if teacher is told:
                for trial in trials:
                    teacher.tell(trial, probe.outcome_for(teacher, 0.0, status))
        runs = probe.drive(silent, half), probe.drive(told, half)
        if runs[0] != runs[1]:
            yield (
                f"{status}-changes-sampling",
                f"after 30 {status} trials {probe.first_difference(*runs)} from those of a teacher "
                f"that was not told; {status!r} outcomes may only be counted",
            )
