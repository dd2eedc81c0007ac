"""Cells without Ray: played, continued, tried again, searched, mirrored."""

from __future__ import annotations

import dataclasses
import io
import math
import os
import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyarrow.fs import FileType
from studies import SMALL, first_cells, play_study, searched, small_study, study_digests
from test_loop import digests
from toy_runs import stop_after, toy_config, toys

from students.check import state_digest
from teachenv.errors import UserError
from teachenv.experiments import cells as cells_module
from teachenv.experiments import loop, task_loop
from teachenv.experiments.cells import Report, past_scores, play, play_together
from teachenv.experiments.compare import compare
from teachenv.experiments.files import StoreError, read_rows
from teachenv.experiments.mirror import Mirror
from teachenv.experiments.store import read_status
from teachenv.experiments.study import Cell
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyFolder, list[Report]]:
    return play_study(tmp_path_factory.mktemp("studies") / "study")


# -- cells -----------------------------------------------------------------------------------


def test_cells_in_one_process_equal_runs_of_their_own(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path
) -> None:
    folder, _ = played
    for cell in folder.study.cells():
        loop.start(cell.config, tmp_path / cell.name)
        assert digests(folder.runs / cell.name) == digests(tmp_path / cell.name)
        here, there = (
            sorted(p.name for p in (top / cell.name).iterdir()) for top in (folder.runs, tmp_path)
        )
        assert here == there


def check_first_students(runs: Path, student: str, arguments: dict[str, Any]) -> None:
    """Of a seed they are the same under both teachers, of another seed others."""
    first: dict[int, dict[str, str]] = {0: {}, 1: {}}
    for cell in read_study(small_study(students=[{"id": student, "args": arguments}])).cells():
        _, load = loop.open_new(cell.config, runs / cell.name)
        with closing(load()) as run:
            assert isinstance(run, task_loop.RunLoop)
            first[cell.config.seed][cell.config.teacher] = state_digest(run.student.state_dict())
    assert first[0]["alp-gmm"] == first[0]["uniform"]
    assert first[1]["alp-gmm"] == first[1]["uniform"]
    assert first[0]["uniform"] != first[1]["uniform"]


def test_teachers_of_a_seed_begin_with_the_same_student(tmp_path: Path) -> None:
    check_first_students(tmp_path, "sb3-ppo", SMALL)


@pytest.mark.slow
@pytest.mark.ray
def test_teachers_of_a_seed_begin_with_the_same_student_of_rllib(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    from students.rllib_runners import start_ray

    assert start_ray(1)
    try:
        check_first_students(tmp_path, "rllib-ppo", {"envs_per_runner": 4})
    finally:
        ray.shutdown()


def test_a_report_comes_after_every_round(played: tuple[StudyFolder, list[Report]]) -> None:
    folder, reports = played
    for cell in folder.study.cells():
        own = [(report.status, report.step) for report in reports if report.cell == cell.name]
        rounds = [("running", 512), ("running", 1024), ("running", 1536)]
        assert own == [*rounds, ("finished", 1536)]


def test_a_finished_cell_is_only_reported(played: tuple[StudyFolder, list[Report]]) -> None:
    folder, _ = played
    before = study_digests(folder.path)
    reports = list(play(folder.study.cells(), folder.runs))
    assert [report.status for report in reports] == ["finished", "finished"]
    assert study_digests(folder.path) == before


@pytest.mark.parametrize("n_reports", [1, 2])
def test_a_cell_that_is_left_can_be_continued(
    n_reports: int, played: tuple[StudyFolder, list[Report]], tmp_path: Path
) -> None:
    folder, _ = played
    cell = folder.study.cells()[0]
    playing = play([cell], tmp_path)
    for _ in range(n_reports):
        next(playing)
    playing.close()
    assert read_status(tmp_path / cell.name)["status"] == "interrupted"
    assert list(play([cell], tmp_path))[-1].status == "finished"
    assert digests(tmp_path / cell.name) == digests(folder.runs / cell.name)


def test_a_half_made_folder_is_made_again(tmp_path: Path) -> None:
    (cell,) = first_cells(1, steps=512)
    half = tmp_path / cell.name
    half.mkdir(parents=True)
    (half / "lock").touch()
    (half / ".config.json.writing").write_text("{")
    assert list(play([cell], tmp_path))[-1].status == "finished"
    shutil.rmtree(half)
    half.mkdir()
    (half / "mine.txt").touch()
    assert list(play([cell], tmp_path))[-1].status == "failed"
    assert (half / "mine.txt").exists()


def fail_at(monkeypatch: pytest.MonkeyPatch, *calls: int) -> None:
    """Let the given calls of ``RunLoop.advance`` raise, counted over all loops."""
    advance, count = task_loop.RunLoop.advance, iter(range(10**6))

    def failing(self: task_loop.RunLoop) -> None:
        if next(count) in calls:
            raise RuntimeError("disk full")
        advance(self)

    monkeypatch.setattr(task_loop.RunLoop, "advance", failing)


def test_a_cell_that_fails_is_tried_again_and_ends_the_same(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = played
    cell = folder.study.cells()[0]
    fail_at(monkeypatch, 1, 2)
    reports = list(play([cell], tmp_path, retries=2))
    assert [r.reason for r in reports if r.reason] == 2 * ["RuntimeError('disk full')"]
    assert reports[-1].status == "finished"
    assert digests(tmp_path / cell.name) == digests(folder.runs / cell.name)


def test_a_cell_that_fails_for_good_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, 0, 1)
    reports = list(play(first_cells(2, steps=512), tmp_path, retries=1))
    assert [r.status for r in reports if r.final] == ["failed", "finished"]
    assert "disk full" in next(r.reason for r in reports if r.final)


def test_a_refused_cell_fails_at_once(tmp_path: Path) -> None:
    (cell,) = first_cells(1, teachers=["uniform"], test_sets=["stump-50-v1"])
    (report,) = play([cell], tmp_path, retries=3)
    assert report.status == "failed"
    assert "stump-50-v1" in report.reason


def test_who_holds_a_run_is_waited_for_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cell,) = first_cells(1)
    first = play([cell], tmp_path)
    next(first)
    monkeypatch.setattr(cells_module, "LOCK_TIMEOUT_S", 0.3)
    (report,) = play([cell], tmp_path)
    assert f"process {os.getpid()} is running it" in report.reason
    first.close()


