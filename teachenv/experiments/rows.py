"""What rows of a run folder hold: others may have written them, so they are checked when read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from teachenv.experiments.files import StoreError

__all__ = ["KINDS", "check_rows", "is_number", "of_another_kind"]


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number that NumPy can hold, and compute with."""
    if type(value) is int:
        return abs(value) < 2**63
    return type(value) is float and abs(value) < 1e300  # not NaN either


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "a whole number": lambda value: type(value) is int and 0 <= value < 2**63,
    "a finite number": is_number,
    "a finite number, if any": lambda value: value is None or is_number(value),
    "finite numbers": lambda value: type(value) is list and all(map(is_number, value)),
    "true or false": lambda value: type(value) is bool,
    "a list of true and false": lambda value: (
        type(value) is list and set(map(type, value)) <= {bool}
    ),
    "finite numbers by name": lambda value: (
        type(value) is dict and all(map(is_number, value.values()))
    ),
    "text": lambda value: type(value) is str,
    "texts by name, if any": lambda value: (
        value is None or (type(value) is dict and set(map(type, value.values())) <= {str})
    ),
    "ok, failed or lost": lambda value: value in ("ok", "failed", "lost"),
}
ALWAYS = {"round": "a whole number", "step": "a whole number"}
FIELDS: Mapping[str, Mapping[str, str]] = {
    "episodes.jsonl": {
        **ALWAYS,
        "trial": "a whole number",
        "task": "finite numbers",
        "train": "true or false",
        "score": "a finite number",
        "episode_return": "a finite number",
        "episode_length": "a whole number",
        "status": "ok, failed or lost",
        "signals": "finite numbers by name",
    },
    "evals.jsonl": {**ALWAYS, "test_set": "text", "status": "ok, failed or lost"},
    "teacher.jsonl": ALWAYS,
    "times.jsonl": {
        **ALWAYS,
        "learn_s": "a finite number",
        "total_s": "a finite number",
        "steps_per_s": "a finite number",
        "trials": "a whole number",
        "lost": "a whole number",
        **dict.fromkeys(("cpu_s", "teacher_s", "gradient_steps"), "a finite number, if any"),
        "machine": "texts by name, if any",
    },
}
"""What every row of a file has."""

EVALUATED = {
    "share_mastered": "a finite number",
    "mean_return": "a finite number",
    "returns": "finite numbers",
    "lengths": "finite numbers",
    "success": "a list of true and false",
}
"""What an evaluation has that went well; any other has its ``error``."""

PER_TASK = ("returns", "lengths", "success")


def check_rows(
    path: Path, rows: Sequence[Mapping[str, Any]], n_dims: int, n_tasks: Mapping[str, int]
) -> None:
    """Check the fields that every row of a file has.

    Args:
        path: A row file of a run folder.
        rows: What it holds.
        n_dims: Numbers of a task.
        n_tasks: Tasks of each test set.

    Raises:
        StoreError: naming line and field of the first value of another kind.
    """
    for number, row in enumerate(rows, start=1):
        for wrong in _wrong(path.name, row, n_dims, n_tasks):
            raise StoreError(f"{path}, line {number}: {wrong}; the file is damaged")


def _wrong(
    file: str, row: Mapping[str, Any], n_dims: int, n_tasks: Mapping[str, int]
) -> Iterator[str]:
    yield from of_another_kind(row, FIELDS[file])
    if file == "episodes.jsonl" and len(row["task"]) != n_dims:
        yield f"task: expected {n_dims} numbers, got {len(row['task'])}"
    if file == "evals.jsonl":
        yield from of_another_kind(row, EVALUATED if row["status"] == "ok" else {"error": "text"})
        if row["test_set"] not in n_tasks:
            yield f"test_set: expected one of {list(n_tasks)}, got {row['test_set']!r:.80}"
        for name in PER_TASK if row["status"] == "ok" else ():
            if len(row[name]) != n_tasks[row["test_set"]]:
                yield f"{name}: expected {n_tasks[row['test_set']]} values, got {len(row[name])}"


def of_another_kind(
    row: Mapping[str, Any],
    fields: Mapping[str, str],
    kinds: Mapping[str, Callable[[Any], bool]] = KINDS,
) -> Iterator[str]:
    """Yield what is wrong with the fields of a row, which are of the kinds that are named."""
    for name, kind in fields.items():
        if not kinds[kind](row.get(name)):
            yield f"{name}: expected {kind}, got {row.get(name)!r:.80}"
