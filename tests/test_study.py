"""Studies without Ray: their files, folders, status, packs and plans."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from studies import first_cells, play_study, searched, small_study, study_digests
from test_cli import call
from worlds import POLE

import teachers
from teachenv.errors import UserError
from teachenv.experiments import compare, loop
from teachenv.experiments.cells import Report, play, play_together
from teachenv.experiments.compare import Means, check_cells
from teachenv.experiments.files import StoreError, read_rows
from teachenv.experiments.study import StudyError
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_file import load_study, read_study
from teachenv.experiments.study_pack import PACK_STEPS, Pack, in_packs
from teachenv.experiments.study_plan import measure, plan_new, plan_rest
from teachenv.experiments.study_search import samples
from teachenv.experiments.study_status import StudyStatus, study_status
from teachenv.experiments.study_store import StudyFolder

TOML = """
teachers = ["alp-gmm", {id = "riac", name = "riac-small", args = {max_region_size = 50}}]
seeds = [3, 5]
steps = 1000
eval_every = 2

[[environments]]
id = "teachenv/StumpTracks-v0"

[[environments]]
id = "teachenv/CartPole-v0"
steps = 500
teacher_args = {oracle = {harder = {half_length = 1}}}
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyFolder, list[Report]]:
    return play_study(tmp_path_factory.mktemp("studies") / "study")


# -- the file --------------------------------------------------------------------------------


def write_toml(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(TOML)
    return path


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads TOML from Python 3.11 on")
def test_a_toml_file_becomes_cells(tmp_path: Path) -> None:
    study = load_study(write_toml(tmp_path))
    cells = {cell.name: cell.config for cell in study.cells()}
    teachers = ("alp-gmm", "riac-small", "uniform", "oracle")
    assert sorted(cells) == sorted(
        f"{env}/{teacher}/auto/seed-{seed}"
        for env in ("StumpTracks-v0", "CartPole-v0")
        for teacher in teachers
        for seed in (3, 5)
    )
    riac = cells["StumpTracks-v0/riac-small/auto/seed-5"]
    assert (riac.teacher, riac.teacher_args) == ("riac", {"max_region_size": 50})
    assert (riac.seed, riac.steps, riac.eval_every) == (5, 1000, 2)
    assert cells["CartPole-v0/alp-gmm/auto/seed-3"].steps == 500
    there = cells["CartPole-v0/oracle/auto/seed-3"].teacher_args
    assert there == {"harder": {"half_length": 1}}
    assert cells["StumpTracks-v0/oracle/auto/seed-3"].teacher_args == {}
    as_json = tmp_path / "study.json"
    as_json.write_text(json.dumps(study.to_json()))
    assert load_study(as_json) == study


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads TOML from Python 3.11 on")
def test_the_studies_of_the_documentation_are_good(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs" / "studies.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", text, re.S)
    for block in blocks:
        (tmp_path / "study.toml").write_text(block)
        study = load_study(tmp_path / "study.toml")
        if study.search is not None:
            assert set(study.search.space) <= set(teachers.hyper_parameters("alp-gmm"))
        check_cells(study.cells(check_env=True))
    assert len(blocks) == 2


def test_every_field_of_a_run_can_be_set_for_a_study() -> None:
    study = read_study(small_study(max_failed=3, new_student_every=512))
    assert {cell.config.max_failed for cell in study.cells()} == {3}
    assert {cell.config.new_student_every for cell in study.cells()} == {512}


@pytest.mark.parametrize(
    ("baselines", "teachers"),
    [
        (True, ["alp-gmm", "uniform", "oracle"]),
        (["oracle"], ["alp-gmm", "oracle"]),
        (False, ["alp-gmm"]),
    ],
)
def test_baselines_are_there_unless_refused(baselines: Any, teachers: list[str]) -> None:
    study = read_study(small_study(teachers=["alp-gmm"], baselines=baselines))
    assert [part.id for part in study.teachers] == teachers
    assert len(read_study(small_study(teachers=["uniform"], baselines=True)).teachers) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teachers": "uniform"}, "teachers: expected a list of ids"),
        ({"teachers": []}, "teachers: expected at least one"),
        ({"teachers": [{"args": {}}]}, "expected an id or"),
        ({"teachers": [{"id": "uniform", "arg": {}}]}, "unknown field 'arg'"),
        ({"teachers": [{"id": "uniform", "args": 3}]}, "args: expected"),
        ({"teachers": [{"id": "uniform", "name": "../up"}]}, "names are letters"),
        ({"teachers": ["uniform", "uniform"]}, '2 are called "uniform"'),
        ({"teachers": ["unifrom"]}, "did you mean 'uniform'"),
        ({"environments": ["teachenv/StumpTrack-v0"]}, "did you mean 'teachenv/StumpTracks-v0'"),
        ({"environments": [{"id": POLE, "name": "a", "teacher_args": {"x": {}}}]}, "teacher 'x'"),
        ({"environments": [{"id": POLE, "name": "a", "teacher_args": 3}]}, "teacher_args: exp"),
        ({"environments": [{"id": POLE, "name": "a", "steps": 0}]}, "steps: expected"),
        ({"students": ["sb3-pp"]}, "did you mean 'sb3-ppo'"),
        ({"seeds": 0}, "seeds: expected"),
        ({"seeds": True}, "seeds: expected"),
        ({"seeds": [1, 1]}, "seeds: expected"),
        ({"seeds": [-1]}, "seed: expected"),
        ({"baselines": "uniform"}, "baselines: expected"),
        ({"steps": 0}, "steps: expected a whole number of at least 1"),
        ({"stepz": 0}, "did you mean 'steps'"),
        ({"search": {}}, "search: expected"),
        ({"search": {"space": {"a": [1]}}}, "search: expected one teacher, got 2"),
        ({"search": {"space": {}}}, "at least one setting"),
        ({"search": {"space": {"a": {"low": 2, "high": 1}}}}, "low < high"),
        ({"search": {"space": {"a": {"low": 0, "high": 1, "log": True}}}}, "0 < low"),
        ({"search": {"space": {"a": []}}}, "expected a list of values"),
        ({"search": {"space": {"a": [1]}, "samples": 0}}, "samples: expected"),
        ({"search": {"space": {"a": [1]}, "reduction": 1}}, "reduction: expected"),
        ({"search": {"space": {"a": [1]}, "score": "x"}}, "unknown score 'x'"),
        ({"eval_every": 0, "search": {"space": {"a": [1]}}}, "lives on evaluations"),
    ],
)
def test_a_bad_study_is_refused_with_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_study(small_study(**change))
    assert message in str(caught.value)


