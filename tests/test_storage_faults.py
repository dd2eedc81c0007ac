"""Runs whose disk fails, whose files were cut, whose folders have odd names or are old."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import old_folders
import pytest
from bars import Bar
from disks import Crash, crashes, linux, watched
from rich.errors import MarkupError
from toy_runs import ROUND, command, digests, stop_after, to_the_end, toy_config, toys

from teachenv.errors import UserError
from teachenv.experiments import catalogue, checkpoint, compare, loop
from teachenv.experiments.checkpoint import CheckpointError, newest_checkpoint
from teachenv.experiments.files import StoreError, read_rows
from teachenv.experiments.plot import plot_run
from teachenv.experiments.report import write_report
from teachenv.experiments.store import ROW_FILES, RunFolder, read_run
from teachenv.experiments.study_status import study_status
from teachenv.experiments.study_store import StudyFolder, is_study


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    with toys():
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "undisturbed"
    to_the_end(toy_config(), folder)
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it is when the last round is still to come."""
    folder = tmp_path_factory.mktemp("run") / "stopped"
    stop_after(toy_config(), folder, 2)
    return folder


# -- crashes ---------------------------------------------------------------------------------


def badly_ended(
    found: list[Crash], expected: Any, tmp_path: Path, broken: str = "", within: str = ""
) -> list[str]:
    """Continue a run after every crash; say which did not end as if nothing had happened.

    The run is what was laid out, or the folder ``within`` it.
    """
    bad, folder = [], tmp_path / "crashed"
    for crash in found:
        shutil.rmtree(folder, ignore_errors=True)
        crash.lay_out(folder)
        if not ends_as(expected, folder / within, broken):
            bad.append(f"{crash.form} before {crash.before}")
    return bad


def ends_as(expected: Any, folder: Path, broken: str = "") -> bool:
    try:
        to_the_end(toy_config(), folder, broken)
        return bool(digests(folder) == expected)
    except UserError as error:
        print(error)
        return False


def different(found: list[Crash]) -> list[Crash]:
    return list({tuple(sorted(crash.holds.items())): crash for crash in found}.values())


@linux
@pytest.mark.parametrize("part", ["last round", pytest.param("whole run", marks=pytest.mark.slow)])
def test_a_crash_at_any_file_operation_costs_nothing(
    part: str, undisturbed: Path, stopped: Path, tmp_path: Path, bar: Bar
) -> None:
    folder = tmp_path / "run"
    if part == "last round":
        shutil.copytree(stopped, folder)
    else:
        folder.mkdir()
        folder /= "new"
    found = crashes(tmp_path / "run", lambda: to_the_end(toy_config(), folder))
    expected = digests(undisturbed)
    assert digests(folder) == expected
    kinds = {crash.before.split()[0] for crash in found}
    assert kinds >= {"open", "write", "fsync", "mkdir", "rename", "remove", "rmdir", "end"}
    assert len(found) >= 4 * 12
    within = str(folder.relative_to(tmp_path / "run"))
    tried = different(found)
    bad = badly_ended(tried, expected, tmp_path, within=within)
    assert bad == []
    bar("S1", run_crashes=len(found), of_them_different=len(tried), lost=len(bad))


@linux
def test_crashes_cost_a_run_that_does_not_cut_its_rows(
    undisturbed: Path, stopped: Path, tmp_path: Path, bar: Bar
) -> None:
    """Negative control."""
    folder = Path(shutil.copytree(stopped, tmp_path / "run"))
    found = crashes(folder, lambda: to_the_end(toy_config(), folder))
    killed = [crash for crash in different(found) if crash.form == "whole"][::4]
    bad = badly_ended(killed, digests(undisturbed), tmp_path, "rows are not cut")
    assert bad
    bar("S1", f"rows that are not cut: found in {len(bad)} of {len(killed)} crashes")


# -- row files that were cut -----------------------------------------------------------------


