"""Studies of data generation: the same file, cells, plans, figures and report as any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_cli import call
from test_data_loop import DIGITS, EPISODE, contents
from worlds import POLE

from teachenv.experiments import loop
from teachenv.experiments.cells import play
from teachenv.experiments.compare import check_cells, resume, settled
from teachenv.experiments.data_parts import USUAL_EPISODES
from teachenv.experiments.metrics import run_metrics
from teachenv.experiments.report import write_report
from teachenv.experiments.store import read_run
from teachenv.experiments.study import StudyError
from teachenv.experiments.study_file import load_study, read_study
from teachenv.experiments.study_plan import plan_new
from teachenv.experiments.study_store import StudyFolder

TOML = f"""
teachers = ["zpd", {{id = "alp-gmm", args = {{draws = 4}}}}]
seeds = 1

[[environments]]
id = "{DIGITS}"
name = "Digits"
args = {{n_steps = 4, n_samples = 12, domain_args = {{n_noise = 1}}, visible_share = 0.7}}
steps = {2 * EPISODE}
"""
TEACHERS = ("zpd", "alp-gmm", "uniform", "oracle")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "digits.toml"
    path.write_text(TOML)
    return path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    folder = tmp_path_factory.mktemp("studies")
    path = folder / "digits.toml"
    path.write_text(TOML)
    study = StudyFolder.create(folder / "study", load_study(path), None)
    assert [r.status for r in play(study.study.cells(), study.runs) if r.final] == ["finished"] * 4
    return study


def test_the_baselines_are_those_of_data(file: Path) -> None:
    study = load_study(file)
    assert tuple(part.name for part in study.teachers) == TEACHERS
    check_cells(study.cells())


def test_cells_equal_single_runs(played: StudyFolder, tmp_path: Path) -> None:
    for cell in played.study.cells():
        loop.start(cell.config, tmp_path / cell.name)
        assert contents(played.runs / cell.name) == contents(tmp_path / cell.name)


def test_resuming_knows_its_runs_again(played: StudyFolder) -> None:
    assert resume(played.path).counts() == {"finished": len(TEACHERS)}


def test_teachers_of_a_seed_are_compared_on_the_same_students(played: StudyFolder) -> None:
    runs = [read_run(played.runs / cell.name) for cell in played.study.cells()]
    before = {str([row["before"] for row in run.evals]) for run in runs}
    assert len(before) == 1
    assert len({str([row["returns"] for row in run.evals]) for run in runs}) == len(TEACHERS)


def test_figures_and_report_read_them(played: StudyFolder, tmp_path: Path) -> None:
    for cell in played.study.cells():
        run = read_run(played.runs / cell.name)
        figures = run_metrics(run)
        found = figures.test_sets["cells-v1"]
        assert figures.complete
        assert figures.budget.steps == 2 * EPISODE
        assert found.mean_return == pytest.approx(np.mean(run.evals[-1]["returns"]))
        assert found.curve.steps == (EPISODE, 2 * EPISODE)
    page = write_report([played.path], tmp_path / "report", animations=False).page.read_text()
    assert all(name in page for name in (*TEACHERS, "Digits", "Signs", "lost, not probed"))


def test_a_plan_counts_samples_and_measures(file: Path) -> None:
    plan = plan_new(load_study(file), at_once=2)
    assert plan.steps == 4 * 2 * EPISODE
    assert plan.sources == {"Digits/auto": "measured here"}
    assert 0.0 < plan.seconds < 60.0
    assert "4 cells" in call("compare", str(file), "--dry-run")


def test_a_study_that_leaves_the_steps_open_gets_the_usual_ones() -> None:
    args = {"n_steps": 4, "n_samples": 12}
    environments = [{"id": DIGITS, "args": args}, POLE, {"id": POLE, "name": "Short", "steps": 9}]
    row = {"teachers": ["uniform"], "environments": environments, "baselines": False, "seeds": 1}
    study = settled(read_study(row))
    assert [cell.config.steps for cell in study.cells()] == [USUAL_EPISODES * EPISODE, 1_000_000, 9]
    assert settled(read_study({**row, "steps": 7})).environments[0].settings == {}
    assert settled(study) == study


def test_what_has_no_meaning_there_is_refused_before_it_starts() -> None:
    row = {"teachers": ["zpd"], "environments": [DIGITS, POLE], "students": ["sb3-ppo"]}
    with pytest.raises(StudyError) as refused:
        check_cells(read_study({**row, "baselines": ["uniform"], "steps": EPISODE}).cells())
    told = str(refused.value)
    assert "zpd/sb3-ppo: student: unknown student of data 'sb3-ppo'" in told
    assert "unknown teacher 'zpd'" in told


@pytest.mark.ray
@pytest.mark.slow
def test_ray_plays_it(played: StudyFolder, file: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "study"
    assert "4 finished" in call("compare", str(file), "--out", str(out), "--workers", "2")
    for cell in played.study.cells():
        assert contents(out / "runs" / cell.name) == contents(played.runs / cell.name)
