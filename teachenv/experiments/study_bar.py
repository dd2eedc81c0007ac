"""A progress line for a study: steps, cells by status, time left."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from teachenv.experiments.progress import PLAIN_EVERY_S
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_status import STATUSES
from teachenv.terminal import Terminal


class StudyBar:
    """Follows a study on a terminal; prints a line now and then where there is none."""

    def __init__(self) -> None:
        self._console = Terminal(stderr=True)
        self._began = self._last = time.monotonic()
        self._first: int | None = None
        self._progress = Progress(
            TextColumn("study"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps  {task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
            refresh_per_second=2,
            speed_estimate_period=600,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("study", total=1, counts="")

    def __call__(self, board: Board, message: str) -> None:
        """Show how far the cells are, and the message if there is one."""
        if message:
            self._progress.console.print(escape(message), highlight=False, soft_wrap=True)
        cells = board.cells
        found = Counter(cell.status for cell in cells)
        counts = ", ".join(f"{found[status]} {status}" for status in STATUSES if found[status])
        to_do = sum(cell.to_do for cell in cells)
        total = sum(cell.cell.config.steps for cell in cells)
        self._progress.update(self._task, completed=total - to_do, total=total, counts=counts)
        now = time.monotonic()
        taken = sum(cell.step for cell in cells)
        if self._first is None or taken < self._first:  # a cell went on from an older checkpoint
            self._first, self._began = taken, now
        if self._console.is_terminal or now - self._last < PLAIN_EVERY_S:
            return
        self._last = now
        speed = (taken - self._first) / (now - self._began) if now > self._began else 0.0
        left = f"{to_do / speed:,.0f}" if speed else "?"
        self._console.print(
            f"{total - to_do:,}/{total:,} steps, {speed:,.0f} steps/s, {counts}, {left} s left",
            highlight=False,
            soft_wrap=True,
        )

    def __enter__(self) -> StudyBar:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, trace)