def test_all_problems_of_a_study_are_listed_at_once() -> None:
    with pytest.raises(StudyError) as caught:
        read_study({"teachers": ["uniform"] * 2, "seeds": -1, "stepz": 3})
    assert len(str(caught.value).splitlines()) == 4
    with pytest.raises(StudyError) as caught:
        read_study(small_study(teachers=["unifrom"], steps=0, max_failed=0))
    assert len(str(caught.value).splitlines()) == 3


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    for name, text in (("a.toml", "x = "), ("a.json", "{"), ("b.json", "[1]")):
        (tmp_path / name).write_text(text)
        with pytest.raises(StudyError):
            load_study(tmp_path / name)
    with pytest.raises(StudyError, match="not readable"):
        load_study(tmp_path / "none.toml")


def test_arguments_that_parts_refuse_are_told_before_anything_runs(tmp_path: Path) -> None:
    teachers = [{"id": "alp-gmm", "args": {"fit_rates": 3}}]
    students = [{"id": "sb3-ppo", "args": {"learning_rat": 3}}]
    with pytest.raises(StudyError) as caught:
        compare.compare(
            small_study(teachers=teachers, students=students, baselines=True), tmp_path / "study"
        )
    text = str(caught.value)
    assert "Pole/alp-gmm/sb3-ppo: teacher_args: " in text
    assert "Pole/oracle/sb3-ppo: teacher_args: oracle: harder" in text
    assert 'baselines = ["uniform"]' in text
    assert text.count("learning_rat'") == 3
    assert not (tmp_path / "study").exists()
    for uri in ("relative/folder", "nonsense://bucket/x"):
        with pytest.raises(UserError, match="storage: expected"):
            compare.compare(small_study(), tmp_path / "study", storage=uri)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    "bad", [{"workers": 0}, {"cpus": 0}, {"gpus": -1}, {"max_failures": -1}, {"pack": 0}]
)
def test_means_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(bad))):
        Means(**bad)


# -- packs -----------------------------------------------------------------------------------


def test_a_pack_comes_back_from_its_text() -> None:
    pack = Pack(first_cells(2), "/runs", retries=1, storage="s3://x/y", score="mean_return")
    assert Pack.from_text(pack.to_text()) == pack


