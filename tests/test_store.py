"""Run folders by themselves: no run is needed to see what they keep, cut and refuse."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachenv.experiments import files, rows, store
from teachenv.experiments.config import RunConfig
from teachenv.experiments.store import (
    FORMAT,
    ROW_FILES,
    RunFolder,
    StoreError,
    is_run,
    read_header,
    read_run,
    read_status,
)
from teachenv.experiments.testsets import TestSet
from teachenv.space import Dim, TaskSpace

SPACE = TaskSpace([Dim("x"), Dim("n", 0, 4, kind="int")])
CONFIG = RunConfig(env="teachenv/CartPole-v0", teacher="uniform", steps=10)
HEADER = {
    "config": CONFIG.to_json(),
    "task_space": json.loads(SPACE.to_json()),
    "return_range": [0, 5],
    "mastery": 4,
    "versions": {"python": "3"},
}
TEST_SET = TestSet("grid-v1", np.array([SPACE.default, SPACE.high]), (2**40, 2**40 + 1))
EXAMPLES = {
    "a whole number": 3,
    "a finite number": -0.5,
    "a finite number, if any": None,
    "finite numbers": [0.5, 4],
    "true or false": True,
    "a list of true and false": [True, False],
    "finite numbers by name": {"x": 0.5},
    "text": "grid-v1",
    "texts by name, if any": {"cpu": "Abacus"},
    "ok, failed or lost": "ok",
}
ROW: dict[str, Any] = {
    name: EXAMPLES[kind]
    for fields in (*rows.FIELDS.values(), rows.EVALUATED)
    for name, kind in fields.items()
}
"""What a row of any of the files may hold."""
STATUS = {"status": "finished", "reason": "", "round": 2, "step": 10}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    made = RunFolder.create(tmp_path / "a" / "b" / "run", HEADER, [TEST_SET])
    yield made
    made.close()


def test_what_is_written_is_read(folder: RunFolder) -> None:
    written = [{**ROW, "trial": i, "text": "é" * i} for i in range(4)]
    for number, name in enumerate(ROW_FILES):
        folder.append(name, written[:number])
        folder.append(name, written[number:])
    folder.write_json("status.json", STATUS)
    run = read_run(folder.path)
    assert (run.episodes, run.evals, run.teacher, run.times) == (written,) * 4
    assert (run.folder, run.config, run.task_space) == (folder.path, CONFIG, SPACE)
    assert (run.return_range, run.mastery) == ((0.0, 5.0), 4.0)
    assert (run.versions, run.status, run.data) == ({"python": "3"}, STATUS, None)
    assert run.test_sets["grid-v1"].hash == TEST_SET.hash
    longer = dataclasses.replace(CONFIG, steps=20)
    folder.write_config(longer)
    assert read_run(folder.path).config == longer
    assert [p.name for p in folder.path.iterdir() if p.name.startswith(".")] == []


def test_rows_are_on_disk_when_append_returns(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: sizes.append(os.fstat(file).st_size))
    folder.append("evals.jsonl", [{"a": 1}])
    assert sizes == [len('{"a": 1}\n')]
    with pytest.raises(ValueError, match="JSON"):
        folder.append("evals.jsonl", [{"a": float("nan")}])


def test_rows_that_could_not_be_read_again_are_not_written(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (files, store):
        monkeypatch.setattr(module, "MAX_JSON", 20)
    rows = [{"a": "x" * 10}, {"a": 1}]
    folder.append("evals.jsonl", rows)
    with pytest.raises(StoreError, match=r"evals.jsonl: a row of 21 bytes; expected at most 20"):
        folder.append("evals.jsonl", [{"a": "x" * 11}])
    assert files.read_rows(folder.path / "evals.jsonl") == rows


def test_the_header_is_read_without_the_rows(folder: RunFolder) -> None:
    folder.append("evals.jsonl", [{"a": 1}])
    (folder.path / "evals.jsonl").write_text("x\n")
    header = read_header(folder.path)
    assert (header.config, header.task_space, header.mastery) == (CONFIG, SPACE, 4.0)
    assert (header.versions, header.data) == ({"python": "3"}, None)
    with pytest.raises(StoreError, match=r"evals.jsonl, line 1: not a JSON object"):
        read_run(folder.path)


def test_rows_are_cut_where_a_checkpoint_says_and_not_if_some_are_missing(
    folder: RunFolder,
) -> None:
    assert folder.offsets() == dict.fromkeys(ROW_FILES, 0)
    folder.append("episodes.jsonl", [ROW])
    kept = folder.offsets()
    assert kept["episodes.jsonl"] == len(json.dumps(ROW) + "\n")
    folder.append("episodes.jsonl", [{**ROW, "trial": 4}])
    folder.append("times.jsonl", [{"s": 1}])
    missing = {**kept, "evals.jsonl": 1}
    before = folder.offsets()
    with pytest.raises(StoreError, match=r"\['evals.jsonl'\] are shorter"):
        folder.cut(missing)
    assert folder.offsets() == before
    sizes = ({**before, "evals.jsonl": size} for size in (-1, 0.5, "0", None))
    strange = [{"offsets": row} for row in (None, {"episodes.jsonl": 0}, *sizes)]
    for bad in ({}, *strange):
        with pytest.raises(StoreError, match="does not fit"):
            folder.check(bad)
    folder.check({"offsets": before})
    with pytest.raises(StoreError, match=r"times.jsonl, line 1: torn"):
        folder.check({"offsets": {**before, "times.jsonl": 3}})
    folder.cut(before)
    assert folder.offsets() == before
    folder.cut(kept)
    assert folder.offsets() == kept
    assert read_run(folder.path).episodes == [ROW]
    assert not (folder.path / "teacher.jsonl").exists()


def test_folders_are_made_once(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"nothing is overwritten.*process {os.getpid()}"):
        RunFolder.create(folder.path, HEADER, [])
    folder.close()
    with pytest.raises(StoreError, match=f"or continue it with: teachenv resume {folder.path}"):
        RunFolder.create(folder.path, HEADER, [])
    RunFolder.create(tmp_path / "beside", HEADER, []).close()
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match=r"Choose another --out$"):
        RunFolder.create(tmp_path / "empty", HEADER, [])
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made: "):
        RunFolder.create(tmp_path / "file" / "run", HEADER, [])
    assert read_run(folder.path).config == CONFIG


def test_a_folder_is_held_until_it_is_closed(folder: RunFolder) -> None:
    with pytest.raises(StoreError, match=f"process {os.getpid()} is running it"):
        RunFolder.open(folder.path)
    folder.close()
    again = RunFolder.open(folder.path)
    assert (folder.path / "lock").read_text() == str(os.getpid())
    again.discard()
    again.close()
    assert not folder.path.exists()


def test_a_status_only_informs(folder: RunFolder) -> None:
    path = folder.path / "status.json"
    unknown = {"status": "interrupted", "reason": "never started", "round": 0, "step": 0}
    assert read_status(folder.path) == unknown
    running = {**STATUS, "status": "running"}
    folder.write_json("status.json", running)
    assert read_status(folder.path) == running
    folder.close()
    died = {**STATUS, "status": "interrupted", "reason": "the process died"}
    assert read_status(folder.path) == died
    damaged = {**unknown, "reason": "status.json is damaged"}
    rows = ({"status": "fine"}, {"round": "2"}, {"step": True}, {"reason": None})
    for bad in ("", "[]", "{}", *(json.dumps({**STATUS, **row}) for row in rows)):
        path.write_text(bad)
        assert read_status(folder.path) == damaged
    with (folder.path / "lock").open("a") as other:  # held by somebody else, but finished
        fcntl.flock(other, fcntl.LOCK_EX)
        folder.write_json("status.json", STATUS)
        assert read_status(folder.path) == STATUS


@pytest.mark.parametrize("name", ROW_FILES)
def test_rows_of_another_kind_are_refused_by_line_and_field(name: str, folder: RunFolder) -> None:
    fields = rows.FIELDS[name] | (rows.EVALUATED if name == "evals.jsonl" else {})
    for field, kind in fields.items():
        for value in (None, "x", -1, 1e999, 10**400, float("nan"), [None], {}, True):
            if not rows.KINDS[kind](value):
                refuses(folder, name, {field: value})


def refuses(folder: RunFolder, name: str, change: dict[str, Any]) -> None:
    lines = [json.dumps(row) + "\n" for row in (ROW, {**ROW, **change})]
    (folder.path / name).write_text("".join(lines))
    with pytest.raises(StoreError, match=f"{name}, line 2: {next(iter(change))}: expected "):
        read_run(folder.path)


def test_rows_of_other_tasks_are_refused(folder: RunFolder) -> None:
    refuses(folder, "episodes.jsonl", {"task": [0.5]})
    (folder.path / "episodes.jsonl").unlink()
    refuses(folder, "evals.jsonl", {"test_set": "grid-v2"})
    for name, values in (("returns", [1]), ("lengths", []), ("success", [True] * 3)):
        refuses(folder, "evals.jsonl", {name: values})


def test_a_failed_evaluation_has_its_error(folder: RunFolder) -> None:
    failed = {"round": 0, "step": 1, "test_set": "grid-v1", "status": "failed"}
    folder.append("evals.jsonl", [{**failed, "error": "it broke"}])
    assert read_run(folder.path).evals[0]["error"] == "it broke"
    folder.append("evals.jsonl", [failed])
    with pytest.raises(StoreError, match="line 2: error: expected text, got None"):
        read_run(folder.path)


def test_what_is_no_run_folder_is_refused(folder: RunFolder, tmp_path: Path) -> None:
    assert is_run(folder.path)
    assert not is_run(tmp_path)
    for path, message in (
        (tmp_path / "nowhere", "no such folder"),
        (folder.path / "lock", "no such folder"),
        (tmp_path, "not a run folder"),
    ):
        with pytest.raises(StoreError, match=message):
            read_run(path)
        with pytest.raises(StoreError, match=message):
            RunFolder.open(path)
    (folder.path / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match=r"\['link'\] are links"):
        read_run(folder.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": FORMAT + 1}, f"format {FORMAT + 1}, this version reads format {FORMAT}"),
        ({"config": {}}, "env: missing"),
        ({"task_space": []}, "expected 1 to"),
        ({"return_range": [0]}, "not a run's"),
        ({"return_range": [0, "high"]}, "not a run's"),
        ({"return_range": [0, 10**400]}, "not a run's"),
        ({"mastery": None}, "not a run's"),
        ({"versions": 3}, "not a run's"),
    ],
    ids=str,
)
def test_headers_that_are_no_runs_are_refused(
    change: dict[str, Any], message: str, folder: RunFolder
) -> None:
    (folder.path / "config.json").write_text(json.dumps({"format": FORMAT, **HEADER, **change}))
    with pytest.raises(StoreError, match=message):
        read_run(folder.path)


@pytest.mark.parametrize("text", ["[]", "3", "null", "", "{"])
def test_headers_that_are_no_mapping_are_refused(text: str, folder: RunFolder) -> None:
    (folder.path / "config.json").write_text(text)
    with pytest.raises(StoreError, match=r"format None|not readable"):
        read_run(folder.path)
