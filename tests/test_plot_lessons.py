"""Pictures of data-generation runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from teachenv.errors import UserError
from teachenv.experiments import loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.lesson_view import lesson_view, load_lessons, mean_over
from teachenv.experiments.plot import animate_run, draw_lessons, plot_run
from teachenv.experiments.store import read_run

DIGITS = "teachenv/DataGenSkillList-digits-v0"
ARGS: dict[str, Any] = {"n_steps": 3, "n_samples": 12, "domain_args": {"n_noise": 1}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    args = {**ARGS, "visible_share": 0.6}
    loop.start(RunConfig(env=DIGITS, teacher="stages", steps=72, env_args=args), folder)
    return folder


def test_every_sample_is_in_the_view(run: Path) -> None:
    view = load_lessons(run)
    assert view.taught.shape == (2, 3, 11, 3)
    np.testing.assert_array_equal(view.taught.sum(axis=(2, 3)), 12)
    np.testing.assert_allclose(view.shares.sum(axis=(1, 2)), 1.0)
    assert (view.shares[0, :, 1:] == 0).all()  # the first stage has level 0 alone
    assert view.accuracy.shape == (2, 4, 11, 3)
    assert np.isfinite(view.accuracy).all(axis=1).mean() == pytest.approx(0.6, abs=0.02)
    assert np.isnan(view.after[:, 10]).all()  # noise is not tested
    assert np.isfinite(view.after[:, :10]).all()


def test_four_pictures_are_written_and_not_blank(run: Path, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    paths = plot_run(run, tmp_path)
    assert [path.stem for path in paths] == ["allocation", "skills", "tree", "gain"]
    for path in paths:
        picture = matplotlib.image.imread(path)
        assert picture.shape[1] == 1800
        assert picture[..., :3].std() > 0.05
    assert dict(matplotlib.rcParams) == before


def test_areas_and_map_show_the_shares(run: Path) -> None:
    view = load_lessons(run)
    left, right, _ = draw_lessons(view)["allocation"].axes
    assert len(left.collections) == 11
    drawn = np.asarray(right.images[0].get_array())
    np.testing.assert_allclose(drawn, view.shares.reshape(3, -1).T)
    assert [text.get_text() for text in right.get_yticklabels()] == list(view.skills)


def test_curves_gains_and_nodes_are_the_views(run: Path) -> None:
    view = load_lessons(run)
    figures = draw_lessons(view)
    line = figures["skills"].axes[0].get_lines()[1]
    np.testing.assert_allclose(line.get_ydata(), mean_over(view.accuracy)[:, 0, 1])
    points = figures["gain"].axes[0].collections[2].get_offsets().data
    expected = (view.after - view.before)[:, :, 2].ravel()
    np.testing.assert_allclose(points[:, 1], expected)
    nodes = sum(len(c.get_offsets()) for c in figures["tree"].axes[0].collections)
    assert nodes == 33


def test_a_run_without_episodes_says_so(tmp_path: Path) -> None:
    class Stop:
        def steps(self, run: object) -> None:
            raise KeyboardInterrupt

        def evaluated(self, row: object) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        loop.start(RunConfig(env=DIGITS, teacher="zpd", env_args=ARGS), tmp_path / "run", Stop())
    figures = draw_lessons(load_lessons(tmp_path / "run"))
    assert all(not figure.axes for figure in figures.values())


def test_one_lesson_and_one_episode_are_enough(tmp_path: Path) -> None:
    args = {**ARGS, "n_steps": 1, "domain_args": {}}
    loop.start(RunConfig(env=DIGITS, teacher="zpd", steps=1, env_args=args), tmp_path / "run")
    assert len(plot_run(tmp_path / "run")) == 4


def test_other_runs_have_no_lessons(run: Path) -> None:
    with pytest.raises(UserError, match="not a run of a data-generation environment"):
        lesson_view(dataclasses.replace(read_run(run), data=None))


@pytest.mark.slow
def test_the_curriculum_can_be_animated(run: Path, tmp_path: Path) -> None:
    assert animate_run(run, tmp_path).stat().st_size > 10_000
