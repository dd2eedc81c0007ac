"""Driving a teacher from outside: spaces, outcomes, fingerprints and sizes for the checks."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

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
    "single-task": TaskSpace([Dim("n", 5, 5, kind="int")]),
}
"""Spaces on which a teacher should be checked: odd bounds, many dimensions, whole numbers."""


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
    statuses: tuple[Status, ...] = ("lost", "failed", *("ok",) * 18),
) -> list[Record]:
    """Ask for trials and tell their outcomes late and out of order.

    Args:
        teacher: Whom to drive.
        n_trials: Trials asked for; on average as many are told.
        history: The scores.
        seed: Of the order and of the statuses.
        waiting: Trials still to be told; changed in place, empty at first if left out.
        on_trial: Called with every trial issued.
        statuses: Each outcome's status is drawn from these.

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
            status = statuses[int(rng.integers(len(statuses)))]
            score = history(i, teacher.space.to_unit(told.task))
            teacher.tell(told, outcome_for(teacher, score, status))
    return records


def first_difference(first: list[Record], second: list[Record]) -> str:
    """Return "trial 7 differs", or the like, for two unequal runs."""
    pairs = enumerate(zip(first, second, strict=True))
    number, one, other = next((i, a, b) for i, (a, b) in pairs if a != b)
    fields = ("id", "task", "reason", "level seed", "train")
    wrong = [name for name, a, b in zip(fields, one, other, strict=True) if a != b]
    return f"trial {number} differs in its {' and '.join(wrong)}"


def stored(state: Any) -> Any:
    """Send a state through JSON and arrays, as a checkpoint does.

    Raises:
        TypeError: for a leaf that is neither a JSON value nor an array of numbers.
        ValueError: for a number that JSON cannot hold.
    """
    if isinstance(state, Mapping):
        if not all(isinstance(key, str) for key in state):
            raise TypeError(f"keys must be strings, got {list(state)!r:.200}")
        return {key: stored(value) for key, value in state.items()}
    if isinstance(state, np.ndarray):
        if state.dtype.kind not in "biuf":
            raise TypeError(f"arrays must hold numbers, got dtype {state.dtype}")
        return state.copy()
    if state is None or type(state) in (bool, int, str):
        return state
    return json.loads(json.dumps(state, allow_nan=False))


def fingerprint(state: Any) -> str:
    """Return a hash that two states share only if they are equal bit for bit."""
    digest = hashlib.sha256()

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(value[key]) for key in sorted(value)}
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).tobytes())
            return [value.dtype.str, value.shape]
        return value

    digest.update(json.dumps(plain(state)).encode())
    return digest.hexdigest()


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield "key.key" and value of everything in nested dictionaries that is not one itself."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


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
