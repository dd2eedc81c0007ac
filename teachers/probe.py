"""Driving a teacher from outside: histories, bad calls, fingerprints and sizes for the checks."""

from __future__ import annotations

import gc
import hashlib
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, cast
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, Status, Teacher, Trial
from teachenv.space import Dim, TaskSpace
from teachers.base import TeacherWarning

History = Callable[[int, NDArray[np.float64]], float]
"""Score in [0, 1] of the i-th outcome, for a task at a unit point."""

Record = tuple[int, bytes, str, int | None, bool]

SAMPLE_SPACES: dict[str, TaskSpace] = {
    "one": TaskSpace([Dim("x", 0.1, 0.7)]),
    "two": TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0)]),
    "twenty": TaskSpace([Dim(f"x{i}", -1.0 / (i + 1), 10.0 * i + 0.3) for i in range(20)]),
    "whole": TaskSpace(
        [Dim("n", 2, 9, kind="int"), Dim("mode", kind="choice", choices=("a", "b"))]
    ),
    "one-point": TaskSpace([Dim("x", -1.0, 1.0), Dim("n", 3, 3, kind="int")]),
}
"""Spaces on which a teacher should be checked: odd bounds, many dimensions, whole numbers."""

HISTORIES: dict[str, History] = {
    "all scores 0": lambda i, u: 0.0,
    "all scores 1": lambda i, u: 1.0,
    "all scores 0.3": lambda i, u: 0.3,
    "scores 0 and 1 in turn": lambda i, u: float(i % 2),
    "one outlier": lambda i, u: float(i == 100),
    "two kinds of task": lambda i, u: float(u[0] > 0.5),
}
"""Histories in which naive statistics divide by zero or fit singular matrices."""


def learning(i: int, point: NDArray[np.float64]) -> float:
    """Score of a student that slowly learns from one corner of the cube to the other."""
    distance = float(np.sqrt(np.mean(point * point)))
    return min(1.0, max(0.0, 1.0 + i / 1000.0 - 2.0 * distance))


def outcome_for(teacher: Teacher, score: float, status: Status = "ok") -> Outcome:
    """Return a well-formed outcome, with every signal the teacher needs."""
    if status != "ok":
        return replace(Outcome.lost(), status=status)
    signals = dict.fromkeys(sorted(teacher.needs), score)
    return Outcome(score, 1e6 * (score - 0.4), 10, score > 0.8, signals=signals)


def record(trial: Trial) -> Record:
    """Return what makes a trial, in a form that compares bit for bit."""
    task = np.ascontiguousarray(trial.task)
    return (trial.id, task.tobytes(), trial.reason, trial.level_seed, trial.train)


