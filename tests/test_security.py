"""What is imported talks to nobody, and what is written tells nothing about who wrote it."""

from __future__ import annotations

import getpass
import itertools
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from bars import Bar
from reports import write_study
from test_data_loop import config as data_config
from test_imports import RAY_ONLY, ROOT, modules
from toy_runs import command, toy_config, toys

from teachenv.experiments import loop, task_loop
from teachenv.experiments.store import read_status

WATCHED = """
import importlib, sys

def watch(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        raise RuntimeError(f"the network was used: {event} {arguments}")

sys.addaudithook(watch)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(len(sys.argv) - 1)
"""
NEED_MORE = ("teachers.networks", "teachenv.experiments.study_tune")
"""What imports more than the core's libraries: torch, and Ray."""


def imported(*names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WATCHED, *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_importing_the_core_opens_no_socket(bar: Bar) -> None:
    names = ["students"]
    for package in ("teachenv", "teachers"):
        names += [
            name
            for name, _ in modules(package)
            if not name.startswith((*NEED_MORE, *RAY_ONLY)) and not name.endswith("__main__")
        ]
    told = imported(*names)
    assert told.returncode == 0, told.stderr[-2000:]
    assert int(told.stdout) > 100
    bar("X3", modules_imported=int(told.stdout), sockets_opened=0)


def test_an_import_that_opens_a_socket_is_seen(tmp_path: Path) -> None:
    (tmp_path / "nosy.py").write_text("import socket\nsocket.socket()\n")
    command = [sys.executable, "-c", WATCHED, "nosy"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "the network was used: socket" in told.stderr


def private(folder: Path) -> list[str]:
    """Return what a folder tells about the machine, the user and the environment."""
    words = {
        "secret": "sesame-3f9a",
        "home": str(Path.home()),
        "folder": str(folder.parent),
        "checkout": str(ROOT),
        "host": socket.gethostname(),
        "interpreter": sys.executable,
    }
    if getpass.getuser() != "root":
        words["user"] = getpass.getuser()
    found = []
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        data += b"\n" + os.fsencode(path.relative_to(folder))
        for what, word in words.items():
            if re.search(rb"(?<![\w/])" + re.escape(word.encode()) + rb"(?![\w])", data):
                found.append(f"{path.name}: {what} {word}")
    return found


def failed(folder: Path) -> None:
    """Start a run whose second round raises."""
    advance, rounds = task_loop.RunLoop.advance, itertools.count()

    def fails(self: task_loop.RunLoop) -> None:
        if next(rounds):
            raise RuntimeError("the ladder broke")
        advance(self)

    with mock.patch.object(task_loop.RunLoop, "advance", fails), pytest.raises(RuntimeError):
        loop.start(toy_config(), folder)
    assert read_status(folder)["reason"] == "RuntimeError: the ladder broke"


RUNS: dict[str, Callable[[Path], None]] = {
    "finished": lambda folder: loop.start(toy_config(), folder),
    "failed": failed,
    "data generation": lambda folder: loop.start(data_config(steps=1), folder),
}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sesame-3f9a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame-3f9a")
    for module, name in ((socket, "gethostname"), (platform, "node")):
        monkeypatch.setattr(module, name, lambda: "host-3f9a")  # the real one may be "vm"


@pytest.fixture(params=RUNS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with toys():
        RUNS[request.param](tmp_path / "run")
    return tmp_path / "run"


def test_a_run_folder_tells_nothing_about_the_machine(folder: Path, bar: Bar) -> None:
    assert private(folder) == []
    n_files = sum(path.is_file() for path in folder.rglob("*"))
    assert n_files > 8
    bar("X4", files_searched=n_files, secrets_or_paths_found=0)


@pytest.mark.slow
def test_what_is_made_of_a_run_tells_nothing_about_the_machine(folder: Path, bar: Bar) -> None:
    assert command("plot", str(folder)) == 0
    assert command("export", str(folder), "--csv", "--parquet", "--tensorboard") == 0
    made = [path for name in ("plots", "export") for path in (folder / name).rglob("*")]
    names = {path.suffix for path in made} | {path.name.partition(".")[0] for path in made}
    assert names >= {".png", ".csv", ".parquet", "events"}
    assert private(folder) == []
    bar("X4", files_searched=len(made), secrets_or_paths_found=0)


@pytest.mark.slow
def test_a_report_tells_nothing_about_the_machine(tmp_path: Path, bar: Bar) -> None:
    study = write_study(tmp_path / "study", {"uniform": 0.5, "riac": 0.7}, n_seeds=1)
    assert command("report", str(study), "--no-animations") == 0
    assert (study / "report" / "report.html").exists()
    assert private(study) == []
    n_files = sum(path.is_file() for path in (study / "report").rglob("*"))
    bar("X4", files_searched=n_files, secrets_or_paths_found=0)


@pytest.mark.parametrize("folder", ["finished"], indirect=True)
def test_what_is_told_would_be_seen(folder: Path) -> None:
    (folder / "environment.json").write_text(f'{{"HOME": "{Path.home()}", "KEY": "sesame-3f9a"}}')
    (folder / f"events.{socket.gethostname()}").touch()
    assert {text.split()[1] for text in private(folder)} >= {"home", "secret", "host"}
