"""A disk that fails: what a folder holds after a crash, and operations that are refused."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PLACES = {"os.mkdir": 2, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.truncate": None}
"""Audit events that change a folder -> where they carry the descriptor of the folder, if any."""

Before = Callable[[str, Path, Any], None]
"""Called with an operation, its path, and the new path of "rename", the flags of "open"."""

_watch: tuple[Path, Before] | None = None
_hooked = False


@contextmanager
def watched(root: Path, before: Before) -> Iterator[None]:
    """Call ``before`` ahead of every operation that changes what is under a folder.

    Operations: open (for writing), write, fsync, mkdir, rename, remove, rmdir, truncate. What it
    raises is raised by the operation, which does not happen then.
    """
    global _watch, _hooked
    if not _hooked:
        sys.addaudithook(_hook)  # for good; does nothing unless something is watched
        _hooked = True
    _watch = root.resolve(), before
    try:
        with (
            mock.patch("os.fsync", _before_fsync(os.fsync)),
            mock.patch("io.open", _open),
            mock.patch("builtins.open", _open),
        ):
            yield
    finally:
        _watch = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watch is None:
        return
    if event == "open" and isinstance(args[0], str | os.PathLike) and args[2] & WRITES:
        _tell("open", Path(args[0]), args[2])
    elif event in PLACES:
        place = PLACES[event]
        inside = -1 if place is None else args[place]
        above = Path(os.readlink(f"/proc/self/fd/{inside}")) if inside >= 0 else Path()
        _tell(event.removeprefix("os."), above / os.fsdecode(args[0]), args[1])


def _tell(operation: str, path: Path, more: Any = None) -> None:
    global _watch
    if _watch is not None and path.absolute().is_relative_to(_watch[0]):
        watch, _watch = _watch, None  # what is done in between is not told
        try:
            watch[1](operation, path.absolute(), more)
        finally:
            _watch = watch


def _before_fsync(fsync: Callable[[int], None]) -> Callable[[int], None]:
    def call(descriptor: int) -> None:
        _tell("fsync", Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    return call


class _Raw(io.FileIO):
    def write(self, data: Any) -> int:
        _tell("write", Path(str(self.name)))
        return super().write(data)


def _open(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """Do as ``open`` does, but with a file that tells of its writes."""
    if isinstance(file, int) or not set(mode) & set("wax+"):
        return _REAL_OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = _Raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    buffer: Any = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
    return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline)


_REAL_OPEN = open

FORMS = ("whole", "missing", "empty", "half", "short")
"""What is left of data not yet flushed: all (the process was killed), or, after the power failed,
nothing and not even its file, nothing, half, all but the last byte."""


@dataclass(frozen=True)
class Crash:
    """What a folder holds after a crash.

    Attributes:
        before: The operation that did not happen any more; "end" if all did.
        form: One of :data:`FORMS`.
        holds: Relative path -> contents, ``None`` for a folder.
    """

    before: str
    form: str
    holds: Mapping[str, bytes | None]

    def lay_out(self, folder: Path) -> None:
        """Make such a folder."""
        folder.mkdir(parents=True)
        for name, data in self.holds.items():
            if data is None:
                (folder / name).mkdir()
            else:
                (folder / name).write_bytes(data)


def crashes(root: Path, action: Callable[[], object]) -> list[Crash]:
    """Return what ``root`` may hold after a crash at any operation of ``action``, in any form."""
    found: list[Crash] = []
    flushed: dict[str, int | None] = {}  # files with data that is not: bytes that are

    def crash(before: str) -> None:
        held = _held(root)
        found.extend(Crash(before, form, _left(held, flushed, form)) for form in FORMS)

    def watch(operation: str, path: Path, more: Any) -> None:
        name = path.relative_to(root.resolve()).as_posix()
        crash(f"{operation} {name}")
        if operation == "open":
            size = path.stat().st_size if path.exists() else None
            flushed.setdefault(name, 0 if size is not None and more & os.O_TRUNC else size)
        elif operation in ("fsync", "remove"):
            flushed.pop(name, None)
        elif operation == "rename":
            target = Path(more).absolute().relative_to(root.resolve()).as_posix()
            for old in [old for old in flushed if old == name or old.startswith(f"{name}/")]:
                flushed[target + old.removeprefix(name)] = flushed.pop(old)

    with watched(root, watch):
        action()
    crash("end")
    return found


def _held(root: Path) -> dict[str, bytes | None]:
    paths = sorted(root.rglob("*"))
    return {
        path.relative_to(root).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in paths
    }


def _left(
    held: Mapping[str, bytes | None], flushed: Mapping[str, int | None], form: str
) -> dict[str, bytes | None]:
    left = dict(held)
    for name, size in flushed.items():
        data = held.get(name)
        if data is None or form == "whole":
            continue
        if form == "missing" and size is None:
            del left[name]
            continue
        start = size or 0
        more = len(data) - start
        kept = {"missing": 0, "empty": 0, "half": more // 2, "short": max(more - 1, 0)}[form]
        left[name] = data[: start + kept]
    return left
