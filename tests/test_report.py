"""Reports of studies: what they say, and that the page holds all of it."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from reports import write_study
from test_cli import call

from teachenv.errors import UserError
from teachenv.experiments.cells import play
from teachenv.experiments.files import StoreError
from teachenv.experiments.metrics import run_metrics
from teachenv.experiments.plot_study_files import MAX_GIF, N_FRAMES
from teachenv.experiments.plot_style import INK, SCORE_MAP
from teachenv.experiments.report import write_report
from teachenv.experiments.report_contents import read_contents
from teachenv.experiments.report_ran import versions_sheet
from teachenv.experiments.report_reference import write_reference
from teachenv.experiments.report_tables import metrics_sheet, standings_sheet
from teachenv.experiments.statistics import mean_interval
from teachenv.experiments.store import read_run
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

FAILED = {"Pole/uniform/sb3-ppo/seed-5": "RuntimeError('<b>the pole</b> is broken')"}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """What a page holds: text, figures' names, and everything it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.loads.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "img", "br"):
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.words += data


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "poles"
    return write_study(folder, {"alp-gmm": 0.8, "uniform": 0.5}, n_seeds=6, failed=FAILED)


@pytest.fixture(scope="module")
def output(study):
    return call("report", str(study))


@pytest.fixture(scope="module")
def text(study, output):
    return (study / "report" / "report.html").read_text()


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def names(contents):
    return [one.teacher for one in contents.judged.verdict.standings]


# -- what it says ----------------------------------------------------------------------------


def test_the_command_prints_the_verdict_and_where_the_page_is(study, output):
    assert "alp-gmm beats every other teacher (5 seeds, level 0.05)." in output
    assert str(study / "report" / "report.html") in output.replace("\n", "")


def test_the_page_says_the_verdict_first_and_every_comparison(page):
    words = page.words
    assert words.index("alp-gmm beats every other teacher") < words.index("Learning curves")
    assert "alp-gmm beats uniform with probability 1.00" in words


def test_a_failed_cell_is_told_with_its_error_as_text(page, text):
    assert "1 of 12 cells have no result" in page.words
    assert f"Pole/uniform/sb3-ppo/seed-5: failed. {FAILED['Pole/uniform/sb3-ppo/seed-5']}" in (
        page.words
    )
    assert "seeds 5." in page.words  # of no teacher, then
    assert "<b>the pole" not in text


def test_every_section_is_there(page):
    for section in (
        "Pole, sb3-ppo",
        "Test set grid-v1, 16 tasks",
        "Competence at the end",
        "Performance profiles",
        "Curricula",
        "Cost",
        "What ran",
        "Versions",
        "3.11.7",
    ):
        assert section in page.words, section


def test_fewer_than_five_seeds_prove_nothing(tmp_path):
    study = write_study(tmp_path / "few", {"alp-gmm": 0.9, "uniform": 0.1}, n_seeds=4)
    judged = read_contents([study]).judged
    assert "4 seeds: this proves nothing" in judged.sentence
    assert not any(pair.real for pair in judged.verdict.comparisons)


def test_equal_teachers_are_not_told_apart(tmp_path):
    study = write_study(tmp_path / "same", {"alp-gmm": 0.5, "uniform": 0.5})
    assert "No teacher is shown to beat another" in read_contents([study]).judged.sentence


def test_nothing_finished_is_refused_and_one_teacher_alone_is_not_judged(tmp_path):
    cells = {f"Pole/uniform/sb3-ppo/seed-{seed}": "broken" for seed in range(2)}
    failed = write_study(tmp_path / "failed", {"uniform": 0.5}, n_seeds=2, failed=cells)
    with pytest.raises(UserError, match="no run has finished"):
        read_contents([failed])
    alone = read_contents([write_study(tmp_path / "alone", {"uniform": 0.5})])
    assert "nothing to compare" in alone.judged.sentence


def test_a_teacher_without_a_finished_run_is_left_out_and_named(tmp_path):
    cells = {f"Pole/riac/sb3-ppo/seed-{seed}": "broken" for seed in range(5)}
    skills = {"alp-gmm": 0.8, "riac": 0.6, "uniform": 0.5}
    told = read_contents([write_study(tmp_path / "study", skills, failed=cells)])
    assert names(told) == ["alp-gmm", "uniform"]
    assert told.judged.notes == ("Not judged, since they lack finished runs: riac.",)


