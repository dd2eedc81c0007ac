"""The progress line of a study, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from studies import small_study

from teachenv.experiments.cells import Report
from teachenv.experiments.study_bar import StudyBar
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

COUNTS = "1 finished, 1 running, 1 waiting, 1 failed"


def read_to_end(descriptor: int) -> str:
    """What was written to a pseudo-terminal that nobody writes to any more."""
    found = b""
    with contextlib.suppress(OSError):  # Linux's way to say so
        while more := os.read(descriptor, 1 << 16):
            found += more
    os.close(descriptor)
    return found.decode()


def follow(path: Path, bar: StudyBar) -> None:
    """Tell a bar of a study of four cells: one ends, one is under way, one fails, one waits."""
    folder = StudyFolder.create(path, read_study(small_study()), None)
    one, two, three, _ = (cell.name for cell in folder.study.cells())
    board = Board(folder, 1, bar)
    board.report(Report(one, "running", 512))
    board.report(Report(one, "finished", 1536))
    board.report(Report(two, "running", 512))
    board.report(Report(three, "failed", 0, "no \x1b[2J [bold]luck"))


def test_off_a_terminal_lines_count_cells_and_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=itertools.count(0, 20).__next__)
    monkeypatch.setattr("teachenv.experiments.study_bar.time", clock)
    with StudyBar() as bar:
        follow(tmp_path / "study", bar)
    first, second, third, fourth, _, message, last = capsys.readouterr().err.splitlines()
    assert first == "512/6,144 steps, 0 steps/s, 1 running, 3 waiting, ? s left"
    assert second == "1,536/6,144 steps, 51 steps/s, 1 finished, 3 waiting, 90 s left"
    assert third == "2,048/6,144 steps, 38 steps/s, 1 finished, 1 running, 2 waiting, 107 s left"
    # Nothing is left of what failed, but no step of it was taken.
    assert fourth == f"3,584/6,144 steps, 26 steps/s, {COUNTS}, 100 s left"
    assert message.endswith(r"failed: no \x1b[2J [bold]luck")
    assert last == f"3,584/6,144 steps, 15 steps/s, {COUNTS}, 167 s left"


def test_a_cell_that_falls_back_makes_no_negative_speed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=itertools.count(0, 20).__next__)
    monkeypatch.setattr("teachenv.experiments.study_bar.time", clock)
    folder = StudyFolder.create(tmp_path / "study", read_study(small_study()), None)
    with StudyBar() as bar:
        board = Board(folder, 1, bar)
        for step in (1024, 512):
            board.report(Report(folder.study.cells()[0].name, "running", step))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "512/6,144 steps, 0 steps/s, 1 running, 3 waiting, ? s left"


def test_off_a_terminal_it_is_quiet_between_whiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StudyBar() as bar:
        follow(tmp_path / "study", bar)
    (line,) = capsys.readouterr().err.splitlines()
    assert "luck" in line


@pytest.mark.parametrize("interrupted", [False, True])
def test_on_a_terminal_it_counts_and_leaves_it_as_it_was(
    interrupted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    main, side = os.openpty()
    threads = threading.active_count()
    with open(side, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        try:
            with StudyBar() as bar:
                follow(tmp_path / "study", bar)
                if interrupted:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert interrupted
    shown = read_to_end(main)
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
    assert f"3,584/6,144 steps  {COUNTS}" in plain
    assert r"failed: no \x1b[2J [bold]luck" in plain
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back
    assert shown.index("\x1b[?25h") > shown.rindex(COUNTS)
    assert threading.active_count() == threads
