"""A progress line for long work: steps, speed, mean return, share mastered, time left."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import numpy as np
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from teachenv.experiments.run_state import Followed
from teachenv.terminal import Terminal

PLAIN_EVERY_S = 15.0
"""Seconds between lines where the output is not a terminal."""


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} steps/s", style="cyan")


class ProgressBar:
    """Follows a run on a terminal; prints a line now and then where there is none.

    Args:
        total: Steps of the run.
        title: What is shown before the bar.
    """

    def __init__(self, total: int, title: str) -> None:
        self._total = total
        self._title = title
        self._console = Terminal(stderr=True)
        self._mastered = "-"
        self._last = self._began = time.monotonic()
        self._first_step: int | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
            _Speed(),
            TextColumn("return {task.fields[mean]}  mastered {task.fields[mastered]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            refresh_per_second=2,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, mean="-", mastered="-")

    def steps(self, run: Followed) -> None:
        """Show where the run is; cheap enough to be called at every step."""
        now = time.monotonic()
        if self._first_step is None:
            self._first_step, self._began = run.step, now
            self._last = now
        if now - self._last < (0.5 if self._console.is_terminal else PLAIN_EVERY_S):
            return
        self._last = now
        recent = [outcome.episode_return for outcome in tuple(run.recent)]
        mean = _figures(float(np.mean(recent))) if recent else "-"
        if self._console.is_terminal:
            self._progress.update(
                self._task, completed=run.step, mean=mean, mastered=self._mastered
            )
            return
        speed = (run.step - self._first_step) / (now - self._began)
        left = f"{max(self._total - run.step, 0) / speed:,.0f}" if speed else "?"
        self._console.print(
            f"{self._title}: {run.step:,}/{self._total:,} steps, {speed:,.0f} steps/s, "
            f"return {mean}, mastered {self._mastered}, {left} s left",
            highlight=False,
            soft_wrap=True,
        )

    def evaluated(self, row: dict[str, Any]) -> None:
        """Remember the share mastered of the latest evaluation."""
        if row["status"] == "ok":
            self._mastered = f"{row['share_mastered']:.0%} ({row['test_set']})"
        else:
            failed = f"evaluation on {row['test_set']} failed: {row['error']}"
            self._console.print(failed, markup=False)

    def __enter__(self) -> ProgressBar:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, trace)


def _figures(value: float) -> str:
    """Return a mean return for people: whole, or with decimals if it is small."""
    return f"{value:.0f}" if abs(value) >= 10.0 else f"{value:.2f}"
