"""How far a study is, from its folders alone."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from teachenv.experiments.files import lock_holder, read_rows
from teachenv.experiments.store import is_run, read_status
from teachenv.experiments.study import Cell
from teachenv.experiments.study_store import StudyFolder

STATUSES = ("finished", "running", "interrupted", "waiting", "stopped", "failed")


@dataclass(frozen=True)
class CellStatus:
    """How far a cell is.

    Attributes:
        cell: The cell.
        status: One of ``STATUSES``: "waiting" has never run, "stopped" lost a search, "failed"
            was given up.
        step: Environment steps taken, at the last round's end.
        reason: Why it failed or was stopped.
    """

    cell: Cell
    status: str
    step: int = 0
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, for better or worse."""
        return self.status in ("finished", "stopped", "failed")

    @property
    def to_do(self) -> int:
        """Steps that are left to take."""
        return 0 if self.done else max(self.cell.config.steps - self.step, 0)


@dataclass(frozen=True)
class StudyStatus:
    """How far a study is.

    Attributes:
        cells: Every cell.
        conductor: Process that conducts the study now, if there is one.
        left_s: Seconds left as far as finished rounds tell, if the cells that run now are as
            many to the end; ``None`` if no round is finished yet.
    """

    cells: Sequence[CellStatus]
    conductor: str | None
    left_s: float | None

    @property
    def finished(self) -> bool:
        """Whether every cell is finished, or was stopped by the search."""
        return all(cell.status in ("finished", "stopped") for cell in self.cells)

    @property
    def failed(self) -> list[CellStatus]:
        """Return the cells that were given up."""
        return [cell for cell in self.cells if cell.status == "failed"]

    def counts(self) -> dict[str, int]:
        """Return how many cells there are of every status that occurs."""
        found = Counter(cell.status for cell in self.cells)
        return {status: found[status] for status in STATUSES if found[status]}


def study_status(folder: StudyFolder) -> StudyStatus:
    """Read how far a study is."""
    conductor = lock_holder(folder.path)
    ended = folder.ended()
    cells = [
        _cell_status(cell, folder.runs / cell.name, ended.get(cell.name), conductor)
        for cell in folder.study.cells()
    ]
    speeds = seconds_per_step(folder.runs, [status.cell for status in cells if status.step])
    at_once = max(sum(status.status == "running" for status in cells), 1)
    return StudyStatus(cells, conductor, time_left(cells, speeds, at_once))


def seconds_per_step(runs: Path, cells: Iterable[Cell]) -> dict[str, float]:
    """Return the seconds a step took, evaluations included, by kind of cell; "" for all."""
    spent: defaultdict[str, float] = defaultdict(float)
    steps: defaultdict[str, int] = defaultdict(int)
    for cell in cells:
        rows = read_rows(runs / cell.name / "times.jsonl")
        for kind in (cell.kind, "") if rows else ():
            spent[kind] += math.fsum(row["total_s"] for row in rows)
            steps[kind] += rows[-1]["step"]
    return {kind: spent[kind] / steps[kind] for kind in steps}


def time_left(cells: Iterable[CellStatus], speeds: dict[str, float], at_once: int) -> float | None:
    """Return the seconds that are left, at so many cells at once; ``None`` if unknown."""
    waiting = [status for status in cells if status.to_do]
    if not waiting:
        return 0.0
    if not speeds:
        return None
    each = [status.to_do * speeds.get(status.cell.kind, speeds.get("", 0.0)) for status in waiting]
    return max(math.fsum(each) / min(at_once, len(waiting)), max(each))


def _cell_status(
    cell: Cell, run: Path, ended: dict[str, str] | None, conductor: str | None
) -> CellStatus:
    row = read_status(run)
    step, status, reason = row["step"], row["status"], row["reason"]
    if not is_run(run):
        status, reason = "waiting", ""
    if status == "finished":
        return CellStatus(cell, status, step)
    if ended is not None:
        return CellStatus(cell, ended["status"], step, ended["reason"])
    if status == "failed":  # once more is due
        status = "running" if conductor else "interrupted"
    return CellStatus(cell, status, step, reason if status == "interrupted" else "")
