"""Degenerate histories: what naive statistics divide by zero on, or fit singular matrices to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from teachenv.protocols import Status, Teacher, Trial
from teachenv.space import TaskSpace
from teachers import probe
from teachers.check_case import Case, Problems


@dataclass(frozen=True)
class Degenerate:
    """One degenerate history.

    Attributes:
        history: The scores.
        statuses: Each outcome's status is drawn from these.
        spaces: Names of the sample spaces it is played on; the checked space if empty.
        length: Trials, as a multiple of the usual number.
    """

    history: probe.History = probe.learning
    statuses: tuple[Status, ...] = ("lost", "failed", *("ok",) * 18)
    spaces: tuple[str, ...] = ()
    length: int = 1


HISTORIES: dict[str, Degenerate] = {
    "all scores 0": Degenerate(lambda i, u: 0.0),
    "all scores 1": Degenerate(lambda i, u: 1.0),
    "all scores 0.3": Degenerate(lambda i, u: 0.3),
    "scores 0 and 1 in turn": Degenerate(lambda i, u: float(i % 2)),
    "one outlier": Degenerate(lambda i, u: float(i == 40)),
    "all tasks equal": Degenerate(spaces=("single-task",)),
    "many identical outcomes": Degenerate(lambda i, u: 0.5, statuses=("ok",), length=2),
    "only failed": Degenerate(statuses=("failed",)),
    "only lost": Degenerate(statuses=("lost",)),
    "one and twenty dimensions": Degenerate(spaces=("one", "twenty")),
    "whole numbers only": Degenerate(spaces=("whole",)),
    "a dimension of one point": Degenerate(spaces=("one-point",)),
}
"""The 12 degenerate histories."""


def degenerate_histories(case: Case) -> Problems:
    """Whatever comes back, tasks stay inside the space and beliefs stay finite."""
    for name, degenerate in HISTORIES.items():
        named = {key: case.spaces[key] for key in degenerate.spaces if key in case.spaces}
        spaces = named if degenerate.spaces else {"": case.space}
        for label, space in spaces.items():
            where = f"{name} ({label!r})" if label else name
            try:
                yield from _play(case, degenerate, where, space)
            except Exception as error:  # noqa: BLE001
                yield (
                    "degenerate-history",
                    f"{where}: {type(error).__name__}: {error}; fall back to uniform where "
                    "statistics are not defined, and count it in describe()",
                )


def _play(case: Case, degenerate: Degenerate, where: str, space: TaskSpace) -> Problems:
    try:
        teacher = case.build(space=space)
    except np.linalg.LinAlgError:
        raise
    except ValueError as error:
        if space is not case.space and str(error):
            return  # the method says that it cannot work on such a space
        raise
    trials: list[Trial] = []
    probe.drive(
        teacher,
        degenerate.length * case.n_trials,
        history=degenerate.history,
        statuses=degenerate.statuses,
        on_trial=trials.append,
    )
    outside = [trial.task for trial in trials if not space.contains(trial.task)]
    if outside:
        yield "outside-space", f"{where}: {outside[0]!r} is not in {space!r:.200}; clip to it"
    yield from describe_problems(teacher)


def describing(case: Case) -> Problems:
    """``describe()`` tells finite beliefs and changes nothing."""
    teacher = case.build()
    yield from describe_problems(teacher)
    probe.drive(teacher, case.n_trials)
    before = probe.fingerprint(teacher.state_dict())
    yield from describe_problems(teacher)
    if probe.fingerprint(teacher.state_dict()) != before:
        yield "describe-changes-state", "describe() must only look; draw and cache nothing in it"


def describe_problems(teacher: Teacher) -> Problems:
    """Yield what is wrong with the beliefs a teacher describes."""
    text = teacher.describe()
    try:
        probe.stored(text)
    except (TypeError, ValueError) as error:
        yield "bad-describe", f"describe() must be JSON values and arrays: {error}"
        return
    missing = {"teacher", "n_asked", "n_told", "n_failed", "n_lost"} - set(text)
    if missing:
        yield "bad-describe", f"describe() lacks {sorted(missing)}"
    for path, value in probe.leaves(text):
        if isinstance(value, np.ndarray):
            yield from _array_problems(path, value)


def _array_problems(path: str, value: np.ndarray[Any, Any]) -> Problems:
    if not np.isfinite(value).all():
        yield "bad-describe", f"describe()[{path!r}] is not finite: {value!r:.120}"
        return
    probabilities = path.rsplit(".", 1)[-1] in PROBABILITIES and value.size > 0
    if probabilities and (value.min() < 0.0 or abs(value.sum() - 1.0) > 1e-9):
        yield (
            "bad-describe",
            f"describe()[{path!r}] are probabilities: expected at least 0 each and 1 in sum, "
            f"got {value.min()} and {value.sum()}",
        )


PROBABILITIES = frozenset({"weights", "probabilities"})
"""Names under which ``describe()`` gives probabilities that sum to 1."""
