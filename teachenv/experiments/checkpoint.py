"""Checkpoints: state as JSON and arrays, written so that a crash never costs the last one.

A checkpoint is a folder ``checkpoints/<round>`` with ``state.json`` (JSON values), ``arrays.npz``
(arrays, no objects, no pickle) and ``manifest.json`` (format number, sizes, SHA-256). It is
written beside its place, flushed to disk and renamed; readers take the newest whose hashes hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from teachenv.archives import read_arrays
from teachenv.errors import UserError
from teachenv.protocols import State

FORMAT = 1
KEPT = 2
"""Checkpoints kept in a run folder."""
NAMES = ("state.json", "arrays.npz", "manifest.json")
"""Files of a checkpoint."""
MAX_JSON = 16 << 20
"""Bytes of a JSON document in a run folder at most, and of a row; in memory it may be 25 times as
large."""


class CheckpointError(UserError):
    """A checkpoint is damaged, foreign or missing."""


def save_checkpoint(parent: Path, number: int, state: State) -> Path:
    """Write a checkpoint and delete all but the last ``KEPT``.

    Args:
        parent: The ``checkpoints`` folder; made if missing.
        number: Its number; checkpoints are ordered by it.
        state: Nested dictionaries with string keys; leaves are JSON values or arrays.

    Returns:
        The folder of the checkpoint.
    """
    parent.mkdir(exist_ok=True)
    _sync(parent.parent)
    temporary = parent / f".writing-{number:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    text = json.dumps(_split(state, "", arrays), allow_nan=False)
    if len(text) > MAX_JSON:
        raise ValueError("state: too much JSON for a checkpoint; keep long lists as arrays")
    (temporary / "state.json").write_text(text)
    np.savez(temporary / "arrays.npz", **arrays)  # type: ignore[arg-type]
    files = {name: _digest(temporary / name) for name in ("state.json", "arrays.npz")}
    manifest = {"format": FORMAT, "number": number, "files": files}
    (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1))
    for name in NAMES:
        _sync(temporary / name)
    _sync(temporary)
    final = parent / f"{number:08d}"
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    _sync(parent)
    prune(parent)
    return final


def prune(parent: Path) -> None:
    """Delete all checkpoints but the last ``KEPT``."""
    for old in numbers(parent)[:-KEPT]:
        shutil.rmtree(parent / f"{old:08d}")


def load_checkpoint(folder: Path) -> State:
    """Read a checkpoint.

    Raises:
        CheckpointError: if a file is missing, a link or does not match the manifest, or the
            format is not ours.
    """
    try:
        paths = [folder / name for name in NAMES]
        strange = [path.name for path in paths if path.is_symlink() or not path.is_file()]
        if strange:
            raise CheckpointError(f"{folder}: {strange} are missing, or no plain files")
        for name in ("manifest.json", "state.json"):
            if (folder / name).stat().st_size > MAX_JSON:
                raise CheckpointError(f"{folder}: {name} is larger than {MAX_JSON >> 20} MiB")
        manifest = json.loads((folder / "manifest.json").read_text())
        if manifest["format"] != FORMAT:
            raise CheckpointError(
                f"{folder}: format {manifest['format']}, this version reads format {FORMAT}"
            )
        if set(manifest["files"]) != {"state.json", "arrays.npz"}:
            raise CheckpointError(f"{folder}: the manifest names {list(manifest['files'])}")
        for name in ("state.json", "arrays.npz"):
            if _digest(folder / name) != manifest["files"][name]:
                raise CheckpointError(f"{folder}: {name} does not match its hash; it is damaged")
        arrays = read_arrays(folder / "arrays.npz")
        state: State = _join(json.loads((folder / "state.json").read_text()), arrays)
    except Exception as error:  # damaged archives raise nearly anything
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{folder}: not a readable checkpoint: {type(error).__name__}: {error}"
        ) from None
    return state


def newest_checkpoint(
    parent: Path, check: Callable[[State], None] = lambda _: None
) -> tuple[int, State, list[str]]:
    """Return number and state of the newest intact checkpoint, and why newer ones were skipped.

    Args:
        parent: The ``checkpoints`` folder.
        check: Refuses states, besides damaged ones, by a ``UserError``.

    Raises:
        CheckpointError: if there is none.
    """
    skipped: list[str] = []
    for number in reversed(numbers(parent)):
        try:
            state = load_checkpoint(parent / f"{number:08d}")
            check(state)
        except UserError as error:
            skipped.append(str(error))
        else:
            return number, state, skipped
    raise CheckpointError(
        f"{parent}: no intact checkpoint" + "".join(f"; {reason}" for reason in skipped)
    )


def numbers(parent: Path) -> list[int]:
    """Return the numbers of the checkpoints in a folder, ascending."""
    if not parent.is_dir():
        return []
    found = [p for p in parent.iterdir() if re.fullmatch("[0-9]{8}", p.name)]
    return sorted(int(p.name) for p in found if p.is_dir() and not p.is_symlink())


def _split(value: Any, path: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"state {path}: arrays of objects cannot be saved")
        arrays[path] = value
        return {"__array__": path}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"state {path}: keys must be strings, got {list(value)[:5]}")
        return {key: _split(item, f"{path}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_split(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]
    return value


def _join(value: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"__array__"}:
            return arrays[value["__array__"]]
        return {key: _join(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_join(item, arrays) for item in value]
    return value


def _digest(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"sha256": digest.hexdigest(), "size": path.stat().st_size}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
