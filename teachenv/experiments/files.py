"""Files of run and study folders: JSON, rows and the lock; damage and links are refused."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from pathlib import Path
from typing import IO, Any

from teachenv.errors import UserError
from teachenv.experiments.checkpoint import MAX_JSON

__all__ = [
    "PATIENCE",
    "StoreError",
    "lock_holder",
    "parse_json",
    "read_json",
    "read_rows",
    "refuse_links",
    "take_lock",
    "write_json",
]

PATIENCE = 100
"""Milliseconds that whoever took a lock gets to say who it is."""


class StoreError(UserError):
    """A run folder was refused; the message says why."""


def refuse_links(folder: Path) -> None:
    """Refuse a run or study folder from which links lead elsewhere, at any depth.

    Raises:
        StoreError: naming what is neither a plain file nor a folder.
    """
    foreign = [
        os.path.relpath(path, folder)
        for parent, folders, files in os.walk(folder)
        for path in (os.path.join(parent, name) for name in (*folders, *files))
        if _leads_elsewhere(path)
    ]
    if foreign:
        raise StoreError(
            f"{folder}: {foreign[:5]} are links or devices; a run or a study holds plain files"
        )


def _leads_elsewhere(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:  # a checkpoint that has just been replaced
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as a whole: beside its place, flushed, then renamed.

    Raises:
        StoreError: if it would be too large to be read again.
    """
    text = json.dumps(value, allow_nan=False, indent=1)
    if len(text) > MAX_JSON:
        raise StoreError(f"{path}: {len(text):,} bytes; expected at most {MAX_JSON:,}")
    temporary = path.with_name(f".{path.name}.writing")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def read_json(path: Path) -> Any:
    """Read a JSON file of a run or study.

    Raises:
        StoreError: if it cannot be read, is not JSON, or is too large to be ours.
    """
    try:
        if not path.is_file():
            raise StoreError(f"{path}: missing, or no plain file")
        if path.stat().st_size > MAX_JSON:
            raise StoreError(f"{path}: larger than {MAX_JSON >> 20} MiB; not a run's")
        return parse_json(path.read_text(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: not readable as JSON: {error}") from None


def parse_json(text: str, where: object) -> Any:
    """Parse what a JSON file of a run or study holds.

    Args:
        text: All of it.
        where: The file, for the message.

    Raises:
        StoreError: if it is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: not readable as JSON: {error}") from None


def take_lock(folder: Path) -> IO[str]:
    """Take the lock of a run or study folder; closing the file gives it back.

    Raises:
        StoreError: if another process holds it.
    """
    lock = (folder / "lock").open("a+")
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = lock_holder(folder)  # None: somebody merely looked, as lock_holder does
            if holder is not None:
                lock.close()
                raise StoreError(f"{folder}: process {holder} is running it") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def lock_holder(folder: Path) -> str | None:
    """Return who holds a folder's lock (a process id), or ``None`` if nobody does."""
    holder, path = "", folder / "lock"
    if not path.is_file():
        return None
    try:
        with path.open("r") as lock:
            for _ in range(PATIENCE):
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    lock.seek(0)
                    holder = lock.read()
                else:
                    return None
                if _alive(holder):  # otherwise the new holder has not yet written its own
                    break
                time.sleep(0.001)
    except (OSError, UnicodeDecodeError):
        return None
    return holder or "unknown"


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    return True


def read_rows(path: Path, size: int | None = None) -> list[dict[str, Any]]:
    """Read a row file.

    Args:
        path: The file; none has no rows.
        size: Bytes to read, which must be whole rows. By default all of them, where a torn last
            line is dropped.

    Raises:
        StoreError: for any other line that is not a JSON object.
    """
    if not path.is_file():
        if path.exists():
            raise StoreError(f"{path}: no plain file")
        return []
    rows: list[dict[str, Any]] = []
    left = path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while (line := file.readline(min(MAX_JSON, left))).endswith(b"\n"):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise _damaged(path, len(rows), "not a JSON object")
            rows.append(row)
            left -= len(line)
    if len(line) == MAX_JSON:
        raise _damaged(path, len(rows), f"longer than {MAX_JSON >> 20} MiB")
    if line and size is not None:
        raise _damaged(path, len(rows), "torn")
    return rows


def _damaged(path: Path, before: int, what: str) -> StoreError:
    return StoreError(f"{path}, line {before + 1}: {what}; the file is damaged")