def badly_resumed(stopped: Path, expected: Any, tmp_path: Path, step: int) -> tuple[int, list[str]]:
    """Resume after cutting each row file anywhere in its last 200 bytes; how many, which failed."""
    n_cases, bad, folder = 0, [], tmp_path / "cut"
    for name in ROW_FILES:
        for less in range(1, 201, step):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(stopped, folder)
            os.truncate(folder / name, (folder / name).stat().st_size - less)
            read_run(folder)
            n_cases += 1
            if not ends_as(expected, folder):
                bad.append(f"{name} less {less}")
    return n_cases, bad


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_cut_row_files_are_made_whole(
    step: int, undisturbed: Path, stopped: Path, tmp_path: Path, bar: Bar
) -> None:
    n_cases, bad = badly_resumed(stopped, digests(undisturbed), tmp_path, step)
    assert bad == []
    bar("S4", truncations=n_cases, badly_resumed=len(bad))


def test_cut_row_files_are_seen_where_sizes_are_not_checked(
    undisturbed: Path, stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control."""
    monkeypatch.setattr(RunFolder, "check", lambda *_: None)
    n_cases, bad = badly_resumed(stopped, digests(undisturbed), tmp_path, 100)
    assert len(bad) == n_cases
    bar("S4", f"unchecked sizes: found in {len(bad)} of {n_cases}")


def test_rows_that_no_checkpoint_reaches_are_refused(stopped: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "cut"))
    os.truncate(folder / "episodes.jsonl", 10)
    before = digests(folder)
    with pytest.raises(CheckpointError, match=r"no intact checkpoint.*shorter than"):
        loop.resume(folder)
    assert digests(folder) == before


@pytest.mark.parametrize("name", ROW_FILES)
@pytest.mark.parametrize("bad", [b'{"trial": 9\n{}\n', b"[]\n", b"\x00" * 9999], ids=repr)
def test_bad_rows_beyond_the_newest_checkpoint_are_cut(
    bad: bytes, name: str, undisturbed: Path, stopped: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(stopped, tmp_path / "bad"))
    with (folder / name).open("ab") as file:
        file.write(bad)
    assert ends_as(digests(undisturbed), folder)


def test_bad_rows_that_a_checkpoint_counts_on_are_refused_by_name_and_line(
    undisturbed: Path, stopped: Path, tmp_path: Path
) -> None:
    """Those that only the newest counts on cost a round."""
    folder = Path(shutil.copytree(stopped, tmp_path / "bad"))
    path = folder / "teacher.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"x" * (len(second) - 1) + b"\n")
    assert loop.resume(folder) == [f"{path}, line 2: not a JSON object; the file is damaged"]
    assert digests(folder) == digests(undisturbed)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    before = digests(folder)
    with pytest.raises(CheckpointError, match=r"no intact checkpoint; .*teacher.jsonl, line 1"):
        loop.resume(folder)
    assert digests(folder) == before


# -- disks that are full, read-only, not ours ------------------------------------------------

ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EINTR)


def refused(
    folder: Path, expected: Any, number: int, n: int, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Resume on a disk that refuses its n-th operation, and all after it; return what is wrong.

    Only a call that is interrupted works the next time; Python makes writes again by itself.
    Raises StopIteration when there are fewer operations.
    """
    seen = itertools.count()

    def fail(operation: str, path: Path, more: Any) -> None:
        now = next(seen)
        if now == n or (now > n and number != errno.EINTR):
            raise OSError(number, os.strerror(number), str(path))

    with watched(folder, fail):
        status = command("resume", str(folder))
    if next(seen) <= n:
        raise StopIteration
    said = capsys.readouterr().err.splitlines()
    wrong = []
    if status == 0 and number == errno.EINTR and digests(folder) == expected:
        return []
    if status == 0:
        wrong.append("exit status 0")
    if len(said) != 1 or os.strerror(number) not in said[0]:
        wrong.append(f"said {said}")
    if newest_checkpoint(folder / "checkpoints")[0] < 2:
        wrong.append("checkpoint lost")
    return wrong


def wrong_ends(
    stopped: Path, expected: Any, tmp_path: Path, step: int, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str]]:
    """Refuse every ``step``-th file operation of a round; return how often, and what went wrong."""
    n_cases, wrong, folder = 0, [], tmp_path / "refused"
    for n in itertools.count(step=step):
        for i, number in enumerate(ERRORS):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(stopped, folder)
            try:
                found = refused(folder, expected, number, n, capsys)
            except StopIteration:
                return n_cases, wrong
            if i == n % len(ERRORS) and not ends_as(expected, folder):
                found.append("not resumable")
            n_cases += 1
            wrong += [f"operation {n}, {errno.errorcode[number]}: {what}" for what in found]
    raise AssertionError("unreachable")


