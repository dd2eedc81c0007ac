"""Run folders: created once, appended to, locked while running, readable at any time.

::

    config.json      the configuration, the environment's contract, library versions
    test_sets.json   tasks and level seeds of the test sets, hashed
    status.json      running / finished / failed / interrupted, with the reason (advisory)
    episodes.jsonl   one row per trial            evals.jsonl   one row per evaluation
    teacher.jsonl    one row per round            times.jsonl   time and updates per round,
                                                                and on which machine
    checkpoints/     the last two, see checkpoint.py
    lock             held while a process runs

Everything but ``times.jsonl`` and ``status.json`` is the same, byte for byte, whenever the same
configuration runs on the same machine, interrupted or not.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from teachenv.errors import UserError
from teachenv.experiments.checkpoint import MAX_JSON
from teachenv.experiments.config import RunConfig
from teachenv.experiments.files import (
    PATIENCE,
    StoreError,
    lock_holder,
    read_json,
    read_rows,
    refuse_links,
    take_lock,
    write_json,
)
from teachenv.experiments.rows import check_rows
from teachenv.experiments.testsets import TestSet
from teachenv.protocols import State
from teachenv.space import TaskError, TaskSpace

FORMAT = 1
STATUSES = ("running", "finished", "failed", "interrupted")
ROW_FILES = ("episodes.jsonl", "evals.jsonl", "teacher.jsonl", "times.jsonl")


@dataclass(frozen=True, kw_only=True)
class RunHeader:
    """What a run folder says without its rows.

    Attributes:
        folder: Where it is.
        config: Its configuration.
        task_space: Tasks of its environment.
        return_range: Lowest and highest episode return that scores tell apart.
        mastery: Mastery threshold on the episode return.
        versions: Of Python and of libraries, by name.
        status: The row of ``status.json``; "interrupted" if it says running but nobody runs.
        test_sets: Test sets by name.
        data: Of data-generation environments: "told_skills", "n_steps", "n_samples", the "kinds"
            of the cells, and "prerequisites" as pairs of cell numbers; ``None`` for others.
    """

    folder: Path
    config: RunConfig
    task_space: TaskSpace
    return_range: tuple[float, float]
    mastery: float
    versions: dict[str, str]
    status: dict[str, Any]
    test_sets: dict[str, TestSet]
    data: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Run(RunHeader):
    """A run folder, read.

    Attributes:
        episodes: Rows of ``episodes.jsonl``; likewise ``evals``, ``teacher``, ``times``.
    """

    episodes: list[dict[str, Any]]
    evals: list[dict[str, Any]]
    teacher: list[dict[str, Any]]
    times: list[dict[str, Any]]


class RunFolder:
    """A run folder open for writing; holds its lock until :meth:`close`.

    Use :meth:`create` or :meth:`open`.
    """

    def __init__(self, folder: Path, lock: IO[str]) -> None:
        self.path = folder
        self._lock = lock

    @classmethod
    def create(
        cls, folder: Path, header: dict[str, Any], test_sets: Iterable[TestSet]
    ) -> RunFolder:
        """Make a new run folder.

        Raises:
            StoreError: if the folder exists; nothing is overwritten.
        """
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except OSError as error:
            if os.path.lexists(folder):
                raise StoreError(
                    f"{folder} exists; nothing is overwritten. Choose another --out{_hint(folder)}"
                ) from None
            raise StoreError(f"{folder}: cannot be made: {error.strerror}") from None
        run_folder = cls(folder, take_lock(folder))
        sets = {test_set.name: test_set.to_json() for test_set in test_sets}
        run_folder.write_json("test_sets.json", sets)
        run_folder.write_json("config.json", {"format": FORMAT, **header})
        return run_folder

    @classmethod
    def open(cls, folder: Path) -> RunFolder:
        """Open an existing run folder to continue it.

        Raises:
            StoreError: if it is not a run folder, or another process runs it.
        """
        _read_config(folder)
        return cls(folder, take_lock(folder))

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file as a whole, see :func:`write_json`."""
        write_json(self.path / name, value)

    def write_config(self, config: RunConfig) -> None:
        """Replace the configuration in ``config.json``."""
        self.write_json("config.json", {**_read_config(self.path), "config": config.to_json()})

    def append(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows to a row file and flush them to disk.

        Raises:
            StoreError: at a row that would be too large to be read again.
        """
        with (self.path / name).open("a") as file:
            for row in rows:
                line = json.dumps(row, allow_nan=False) + "\n"
                if len(line) > MAX_JSON:
                    raise StoreError(
                        f"{file.name}: a row of {len(line):,} bytes; expected at most {MAX_JSON:,}"
                    )
                file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def offsets(self) -> dict[str, int]:
        """Return the size of every row file in bytes."""
        paths = {name: self.path / name for name in ROW_FILES}
        return {name: p.stat().st_size if p.exists() else 0 for name, p in paths.items()}

    def cut(self, offsets: dict[str, int]) -> None:
        """Cut every row file back to a recorded size.

        Raises:
            StoreError: if a file is shorter than recorded; nothing is cut then.
        """
        self._refuse_short(offsets)
        for name, size in self.offsets().items():
            if size > offsets[name]:
                os.truncate(self.path / name, offsets[name])

    def check(self, state: State) -> None:
        """Check that the row files have what a checkpoint counts on; what follows is not read.

        Raises:
            StoreError: if one is shorter than recorded or damaged up to there, or the checkpoint
                does not say.
        """
        try:
            sizes = {name: state["offsets"][name] for name in ROW_FILES}
        except (KeyError, TypeError) as error:
            raise StoreError(f"{self.path}: the checkpoint does not fit: {error!r}") from None
        if not all(isinstance(size, int) and size >= 0 for size in sizes.values()):
            raise StoreError(f"{self.path}: the checkpoint does not fit: sizes of rows {sizes}")
        self._refuse_short(sizes)
        for name, size in sizes.items():
            read_rows(self.path / name, size)

    def _refuse_short(self, recorded: dict[str, int]) -> None:
        short = [name for name, size in self.offsets().items() if size < recorded[name]]
        if short:
            raise StoreError(f"{self.path}: {short} are shorter than the checkpoint says; damaged")

    def discard(self) -> None:
        """Delete the folder; for a new one whose run was refused."""
        shutil.rmtree(self.path)

    def close(self) -> None:
        """Give the lock back."""
        self._lock.close()


def _hint(folder: Path) -> str:
    """Say what else can be done with a folder; one just being made gets time to be locked."""
    for _ in range(PATIENCE):
        made, holder = is_run(folder), lock_holder(folder)
        if holder is not None:
            return f"; process {holder} is running it"
        if made:
            return f", or continue it with: teachenv resume {folder}"
        time.sleep(0.001)
    return ""


def read_header(folder: Path) -> RunHeader:
    """Read what a run folder says without its rows, finished or not.

    Raises:
        StoreError: if it is not a run folder, or its header or test sets are damaged.
    """
    header = _read_config(folder)
    try:
        low, high = header["return_range"]
        return RunHeader(
            folder=folder,
            config=RunConfig.from_json(header["config"]),
            task_space=TaskSpace.from_json(json.dumps(header["task_space"])),
            return_range=(float(low), float(high)),
            mastery=float(header["mastery"]),
            versions=dict(header["versions"]),
            status=read_status(folder),
            test_sets={
                name: TestSet.from_json(name, row)
                for name, row in read_json(folder / "test_sets.json").items()
            },
            data=header.get("data"),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, UserError | TaskError):
            raise StoreError(f"{folder}: {error}") from None
        raise StoreError(f"{folder}: config.json is not a run's: {error!r}") from None


def read_run(folder: Path) -> Run:
    """Read a run folder, finished or not.

    Raises:
        StoreError: if it is not a run folder, or a file in it is damaged.
    """
    header = read_header(folder)
    n_tasks = {name: len(test_set.tasks) for name, test_set in header.test_sets.items()}
    found = {name: read_rows(folder / name) for name in ROW_FILES}
    for name, rows in found.items():
        check_rows(folder / name, rows, header.task_space.dim, n_tasks)
    episodes, evals, teacher, times = found.values()
    return Run(**vars(header), episodes=episodes, evals=evals, teacher=teacher, times=times)


def read_status(folder: Path) -> dict[str, Any]:
    """Return the row of ``status.json``; "interrupted" if it says running but nobody runs.

    The row only informs: one that is missing or damaged counts as "interrupted" as well.
    """
    unknown = {"status": "interrupted", "reason": "never started", "round": 0, "step": 0}
    path = folder / "status.json"
    if not path.exists():
        return unknown
    try:
        status = read_json(path)
        whole = all(type(status[name]) is type(unknown[name]) for name in unknown)
    except (StoreError, KeyError, TypeError):
        whole = False
    if not whole or status["status"] not in STATUSES:
        return {**unknown, "reason": "status.json is damaged"}
    if status["status"] == "running" and lock_holder(folder) is None:
        return {**status, "status": "interrupted", "reason": "the process died"}
    return dict(status)


def is_run(folder: Path) -> bool:
    """Whether a folder looks like a run folder."""
    return (folder / "config.json").is_file()


def _read_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such folder")
    if not is_run(folder):
        raise StoreError(
            f"{folder}: not a run folder (no config.json). If a run was stopped while it made "
            "the folder, nothing ran: delete it and start again"
        )
    refuse_links(folder)
    header = read_json(folder / "config.json")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else None
        raise StoreError(f"{folder}: format {found}, this version reads format {FORMAT}")
    return header
