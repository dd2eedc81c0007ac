"""Runs in the forms other tools read."""

from __future__ import annotations

import csv
import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from studies import play_study
from tensorboardX.proto.event_pb2 import Event
from test_cli import call

from teachenv.errors import UserError
from teachenv.experiments.export import export
from teachenv.experiments.store import read_run

CELLS = ("runs/Pole/alp-gmm/sb3-ppo/seed-0", "runs/Pole/uniform/sb3-ppo/seed-0")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, _ = play_study(tmp_path_factory.mktemp("studies") / "study", steps=1024)
    return folder.path


@pytest.fixture(scope="module")
def small_run(study: Path) -> Path:
    return study / CELLS[0]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    """The (step, value) pairs of an event file, by tag."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    data = path.read_bytes()
    while data:  # records: length, its checksum, an event, its checksum
        (size,) = struct.unpack_from("<Q", data)
        event = Event.FromString(data[12 : 12 + size])
        for value in event.summary.value:
            found[value.tag].append((event.step, value.simple_value))
        data = data[16 + size :]
    return found


def test_csv_holds_every_trial_with_its_cell_and_its_task(study: Path, tmp_path: Path) -> None:
    export(study, "csv", tmp_path)
    found = rows(tmp_path / "trials.csv")
    run = read_run(study / CELLS[0])
    mine = [row for row in found if row["run"] == CELLS[0]]
    assert len(found) > len(mine) == len(run.episodes)
    assert (mine[0]["teacher"], mine[0]["seed"]) == ("alp-gmm", "0")
    lengths = [float(row["task.length"]) for row in mine]
    np.testing.assert_array_equal(lengths, [row["task"][0] for row in run.episodes])
    returns = [float(row["episode_return"]) for row in mine]
    np.testing.assert_array_equal(returns, [row["episode_return"] for row in run.episodes])


def test_a_study_comes_whole_in_every_form(study: Path) -> None:
    call("export", str(study), "--csv", "--parquet", "--tensorboard")
    out = study / "export"
    runs = {name: read_run(study / name) for name in CELLS}
    told = [
        (name, row["step"], row["share_mastered"], row["mean_return"])
        for name, run in runs.items()
        for row in run.evals
    ]
    columns = ("run", "step", "share_mastered", "mean_return")
    as_text = [tuple(row[name] for name in columns) for row in rows(out / "evals.csv")]
    assert as_text == [tuple(map(str, row)) for row in told]
    table = pyarrow.parquet.read_table(out / "evals.parquet")
    assert list(zip(*(table[name].to_pylist() for name in columns), strict=True)) == told
    assert len(told) == 4
    for name, run in runs.items():
        found = scalars(out / name / "events.out.tfevents.run")
        for score in ("share_mastered", "mean_return"):
            values = [(row["step"], float(np.float32(row[score]))) for row in run.evals]
            assert found[f"grid-v1/{score}"] == values
        returns = [row["episode_return"] for row in run.episodes if row["status"] == "ok"]
        assert [value for _, value in found["trial/episode_return"]] == returns
        assert [step for step, _ in found["round/steps_per_s"]] == [512, 1024]


def test_rounds_say_on_which_machine(study: Path, tmp_path: Path) -> None:
    export(study, "csv", tmp_path)
    for name in CELLS:
        mine = [row for row in rows(tmp_path / "rounds.csv") if row["run"] == name]
        assert mine[0]["machine.cores"] == read_run(study / name).times[0]["machine"]["cores"]
        assert [row["machine.cores"] for row in mine[1:]] == [""]


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


def test_an_event_file_is_replaced_when_repeated(small_run: Path, tmp_path: Path) -> None:
    for _ in range(2):
        (folder,) = export(small_run, "tensorboard", tmp_path)
        (events,) = folder.iterdir()
    assert len(scalars(events)["grid-v1/share_mastered"]) == len(read_run(small_run).evals)


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