# -- search ----------------------------------------------------------------------------------


def test_samples_of_a_search_are_named_cells_with_their_settings() -> None:
    study = searched()
    assert read_study(study.to_json()) == study
    names = [[cell.name for cell in cells] for cells in study.samples()]
    assert names[1] == [f"Pole/alp-gmm-1/sb3-ppo/seed-{seed}" for seed in (0, 1)]
    settings = [cells[0].config.teacher_args for cells in study.samples()]
    assert settings == [{"fit_rate": 20}, {"fit_rate": 40}]


def test_cells_played_together_report_their_mean_score_and_equal_single_runs(
    tmp_path: Path,
) -> None:
    study = searched(1)
    (cells,) = study.samples()
    together = list(play_together(cells, tmp_path, score="mean_return"))
    evals = [read_rows(tmp_path / cell.name / "evals.jsonl") for cell in cells]
    means = [math.fsum(row["mean_return"] for row in rows) / 2 for rows in zip(*evals)]  # noqa: B905
    assert [score for _, score in together[:-1]] == means
    assert len(means) == 3
    reports, last = together[-1]
    assert math.isnan(last)
    assert {report.status for report in reports} == {"finished"}
    again = list(play_together(cells, tmp_path, score="mean_return"))
    assert [score for _, score in again[:-1]] == means
    assert past_scores([tmp_path / cell.name for cell in cells], "mean_return") == means
    loop.start(cells[0].config, tmp_path / "single")
    assert digests(tmp_path / cells[0].name) == digests(tmp_path / "single")


def test_a_sample_left_at_an_evaluation_goes_on_from_there(tmp_path: Path) -> None:
    (cells,) = searched(1).samples()
    playing = play_together(cells, tmp_path, score="share_mastered")
    _, first = next(playing)
    playing.close()
    steps = [read_status(tmp_path / cell.name)["step"] for cell in cells]
    assert steps == [512, 512]
    again = play_together(cells, tmp_path, score="share_mastered")
    assert next(again)[1] == first
    assert [read_status(tmp_path / cell.name)["step"] for cell in cells] == [512, 512]
    again.close()


def test_a_sample_goes_on_from_bad_rows_beyond_its_checkpoints(tmp_path: Path) -> None:
    cell, score = Cell("a/b/c/seed-0", "a/c", toy_config()), "mean_return"
    with toys():
        undisturbed = [mean for _, mean in play_together([cell], tmp_path / "one", score=score)]
        stop_after(cell.config, tmp_path / "two" / cell.name, 2)
        with (tmp_path / "two" / cell.name / "evals.jsonl").open("a") as file:
            file.write("[]\n")
        again = [mean for _, mean in play_together([cell], tmp_path / "two", score=score)]
    assert len(again) == 4
    assert again[:-1] == undisturbed[:-1]
    assert digests(tmp_path / "one" / cell.name) == digests(tmp_path / "two" / cell.name)


def test_a_sample_ends_when_a_cell_of_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, 2)
    (cells,) = searched(1).samples()
    *_, (reports, _) = play_together(cells, tmp_path, score="share_mastered")
    assert sorted(report.status for report in reports) == ["failed", "running"]


# -- the mirror ------------------------------------------------------------------------------


