"""What a study will cost, before it is played."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from teachenv.broker import Broker
from teachenv.experiments.config import RunConfig, describe_env
from teachenv.experiments.data_loop import measure_data
from teachenv.experiments.data_parts import teaches_data
from teachenv.experiments.parts import make_student, make_teacher, resolve
from teachenv.experiments.study import Study
from teachenv.experiments.study_status import (
    CellStatus,
    seconds_per_step,
    study_status,
    time_left,
)
from teachenv.experiments.study_store import StudyFolder
from teachenv.space import TaskSpace

MEASURE_S = 2.0
"""Seconds after which a measurement stops where it is."""


@dataclass(frozen=True)
class Plan:
    """What is left to do of a study.

    Attributes:
        cells: Every cell.
        speeds: Seconds per step, by kind of cell.
        sources: Where the speed comes from, by kind of cell.
        at_once: Cells at once.
    """

    cells: Sequence[CellStatus]
    speeds: dict[str, float]
    sources: dict[str, str]
    at_once: int

    @property
    def steps(self) -> int:
        """Environment steps to take."""
        return sum(cell.to_do for cell in self.cells)

    @property
    def seconds(self) -> float:
        """Estimated wall-clock time."""
        return time_left(self.cells, self.speeds, self.at_once) or 0.0

    @property
    def cell_seconds(self) -> float:
        """Estimated time of all cells one after another."""
        return time_left(self.cells, self.speeds, 1) or 0.0


def plan_new(study: Study, at_once: int) -> Plan:
    """Plan a study, measuring every kind of its cells for a moment."""
    cells = study.cells()
    kinds = {cell.kind: cell.config for cell in cells}
    speeds, sources = {}, {}
    for kind, config in kinds.items():
        speeds[kind], sources[kind] = measure(config)
    return Plan([CellStatus(cell, "waiting") for cell in cells], speeds, sources, at_once)


def plan_rest(folder: StudyFolder, at_once: int) -> Plan:
    """Plan what is left of a study, by its earlier rounds; measures kinds that have none."""
    cells = study_status(folder).cells
    speeds = seconds_per_step(folder.runs, [status.cell for status in cells])
    speeds.pop("", None)
    sources = dict.fromkeys(speeds, "its earlier rounds")
    for status in cells:
        kind = status.cell.kind
        if kind not in speeds:
            speeds[kind], sources[kind] = measure(status.cell.config)
    return Plan(cells, speeds, sources, at_once)


def measure(config: RunConfig) -> tuple[float, str]:
    """Return seconds per step of a run here, and how they were measured.

    A rollout and its updates are played twice, the second time with a clock, under uniformly
    drawn tasks: the teacher's own time and evaluations come on top.
    """
    if teaches_data(config):
        return measure_data(config), "measured here"
    config = resolve(dataclasses.replace(config, teacher="uniform", teacher_args={}))
    space = TaskSpace.from_json(json.dumps(describe_env(config)["task_space"]))
    broker = Broker(make_teacher(config, space))
    student = make_student(config, broker)
    clock = _Clock(MEASURE_S)
    broker.listener = clock
    try:
        for _ in range(2):
            clock.start()
            taken = student.learn(1, seed=0)
            broker.close_round()
        return (time.perf_counter() - clock.began) / taken, "measured here"
    except _EnoughError:
        return clock.spent / (broker.step - clock.first), "measured here, without updates"
    finally:
        student.close()


class _EnoughError(Exception):
    """Ends a measurement."""


class _Clock:
    """Ends a measurement that takes too long for a glance; listens to a broker.

    It counts from the first step of a pass: libraries compile before that, once in a run.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._first_at: float | None = None
        self.began = self.spent = 0.0
        self.first = 0

    def start(self) -> None:
        self.began, self._first_at = time.perf_counter(), None

    def __call__(self, broker: Broker) -> None:
        if self._first_at is None:
            self._first_at, self.first = time.perf_counter(), broker.step
            return
        self.spent = time.perf_counter() - self._first_at
        if self.spent > self._limit_s and broker.step > self.first:
            raise _EnoughError