def test_cells_are_packed_up_to_worthwhile_work() -> None:
    cells = read_study(small_study(seeds=20)).cells()
    for at_once, size, lengths in (
        (1, None, [20, 20]),
        (2, None, [10, 10, 10, 10]),
        (100, None, [1] * 40),
        (1, 30, [30, 10]),
    ):
        packs = list(in_packs(cells, at_once, size))
        assert [len(pack) for pack in packs] == lengths
        assert [cell for pack in packs for cell in pack] == cells
    large = read_study(small_study(seeds=20, steps=PACK_STEPS // 2)).cells()
    assert {len(pack) for pack in in_packs(large, 1)} == {2}


def test_cells_with_runners_are_packed_apart() -> None:
    students = [{"id": "sb3-ppo"}, {"id": "rllib-ppo", "args": {"num_env_runners": 2}}]
    packs = list(in_packs(read_study(small_study(students=students)).cells(), 1, 100))
    assert [{cell.config.student for cell in pack} for pack in packs] == [
        {"sb3-ppo"},
        {"rllib-ppo"},
    ]


# -- the folder, its status ------------------------------------------------------------------


def test_nothing_is_overwritten_and_foreign_folders_are_refused(tmp_path: Path) -> None:
    study = read_study(small_study())
    folder = StudyFolder.create(tmp_path / "study", study, None)
    assert StudyFolder.read(tmp_path / "study") == folder
    with pytest.raises(StoreError, match="teachenv resume"):
        StudyFolder.create(tmp_path / "study", study, None)
    with pytest.raises(StoreError, match="not a study folder"):
        StudyFolder.read(tmp_path)
    row = json.loads((folder.path / "study.json").read_text())
    for change in ({"format": 99}, {"study": {}}, {"study": {**row["study"], "teachers": ["x"]}}):
        (folder.path / "study.json").write_text(json.dumps({**row, **change}))
        with pytest.raises(UserError):
            StudyFolder.read(folder.path)


def test_one_process_conducts_a_study(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path / "study", read_study(small_study()), None)
    with folder.lock():
        with pytest.raises(StoreError, match=f"process {os.getpid()} is running it"):
            compare.resume(folder.path)
        assert study_status(folder).conductor == str(os.getpid())
    assert study_status(folder).conductor is None


def test_runs_that_are_not_the_studys_are_refused(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path
) -> None:
    folder, _ = played
    copy = Path(shutil.copytree(folder.path, tmp_path / "copy"))
    row = json.loads((copy / "study.json").read_text())
    row["study"]["max_failed"] = 3
    (copy / "study.json").write_text(json.dumps(row))
    with pytest.raises(StoreError, match="max_failed is 10, but the study says"):
        compare.resume(copy)


def test_what_a_study_leaves_open_may_be_decided_by_its_runs(tmp_path: Path) -> None:
    study = read_study(
        {
            "teachers": ["uniform"],
            "baselines": False,
            "seeds": 1,
            "environments": [{"id": "teachenv/StumpTracks-v0", "args": {"backend": "auto"}}],
        }
    )
    folder = StudyFolder.create(tmp_path / "study", study, None)
    (cell,) = study.cells()
    loop.open_new(cell.config, folder.runs / cell.name)[0].close()
    folder.write_ended({cell.name: {"status": "stopped", "reason": ""}})
    assert compare.resume(folder.path).finished
    header = json.loads((folder.runs / cell.name / "config.json").read_text())
    header["config"] |= {"env_timeout_s": 7.0, "on_env_error": "skip"}  # as `teachenv resume` may
    (folder.runs / cell.name / "config.json").write_text(json.dumps(header))
    assert compare.resume(folder.path).finished
    (folder.runs / cell.name / "config.json").write_text("{}")
    with pytest.raises(StoreError, match="not a run's"):
        compare.resume(folder.path)


def test_a_failed_cell_takes_its_sample_along_but_not_for_ever(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path / "study", searched(), None)
    (one, two), (three, four) = ([c.name for c in cells] for cells in folder.study.samples())
    board = Board(folder, 1)
    board.report(Report(one, "failed", 512, "no luck"))
    board.end([one, two])
    board.report(Report(three, "finished", 1536))
    board.end([three, four])
    assert {name: row["status"] for name, row in folder.ended().items()} == {
        one: "failed",
        two: "failed",
        four: "stopped",
    }
    assert {c.cell.name for c in Board(folder, 1).cells if not c.done} == {one, two, three}


def test_the_status_tells_where_every_cell_is(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path
) -> None:
    folder, _ = played
    study = read_study(small_study(seeds=3))
    mine = StudyFolder.create(tmp_path / "study", study, None)
    shutil.copytree(folder.runs, mine.runs)
    a, b, *others = study.cells()[2:]
    playing = play([a], mine.runs)
    next(playing)
    mine.write_ended({b.name: {"status": "failed", "reason": "no luck"}})
    status = study_status(mine)
    assert status.counts() == {"finished": 2, "running": 1, "waiting": 2, "failed": 1}
    assert [(cell.cell.name, cell.reason) for cell in status.failed] == [(b.name, "no luck")]
    assert not status.finished
    spent = sum(
        row["total_s"]
        for cell in study.cells()
        for row in read_rows(mine.runs / cell.name / "times.jsonl")
    )
    to_do = 1024 + 1536 * len(others)
    assert status.left_s == pytest.approx(to_do * spent / (2 * 1536 + 512))
    playing.close()
    assert study_status(mine).counts()["interrupted"] == 1
    shutil.rmtree(mine.runs)
    assert study_status(mine).left_s is None


def test_a_finished_study_is_left_alone(played: tuple[StudyFolder, list[Report]]) -> None:
    folder, _ = played
    before = study_digests(folder.path)
    status: StudyStatus = compare.resume(folder.path)  # needs no Ray
    assert status.finished
    assert status.left_s == 0
    assert study_digests(folder.path) == before


def test_the_cell_that_was_played_is_blamed_for_a_dead_process(tmp_path: Path) -> None:
    folder = StudyFolder.create(tmp_path / "study", read_study(small_study()), None)
    told: list[str] = []
    board = Board(folder, 1, lambda board, message: told.append(message))
    first, second, third, fourth = (cell.name for cell in folder.study.cells())
    board.report(Report(first, "finished", 1536))
    assert board.died([first, second, third]) == []
    assert board.died([first, second, third]) == [second]
    board.report(Report(third, "running", 512))
    assert board.died([first, second, third]) == [second]
    board.give_up([third, fourth], "no machine")
    assert {k: v["reason"] for k, v in folder.ended().items()} == {
        second: "its process died 2 times: killed, out of memory, or crashed",
        third: "no machine",
        fourth: "no machine",
    }
    assert next(m for m in told if m) == f"{second}: its process died; it is continued in another"
    board = Board(folder, 1)  # the next conductor tries them all again
    assert {cell.status for cell in board.cells} == {"waiting"}
    assert folder.ended() == {}
    board.give_up([first], "lagged", "stopped")
    assert {cell.status for cell in Board(folder, 1).cells} == {"waiting", "stopped"}


# -- plans, and the command line -------------------------------------------------------------


def test_a_plan_says_what_is_left_and_where_its_speeds_come_from(
    played: tuple[StudyFolder, list[Report]],
) -> None:
    folder, _ = played
    study = read_study(small_study())
    new = plan_new(study, at_once=2)
    assert new.steps == 4 * 1536
    assert new.sources == {"Pole/sb3-ppo": "measured here"}
    assert new.cell_seconds == pytest.approx(new.steps * new.speeds["Pole/sb3-ppo"])
    assert new.seconds == pytest.approx(new.cell_seconds / 2)
    rest = plan_rest(folder, at_once=2)
    assert rest.steps == 0
    assert rest.sources == {"Pole/sb3-ppo": "its earlier rounds"}


def test_a_slow_student_is_measured_no_longer_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("teachenv.experiments.study_plan.MEASURE_S", 0.01)
    (cell,) = first_cells(1)
    seconds, source = measure(cell.config)
    assert source == "measured here, without updates"
    assert 0 < seconds < 0.1


def test_a_dry_run_shows_cells_budget_and_time(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_text(json.dumps(small_study()))
    output = call("compare", str(path), "--dry-run", "--workers", "2")
    for text in ("4 cells", "6,144 steps to take, 2 cells at once", "measured here", "about 0:00:"):
        assert text in output
    assert list(tmp_path.iterdir()) == [path]


def test_status_and_resume_take_a_study(played: tuple[StudyFolder, list[Report]]) -> None:
    folder, _ = played
    output = call("status", str(folder.path), "--cells")
    assert "2 finished; 3,072/3,072 steps" in output
    assert "Pole/alp-gmm/sb3-ppo/seed-0" in output
    assert "2 finished" in call("resume", str(folder.path))
    for change in (("--steps", "9999"), ("--on-env-error", "skip"), ("--env-timeout", "9")):
        with pytest.raises(UserError, match=f"is a study.*{change[0]}"):
            call("resume", str(folder.path), *change)
    with pytest.raises(UserError, match="for new studies"):
        call("compare", str(folder.path), "--storage", "/x")


def test_the_search_is_shown_with_the_best_first(tmp_path: Path) -> None:
    study = searched(2, seeds=1, steps=1024)
    folder = StudyFolder.create(tmp_path / "study", study, None)
    one, two = study.samples()
    list(play_together(one, folder.runs, score="share_mastered"))
    next(play_together(two, folder.runs, score="share_mastered"))
    folder.write_ended({two[0].name: {"status": "stopped", "reason": "lagged"}})
    found = samples(folder)
    assert [(s.name, len(s.scores), s.status) for s in found] == [
        ("alp-gmm-0", 2, "finished"),
        ("alp-gmm-1", 1, "stopped"),
    ]
    assert found[1].settings == {"fit_rate": 40}
    assert '{"fit_rate": 20}' in call("resume", str(folder.path))


def test_checking_cells_looks_at_every_kind_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(compare, "check", lambda config: looked.append(config.teacher))
    check_cells(read_study(small_study(seeds=5)).cells())
    assert looked == ["alp-gmm", "uniform"]