@linux
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_refused_file_operations_end_a_run_with_their_cause(
    step: int,
    undisturbed: Path,
    stopped: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    bar: Bar,
) -> None:
    n_cases, wrong = wrong_ends(stopped, digests(undisturbed), tmp_path, step, capsys)
    assert wrong == []
    assert n_cases >= 12 * 4
    bar("S5", refused_operations=n_cases, wrong_ends=len(wrong))


@linux
def test_refused_file_operations_that_are_ignored_are_found(
    undisturbed: Path,
    stopped: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bar: Bar,
) -> None:
    """Negative control."""
    resume = loop.resume

    def ignores(*args: Any, **changes: Any) -> list[str]:
        with contextlib.suppress(OSError):
            return resume(*args, **changes)
        return []

    monkeypatch.setattr(loop, "resume", ignores)
    n_cases, wrong = wrong_ends(stopped, digests(undisturbed), tmp_path, 30, capsys)
    assert len(wrong) >= n_cases > 0
    bar("S5", "errors that are ignored: found")


def test_interrupted_system_calls_are_made_again(
    undisturbed: Path, tmp_path: Path, bar: Bar
) -> None:
    interrupts, over = itertools.count(), threading.Event()
    main = threading.get_ident()

    def interrupt() -> None:
        while not over.wait(0.001):
            signal.pthread_kill(main, signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, lambda *_: next(interrupts))
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        to_the_end(toy_config(), tmp_path / "run")
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, previous)
    n_interrupts = next(interrupts)
    assert n_interrupts > 10
    assert digests(tmp_path / "run") == digests(undisturbed)
    bar("S5", interrupts_survived=n_interrupts)


