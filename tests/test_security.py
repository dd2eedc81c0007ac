"""What is imported talks to nobody, and what is written tells nothing about who wrote it."""

from __future__ import annotations

import getpass
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from bars import Bar
from test_imports import RAY_ONLY, ROOT, modules
from toy_runs import toy_config, toys

from teachenv.experiments import loop

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
        for what, word in words.items():
            if re.search(rb"(?<![\w/])" + re.escape(word.encode()) + rb"(?![\w])", data):
                found.append(f"{path.name}: {what} {word}")
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", "sesame-3f9a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame-3f9a")
    with toys():
        loop.start(toy_config(), tmp_path / "run")
    return tmp_path / "run"


def test_a_run_folder_tells_nothing_about_the_machine(folder: Path, bar: Bar) -> None:
    assert private(folder) == []
    n_files = sum(path.is_file() for path in folder.rglob("*"))
    assert n_files > 8
    bar("X4", files_searched=n_files, secrets_or_paths_found=0)


def test_what_is_told_would_be_seen(folder: Path) -> None:
    (folder / "environment.json").write_text(f'{{"HOME": "{Path.home()}", "KEY": "sesame-3f9a"}}')
    assert {text.split()[1] for text in private(folder)} >= {"home", "secret"}