def test_what_a_mirror_lists_outside_a_run_is_not_copied(tmp_path: Path) -> None:
    class Listing(list[str]):
        """A store that lists a file whose name leads out of the run."""

        def get_file_info(self, selector: object) -> list[object]:
            return [SimpleNamespace(path=path, type=FileType.File) for path in self]

        def open_input_stream(self, path: str) -> io.BytesIO:
            return io.BytesIO(b'{"step": 1, "status": "finished"}')

    mirror = Mirror(str(tmp_path / "mirror"))
    mirror._fs = Listing([f"{tmp_path}/mirror/run/status.json", f"{tmp_path}/mirror/run/../../out"])
    with pytest.raises(UserError, match="no file of a run"):
        mirror.pull("run", tmp_path / "here" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_mirrored_run_goes_on_elsewhere(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path
) -> None:
    folder, _ = played
    cell = folder.study.cells()[0]
    mirror = Mirror(str(tmp_path / "mirror"))
    playing = play([cell], tmp_path / "here", mirror=mirror)
    next(playing)
    next(playing)
    playing.close()  # what happens here from now on, the mirror does not see
    elsewhere = list(play([cell], tmp_path / "there", mirror=Mirror(f"file://{tmp_path}/mirror")))
    assert elsewhere[0].step == 1536
    for place in (tmp_path / "there", tmp_path / "mirror"):
        assert digests(place / cell.name) == digests(folder.runs / cell.name)
    checkpoints = tmp_path / "mirror" / cell.name / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir() if any(path.iterdir())) == [
        "00000002",
        "00000003",
    ]
    mirror.pull(cell.name, tmp_path / "here" / cell.name)
    assert read_status(tmp_path / "here" / cell.name)["status"] == "finished"


def test_a_mirror_of_another_study_is_refused_before_anything_is_made(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path
) -> None:
    folder, _ = played
    cell = folder.study.cells()[0]
    Mirror(str(tmp_path / "mirror")).push(cell.name, folder.runs / cell.name)
    other = dataclasses.replace(folder.study, settings={**folder.study.settings, "max_failed": 3})
    with pytest.raises(UserError, match="max_failed is 10, but the study says 3; mirror this"):
        compare(other, tmp_path / "study", storage=str(tmp_path / "mirror"))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    "damage",
    ["no JSON", "[" * 100_000, "\xff", " " * ((16 << 20) + 1), "[]"],
    ids=["words", "deep", "no text", "large", "a list"],
)
def test_a_damaged_mirror_is_refused_before_anything_is_made(tmp_path: Path, damage: str) -> None:
    study = read_study(small_study())
    there = tmp_path / "mirror" / study.cells()[0].name
    there.mkdir(parents=True)
    for name in ("config.json", "status.json"):
        (there / name).write_text(damage, encoding="latin-1")
    with pytest.raises(StoreError, match=r"config\.json"):
        compare(study, tmp_path / "study", storage=str(tmp_path / "mirror"))
    with pytest.raises(StoreError, match=r"status\.json"):
        Mirror(str(tmp_path / "mirror")).pull(study.cells()[0].name, tmp_path / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]
    folder = StudyFolder.create(tmp_path / "study", study, str(tmp_path / "mirror"))
    told: list[str] = []
    Board(folder, retries=0, listener=lambda _, message: told.append(message))
    assert ["not fetched from the mirror" in text for text in told] == [True]


@pytest.mark.slow
def test_a_push_that_breaks_off_anywhere_leaves_a_mirror_to_go_on_from(
    played: tuple[StudyFolder, list[Report]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = played
    cell = folder.study.cells()[0]
    upload = Mirror._upload
    breaks = 0
    for n in range(1, 40, 6):
        left, root = [n], tmp_path / str(n)

        def failing(self: Mirror, path: Path, target: str, left: list[int] = left) -> None:
            if left[0] == 0:
                raise OSError("network gone")
            left[0] -= 1
            upload(self, path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Mirror, "_upload", failing)
            reports = list(play([cell], root / "here", mirror=Mirror(str(root / "mirror"))))
        if reports[-1].status == "finished":
            break
        breaks += 1
        last = list(play([cell], root / "there", mirror=Mirror(str(root / "mirror"))))[-1]
        assert last.status == "finished"
        assert digests(root / "there" / cell.name) == digests(folder.runs / cell.name)
    assert breaks >= 4


def test_the_mirror_never_replaces_what_is_ahead_of_it(tmp_path: Path) -> None:
    (cell,) = first_cells(1)
    mirror = Mirror(str(tmp_path / "mirror"))
    playing = play([cell], tmp_path / "here", mirror=mirror)
    next(playing)
    playing.close()
    list(play([cell], tmp_path / "here"))
    before = digests(tmp_path / "here" / cell.name)
    mirror.pull(cell.name, tmp_path / "here" / cell.name)
    assert digests(tmp_path / "here" / cell.name) == before
    mirror.pull("no/such/run", tmp_path / "none")
    assert not (tmp_path / "none").exists()
