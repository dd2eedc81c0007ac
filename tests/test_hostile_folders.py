"""Run and study folders made to do harm: refused with a message, cheaply, and nothing runs."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import resource
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bars import Bar
from toy_runs import command, in_process, stop_after, to_the_end, toy_config, toys

from fuzz.targets import small_policy
from teachenv.experiments import checkpoint
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

MEMORY = 500 << 20
"""Bytes that a hostile folder may cost at most."""
CPU_S = 5
"""Seconds of processor time that it may cost at most."""

Attack = Callable[[Path, Path], Any]
"""Makes a folder hostile; gets it, and the canary: a file that must never be."""


class Payload:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    with toys():
        yield


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


# -- attacks on run folders ------------------------------------------------------------------


def checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").iterdir())


def sign(folder: Path) -> None:
    """Make a manifest true to what is there: hashes protect from accidents only."""
    row = json.loads((folder / "manifest.json").read_text())
    row["files"] = {name: checkpoint._digest(folder / name) for name in row["files"]}
    (folder / "manifest.json").write_text(json.dumps(row))


def every_checkpoint(write: Callable[[Path, Path], Any]) -> Attack:
    """Attack by each of the two checkpoints, correctly hashed."""

    def attack(run: Path, canary: Path) -> None:
        for folder in checkpoints(run):
            write(folder, canary)
            sign(folder)

    return attack


def pickled(folder: Path, canary: Path) -> None:
    (folder / "arrays.npz").write_bytes(pickle.dumps(Payload(canary)))


def objects(folder: Path, canary: Path) -> None:
    np.savez(folder / "arrays.npz", a=np.array([Payload(canary)], dtype=object))


def claims_much(folder: Path, canary: Path) -> None:
    with zipfile.ZipFile(folder / "arrays.npz", "w") as archive, archive.open("a.npy", "w") as file:
        shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(file, shape)


def bomb(folder: Path, canary: Path) -> None:
    """10 kB that unpack to 10 GB: a thousand names of one member."""
    with zipfile.ZipFile(folder / "arrays.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(10**7, np.uint8))
        for number in range(1000):
            member = copy.copy(archive.filelist[0])
            member.filename = f"a{number}.npy"
            archive.filelist.append(member)


def deep_state(folder: Path, canary: Path) -> None:
    (folder / "state.json").write_text("[" * 100_000)


def leads_out(run: Path, canary: Path) -> None:
    for folder in checkpoints(run):
        row = json.loads((folder / "manifest.json").read_text())
        row["files"][f"../../../{canary.name}"] = row["files"]["state.json"]
        (folder / "manifest.json").write_text(json.dumps(row))


def linked(name: str) -> Attack:
    def attack(run: Path, canary: Path) -> None:
        outside = (run / name).rename(run.parent / "outside")
        (run / name).symlink_to(outside)

    return attack


def linked_picture(run: Path, canary: Path) -> None:
    (run / "plots").mkdir()
    (run / "plots" / "curriculum.png").symlink_to(canary)


def linked_arrays(run: Path, canary: Path) -> None:
    for number, folder in enumerate(checkpoints(run)):
        outside = (folder / "arrays.npz").rename(run.parent / f"outside{number}")
        (folder / "arrays.npz").symlink_to(outside)


def sparse(name: str) -> Attack:
    return lambda run, canary: os.truncate(run / name, 1 << 30)


def text(name: str, contents: str) -> Attack:
    return lambda run, canary: (run / name).write_text(contents)


def pipe(name: str) -> Attack:
    def attack(run: Path, canary: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return attack


def pipe_in_checkpoints(run: Path, canary: Path) -> None:
    for folder in checkpoints(run):
        pipe("manifest.json")(folder, canary)


def edited(name: str, *path: str, value: Any) -> Attack:
    """Replace a value of a JSON file."""

    def attack(run: Path, canary: Path) -> None:
        row = found = json.loads((run / name).read_text())
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value
        (run / name).write_text(json.dumps(row))

    return attack


ESCAPES = "\x1b]0;yours\x07\x1b[2J\x9b31m[/nothing]"


def escapes(run: Path, canary: Path) -> None:
    """End on an evaluation whose error clears the terminal, where the checkpoint expects rows."""
    path = run / "evals.jsonl"
    size = path.stat().st_size
    row = {"round": 1, "step": 1, "test_set": ESCAPES, "status": "failed", "error": ESCAPES}
    path.write_text(json.dumps(row).ljust(size - 1) + "\n")


def empty_rows(run: Path, canary: Path) -> None:
    """Leave of every evaluation an object without fields."""
    path = run / "evals.jsonl"
    path.write_text("".join("{}".ljust(len(line) - 1) + "\n" for line in path.open()))


RUNS: dict[str, Attack] = {
    "a pickle as arrays": every_checkpoint(pickled),
    "an array of objects": every_checkpoint(objects),
    "an array of 10^12 numbers": every_checkpoint(claims_much),
    "a zip bomb": every_checkpoint(bomb),
    "a manifest that leads out": leads_out,
    "checkpoints elsewhere": linked("checkpoints"),
    "rows elsewhere": linked("episodes.jsonl"),
    "arrays elsewhere": linked_arrays,
    "a picture elsewhere": linked_picture,
    "a configuration of 1 GB": sparse("config.json"),
    "a row of 1 GB": lambda run, canary: (
        text("episodes.jsonl", "")(run, canary),
        sparse("episodes.jsonl")(run, canary),
    ),
    "a row of 1 GB beyond the checkpoint": sparse("episodes.jsonl"),
    "test sets of empty lists": text("test_sets.json", f"[{'[],' * 5_000_000}[]]"),
    "a deep configuration": text("config.json", "[" * 100_000),
    "a deep row": text("teacher.jsonl", "[" * 100_000 + "\n"),
    "a deep state": every_checkpoint(deep_state),
    "os:system as teacher": edited("config.json", "config", "teacher", value="os:system"),
    "os:system as student": edited("config.json", "config", "student", value="os:system"),
    "a test set of a path": edited("config.json", "config", "test_sets", value=["../../x"]),
    "a pipe for rows": pipe("times.jsonl"),
    "a pipe for the status": pipe("status.json"),
    "a pipe for the lock": pipe("lock"),
    "a pipe for a manifest": pipe_in_checkpoints,
    "escapes in rows": escapes,
    "rows without fields": empty_rows,
}
HARMLESS = {"escapes in rows", "rows without fields", "a row of 1 GB beyond the checkpoint"}
"""Attacks that there is nothing to refuse about."""


# -- attacks on saved teachers ---------------------------------------------------------------


def as_policy(write: Attack) -> Attack:
    """Put the arrays of a checkpoint's attack in the place of a policy's."""

    def attack(teacher: Path, canary: Path) -> None:
        write(teacher, canary)
        (teacher / "arrays.npz").rename(teacher / "policy.npz")

    return attack


TEACHERS: dict[str, Attack] = {
    "a pickle as arrays": as_policy(pickled),
    "an array of objects": as_policy(objects),
    "an array of 10^12 numbers": as_policy(claims_much),
    "a zip bomb": as_policy(bomb),
    "a policy of 1 GB": sparse("policy.npz"),
    "a pipe for a policy": pipe("policy.npz"),
    "a description of 1 GB": sparse("teacher.json"),
    "a deep description": text("teacher.json", "[" * 100_000),
    "a pipe for a description": pipe("teacher.json"),
    "os:system as head": edited("teacher.json", "head", value="os:system"),
    "os:system as action mode": edited("teacher.json", "action_mode", value="os:system"),
    "escapes as head": edited("teacher.json", "head", value=ESCAPES),
}


# -- attacks on studies ----------------------------------------------------------------------


def small_study() -> dict[str, Any]:
    return {
        "teachers": ["uniform"],
        "environments": [{"id": toy_config().env, "name": "climb"}],
        "students": ["toy"],
        "baselines": False,
        "seeds": 1,
        "steps": 60,
        "round_steps": 60,
        "test_sets": ["grid-v1"],
    }


def in_study(field: str, value: Any) -> Attack:
    return edited("study.json", "study", field, value=value)


def hostile_cell(run: Path, canary: Path) -> None:
    text("config.json", "[" * 100_000)(run / "runs" / "climb/uniform/toy/seed-0", canary)


MANY = [{"id": "uniform", "name": f"u{number}"} for number in range(300)]
PLACES = [{"id": toy_config().env, "name": f"c{number}"} for number in range(300)]

STUDIES: dict[str, Attack] = {
    "a deep study": text("study.json", "[" * 100_000),
    "a study of 1 GB": sparse("study.json"),
    "a study of empty lists": text("study.json", f"[{'[],' * 5_000_000}[]]"),
    "a name that leads out": in_study("teachers", [{"id": "uniform", "name": "../../../canary"}]),
    "an environment that leads out": in_study(
        "environments", [{"id": toy_config().env, "name": "../../../canary"}]
    ),
    "os:system as teacher": in_study("teachers", ["os:system"]),
    "os:system as student": in_study("students", ["os:system"]),
    "10^12 seeds": in_study("seeds", 10**12),
    "storage that is no text": edited("study.json", "storage", value={"s3": "x"}),
    "runs elsewhere": linked("runs"),
    "a run elsewhere": linked("runs/climb"),
    "a pipe for what ended": pipe("ended.json"),
    "a pickle of what ended": lambda study, canary: (study / "ended.json").write_bytes(
        pickle.dumps(Payload(canary))
    ),
    "a deep configuration of a cell": hostile_cell,
    "escapes in what ended": text(
        "ended.json",
        json.dumps({"climb/uniform/toy/seed-0": {"status": "failed", "reason": ESCAPES}}),
    ),
}
HARMLESS_STUDIES = {"escapes in what ended"}
UNSEEN = {*HARMLESS_STUDIES, "a deep configuration of a cell"}
"""Attacks that the status of a study does not look at."""

FILES: dict[str, Any] = {
    "deep.json": "[" * 100_000,
    "deep.toml": "x = " + "[" * 100_000,
    "huge.json": 1 << 30,
    "huge.toml": 1 << 30,
    "cells.json": json.dumps(
        {**small_study(), "teachers": MANY, "environments": PLACES, "seeds": 10_000}
    ),
    "escapes.json": json.dumps({**small_study(), ESCAPES: 1}),
    "outside.json": json.dumps({**small_study(), "test_sets": ["../../x"]}),
}


# -- the tests -------------------------------------------------------------------------------


def limited(out: Path, *commands: tuple[str, ...]) -> None:
    """Run commands with little memory and time; leave what they say, their statuses and memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    statuses = []
    for number, arguments in enumerate(commands):
        with (out / f"said{number}").open("w") as file:
            sys.stdout = sys.stderr = file
            statuses.append(command(*arguments))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    (out / "taken").write_text(json.dumps([peak, *statuses]))


