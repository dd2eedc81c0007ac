"""The report of two studies, played by the toy student: which is which, side by side."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_cli import call
from test_report import Page, browse, needs_chromium
from toy_runs import ROUND, toys
from toy_student import CLIMB

from teachenv.experiments.cells import play
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

pytestmark = pytest.mark.slow


def toy_study(path: Path, teachers: list[Any]) -> Path:
    row = {
        "teachers": teachers,
        "environments": [{"id": CLIMB, "name": "Climb"}],
        "students": ["toy"],
        "baselines": False,
        "seeds": 5,
        "steps": 3 * ROUND,
        "round_steps": ROUND,
        "eval_every": 1,
        "test_sets": ["grid-v1"],
    }
    study = read_study(row)
    folder = StudyFolder.create(path, study, None)
    ended = [report for report in play(study.cells(), folder.runs) if report.final]
    assert [report.status for report in ended] == ["finished"] * len(study.cells())
    return path


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("pair")
    coarse = {"id": "lp-bins", "args": {"bins": 2}}
    fine = {"id": "lp-bins", "args": {"bins": 4}}
    with toys():
        return (
            toy_study(root / "coarse", ["uniform", coarse]),
            toy_study(root / "fine", ["uniform", fine]),
        )


@pytest.fixture(scope="module")
def written(paths: tuple[Path, Path]) -> tuple[str, Path]:
    out = paths[0].parent / "both"
    with toys():
        said = call("report", *map(str, paths), "--out", str(out), "--no-animations")
    return said, out / "report.html"


def table(text: str, heading: str) -> list[list[str]]:
    """The first table after a heading, as the texts of its cells."""
    start = re.search(rf"<h\d[^>]*>{heading}", text)
    assert start is not None, heading
    rows = re.search(r"<table.*?</table>", text[start.end() :], re.DOTALL)
    assert rows is not None
    cells = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in rows[0].split("<tr>")[1:]]
    return [[re.sub("<[^>]*>", "", cell) for cell in row] for row in cells]


def column(text: str, heading: str) -> list[str]:
    return [row[0] for row in table(text, heading)[1:]]


def test_the_command_compares_two_studies_and_says_where(written: tuple[str, Path]) -> None:
    said, page = written
    assert str(page) in said.replace("\n", "")
    words = Page(page.read_text()).words
    verdict = re.search(r"[^.]*5 seeds[^.]*\.", words)
    assert verdict is not None
    assert "coarse/" in verdict[0] or "No teacher" in verdict[0]


def test_the_page_says_which_is_which_in_every_table(written: tuple[str, Path]) -> None:
    text = written[1].read_text()
    everyone = ["coarse/uniform", "coarse/lp-bins", "fine/uniform", "fine/lp-bins"]
    assert "<h1>Report of coarse and fine</h1>" in text
    assert sorted(column(text, "Report of")) == sorted(everyone)
    assert column(text, "Test set grid-v1") == everyone
    assert column(text, "Cost") == everyone
    bins = {row[0]: row[3] for row in table(text, "Teachers")[1:]}
    assert (bins["coarse/lp-bins"], bins["fine/lp-bins"]) == ("bins = 2", "bins = 4")
    assert [row[0] for row in table(text, "Machines")[1:]] == ["20 runs of coarse, fine"]
    for name in everyone:
        assert f"<summary>{name}</summary>" in text  # its curriculum
    relative = {name: row for name, *row in table(text, "Cost")[1:]}
    at = table(text, "Cost")[0].index("teacher, us per trial") - 1
    assert all(float(row[at].replace(",", "")) > 0 for row in relative.values())


def test_the_page_of_two_loads_nothing_from_anywhere(written: tuple[str, Path]) -> None:
    page = Page(written[1].read_text())
    assert page.open == []
    assert all(re.match("#|data:image/png;base64,", load) for load in page.loads)
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(page.ids)


@needs_chromium
def test_chromium_shows_the_page_of_two(written: tuple[str, Path], tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    browse(tmp_path, "--window-size=1000,3000", f"--screenshot={shot}", written[1].as_uri())
    pixels = np.asarray(Image.open(shot).convert("L")).astype(int)
    ground = pixels[2, 2]
    for stretch in np.array_split(np.abs(pixels - ground)[:2400], 6):
        assert (stretch > 100).mean() > 0.005
