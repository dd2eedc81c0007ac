"""What runs in data-generation environments say of teaching that goes wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from old_folders import DATA
from test_data_loop import DIGITS, contents

from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.monitors import majority_accuracy, off_probe_regression
from teachenv.experiments import loop
from teachenv.experiments.cells import play
from teachenv.experiments.config import RunConfig
from teachenv.experiments.data_parts import summary
from teachenv.experiments.data_signs import data_signs
from teachenv.experiments.export import tables
from teachenv.experiments.metrics import run_metrics
from teachenv.experiments.plot import draw_lessons, load_lessons
from teachenv.experiments.report_contents import read_contents
from teachenv.experiments.report_reference import read_reference, write_reference
from teachenv.experiments.report_tables import signs_sheet
from teachenv.experiments.store import read_run
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

HELD_OUT = [[0, 1], [4, 0]]
ARGS: dict[str, Any] = {
    "n_steps": 4,
    "n_samples": 40,
    "visible_share": 0.5,
    "held_out": HELD_OUT,
    "error_rate": 0.4,
    "quality": "agree",
    "profile": "warm",
}
EPISODE = 4 * 40


def config(steps: int = 2 * EPISODE, **change: Any) -> RunConfig:
    args = {**ARGS, **change}
    return RunConfig(env=DIGITS, teacher="weakness", steps=steps, env_args=args)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    loop.start(config(), folder)
    return folder


def test_held_out_cells_have_a_test_set_of_their_own(folder: Path) -> None:
    run = read_run(folder)
    assert run.test_sets["held-out-v1"].tasks.tolist() == HELD_OUT
    assert len(run.test_sets["cells-v1"].tasks) == 28
    names = [row["test_set"] for row in run.evals]
    assert names == ["cells-v1", "held-out-v1"] * 2
    assert not any(any(row["probed"]) for row in run.evals[1::2])
    assert not {tuple(row["task"]) for row in run.episodes} & {(0.0, 1.0), (4.0, 0.0)}
    assert run_metrics(run).complete


def test_signs_are_those_of_the_rows(folder: Path) -> None:
    run = read_run(folder)
    signs = data_signs(run)
    taught, held_out = run.evals[::2], run.evals[1::2]
    lost = [
        off_probe_regression(np.array(r["before"]), np.array(r["returns"]), np.array(r["probed"]))
        for r in taught
    ]
    assert signs.lost_unprobed == pytest.approx(np.mean(lost))
    assert signs.lost_probed is not None
    assert signs.lost_probed != signs.lost_unprobed
    assert signs.held_out_before == pytest.approx(np.mean([np.mean(r["before"]) for r in held_out]))
    assert signs.held_out == pytest.approx(np.mean([r["mean_return"] for r in held_out]))
    assert signs.accepted == pytest.approx(0.6**2 + 0.4**2 / 9, abs=0.1)
    assert signs.majority == pytest.approx(0.1, abs=0.03)  # one digit of ten
    assert (signs.n_watched, signs.n_hacked, signs.n_hacked_probe) == (2, 0, 0)


def test_summary_picture_and_report_tell_them(folder: Path) -> None:
    run = read_run(folder)
    told = summary(run)
    for words in ("lost in cells not probed 0.", "held-out cells 0.", "samples accepted", "0 of 2"):
        assert words in told
    assert "hidden test of 2: accuracy" in told
    text = data_signs(run).text()
    figure = draw_lessons(load_lessons(folder))["gain"]
    notes = " ".join(" ".join(t.get_text() for t in figure.texts).split())
    assert text in notes
    lines = figure.axes[1].get_lines()
    assert [line.get_label() for line in lines] == ["before", "after", "commonest answer"]


def test_cells_that_are_all_probed_lose_nothing_unseen(tmp_path: Path) -> None:
    loop.start(config(EPISODE, visible_share=1.0, held_out=[], quality="none"), tmp_path / "run")
    run = read_run(tmp_path / "run")
    signs = data_signs(run)
    assert signs.lost_unprobed is signs.held_out is None
    assert signs.accepted == 1.0
    assert set(run.test_sets) == {"cells-v1"}
    assert "lost" not in summary(run)


def test_the_proxies_of_a_lesson_are_of_what_was_taught_and_of_the_probe(tmp_path: Path) -> None:
    args = {"quality": "none", "epochs": 40, "visible_share": 1.0, "train_mode": "continual"}
    loop.start(config(EPISODE, **args), tmp_path / "run")
    rows = read_run(tmp_path / "run").teacher
    taught, probe, golden = (
        np.mean([row[name] for row in rows]) for name in ("proxy", "proxy_on_probe", "metric")
    )
    assert taught > 0.8  # learnt by heart, errors and all
    assert probe == pytest.approx(0.6 * golden + 0.4 * (1 - golden) / 9, abs=0.06)
    checked = {**args, "quality": "answer"}
    loop.start(config(EPISODE, **checked), tmp_path / "checked")
    assert not any("proxy" in row for row in read_run(tmp_path / "checked").teacher)


def test_what_is_held_out_survives_an_interruption_bit_for_bit(
    folder: Path, tmp_path: Path
) -> None:
    loop.start(config(EPISODE), tmp_path / "run")
    loop.resume(tmp_path / "run", steps=2 * EPISODE)
    assert contents(tmp_path / "run") == contents(folder)


def test_studies_tabulate_export_and_keep_them(tmp_path: Path) -> None:
    row = {
        "teachers": ["zpd"],
        "baselines": ["uniform"],
        "environments": [{"id": DIGITS, "args": ARGS, "steps": EPISODE}],
        "seeds": 2,
    }
    study = StudyFolder.create(tmp_path / "study", read_study(row), None)
    assert all(r.status == "finished" for r in play(study.study.cells(), study.runs) if r.final)
    told = read_contents([study.path])
    sheet = signs_sheet(told.groups[0], told.teachers)
    zpd = dict(zip(sheet.heads, sheet.rows[0], strict=True))
    signs = [entry.metrics.signs for entry in told.groups[0].of("zpd")]
    assert zpd["teacher"] == "zpd"
    for head, field in (("lost, not probed", "lost_unprobed"), ("held out, after", "held_out")):
        mean = np.mean([getattr(one, field) for one in signs])
        assert zpd[head].split()[0] == f"{mean:.3f}"
    kept = read_reference(write_reference(tmp_path, told.entries).parent)
    assert [entry.metrics.signs for entry in kept] == [e.metrics.signs for e in told.entries]
    run = read_run(study.runs / study.study.cells()[0].name)
    assert len(tables([("run", run)])["tasks"]) == 30


def test_a_model_that_is_not_asked_the_probe_is_not_judged_by_it(folder: Path) -> None:
    run = read_run(folder)
    rows = [{k: v for k, v in row.items() if k != "proxy_on_probe"} for row in run.teacher]
    signs = data_signs(dataclasses.replace(run, teacher=rows))
    assert signs.text().endswith("teacher hacking flagged in 0 of 2")
    assert signs.share_hacked == 0.0
    assert signs.share_hacked_probe is None


def test_runs_from_before_have_fewer_signs() -> None:
    run = read_run(DATA / "data-run-1")
    signs = data_signs(run)
    assert signs.text() == ""
    assert {getattr(signs, f.name) for f in dataclasses.fields(signs)} == {None, 0}
    assert run_metrics(run).signs == signs


@pytest.mark.parametrize("width", [0, 2])
def test_the_commonest_answer_is_of_the_cell_if_the_question_tells_it(width: int) -> None:
    truth = np.array([1, 1, 2, 3, 3, 1], dtype=np.int16)
    truth = np.stack([truth] * width, axis=1) if width else truth
    skill = np.array([0, 0, 0, 1, 1, 1], dtype=np.int16)
    where = skill, np.zeros(6, np.int16), np.arange(6, dtype=np.uint64)
    picture, words = (Items({name: truth}, truth, truth, *where) for name in ("image", "tokens"))
    assert majority_accuracy(words, (3, 1)).tolist() == [[2 / 3], [2 / 3], [0.0]]
    assert majority_accuracy(picture, (3, 1)).tolist() == [[2 / 3], [1 / 3], [0.0]]