def test_tables_hold_means_with_intervals_over_seeds(study):
    told = read_contents([study])
    (group,) = told.groups
    sheet = metrics_sheet(group, told.teachers, "grid-v1")
    shares = [run.metrics.test_sets["grid-v1"].share_mastered for run in group.of("alp-gmm")]
    low, high = mean_interval(np.array([shares]))
    row = dict(zip(sheet.heads, sheet.rows[0], strict=True))
    assert (row["teacher"], row["seeds"]) == ("alp-gmm", "6")
    assert row["mastered, %"] == f"{100 * np.mean(shares):.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    standings = standings_sheet(told.judged).rows
    assert [(row[0], row[1], row[-1]) for row in standings] == [
        ("alp-gmm", "1", "uniform"),
        ("uniform", "2", "-"),
    ]
    assert versions_sheet(told.entries).heads == ("", "11 runs of poles")


def test_the_page_carries_the_figures_as_data(study, text):
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
    run = read_run(study / "runs/Pole/uniform/sb3-ppo/seed-2")
    (found,) = (r for r in data["runs"] if (r["teacher"], r["seed"]) == ("uniform", 2))
    wanted = json.loads(json.dumps(run_metrics(run).to_json()))
    assert found["test_sets"] == wanted["test_sets"]
    assert data["verdict"]["headline"] in text


# -- two studies, and results from earlier -----------------------------------------------------


def test_two_studies_are_compared_under_their_names(tmp_path):
    a = write_study(tmp_path / "a", {"alp-gmm": 0.8, "uniform": 0.5})
    b = write_study(tmp_path / "b", {"alp-gmm": 0.2})
    told = read_contents([a, b])
    assert names(told) == ["a/alp-gmm", "a/uniform", "b/alp-gmm"]
    assert told.judged.sentence.startswith("a/alp-gmm beats every other teacher")


def test_studies_of_the_same_name_are_numbered(tmp_path):
    paths = [write_study(tmp_path / x / "s", {"uniform": 0.5}, n_seeds=1) for x in "ab"]
    assert read_contents(paths).teachers == ("s-1/uniform", "s-2/uniform")


def test_runs_of_other_lengths_are_not_compared(tmp_path):
    a = write_study(tmp_path / "a", {"uniform": 0.5})
    b = write_study(tmp_path / "b", {"uniform": 0.5}, steps=999)
    told = read_contents([a, b])
    assert [group.name for group in told.groups] == ["Pole, sb3-ppo", "Pole, sb3-ppo #2"]
    assert told.judged.verdict is None
    assert "Nothing to judge: Not judged, since the studies do not both have it" in (
        told.judged.sentence
    )


def test_a_new_teacher_is_judged_against_results_from_earlier(tmp_path):
    skills = {"alp-gmm": 0.6, "riac": 0.5, "uniform": 0.4}
    old = read_contents([write_study(tmp_path / "old", skills)])
    write_reference(tmp_path, old.entries)
    new = write_study(tmp_path / "new", {"plr": 0.8})
    told = read_contents([new], tmp_path)
    assert names(told)[0] == "plr"
    pairs = [{pair.better, pair.worse} for pair in told.judged.verdict.comparisons]
    assert sorted(map(sorted, pairs)) == [["alp-gmm", "plr"], ["plr", "riac"], ["plr", "uniform"]]
    kept = [entry for entry in told.entries if entry.teacher == "riac"]
    assert kept == [entry for entry in old.entries if entry.teacher == "riac"]
    assert told.first_run(told.groups[0], "riac") is None


def test_results_from_earlier_that_do_not_compare_are_named_with_the_reason(tmp_path):
    old = read_contents([write_study(tmp_path / "old", {"riac": 0.5}, steps=999)])
    write_reference(tmp_path, old.entries)
    new = write_study(tmp_path / "new", {"plr": 0.8, "uniform": 0.5})
    told = read_contents([new], tmp_path)
    assert names(told) == ["plr", "uniform"]
    assert told.notes == (
        "Reference results for Pole, sb3-ppo are not used: steps is 999 there and 300 here.",
    )


def test_a_study_s_own_runs_take_the_place_of_those_from_earlier(tmp_path):
    old = read_contents([write_study(tmp_path / "old", {"uniform": 0.9})])
    write_reference(tmp_path, old.entries)
    new = write_study(tmp_path / "new", {"plr": 0.8, "uniform": 0.5})
    told = read_contents([new], tmp_path)
    assert {entry.study for entry in told.entries} == {"new"}


@pytest.mark.parametrize("damage", ["[]", '{"format": 1, "runs": [{}]}', '{"format": 2}', "{"])
def test_a_damaged_reference_is_refused(tmp_path, study, damage):
    with pytest.raises(StoreError, match="--save-reference"):
        read_contents([study], tmp_path)
    (tmp_path / "reference.json").write_text(damage)
    with pytest.raises(StoreError, match=r"reference\.json"):
        read_contents([study], tmp_path)


# -- the page --------------------------------------------------------------------------------