REAL_DISK = """
mount -t tmpfs -o size=$1k none "$2" && cp -r "$3" "$2/run" && {eval}
"$4" -c 'import sys, toy_runs; sys.exit(toy_runs.command("resume", sys.argv[1]))' "$2/run"
status=$?
cp -r "$2/run" "$5"
exit $status
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room_kib", "then", "cause"),
    [(8, "true", "No space left"), (4000, 'mount -o remount,ro "$2"', "Read-only")],
)
def test_a_disk_that_is_really_full_or_read_only(
    room_kib: int, then: str, cause: str, undisturbed: Path, stopped: Path, tmp_path: Path, bar: Bar
) -> None:
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("needs user namespaces, to mount a small disk")
    (tmp_path / "disk").mkdir()
    sizes = [path.stat().st_size for path in stopped.rglob("*") if path.is_file()]
    taken_kib = 4 * sum(-(-size // 4096) for size in sizes)
    arguments = [
        taken_kib + room_kib,
        tmp_path / "disk",
        stopped,
        sys.executable,
        tmp_path / "after",
    ]
    script = REAL_DISK.format(eval=then)
    done = subprocess.run(
        [*own, "sh", "-c", script, "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert cause in done.stderr
    assert ends_as(digests(undisturbed), tmp_path / "after")
    bar("S5", real_disks=1, wrong_ends=0)


# -- names -----------------------------------------------------------------------------------

NAMES = (
    "some spaces",
    "-dash",
    "ünïcødé 日本語 🤖",
    "[bold]markup[/nothing]",
    "100% {0} $HOME ~ 'quoted' \"twice\" back\\slash",
    "line\nbreak\ttab",
    "x" * 200,
    "/".join(["long path"] * 60),
)


@pytest.mark.parametrize("name", NAMES)
def test_runs_may_have_any_name(
    name: str, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], bar: Bar
) -> None:
    folder = tmp_path / name
    to_the_end(toy_config(1), folder)
    assert command("resume", "--steps", str(3 * ROUND), str(folder)) == 0
    assert digests(folder) == digests(undisturbed)
    assert command("list", str(folder.parent)) == 0
    assert "finished" in capsys.readouterr().out
    bar("S10", names=1)


def test_names_that_are_taken_for_markup_are_found(
    stopped: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bar: Bar
) -> None:
    """Negative control."""
    shutil.copytree(stopped, tmp_path / "[bold]markup[/nothing]")
    assert command("list", str(tmp_path)) == 0
    monkeypatch.setattr(catalogue, "Text", str)
    with pytest.raises(MarkupError):
        command("list", str(tmp_path))
    bar("S10", "names taken for markup: found")


def test_a_row_may_be_long(tmp_path: Path, bar: Bar) -> None:
    folder = RunFolder.create(tmp_path / "run", {}, [])
    rows = [{"text": "é\n" * 50_000, "n": n} for n in range(3)]
    folder.append("episodes.jsonl", rows)
    size = folder.offsets()["episodes.jsonl"]
    folder.append("episodes.jsonl", rows[:1])
    assert read_rows(folder.path / "episodes.jsonl") == [*rows, rows[0]]
    folder.cut({**folder.offsets(), "episodes.jsonl": size})
    assert read_rows(folder.path / "episodes.jsonl") == rows
    folder.close()
    bar("S10", longest_row_bytes=max(len(json.dumps(row)) for row in rows))


# -- old formats -----------------------------------------------------------------------------


def test_every_format_number_has_its_folder(bar: Bar) -> None:
    there = {path.name for path in old_folders.DATA.iterdir() if path.is_dir()}
    assert there == old_folders.names()
    manifests = old_folders.DATA.rglob("manifest.json")
    formats = {json.loads(path.read_text())["format"] for path in manifests}
    assert formats == set(range(1, checkpoint.FORMAT + 1))
    bar("S9", old_folders=len(there))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(old_folders.names()))
def test_folders_of_old_formats_load_plot_report_and_resume(
    name: str, tmp_path: Path, bar: Bar
) -> None:
    top = Path(shutil.copytree(old_folders.DATA / name, tmp_path / "some [old] ünïcødé folder"))
    if is_study(top):
        assert study_status(StudyFolder.read(top)).finished
        assert write_report([top], top / "report", animations=False).page.stat().st_size > 10_000
        assert compare.resume(top).finished
    for folder in sorted(path.parent for path in top.rglob("config.json")):
        run = read_run(folder)
        assert run.status["status"] == "finished"
        assert run.episodes
        assert run.evals
        assert run.teacher
        assert all(path.stat().st_size > 1000 for path in plot_run(folder))
        rows = (folder / "teacher.jsonl").read_bytes()
        assert loop.resume(folder, steps=2 * run.config.steps) == []
        assert (folder / "teacher.jsonl").read_bytes().startswith(rows)
        assert read_run(folder).status["step"] >= 2 * run.config.steps
        bar("S9", runs_plotted_and_resumed=1)


def test_other_format_numbers_are_refused_by_name(tmp_path: Path) -> None:
    """Negative control: the number is looked at."""
    for name in old_folders.names():
        folder = Path(shutil.copytree(old_folders.DATA / name, tmp_path / name))
        header = folder / ("study.json" if is_study(folder) else "config.json")
        header.write_text(json.dumps({**json.loads(header.read_text()), "format": 99}))
        with pytest.raises(StoreError, match="format"):
            StudyFolder.read(folder) if is_study(folder) else read_run(folder)
