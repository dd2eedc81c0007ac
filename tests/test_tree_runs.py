"""Runs that grow skill trees: their teacher, their rows, their picture."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from test_data_loop import DIGITS, TREES, StopAt, contents

from teachenv.experiments import loop
from teachenv.experiments.compare import check_cells
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.lesson_view import lesson_view, load_lessons
from teachenv.experiments.plot_skill_tree import tree_figure
from teachenv.experiments.store import read_run
from teachenv.experiments.study import StudyError
from teachenv.experiments.study_file import read_study
from teachenv.lesson import Syllabus
from teachenv.trees import SubskillReading, TreeReading
from teachers.data import make
from teachers.data.pretender import Pretender

EPISODE = 3 * 20


def config(**change: Any) -> RunConfig:
    args = {"n_steps": 3, "n_samples": 20, "profile": "fresh", "probe_size": 4}
    fields = {"env": TREES, "teacher": "skill-tree", "steps": 2 * EPISODE, "env_args": args}
    return RunConfig(**{**fields, **change})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    loop.start(config(), folder)
    return folder


# -- the teacher --------------------------------------------------------------------------------


def test_weak_trees_are_grown_and_filled_and_mastered_ones_left_alone() -> None:
    syllabus = Syllabus(tuple("abcdef"), 3, 4, 60)
    teacher = make("skill-tree", syllabus)
    teacher.begin()

    def tree(accuracy: float, n: int, free: int, alloc: int = 5) -> TreeReading:
        subskill = SubskillReading(0, 0, 0, alloc, 0, None, accuracy)
        return TreeReading((), (subskill,) * n, free, accuracy, 0.0, 0, (0.0, 0.0, 0.0))

    trees = (
        tree(0.1, 0, 6), tree(0.1, 2, 4), tree(0.1, 3, 3), tree(0.1, 1, 0), tree(0.8, 3, 3),
        tree(0.9, 3, 3, 0),
    )  # fmt: skip
    reading = dataclasses.replace(Pretender(syllabus).reading, trees=trees)
    plan = teacher.plan(reading)
    assert plan.moves == (
        "explore 2", "explore 1", "exploit weakest", "exploit weakest", "reset", "wait",
    )  # fmt: skip
    assert "exploit weakest: 2" in plan.reason
    keen = make("skill-tree", syllabus, mastered=0.05, n_subskills=4)
    keen.begin()
    assert set(keen.plan(reading).moves[2:5]) == {"reset"}
    with pytest.raises(ValueError, match=r"mastered.*n_subskills"):
        make("skill-tree", syllabus, mastered=2, n_subskills=-1)


def test_it_is_refused_where_there_are_no_trees(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"skill-tree needs trees, which .*DataGenSkillList"):
        loop.start(config(env=DIGITS), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    study = {"environments": [TREES, DIGITS], "teachers": ["skill-tree"], "seeds": 1, "steps": 60}
    with pytest.raises(StudyError) as refused:
        check_cells(read_study(study).cells())
    (problem,) = str(refused.value).splitlines()
    assert "DataGenSkillList-digits-v0/skill-tree" in problem
    teacher = make("skill-tree", Syllabus(("a",), 2, 2, 10))
    teacher.begin()
    bare = dataclasses.replace(Pretender(teacher.syllabus).reading, trees=())
    with pytest.raises(ValueError, match="trees: expected 1, one per skill, got 0"):
        teacher.plan(bare)


# -- the run ------------------------------------------------------------------------------------


def test_a_run_keeps_its_trees(run: Path) -> None:
    rows = read_run(run).teacher
    assert [row["lesson"] for row in rows] == [0, 1, 2] * 2
    for row in rows:
        wanted = sum(each["alloc"] for tree in row["trees"] for each in tree["subskills"])
        assert np.sum(row["asked"]) == min(20, wanted)
    grown = [sum(len(tree["subskills"]) for tree in row["trees"]) for row in rows[:3]]
    assert grown[0] >= 18
    assert grown[0] < grown[1] <= grown[2]


def test_an_interrupted_run_grows_the_same_trees(run: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(), tmp_path / "run", StopAt(EPISODE + 1))
    loop.resume(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(run)


# -- the picture --------------------------------------------------------------------------------


def test_the_picture_is_of_the_trees_of_the_last_episode(run: Path) -> None:
    view, rows = load_lessons(run), [row["trees"] for row in read_run(run).teacher[3:]]
    for number, tree in enumerate(view.trees):
        kept = rows[-1][number]
        assert (tree.skill, tree.taught) == (f"digit {number}", kept["taught"])
        for slot, each in enumerate(tree.subskills):
            there = [len(row[number]["subskills"]) > slot for row in rows]
            assert each.added == 1 + there.index(True)
            assert len(each.alloc) == sum(there)
            assert each.label == f"level {slot}"
            assert each.taught == kept["subskills"][slot]["taught"]
    n_nodes = sum(1 + len(tree.subskills) for tree in view.trees)
    left, right, _ = tree_figure(view).axes
    points = [c for ax in (left, right) for c in ax.collections if len(c.get_offsets()) == 1]
    drawn = sorted(c.get_offsets()[0][0] for c in points if c.get_sizes().size)
    assert len(drawn) == n_nodes
    assert drawn[:10] == [0.0] * 10
    labels = [text.get_text() for ax in (left, right) for text in ax.texts]
    assert f"level 0: {view.trees[0].subskills[0].taught}" in labels


def test_bands_and_variants_are_named_and_the_picture_is_not_blank(run: Path) -> None:
    kept = read_run(run)
    for row in kept.teacher:
        tree = row["trees"][0]
        tree["variants"] = ["with carry"]
        for each in tree["subskills"]:
            each.update(first=0, last=2, variant=1, accuracy=None)
    view = lesson_view(kept)
    assert view.trees[0].subskills[0].label == "levels 0-2, with carry"
    tree_figure(view).savefig(picture := io.BytesIO(), dpi=40)
    picture.seek(0)
    assert matplotlib.image.imread(picture)[..., :3].std() > 0.05


def test_folders_without_trees_show_their_cells(run: Path) -> None:
    kept = read_run(run)
    for row in kept.teacher:
        del row["trees"]
    view = lesson_view(kept)
    assert view.trees == ()
    nodes = tree_figure(view).axes[0].collections
    assert sum(len(each.get_offsets()) for each in nodes) == 30
