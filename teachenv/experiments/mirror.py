"""Run folders kept in a second place: a disk, or S3 and its like, through pyarrow.

Every machine of a study works in a folder of its own; what they have in common is the mirror.
A run is pushed after every round and pulled where the mirror is ahead. Row files go before the
checkpoint that counts them, so that whatever was pushed last, the mirror can be resumed from.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from teachenv.errors import UserError
from teachenv.experiments.checkpoint import MAX_JSON
from teachenv.experiments.files import StoreError, parse_json
from teachenv.experiments.store import is_run, read_status

_FIRST = ("config.json", "test_sets.json")
_LAST = ("status.json",)
_NEVER = ("lock",)


class Mirror:
    """A place for copies of a study's runs.

    Args:
        uri: Where: a folder, or a URI that pyarrow knows, such as ``s3://bucket/study`` (with
            ``?endpoint_override=host:port&scheme=http`` for servers other than Amazon's).

    Raises:
        UserError: if pyarrow is not installed, or does not understand the URI.
    """

    def __init__(self, uri: str) -> None:
        try:
            from pyarrow import fs
        except ModuleNotFoundError:
            raise UserError(
                'storage needs pyarrow, which is not installed: pip install "teachenv[rllib]"'
            ) from None
        try:
            self._fs, root = fs.FileSystem.from_uri(uri)
        except (ValueError, TypeError, OSError) as error:
            raise UserError(
                f"storage: expected an absolute path or a URI, got {uri!r}: {error}"
            ) from None
        self._root = root.rstrip("/")
        self._fs_types = fs.FileType
        self._selector = fs.FileSelector
        self._pushed: dict[Path, tuple[int, int]] = {}

    def push(self, name: str, folder: Path) -> None:
        """Copy what is new in a run folder to the mirror; then drop what is gone here."""
        there = self._files(name)
        here = [str(path.relative_to(folder)) for path in _in_order(folder)]
        for file in here:
            path = folder / file
            stat = path.stat()
            mark = (stat.st_size, stat.st_mtime_ns)
            if self._pushed.get(path) == mark and file in there:
                continue
            self._upload(path, f"{self._root}/{name}/{file}")
            self._pushed[path] = mark
        for file in there - set(here):
            self._fs.delete_file(f"{self._root}/{name}/{file}")

    def pull(self, name: str, folder: Path) -> None:
        """Replace a run folder by the mirror's copy where that is ahead of it."""
        there = self._status(name)
        if there is None or (is_run(folder) and _progress(read_status(folder)) >= _progress(there)):
            return
        incoming = folder.with_name(f".{folder.name}.pulling")
        shutil.rmtree(incoming, ignore_errors=True)
        for file in self._files(name):
            path = incoming / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._fs.open_input_stream(f"{self._root}/{name}/{file}") as source:
                path.write_bytes(source.read())
        shutil.rmtree(folder, ignore_errors=True)
        incoming.rename(folder)

    def header(self, name: str) -> Any:
        """Return ``config.json`` of the mirror's copy of a run; ``None`` if there is none.

        Raises:
            StoreError: if it is damaged.
        """
        return self._read(f"{name}/config.json")

    def _status(self, name: str) -> dict[str, Any] | None:
        """Return the status of the mirror's copy; ``None`` if there is none."""
        status = self._read(f"{name}/status.json")
        if status is None:
            return None
        try:
            step, word = status["step"], status["status"]
        except (KeyError, TypeError):
            step = word = None
        if type(step) is not int or type(word) is not str:
            raise StoreError(f"{self._root}/{name}/status.json: the mirror's copy is damaged")
        return dict(status)

    def _read(self, file: str) -> Any:
        try:
            with self._fs.open_input_stream(f"{self._root}/{file}") as source:
                data: bytes = source.read(MAX_JSON + 1)
        except FileNotFoundError:
            return None
        where = f"{self._root}/{file}"
        if len(data) > MAX_JSON:
            raise StoreError(f"{where}: larger than {MAX_JSON >> 20} MiB; not a run's")
        try:
            return parse_json(data.decode(), where)
        except UnicodeDecodeError as error:
            raise StoreError(f"{where}: not readable as JSON: {error}") from None

    def _files(self, name: str) -> set[str]:
        base = f"{self._root}/{name}"
        selector = self._selector(base, recursive=True, allow_not_found=True)
        found: list[Any] = self._fs.get_file_info(selector)
        paths = [info.path for info in found if info.type == self._fs_types.File]
        for path in paths:
            if not path.startswith(f"{base}/") or ".." in path.removeprefix(self._root).split("/"):
                raise UserError(f"{base}: {path!r} is no file of a run; nothing was copied")
        return {path.removeprefix(f"{base}/") for path in paths}

    def _upload(self, path: Path, target: str) -> None:
        self._fs.create_dir(target.rpartition("/")[0], recursive=True)
        with self._fs.open_output_stream(target) as sink:
            sink.write(path.read_bytes())


def _in_order(folder: Path) -> Iterator[Path]:
    """Yield the files of a run folder: header, rows, checkpoints oldest first, status."""
    top = sorted(path for path in folder.iterdir() if path.is_file())
    usual = [p for p in top if p.name not in (*_FIRST, *_LAST, *_NEVER) and p.name[0] != "."]
    yield from (path for path in top if path.name in _FIRST)
    yield from usual
    for checkpoint in sorted((folder / "checkpoints").glob("[0-9]*")):
        yield from sorted(checkpoint.iterdir(), key=lambda path: path.name == "manifest.json")
    yield from (path for path in top if path.name in _LAST)


def _progress(status: dict[str, Any]) -> tuple[int, bool]:
    return status["step"], status["status"] == "finished"
