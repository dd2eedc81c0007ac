"""The results that come with the package: readable, true to what is told of them, and of use."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from teachenv.envs.bipedal.engine import native_module
from teachenv.experiments import loop
from teachenv.experiments.report_cells import Entry, Group, World
from teachenv.experiments.report_contents import read_contents
from teachenv.experiments.report_reference import read_reference
from teachenv.experiments.report_verdict import Judged, judge_groups
from teachenv.experiments.statistics import mean_interval
from teachenv.experiments.store import RunFolder
from teachenv.experiments.study import Cell
from teachenv.experiments.study_file import load_study, read_study
from teachenv.experiments.study_store import StudyFolder
from teachenv.space import Dim, TaskSpace

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "runs/reference/stump-tracks"
RESULTS = (ROOT / "docs/results.md").read_text()
GRID = "stump-grid-v1"
NO_ENGINE = native_module()[1]

reads_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="from Python 3.11 on")


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return read_reference(REFERENCE)


def by_body(entries: list[Entry], body: str) -> list[Entry]:
    return [entry for entry in entries if entry.environment == f"StumpTracks-{body}"]


@pytest.fixture(scope="module")
def judged(entries: list[Entry]) -> Judged:
    nowhere = World(TaskSpace([Dim("any")]), (0.0, 1.0), 0.5, {}, False)
    found = [
        Group(body, nowhere, GRID, tuple(by_body(entries, body))) for body in ("default", "short")
    ]
    teachers = list(dict.fromkeys(entry.teacher for entry in entries))
    return judge_groups(found, teachers, teachers, "share_mastered", 1)


def percent(shares: np.ndarray) -> str:
    low, high = mean_interval(shares)
    return f"{100 * shares.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]"


@reads_toml
def test_the_reference_holds_every_cell_of_its_study_file(entries: list[Entry]) -> None:
    cells = load_study(REFERENCE / "study.toml").cells()
    wanted = {tuple(cell.name.split("/")) for cell in cells}
    kept = {(e.environment, e.teacher, e.student, f"seed-{e.seed}") for e in entries}
    assert (len(entries), kept) == (128, wanted)
    assert all(len(entry.returns[GRID]) == 100 for entry in entries)


def test_the_table_of_results_is_what_the_reference_comes_to(judged: Judged) -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", RESULTS, re.MULTILINE)
    assert judged.verdict is not None
    standings = {one.teacher: one for one in judged.verdict.standings}
    assert [name for name, _ in rows] == list(standings)
    for name, text in rows:
        default, short, both, rank, beats = text.split(" | ")
        shares = judged.tables[name]
        assert (default, short) == (percent(shares[:1]), percent(shares[1:])), name
        assert both == percent(shares), name
        assert rank == str(standings[name].rank), name
        assert re.findall(r"`([\w-]+)`", beats) == list(standings[name].beats), name


def test_p_values_told_are_those_of_the_verdict(judged: Judged) -> None:
    assert judged.verdict is not None
    real = {pair.worse: pair for pair in judged.verdict.comparisons if pair.real}
    told = dict(re.findall(r"against `(\w+)` p = ([\d.]+\d)", RESULTS))
    assert {name: f"{pair.adjusted_p:.3f}" for name, pair in real.items()} == told
    assert {pair.better for pair in real.values()} == {"oracle"}


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_figures_shown_are_there(page: str) -> None:
    shown = re.findall(r"\]\(((?:\.\./)?runs/reference/.*?\.png)\)", (ROOT / page).read_text())
    assert shown
    for path in shown:
        Image.open((ROOT / page).parent / path).verify()


def write_run(path: Path, cell: Cell, share: float) -> None:
    """A run of the cell whose student masters about so large a share of every test set."""
    config, contract, test_sets = loop.check(cell.config)
    header = {"config": config.to_json(), **contract, "versions": {"python": "3.11.7"}}
    run = RunFolder.create(path, header, test_sets)
    low, high = contract["return_range"]
    end: dict[str, Any] = {"round": 4, "step": config.steps}
    for test_set in test_sets:
        n_mastered = round((share + 0.01 * config.seed) * len(test_set.tasks))
        returns = [high if k < n_mastered else low for k in range(len(test_set.tasks))]
        row = {
            "test_set": test_set.name,
            "status": "ok",
            "share_mastered": n_mastered / len(returns),
            "mean_return": float(np.mean(returns)),
            "returns": returns,
            "lengths": [100] * len(returns),
            "success": [value == high for value in returns],
        }
        run.append("evals.jsonl", [{**end, **row}])
    run.append("teacher.jsonl", [{**end, "describe": {}}])
    times = {"total_s": 100.0, "learn_s": 90.0, "steps_per_s": 50.0, "trials": 0, "lost": 0}
    run.append("times.jsonl", [{**end, **times}])
    run.write_json("status.json", {**end, "status": "finished", "reason": ""})
    run.close()


@reads_toml
@pytest.mark.slow
@pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")
def test_a_new_teacher_is_judged_by_the_reference(tmp_path: Path) -> None:
    """As docs/results.md says: that study's file with another teacher."""
    given = load_study(REFERENCE / "study.toml").to_json()
    mine = {**given, "teachers": [{"id": "thompson", "name": "mine"}], "baselines": False}
    folder = StudyFolder.create(tmp_path / "mine", read_study(mine), None)
    for cell in folder.study.cells():
        write_run(folder.runs / cell.name, cell, 0.6)
    told = read_contents([folder.path], REFERENCE)
    assert not [note for note in told.notes if "not used" in note]
    assert told.judged.verdict is not None
    pairs = told.judged.verdict.comparisons
    assert {pair.worse for pair in pairs} == {*told.teachers} - {"mine"}
    assert all(pair.better == "mine" and pair.real for pair in pairs)
    assert "mine beats every other teacher" in told.judged.sentence