def test_the_page_loads_nothing_from_anywhere(page, text):
    assert all(re.match("#|data:image/(png|gif);base64,", load) for load in page.loads)
    assert not re.search(
        r"url\((?!#)|@import|<link|<iframe|<script(?! type=.application/json)", text
    )
    found = set(re.findall(r"https?://[^\s\"'<>]*", text))
    assert found <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_the_page_is_whole_and_its_links_lead_somewhere(page):
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(page.ids)


def test_every_figure_is_in_the_page_and_written_as_png_and_svg(study, page):
    files = {path.name for path in (study / "report" / "figures").iterdir()}
    stems = {Path(name).stem for name in files}
    assert files == {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}
    assert {"standings", "profiles-share_mastered", "competence-Pole-sb3-ppo-uniform"} <= stems
    assert page.tags.count("svg") == len(stems)
    for stem in stems:
        ElementTree.parse(study / "report" / "figures" / f"{stem}.svg")
        Image.open(study / "report" / "figures" / f"{stem}.png").verify()


def test_figures_take_the_colours_of_the_page(text):
    drawings = "".join(re.findall("<svg.*?</svg>", text, re.DOTALL))
    assert INK not in drawings
    used = set(re.findall(r"var\(--(\w+)\)", text))
    dark = re.search(r"dark\){:root{(.*?)}", text)[1]
    assert used <= {name for name, _ in re.findall(r"--(\w+):(#\w+)", dark)}


def test_curricula_move(text):
    moving = re.findall('data:image/gif;base64,([^"]*)', text)
    assert len(moving) == 2
    for address in moving:
        file = base64.b64decode(address)
        assert len(file) <= MAX_GIF
        picture = Image.open(io.BytesIO(file))
        assert picture.n_frames == N_FRAMES
        pixels = np.asarray(picture.convert("RGB")).astype(int)
        for score in (0.0, 0.5, 1.0):  # few colours, but those of the scores are among them
            colour = 255 * np.array(SCORE_MAP(score)[:3])
            assert np.abs(pixels - colour).max(axis=2).min() < 15


def test_a_second_report_without_animations_takes_the_place_of_the_first(tmp_path):
    study = write_study(tmp_path / "one", {"uniform": 0.5}, n_seeds=1)
    for _ in range(2):
        written = write_report([study], tmp_path, save_reference=True, animations=False)
    assert "image/gif" not in written.page.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        "one", "figures", "report.html", "reference.json",
    }  # fmt: skip


def test_lessons_are_shown_by_what_was_taught(tmp_path):
    digits = {
        "id": "teachenv/DataGenSkillList-digits-v0",
        "name": "Digits",
        "args": {"n_steps": 2, "n_samples": 12},
    }
    row = {"teachers": ["uniform"], "environments": [digits], "baselines": False, "seeds": 1}
    study = read_study({**row, "steps": 48})
    folder = StudyFolder.create(tmp_path / "lessons", study, None)
    assert [r.status for r in play(study.cells(), folder.runs)][-1] == "finished"
    page = Page(write_report([folder.path], tmp_path).page.read_text())
    assert "What the lessons were made of" in page.words
    assert "training samples" in page.words
    assert not any("image/gif" in load for load in page.loads)


# -- in a browser ----------------------------------------------------------------------------

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


def browse(tmp_path: Path, *arguments: str) -> str:
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_chromium
@pytest.mark.parametrize(("scheme", "colour"), [(1, (255, 255, 255)), (0, (21, 24, 29))])
def test_chromium_shows_the_page_light_and_dark(study, text, tmp_path, scheme, colour):
    shot = tmp_path / "shot.png"
    page = study / "report" / "report.html"
    chosen = f"--blink-settings=preferredColorScheme={scheme}"
    browse(tmp_path, chosen, "--window-size=1000,3000", f"--screenshot={shot}", page.as_uri())
    pixels = np.asarray(Image.open(shot).convert("RGB"))
    assert tuple(pixels[2, 2]) == colour
    # Every stretch of the page shows something, in colours far from its ground.
    contrast = np.abs(pixels.astype(int) - colour).max(axis=2)
    for stretch in np.array_split(contrast[:2400], 6):
        assert (stretch > 100).mean() > 0.005


@needs_chromium
def test_chromium_fits_the_page_on_a_phone(text, tmp_path):
    (tmp_path / "phone.html").write_text(
        f"""<iframe id="phone" width="390" height="844" srcdoc="{escape(text)}"></iframe>
        <script>onload = () => {{
          const inner = phone.contentDocument.documentElement;
          document.title = [phone.contentWindow.innerWidth, inner.scrollWidth];
        }}</script>"""
    )
    address = (tmp_path / "phone.html").as_uri()
    shown = browse(tmp_path, "--virtual-time-budget=5000", "--dump-dom", address)
    there, needed = map(int, re.search(r"<title>(\d+),(\d+)</title>", shown).groups())
    assert there == 390
    assert needed <= there
