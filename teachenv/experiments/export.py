"""Runs and studies as flat tables for other tools: CSV, Parquet, TensorBoard.

Four tables, every row with the run it is of and the cell it belongs to:

========== =====================================================================
``trials`` one row per trial: its task's parameters, when, how it ended
``evals``  one row per evaluation on a test set
``tasks``  one row per task of an evaluation
``rounds`` one row per round: steps, speed, trials, and the machine where it changed
========== =====================================================================
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from teachenv.errors import UserError
from teachenv.experiments.store import Run, is_run, read_run

__all__ = ["export", "run_folders", "tables"]

Kind = Literal["csv", "parquet", "tensorboard"]
Row = dict[str, Any]


def run_folders(folder: Path) -> list[Path]:
    """Return the run folders at or below a folder, in order of their paths.

    Raises:
        UserError: if there are none.
    """
    found = [path.parent for path in sorted(folder.rglob("config.json")) if is_run(path.parent)]
    if not found:
        raise UserError(f"{folder}: no run folder here or below")
    return found


def export(folder: Path, kind: Kind, out: Path) -> list[Path]:
    """Write the runs at or below a folder in another form.

    Args:
        folder: A run, a study, or any folder that holds some.
        kind: "csv" and "parquet" write one file per table; "tensorboard" an event file per run.
        out: Folder to write to; files of the same names are replaced.

    Returns:
        What was written.

    Raises:
        UserError: if there are no runs, one is damaged, or a library is not installed.
    """
    paths = run_folders(folder)
    out.mkdir(parents=True, exist_ok=True)
    if kind == "tensorboard":
        return [_tensorboard(read_run(path), out / _name(path, folder)) for path in paths]
    runs = [(_name(path, folder), read_run(path)) for path in paths]
    written = []
    for name, rows in tables(runs).items():
        path = out / f"{name}.{kind}"
        (_csv if kind == "csv" else _parquet)(path, rows)
        written.append(path)
    return written


def tables(runs: Iterable[tuple[str, Run]]) -> dict[str, list[Row]]:
    """Return the tables of named runs; see the module."""
    found: dict[str, list[Row]] = {"trials": [], "evals": [], "tasks": [], "rounds": []}
    for name, run in runs:
        config = run.config
        cell = {
            "run": name,
            "environment": config.env,
            "teacher": config.teacher,
            "student": config.student,
            "seed": config.seed,
        }
        found["trials"] += ({**cell, **row} for row in _trials(run))
        found["evals"] += ({**cell, **row} for row in _evals(run))
        found["tasks"] += ({**cell, **row} for row in _tasks(run))
        found["rounds"] += ({**cell, **row} for row in _rounds(run))
    return found


def _trials(run: Run) -> Iterator[Row]:
    for row in run.episodes:
        flat = {name: value for name, value in row.items() if not isinstance(value, list | dict)}
        signals = {f"signal.{name}": value for name, value in row.get("signals", {}).items()}
        yield {**flat, **_named(run, row["task"]), **signals}


def _evals(run: Run) -> Iterator[Row]:
    for row in run.evals:
        yield {name: value for name, value in row.items() if not isinstance(value, list | dict)}


def _tasks(run: Run) -> Iterator[Row]:
    for row in run.evals:
        if row["status"] != "ok":
            continue
        test_set = run.test_sets[row["test_set"]]
        for index, task in enumerate(test_set.tasks):
            yield {
                "round": row["round"],
                "step": row["step"],
                "test_set": test_set.name,
                "index": index,
                "level_seed": test_set.level_seeds[index],
                **_named(run, task),
                "episode_return": row["returns"][index],
                "episode_length": row["lengths"][index],
                "success": row["success"][index],
            }


def _rounds(run: Run) -> Iterator[Row]:
    for row in run.times:
        flat = {name: value for name, value in row.items() if not isinstance(value, dict)}
        machine = row.get("machine") or {}
        yield {**flat, **{f"machine.{name}": value for name, value in machine.items()}}


def _named(run: Run, task: Iterable[float]) -> Row:
    values = (float(value) for value in task)
    return {f"task.{name}": v for name, v in zip(run.task_space.names, values, strict=True)}


def _csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, _columns(rows))
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, rows: list[Row]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UserError(
            'Parquet needs pyarrow, which is not installed: pip install "teachenv[export]"'
        ) from None
    columns = {name: [row.get(name) for row in rows] for name in _columns(rows)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def _columns(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _tensorboard(run: Run, folder: Path) -> Path:
    """Write a run's evaluations, rounds and trial returns as scalars against steps."""
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError:
        raise UserError(
            "TensorBoard files need tensorboardX, which is not installed: pip install "
            '"teachenv[export]"'
        ) from None
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        for row in _evals(run):
            for name in ("share_mastered", "mean_return"):
                if row.get(name) is not None:
                    writer.add_scalar(f"{row['test_set']}/{name}", row[name], row["step"])
        for row in run.times:
            writer.add_scalar("round/steps_per_s", row["steps_per_s"], row["step"])
        for row in run.episodes:
            if row["status"] == "ok":
                writer.add_scalar("trial/episode_return", row["episode_return"], row["step"])
                writer.add_scalar("trial/score", row["score"], row["step"])
    (written,) = folder.glob("events.out.tfevents.*")
    written.rename(folder / "events.out.tfevents.run")  # the name it was given tells the host's
    return folder


def _name(path: Path, folder: Path) -> str:
    """Return what a run is called in the tables: its path below the folder, or its name."""
    return path.relative_to(folder).as_posix() if path != folder else path.name
