"""Runs in the forms other tools read."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from test_cli import call
from test_loop import config

from teachenv.errors import UserError
from teachenv.experiments import loop
from teachenv.experiments.export import export
from teachenv.experiments.store import read_run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "runs").mkdir()
    for seed, teacher in enumerate(("uniform", "riac")):
        small = config(teacher=teacher, teacher_args={}, steps=512, seed=seed)
        loop.start(small, folder / "runs" / teacher)
    return folder


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "run"
    loop.start(config(), folder)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_every_trial_with_its_cell_and_its_task(study: Path, tmp_path: Path) -> None:
    export(study, "csv", tmp_path)
    found = rows(tmp_path / "trials.csv")
    run = read_run(study / "runs" / "riac")
    mine = [row for row in found if row["run"] == "runs/riac"]
    assert len(found) > len(mine) == len(run.episodes)
    assert (mine[0]["teacher"], mine[0]["seed"]) == ("riac", "1")
    lengths = [float(row["task.length"]) for row in mine]
    np.testing.assert_array_equal(lengths, [row["task"][0] for row in run.episodes])
    returns = [float(row["episode_return"]) for row in mine]
    np.testing.assert_array_equal(returns, [row["episode_return"] for row in run.episodes])


def test_evaluations_come_whole_and_task_by_task(tmp_path: Path, small_run: Path) -> None:
    written = export(small_run, "csv", tmp_path)
    assert [path.name for path in written] == ["trials.csv", "evals.csv", "tasks.csv", "rounds.csv"]
    run = read_run(small_run)
    (evaluated,) = run.evals[-1:]
    tasks = [row for row in rows(tmp_path / "tasks.csv") if int(row["step"]) == evaluated["step"]]
    assert [float(row["episode_return"]) for row in tasks] == evaluated["returns"]
    assert rows(tmp_path / "evals.csv")[-1]["share_mastered"] == str(evaluated["share_mastered"])
    assert len(rows(tmp_path / "rounds.csv")) == len(run.times)


def test_parquet_holds_the_same_tables_with_types(small_run: Path, tmp_path: Path) -> None:
    export(small_run, "parquet", tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "trials.parquet").to_pylist()
    assert [row["episode_return"] for row in table] == [
        row["episode_return"] for row in read_run(small_run).episodes
    ]
    assert {type(row["seed"]) for row in table} == {int}


def test_tensorboard_gets_an_event_file_per_run_replaced_when_repeated(
    small_run: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        (folder,) = export(small_run, "tensorboard", tmp_path)
        (events,) = folder.iterdir()
    read = events.read_bytes()
    assert b"grid-v1/share_mastered" in read
    assert b"trial/episode_return" in read


def test_the_command_writes_into_the_folder_itself_by_default(small_run: Path) -> None:
    output = call("export", str(small_run), "--csv", "--parquet")
    names = {path.name for path in (small_run / "export").iterdir()}
    tables = ("trials", "evals", "tasks", "rounds")
    assert names == {f"{name}.{kind}" for name in tables for kind in ("csv", "parquet")}
    assert str(small_run / "export" / "trials.csv") in output.replace("\n", "")


def test_the_command_wants_a_form(small_run: Path) -> None:
    with pytest.raises(UserError, match="--parquet"):
        call("export", str(small_run))


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder"):
        export(tmp_path, "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()
