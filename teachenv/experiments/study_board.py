"""The conductor's view of a study: who is where, who died how often, what was given up."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from teachenv.experiments.cells import Report
from teachenv.experiments.files import StoreError
from teachenv.experiments.mirror import Mirror
from teachenv.experiments.study_status import CellStatus, study_status
from teachenv.experiments.study_store import StudyFolder


class Board:
    """Keeps account of a study's cells while they are played; one per conductor.

    Cells that an earlier conductor gave up are to be played again, those that a search stopped
    stay stopped.

    Args:
        folder: The study.
        retries: How often a cell may go down with its process before it is given up.
        listener: Called after every change, and with every message, which is "" then.
    """

    def __init__(
        self,
        folder: StudyFolder,
        retries: int,
        listener: Callable[[Board, str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._retries = retries
        self._listener = listener or (lambda board, message: None)
        self._mirror = Mirror(folder.storage) if folder.storage is not None else None
        self._deaths: Counter[str] = Counter()
        self._cells: dict[str, CellStatus] = {}
        for cell in folder.study.cells():
            self._pull(cell.name)
        self._ended = {k: v for k, v in folder.ended().items() if v["status"] == "stopped"}
        folder.write_ended(self._ended)
        self._cells = {status.cell.name: status for status in study_status(folder).cells}

    @property
    def cells(self) -> list[CellStatus]:
        """How far every cell is."""
        return list(self._cells.values())

    def report(self, report: Report) -> None:
        """Take note of what a cell reports."""
        name = report.cell
        self._pull(name)
        self._set(name, report.status, report.reason, step=report.step)
        if report.status == "failed":
            self._end(name, "failed", report.reason)
        elif report.reason:
            self._listener(self, f"{name}: tried again after: {report.reason}")

    def died(self, names: Sequence[str]) -> list[str]:
        """Take note that the process of a pack died; returns those of its cells given up so far.

        Args:
            names: The cells of the pack in the order of play; the first that is not done with
                was being played.
        """
        playing = [name for name in names if self._open(name)][:1]
        self._deaths.update(playing)
        for name in playing:
            times = self._deaths[name]
            if times > self._retries:
                reason = f"its process died {times} times: killed, out of memory, or crashed"
                self._end(name, "failed", reason)
            else:
                self._listener(self, f"{name}: its process died; it is continued in another")
        return [name for name in names if name in self._ended]

    def give_up(self, names: Sequence[str], reason: str, status: str = "failed") -> None:
        """Give up (or stop) those of the cells that are not done with."""
        for name in names:
            if self._open(name):
                self._end(name, status, reason)

    def end(self, names: Sequence[str]) -> None:
        """Take note that no more is played of a pack: the search stopped it, or a cell failed."""
        if any(self._cells[name].status == "failed" for name in names):
            self.give_up(names, "another cell of its sample failed")
        else:
            self.give_up(names, "lagged behind in the search", "stopped")

    def _pull(self, name: str) -> None:
        """Fetch a run that was played on another machine; the next chance is its next report."""
        if self._mirror is None:
            return
        try:
            self._mirror.pull(name, self._folder.runs / name)
        except (OSError, StoreError) as error:
            self._listener(self, f"{name}: not fetched from the mirror: {error}")

    def _open(self, name: str) -> bool:
        return not self._cells[name].done

    def _end(self, name: str, status: str, reason: str) -> None:
        self._ended[name] = {"status": status, "reason": reason}
        self._folder.write_ended(self._ended)
        self._set(name, status, reason)
        if status == "failed":
            self._listener(self, f"{name}: failed: {reason}")

    def _set(self, name: str, status: str, reason: str, **change: Any) -> None:
        self._cells[name] = dataclasses.replace(
            self._cells[name], status=status, reason=reason, **change
        )
        self._listener(self, "")
