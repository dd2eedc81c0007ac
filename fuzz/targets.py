"""What is fuzzed: every reader of tasks, configurations, studies, run folders and other results.

An input is the name of a document, a line break, and the document. Whatever it holds, a reader
returns or raises :class:`teachenv.errors.UserError`, whose message the command line prints; and
what it returns can be written and read again. Any other exception is a finding.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import random
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from teachenv.errors import UserError
from teachenv.experiments.checkpoint import load_checkpoint, save_checkpoint
from teachenv.experiments.config import RunConfig
from teachenv.experiments.export import tables
from teachenv.experiments.files import write_json
from teachenv.experiments.metrics import run_metrics
from teachenv.experiments.plot_data import load_run
from teachenv.experiments.report_reference import read_reference, write_reference
from teachenv.experiments.store import ROW_FILES, RunFolder, read_run
from teachenv.experiments.study import Study
from teachenv.experiments.study_file import load_study, read_study
from teachenv.experiments.study_store import StudyFolder
from teachenv.experiments.testsets import TestSet
from teachenv.lesson import Reading, Syllabus
from teachenv.space import Dim, TaskSpace
from teachers.data.trained import Policy, Trained
from teachers.uniform import Uniform

REFERENCE = Path(__file__).parents[1] / "runs/reference/stump-tracks/reference.json"
SPACE = TaskSpace(
    [
        Dim("height", 0.0, 3.0, default=0.5, unit="m", edit=(0.0, 0.6)),
        Dim("count", 2, 7, default=4, kind="int"),
        Dim("ground", kind="choice", choices=("grass", "ice", "sand")),
    ]
)
CONFIG = {
    "env": "teachenv/CartPole-v0",
    "teacher": "riac",
    "teacher_args": {"max_region_size": 20},
    "student_args": {"n_envs": 4},
    "test_sets": ["grid-v1"],
    "steps": 100,
    "round_steps": 50,
}
STUDY = {
    "teachers": ["uniform", {"id": "riac", "name": "r", "args": {"max_region_size": 20}}],
    "environments": [{"id": "teachenv/CartPole-v0", "steps": 9, "teacher_args": {"r": {"x": 1}}}],
    "students": ["sb3-ppo"],
    "seeds": 2,
    "baselines": ["uniform"],
    "steps": 100,
    "search": None,
}
SEARCH = {
    "teachers": ["riac"],
    "environments": ["teachenv/CartPole-v0"],
    "seeds": [0, 7],
    "search": {
        "space": {"a": [1, 2], "b": {"low": 1e-3, "high": 1.0, "log": True}},
        "samples": 3,
        "drawn": [{"a": 1}],
    },
}
SYLLABUS = Syllabus(("add", "subtract"), n_levels=2, n_steps=4, n_samples=8)
_CELLS = dict.fromkeys(
    ("accuracy", "delta", "loss", "confidence", "data_share", "last_alloc", "visible"),
    np.zeros(SYLLABUS.shape),
)
READING = Reading(**_CELLS, step=0, budget_left=1.0)
WHEN = {"round": 0, "step": 60}
LOW, HIGH = [0.0, 0.25, 0.0], [1.0, 0.75, 1.0]
MIXTURE = {"means": [[0.5] * 3], "covariances": [np.eye(3).tolist()], "weights": [1.0]}
TRIAL = {
    **{"trial": 0, "task": [0.5, 4.0, 0.0], "train": True, "status": "ok", "signals": {"x": 0.5}},
    **{"score": 0.5, "episode_return": 3.0, "episode_length": 60, "success": False, **WHEN},
}
EVALUATION = {
    **{"test_set": "grid-v1", "status": "ok", "share_mastered": 0.5, "mean_return": 3.0},
    **{"returns": [1.0, 5.0], "lengths": [60, 60], "success": [False, True], **WHEN},
}
FAILED = {"test_set": "grid-v1", "status": "failed", "error": "it broke", **WHEN}
BELIEF = {
    **{"student": 0, "describe": {"mixture": MIXTURE, "window": {"low": LOW, "high": HIGH}}},
    **WHEN,
}
TIMES = {"learn_s": 0.5, "total_s": 1.0, "steps_per_s": 9.0, "trials": 2, "lost": 0, **WHEN}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 1e308, 1e-320, 2**53, 2**70, -(2**70), 10**400),
    *(math.nan, math.inf, -math.inf, "", "x", "0", "..", "/", "\x00", "\x1b[2J", "\ud800", "é"),
    *("a" * 300, [], {}, [[]], [None], {"": None}, {"x": {}}, [[0.5]], ["x", "x"], [0, 0]),
)
"""What takes the place of parts of a document."""

# -- readers -------------------------------------------------------------------------------


def task_space(text: str) -> None:
    """A space that is read can be written, hashed and used."""
    space = TaskSpace.from_json(text)
    assert TaskSpace.from_json(space.to_json()) == space
    assert isinstance(hash(space), int)
    assert repr(space)
    for share in (0.0, 0.37, 1.0):
        task = space.from_unit(np.full(space.dim, share))
        assert space.contains(task)
        assert np.array_equal(space.task(json.loads(json.dumps(space.to_dict(task)))), task)


def task(given: Any) -> None:
    """A task that is read lies inside and comes back."""
    value = SPACE.task(given)
    assert (value >= SPACE.low).all()
    assert (value <= SPACE.high).all()
    assert np.array_equal(SPACE.task(SPACE.to_dict(value)), value)


def config(given: Any) -> None:
    """A configuration that is read can be written and read again."""
    found = RunConfig.from_json(given)
    assert RunConfig.from_json(json.loads(json.dumps(found.to_json()))) == found


def study(given: Any) -> None:
    """A study that is read can be written and read again."""
    found = read_study(given, check_env=False)
    again = read_study(json.loads(json.dumps(found.to_json())), check_env=False)
    assert _cells(again) == _cells(found)


def _cells(found: Study) -> list[str]:
    return [cell.name for cell in found.cells()]


def study_file(name: str, data: bytes) -> None:
    """Read a study file."""
    path = _folder() / name
    path.write_bytes(data)
    load_study(path)


def study_folder(name: str, data: bytes) -> None:
    """Read a study folder with one file replaced."""
    path = _folder() / "study"
    with _replaced(path / name, data):
        found = StudyFolder.read(path)
        found.study.cells()
        found.ended()


def run_folder(name: str, data: bytes) -> None:
    """A run that is read, with one file replaced, can be measured, drawn and exported."""
    path = _folder() / "run"
    with _replaced(path / name, data), np.errstate(all="ignore"):
        run = read_run(path)
        load_run(path)
        run_metrics(run)
        tables([("run", run)])


def reference(name: str, data: bytes) -> None:
    """Results from earlier that are read can be written and read again."""
    path = _folder() / "reference"
    with _replaced(path / name, data):
        found = read_reference(path)
    write_reference(_folder() / "again", found)
    assert read_reference(_folder() / "again") == found


def saved_teacher(name: str, data: bytes) -> None:
    """A teacher that is read can plan a lesson and say what it is."""
    path = _folder() / "teacher"
    with _replaced(path / name, data):
        found = Trained(SYLLABUS, path=str(path))
    found.begin()
    assert found.plan(READING).to_json()
    assert json.dumps(found.describe(), allow_nan=False)


def checkpoint(name: str, data: bytes) -> None:
    """Read a checkpoint with one file replaced and hashes that fit; write again what is read."""
    path = _folder() / "run" / "checkpoints" / "00000001"
    with _replaced(path / name, data), _fitting(path):
        state = load_checkpoint(path)
        with contextlib.suppress(ValueError):  # numbers that are not finite cannot be saved
            save_checkpoint(_folder() / "again", 1, state)


Reader = Callable[[bytes], None]


def _json(read: Callable[[Any], None]) -> Reader:
    def read_document(data: bytes) -> None:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return
        read(value)

    return read_document


def _file(read: Callable[[str, bytes], None], name: str) -> Reader:
    return lambda data: read(name, data)


TASKS: Mapping[str, Reader] = {
    "space": lambda data: task_space(data.decode(errors="replace")),
    "task": _json(task),
    "config": _json(config),
    "study": _json(study),
}
FOLDERS: Mapping[str, Reader] = {
    **{name: _file(run_folder, name) for name in ("config.json", "test_sets.json", "status.json")},
    **{name: _file(run_folder, name) for name in ROW_FILES},
    **{name: _file(checkpoint, name) for name in ("manifest.json", "state.json", "arrays.npz")},
    **{name: _file(saved_teacher, name) for name in ("teacher.json", "policy.npz")},
    "reference.json": _file(reference, "reference.json"),
    **{name: _file(study_file, name) for name in ("file.toml", "file.json")},
    **{name: _file(study_folder, name) for name in ("study.json", "ended.json")},
}
TARGETS: Mapping[str, Mapping[str, Reader]] = {"tasks": TASKS, "folders": FOLDERS}
"""Name of a harness -> its documents -> who reads them."""


def read(target: str, data: bytes) -> bool:
    """Feed an input to its reader.

    Returns:
        Whether the reader accepted it.

    Raises:
        Exception: anything but the refusals above: a finding.
    """
    name, _, document = data.partition(b"\n")
    reader = TARGETS[target].get(name.decode(errors="replace"))
    if reader is None:
        return False
    try:
        reader(document)
    except UserError:
        return False
    return True


# -- a run and a study to damage -----------------------------------------------------------


@cache
def _folder() -> Path:
    """Make a folder with a run and a study, for this process."""
    keep = tempfile.TemporaryDirectory(prefix="fuzz-", dir=_memory())
    folder = Path(keep.name)
    _KEPT.append(keep)
    header = {
        "config": RunConfig.from_json(CONFIG).to_json(),
        "task_space": json.loads(SPACE.to_json()),
        "return_range": [0.0, 500.0],
        "mastery": 400.0,
        "versions": {"python": "3.11"},
    }
    tasks = np.array([SPACE.default, SPACE.high])
    run = RunFolder.create(folder / "run", header, [TestSet("grid-v1", tasks, (2**40, 2**40 + 1))])
    run.append("episodes.jsonl", [TRIAL, {**TRIAL, "trial": 1}])
    run.append("evals.jsonl", [EVALUATION, FAILED])
    run.append("teacher.jsonl", [BELIEF])
    run.append("times.jsonl", [TIMES])
    status = {"status": "finished", "reason": "", "round": 1, "step": 100}
    run.write_json("status.json", status)
    teacher = Uniform(SPACE)
    for _ in range(3):
        teacher.ask()
    state = {"teacher": teacher.state_dict(), "round": 1, "student": {"w": np.ones((2, 3))}}
    save_checkpoint(run.path / "checkpoints", 1, state)
    run.close()
    small_policy().save(
        folder / "teacher", {"algorithm": "sb3-ppo", "action_mode": "mix", "steps": 16}
    )
    found = StudyFolder.create(folder / "study", read_study(STUDY), None)
    found.write_ended({"a/b/c/seed-0": {"status": "failed", "reason": "x"}})
    for name in ("again", "reference"):
        (folder / name).mkdir()
    kept = json.loads(REFERENCE.read_text())
    write_json(folder / "reference" / REFERENCE.name, {**kept, "runs": kept["runs"][:1]})
    return folder


def small_policy() -> Policy:
    """Return a policy for ``SYLLABUS``, with one layer between."""
    rng = np.random.default_rng(0)
    sizes = (7 * SYLLABUS.n_cells + 2, 3, 4)
    layers = tuple(
        (rng.normal(size=(n_out, n_in)).astype(np.float32), np.zeros(n_out, np.float32))
        for n_in, n_out in itertools.pairwise(sizes)
    )
    return Policy(layers, "tanh", "clip")


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextlib.contextmanager
def _replaced(path: Path, data: bytes) -> Any:
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextlib.contextmanager
def _fitting(folder: Path) -> Any:
    """Let the manifest hold the hashes of the files there, unless it is what was replaced."""
    from teachenv.experiments.checkpoint import _digest

    path = folder / "manifest.json"
    before = path.read_bytes()
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        row = json.loads(before)
        if set(row["files"]) == {"state.json", "arrays.npz"}:
            row["files"] = {name: _digest(folder / name) for name in row["files"]}
            path.write_text(json.dumps(row))
    try:
        yield
    finally:
        path.write_bytes(before)


# -- inputs --------------------------------------------------------------------------------


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """Return a good document for every reader of a harness."""
    documents: dict[str, Any] = {
        "space": json.loads(SPACE.to_json()),
        "task": {"height": 1.5, "count": 3, "ground": "ice"},
        "config": RunConfig.from_json(CONFIG).to_json(),
        "study": STUDY,
    }
    found = [_input(name, json.dumps(row).encode()) for name, row in documents.items()]
    found += [_input("task", b"[0.5, 4, 2]"), _input("study", json.dumps(SEARCH).encode())]
    if target == "tasks":
        return tuple(found)
    folder, run = _folder(), _folder() / "run"
    for name in FOLDERS:
        others = (folder / "study", folder / "teacher", folder / "reference")
        for place in (run, run / "checkpoints" / "00000001", *others):
            if (place / name).exists():
                found.append(_input(name, (place / name).read_bytes()))
    toml = b'teachers = ["riac"]\nenvironments = ["teachenv/CartPole-v0"]\nseeds = [0, 7]\n'
    found += [_input("file.json", json.dumps(SEARCH).encode()), _input("file.toml", toml)]
    return tuple(data for data in found if data.partition(b"\n")[0].decode() in FOLDERS)


def _input(name: str, document: bytes) -> bytes:
    return name.encode() + b"\n" + document


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return an input with a part of its document replaced, removed, repeated or renamed.

    Documents that are not JSON (row files are, line by line) have bytes changed instead.
    """
    name, _, document = data.partition(b"\n")
    lines = document.split(b"\n") if name.endswith(b".jsonl") else [document]
    at = rng.randrange(len(lines))
    try:
        row = _changed(json.loads(lines[at]), rng)
        lines[at] = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        lines[at] = _flipped(lines[at], rng)
    return name + b"\n" + b"\n".join(lines)


def _changed(value: Any, rng: random.Random) -> Any:
    """Descend at random and change what is there."""
    if rng.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return rng.choice(ODD)
    if isinstance(value, list):
        at, copy = rng.randrange(len(value)), list(value)
        if rng.random() < 0.2:
            return copy[:at] + copy[at + 1 :] if rng.random() < 0.5 else [*copy, copy[at]]
        copy[at] = _changed(copy[at], rng)
        return copy
    key, row = rng.choice(list(value)), dict(value)
    if rng.random() < 0.2:
        taken = row.pop(key)
        return row if rng.random() < 0.5 else {**row, rng.choice(["x", "", *value]): taken}
    return {**row, key: _changed(row[key], rng)}


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    if rng.random() < 0.3:
        del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)