def harm(out: Path, canary: Path, *commands: tuple[bool, tuple[str, ...]]) -> list[str]:
    """Say what commands on something hostile do that they must not.

    Args:
        out: Where to keep what they say.
        canary: What must not come to be.
        commands: Whether it must be refused, and the arguments.
    """
    out.mkdir()
    process = in_process(limited, out, *[arguments for _, arguments in commands])
    process.join()
    if not (out / "taken").exists():
        return [f"ended with {process.exitcode}", *[p.read_text() for p in out.iterdir()]]
    peak, *statuses = json.loads((out / "taken").read_text())
    found = [f"{peak >> 20} MiB"] if peak > MEMORY else []
    if canary.exists():
        found.append("the canary is there")
    for number, ((refuses, _), status) in enumerate(zip(commands, statuses, strict=True)):
        said = (out / f"said{number}").read_text()
        if refuses and (status != 2 or len(said.splitlines()) != 1):
            found.append(f"exit status {status}, {said!r:.300}")
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said):
            found.append(f"escapes {said!r:.300}")
    return found


@pytest.mark.parametrize("name", RUNS)
def test_hostile_run_folders_are_refused(name: str, tmp_path: Path, canary: Path, bar: Bar) -> None:
    folder = tmp_path / "run"
    stop_after(toy_config(), folder, 2)
    RUNS[name](folder, canary)
    refuses = name not in HARMLESS
    listed = (False, ("list", str(tmp_path)))
    assert harm(tmp_path / "out", canary, (refuses, ("resume", str(folder))), listed) == []
    bar("X1", hostile_runs=1, harm=0)


