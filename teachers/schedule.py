"""A curriculum fixed beforehand: stages made by hand, or a recorded run once more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State, Task
from teachenv.space import TaskError, TaskSpace
from teachers.base import BaseTeacher, Knowledge, Pick
from teachers.recorded import Record, read_record
from teachers.values import number_problems, refuse, whole_problems

KEYS = ("until", "low", "high", "task", "tasks", "weights")
TAIL = 100
"""Trials of a record drawn from at random once it is over."""


@dataclass(frozen=True)
class Stage:
    """A stretch of trials drawn alike: from some tasks by weight, or uniformly from a box.

    Attributes:
        until: Trial before which it ends; ``None``: never.
        tasks: Tasks to draw from; empty for a box.
        weights: Probability of each task, shape ``(n,)``.
        low, high: Corners of the box in the unit cube, shape ``(dim,)``.
    """

    until: int | None
    tasks: tuple[Task, ...]
    weights: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


class Schedule(BaseTeacher):
    """Hand-made stages, or a recorded run replayed as a fixed curriculum for another student.

    A stage is a mapping with

    * ``until``: the trial (counted from 0) before which it ends; the last stage has none;
    * ``low`` and ``high``: corners of a box, {name: value}, from which tasks are drawn
      uniformly; names left out keep their bound. Or
    * ``task``: one task, {name: value}; or ``tasks``: several, drawn by their ``weights``
      (evenly without). Names left out are at the default of the space.

    A replayed run gives task, level seed and ``train`` of every trial, in the order in which
    they were issued, save for those whose environment broke. Once it is over, tasks (of fresh
    levels) are drawn evenly from its last ``TAIL`` trials.

    Example:
        >>> stages = [{"until": 500, "high": {"height": 1.0}}, {"task": {"height": 2.5}}, ...]

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        stages: See above. Without stages and ``run``: the whole space.
        run: A run folder, or its ``episodes.jsonl``; read at construction.

    Raises:
        ValueError: for a bad stage, naming it; for stages and a run at once; or for a run that
            cannot be read or was recorded with other tasks.
    """

    id = "schedule"
    knowledge: ClassVar[Knowledge] = "initial distribution"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        stages: Sequence[Mapping[str, Any]] = (),
        run: str | None = None,
    ) -> None:
        super().__init__(space, seed=seed)
        if run is not None and stages:
            raise ValueError("schedule: give stages or a run, not both")
        self._record: Record | None = None
        self._stages: list[Stage] = []
        if run is None:
            self._stages = _stages(space, list(stages) or [{}])
        else:
            try:
                self._record = read_record(Path(run), space)
            except ValueError as error:
                raise ValueError(f"schedule: run: {error}") from None

    def _sample(self) -> Pick:
        if self._record is not None:
            return self._replay(self._record)
        i = self._stage()
        stage, reason = self._stages[i], f"stage {i + 1}"
        if stage.tasks:
            chosen = stage.tasks[int(self._rng.choice(len(stage.tasks), p=stage.weights))]
            return Pick(self.space.to_unit(chosen), reason, task=chosen)
        share = self._rng.random(self.space.dim)
        return Pick(stage.low + (stage.high - stage.low) * share, reason)

    def _stage(self) -> int:
        ends = [stage.until for stage in self._stages]
        number = self._counts["asked"]
        return next(i for i, end in enumerate(ends) if end is None or number < end)

    def _replay(self, record: Record) -> Pick:
        i = self._counts["asked"]
        if i < len(record):
            task, level_seed = record.tasks[i], int(record.level_seeds[i])
            train = bool(record.train[i])
            return Pick(self.space.to_unit(task), f"replay {i}", level_seed, train, task)
        i = int(self._rng.integers(max(0, len(record) - TAIL), len(record)))
        task = record.tasks[i]
        return Pick(self.space.to_unit(task), f"again {i}", task=task)

    def _update(self, point: NDArray[np.float64], outcome: Outcome) -> None:
        pass

    def _describe(self) -> dict[str, Any]:
        if self._record is not None:
            return {"n_recorded": len(self._record)}
        i = self._stage()
        stage = self._stages[i]
        text: dict[str, Any] = {"stage": i + 1, "n_stages": len(self._stages)}
        if stage.tasks:
            return {**text, "tasks": np.array(stage.tasks), "weights": stage.weights.copy()}
        return {**text, "window": {"low": stage.low.copy(), "high": stage.high.copy()}}

    def _state(self) -> State:
        return {"record": "" if self._record is None else self._record.digest()}

    def _load_state(self, state: State) -> None:
        if state["record"] != self._state()["record"]:
            raise ValueError("schedule: the recorded run has changed since the state was saved")


def _stages(space: TaskSpace, rows: Sequence[Any]) -> list[Stage]:
    stages: list[Stage] = []
    problems: list[str] = []
    for number, row in enumerate(rows, start=1):
        try:
            stages.append(_parse(space, row, last=number == len(rows)))
        except ValueError as error:
            problems.append(f"stage {number}: {error}")
    ends = [stage.until for stage in stages[:-1]]
    if not problems and ends != sorted(set(ends), key=lambda end: end or 0):
        problems.append(f"until: expected rising numbers, got {ends}")
    refuse("schedule", problems)
    return stages


def _parse(space: TaskSpace, row: Any, *, last: bool) -> Stage:
    if not isinstance(row, Mapping):
        raise ValueError(f"expected a mapping, got {row!r:.80}")
    strange = [key for key in row if key not in KEYS]
    box, listed = bool({"low", "high"} & set(row)), bool({"task", "tasks"} & set(row))
    until = row.get("until")
    problems = [f"unknown {strange}; known: {', '.join(KEYS)}"] if strange else []
    if last and until is not None:
        problems.append(f"until: the last stage has no end, got {until!r:.80}")
    if not last:
        problems += whole_problems(until=until)
    if (box and listed) or {"task", "tasks"} <= set(row):
        problems.append("give low and high, or task, or tasks; not several of these")
    if problems:
        raise ValueError("; ".join(problems))
    try:
        low = space.to_unit(space.task(row.get("low", {}), base=space.low))
        high = space.to_unit(space.task(row.get("high", {}), base=space.high))
        given = row.get("tasks", [row["task"]] if "task" in row else [])
        tasks = tuple(space.task(value) for value in given)
    except TaskError as error:
        raise ValueError(str(error)) from None
    low, high = _outer_edges(space, low, high)
    if (low > high).any():
        raise ValueError("low: expected at most high in every parameter")
    return Stage(until, tasks, _weights(row, len(tasks)), low, high)


def _outer_edges(
    space: TaskSpace, low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Widen a box so that it holds the whole bins of the values at its corners."""
    half = np.array([0.5 / dim.n_values if dim.n_values else 0.0 for dim in space])
    return low - half, high + half


def _weights(row: Mapping[str, Any], n: int) -> NDArray[np.float64]:
    given = row.get("weights", [1.0] * n)
    problems = []
    if not isinstance(given, list | tuple) or len(given) != n:
        problems.append(f"weights: expected {n} numbers, got {given!r:.80}")
    else:
        for value in given:
            problems += number_problems(0.0, np.inf, weights=value)
        if not problems and n and not sum(given) > 0.0:
            problems.append("weights: expected at least one above 0")
    if "tasks" in row and not n:
        problems.append("tasks: expected at least one")
    if problems:
        raise ValueError("; ".join(problems))
    weights = np.array(given, dtype=np.float64)
    return weights / weights.sum() if n else weights