def drive(
    teacher: Teacher,
    n_trials: int,
    *,
    history: History = learning,
    seed: int = 0,
    waiting: list[Trial] | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> list[Record]:
    """Ask for trials and tell their outcomes late and out of order.

    Args:
        teacher: Whom to drive.
        n_trials: Trials asked for; on average as many are told, one in ten of them as lost or
            failed.
        history: The scores.
        seed: Of the order and of the statuses.
        waiting: Trials still to be told; changed in place, empty at first if left out.
        on_trial: Called with every trial issued.

    Returns:
        One record per trial, in order.
    """
    rng = np.random.default_rng(seed)
    waiting = [] if waiting is None else waiting
    records = []
    for i in range(n_trials):
        trial = teacher.ask()
        records.append(record(trial))
        if on_trial is not None:
            on_trial(trial)
        waiting.append(trial)
        while len(waiting) > rng.integers(16):
            told = waiting.pop(int(rng.integers(len(waiting))))
            status: Status = ("lost", "failed", *("ok",) * 18)[int(rng.integers(20))]
            score = history(i, teacher.space.to_unit(told.task))
            teacher.tell(told, outcome_for(teacher, score, status))
    return records


def bad_calls(teacher: Teacher) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, trial, outcome) for calls of ``tell`` that must be refused.

    Every trial but those of "unknown-id", "negative-id" and "repeated-id" is outstanding.
    """
    good = outcome_for(teacher, 0.5)
    for name, changes in {
        "nan-score": {"score": float("nan")},
        "infinite-score": {"score": float("inf")},
        "minus-infinite-score": {"score": float("-inf")},
        "score-above-one": {"score": 1.0000001},
        "score-below-zero": {"score": -0.1},
        "none-score": {"score": None},
        "string-score": {"score": "0.5"},
        "complex-score": {"score": 0.5 + 0j},
        "bool-score": {"score": True},
        "array-score": {"score": np.array([True, False])},
        "nan-return": {"episode_return": float("nan")},
        "none-return": {"episode_return": None},
        "zero-length": {"episode_length": 0},
        "negative-length": {"episode_length": -1},
        "fractional-length": {"episode_length": 1.5},
        "unknown-status": {"status": "done"},
        "none-signals": {"signals": None},
        **({"missing-signal": {"signals": {}}} if teacher.needs else {}),
        **{
            f"nan-signal-{name}": {"signals": {**good.signals, name: float("nan")}}
            for name in sorted(teacher.needs)
        },
    }.items():
        yield name, teacher.ask(), replace(good, **cast(dict[str, Any], changes))
    told = teacher.ask()
    teacher.tell(told, good)
    trial = teacher.ask()
    other = teacher.space.from_unit(1.0 - teacher.space.to_unit(trial.task))
    if not np.array_equal(other, trial.task):
        yield "foreign-task", replace(trial, task=other), good
        mutated = teacher.ask()
        mutated.task.flags.writeable = True
        mutated.task[:] = teacher.space.from_unit(1.0 - teacher.space.to_unit(mutated.task))
        yield "mutated-task", mutated, good
    yield "wrong-shape", replace(trial, task=np.zeros(teacher.space.dim + 1)), good
    yield "repeated-id", told, good
    yield "unknown-id", replace(trial, id=trial.id + 10**6), good
    yield "negative-id", replace(trial, id=-1), good
    yield "fractional-id", replace(trial, id=trial.id + 0.5), good  # type: ignore[arg-type]
    yield "no-trial", None, good
    yield "no-outcome", trial, {"score": 0.5}


def stored(state: Any) -> Any:
    """Send a state through JSON and arrays, as a checkpoint does.

    Raises:
        TypeError: for a leaf that is neither a JSON value nor an array of numbers.
        ValueError: for a number that JSON cannot hold.
    """
    if isinstance(state, Mapping):
        if not all(isinstance(key, str) for key in state):
            raise TypeError(f"state keys must be strings, got {list(state)!r:.200}")
        return {key: stored(value) for key, value in state.items()}
    if isinstance(state, np.ndarray):
        if state.dtype.kind not in "biuf":
            raise TypeError(f"state arrays must hold numbers, got dtype {state.dtype}")
        return state.copy()
    return json.loads(json.dumps(state, allow_nan=False))


def fingerprint(state: Any) -> str:
    """Return a hash that two states share only if they are equal bit for bit."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, np.ndarray):
            return [value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes().hex()]
        return value

    return hashlib.sha256(json.dumps(plain(state), sort_keys=True).encode()).hexdigest()


def deep_size(root: object) -> int:
    """Return the bytes of everything reachable from an object, code and classes left out."""
    skipped = (type, ModuleType, FunctionType, BuiltinFunctionType)
    seen, queue, total = {id(root)}, [root], 0
    while queue:
        item = queue.pop()
        total += sys.getsizeof(item)
        for child in gc.get_referents(item):
            if id(child) not in seen and not isinstance(child, skipped):
                seen.add(id(child))
                queue.append(child)
    return total


@contextmanager
def strict_warnings() -> Iterator[None]:
    """Turn warnings of numpy and scikit-learn into errors; a teacher's own pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", TeacherWarning)
        yield


@contextmanager
def foreign_world(number: int) -> Iterator[Callable[[], bool]]:
    """Seed the global generators and move the clocks for a while.

    Yields:
        A function that tells whether the global generators have moved since.
    """
    numpy_state, random_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(number)  # noqa: NPY002
    random.seed(number)
    before = _global_generators()
    clocks = ("time", "monotonic", "perf_counter")
    moved: dict[str, Any] = {name: _moved(getattr(time, name), 1e6 * number) for name in clocks}
    try:
        with mock.patch.multiple(time, **moved):
            yield lambda: _global_generators() != before
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(random_state)


def _moved(clock: Callable[[], float], shift: float) -> Callable[[], float]:
    return lambda: clock() + shift


def _global_generators() -> tuple[Any, ...]:
    _, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return np.asarray(keys).tobytes(), rest, random.getstate()
