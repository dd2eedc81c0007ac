"""Playing the cells of a study, in one process: started, continued, tried again, reported.

A cell's only state is its run folder, which is the same as that of ``teachenv run``: whoever
plays it next, in whatever process, goes on from there.
"""

from __future__ import annotations

import itertools
import math
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachenv.errors import UserError
from teachenv.experiments import loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.drive import Loop, rounds
from teachenv.experiments.files import StoreError, lock_holder, read_rows
from teachenv.experiments.mirror import Mirror
from teachenv.experiments.store import is_run, read_status
from teachenv.experiments.study import Cell

LOCK_TIMEOUT_S = 60.0
"""Seconds that a process of an earlier, killed study gets to end."""

_HALF_MADE = {"lock", "test_sets.json", ".test_sets.json.writing", ".config.json.writing"}


@dataclass(frozen=True)
class Report:
    """How far a cell is.

    Attributes:
        cell: Its name.
        status: "running", "finished" or "failed".
        step: Environment steps taken.
        reason: Why it failed, or what went wrong before it was tried again.
    """

    cell: str
    status: str
    step: int
    reason: str = ""

    @property
    def final(self) -> bool:
        """Whether the cell is done with."""
        return self.status != "running"


def make_loop(config: RunConfig, folder: Path) -> Generator[Loop]:
    """Start or continue a run; see :func:`teachenv.experiments.drive.rounds`.

    Raises:
        UserError: if the configuration or the folder is refused.
    """
    if is_run(folder):
        return rounds(*loop.open_again(folder))
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= _HALF_MADE:
        shutil.rmtree(folder)  # whoever made it died before anything ran
    return rounds(*loop.open_new(config, folder))


def play(
    cells: Sequence[Cell], runs: Path, *, retries: int = 0, mirror: Mirror | None = None
) -> Generator[Report]:
    """Play cells one after another, each to its end.

    Args:
        cells: The cells; those that are finished are only reported.
        runs: Folder of their run folders.
        retries: How often a cell is continued after an exception.
        mirror: Where the runs are copied to after every round, and taken from if it is ahead.

    Yields:
        A report after every round, and a final one for every cell.
    """
    for cell in cells:
        yield from _play_one(cell, runs, retries, mirror)


def play_together(
    cells: Sequence[Cell],
    runs: Path,
    *,
    score: str,
    retries: int = 0,
    mirror: Mirror | None = None,
) -> Generator[tuple[list[Report], float]]:
    """Play cells side by side, from one evaluation to the next.

    Args:
        cells: The cells.
        runs: Folder of their run folders.
        score: The entry of the evaluations to average.
        retries: As in :func:`play`.
        mirror: As in :func:`play`.

    Yields:
        After every evaluation, those from before an interruption as well: where the cells are,
        and the mean score over cells. At the end, or once a cell failed: the same, without a
        score (NaN).
    """
    players = [_play_one(cell, runs, retries, mirror) for cell in cells]
    reports = [Report(cell.name, "running", 0) for cell in cells]
    try:
        for number in itertools.count():
            scores = []
            for i, cell in enumerate(cells):
                while not reports[i].final and _n_scores(runs / cell.name, score) <= number:
                    reports[i] = next(players[i])
                scores += _scores(runs / cell.name, score)[number : number + 1]
            if len(scores) < len(cells):
                break
            yield list(reports), math.fsum(scores) / len(scores)
        if not any(report.status == "failed" for report in reports):
            for i, player in enumerate(players):  # some cells have more evaluations than others
                for reports[i] in player:
                    pass
    finally:
        for player in players:
            player.close()
    yield list(reports), math.nan


def past_scores(folders: Sequence[Path], score: str) -> list[float]:
    """Return the mean score over runs at every evaluation that all of them have."""
    columns = zip(*(_scores(folder, score) for folder in folders), strict=False)
    return [math.fsum(column) / len(column) for column in columns]


def _play_one(cell: Cell, runs: Path, retries: int, mirror: Mirror | None) -> Generator[Report]:
    folder = runs / cell.name
    for attempt in range(retries + 1):
        try:
            _await_lock(folder)
            if mirror is not None:
                mirror.pull(cell.name, folder)
            if read_status(folder)["status"] != "finished":
                with closing(make_loop(cell.config, folder)) as played:
                    for state in played:
                        if mirror is not None:
                            mirror.push(cell.name, folder)
                        yield Report(cell.name, "running", state.step)
            if mirror is not None:
                mirror.push(cell.name, folder)
            yield Report(cell.name, "finished", read_status(folder)["step"])
            return
        except Exception as error:  # noqa: BLE001  environment and student may raise anything
            reason = str(error) if isinstance(error, UserError) else repr(error)
            last = attempt == retries or isinstance(error, UserError)
            step = read_status(folder)["step"]
            yield Report(cell.name, "failed" if last else "running", step, reason)
            if last:
                return


def _await_lock(folder: Path) -> None:
    until = time.monotonic() + LOCK_TIMEOUT_S
    while (holder := lock_holder(folder)) is not None:
        if time.monotonic() > until:
            raise UserError(f"{folder}: process {holder} is running it")
        time.sleep(0.2)


def _n_scores(folder: Path, score: str) -> int:
    """Return how many scores there are; none where rows are damaged.

    Whoever continues the run cuts those beyond its checkpoint, or refuses them.
    """
    try:
        return len(_scores(folder, score))
    except StoreError:
        return 0


def _scores(folder: Path, score: str) -> list[float]:
    """Return the score of every evaluation on the first test set so far."""
    rows: list[dict[str, Any]] = read_rows(folder / "evals.jsonl")
    first = rows[0]["test_set"] if rows else None
    good: Iterator[dict[str, Any]] = (row for row in rows if row["test_set"] == first)
    return [row[score] if row["status"] == "ok" else -math.inf for row in good]