@pytest.mark.parametrize("name", STUDIES)
def test_hostile_study_folders_are_refused(
    name: str, tmp_path: Path, canary: Path, bar: Bar
) -> None:
    study = read_study(small_study())
    folder = StudyFolder.create(tmp_path / "study", study, None)
    (cell,) = study.cells()
    to_the_end(cell.config, folder.runs / cell.name)
    STUDIES[name](folder.path, canary)
    commands = [
        (name not in harmless, (what, str(folder.path)))
        for what, harmless in (("resume", HARMLESS_STUDIES), ("status", UNSEEN))
    ]
    assert harm(tmp_path / "out", canary, *commands) == []
    bar("X1", hostile_studies=1, harm=0)


@pytest.mark.parametrize("name", FILES)
def test_hostile_study_files_are_refused(name: str, tmp_path: Path, canary: Path, bar: Bar) -> None:
    path = tmp_path / name
    if isinstance(FILES[name], int):
        path.touch()
        os.truncate(path, FILES[name])
    else:
        path.write_text(FILES[name])
    compare = (True, ("compare", str(path), "--dry-run"))
    assert harm(tmp_path / "out", canary, compare) == []
    bar("X1", hostile_study_files=1, harm=0)


def test_hostile_teachers_are_refused(tmp_path: Path, canary: Path, bar: Bar) -> None:
    """All of them by one process, within the limits for one."""
    commands = []
    for number, attack in enumerate(TEACHERS.values()):
        teacher = tmp_path / f"teacher{number}"
        small_policy().save(teacher, {"action_mode": "mix"})
        attack(teacher, canary)
        options = {
            "env": "teachenv/DataGenSkillList-digits-v0",
            "teacher": "trained",
            "teacher-arg": f"path={teacher}",
            "out": str(tmp_path / "run"),
        }
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        commands.append((True, ("run", "--steps", "1", *given)))
    assert harm(tmp_path / "out", canary, *commands) == []
    assert not (tmp_path / "run").exists()
    bar("X1", hostile_teachers=len(TEACHERS), harm=0)


def obeys(out: Path, folder: Path) -> None:
    """Read a checkpoint as a careless reader would, in the place of ours."""
    np.load(checkpoints(folder)[-1] / "arrays.npz", allow_pickle=True)["a"]


def test_a_reader_that_unpickles_is_found_out(tmp_path: Path, canary: Path, bar: Bar) -> None:
    """Negative control: the attacks are real."""
    folder = tmp_path / "run"
    stop_after(toy_config(), folder, 2)
    RUNS["an array of objects"](folder, canary)
    process = in_process(obeys, tmp_path, folder)
    process.join()
    assert canary.exists()
    bar("X1", "a reader that unpickles: found")
