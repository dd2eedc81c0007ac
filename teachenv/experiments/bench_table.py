"""The bench in words: tables for the terminal and for files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from teachenv.experiments.bench_play import BEST
from teachenv.experiments.bench_stats import BASELINE, Row
from teachenv.experiments.bench_teachers import Verdict, Watcher
from teachenv.experiments.statistics import mean_interval


@contextmanager
def counting() -> Iterator[Watcher]:
    """Show on a terminal how many games have been played, and how long the rest will take."""
    columns = (TextColumn("games"), BarColumn(24), MofNCompleteColumn(), TextColumn("left"))
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("games", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def tables(verdict: Verdict) -> Iterator[Table]:
    """Yield the summary and the shares mastered in each world, for the terminal."""
    title = f"{len(verdict.worlds)} worlds, {verdict.n_seeds} seeds"
    summary = Table(
        title=f"Share mastered in the end: {title}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    summary.add_column("teacher", no_wrap=True)
    for column in ("mean [95 %], %", f"beats {BASELINE} [95 %]", "us"):
        summary.add_column(column, justify="right", no_wrap=True)
    for row in verdict.rows:
        summary.add_row(*_summary(row, len(verdict.worlds)))
    yield summary
    worlds = Table(title="Share mastered in each world, %", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    worlds.add_column("teacher", no_wrap=True)
    for i in range(len(verdict.worlds)):
        worlds.add_column(str(i + 1), justify="right", no_wrap=True)
    for row in verdict.rows:
        worlds.add_row(row.teacher, *(_mean(row, world) for world in verdict.worlds))
    yield worlds


def notes(verdict: Verdict) -> Iterator[str]:
    """Yield what has to be said below the tables, a line each."""
    for i, (name, world) in enumerate(verdict.worlds.items()):
        yield f"{i + 1} {name}: {world.what}; {world.n_episodes:,} episodes"
    yield "us: CPU time of one ask and tell, in microseconds"
    if any(row.kept for row in verdict.rows):
        yield "* results kept from earlier, of the same code; times may be another machine's"
    if any(len(row.shares) < len(verdict.worlds) for row in verdict.rows):
        yield "(n of m): the mean is over n worlds; the teacher cannot be used in the others"
    yield from _grouped("not run", verdict.left_out)
    yield from _grouped("FAILED", verdict.failed)
    yield f"took {verdict.took_s:.0f} s"


def markdown(verdict: Verdict) -> str:
    """Return everything as Markdown: mean share mastered in per cent, with 95 % intervals."""
    heads = ["teacher", "mean [95 %], %", f"beats {BASELINE} [95 %]", "us", *verdict.worlds]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for row in verdict.rows:
        cells = []
        for world in verdict.worlds:
            cell = _mean(row, world)
            if world in row.shares and row.teacher != BEST:
                low, high = mean_interval(row.shares[world][None])
                cell += f" [{100 * low:.0f}, {100 * high:.0f}]"
            cells.append(cell)
        lines.append(_line([*_summary(row, len(verdict.worlds)), *cells]))
    head = f"Share mastered in the end, %, {verdict.n_seeds} seeds."
    listed = [f"- {note}" for note in notes(verdict)]
    return "\n".join([head, "", *lines, "", *listed, ""])


def _summary(row: Row, n_worlds: int) -> list[str]:
    name = f"{row.teacher} *" if row.kept and row.teacher != BEST else row.teacher
    mean = f"{100 * row.mean:.1f}"
    if row.teacher == BEST:
        return [name, mean, "", ""]
    low, high = row.interval
    mean += f" [{100 * low:.1f}, {100 * high:.1f}]"
    if len(row.shares) < n_worlds:
        mean = f"({len(row.shares)} of {n_worlds}) {mean}"
    beats = ""
    if row.beats is not None:
        low, high = row.beats_interval
        beats = f"{row.beats:.2f} [{low:.2f}, {high:.2f}]"
    return [name, mean, beats, f"{row.us:.0f}"]


def _mean(row: Row, world: str) -> str:
    return f"{100 * row.shares[world].mean():.0f}" if world in row.shares else "-"


def _grouped(head: str, entries: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a line per reason, with the teachers it is true of and where."""
    teachers: dict[tuple[str, str], list[str]] = {}
    for teacher, world, why in entries:
        teachers.setdefault((teacher, why), []).append(world)
    reasons: dict[tuple[str, str], list[str]] = {}
    for (teacher, why), worlds in teachers.items():
        reasons.setdefault((why, ", ".join(filter(None, worlds))), []).append(teacher)
    for (why, where), names in reasons.items():
        yield f"{head}: {', '.join(names)}{f' ({where})' if where else ''}: {why}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
