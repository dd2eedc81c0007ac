"""Pictures of levels over a task space."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from test_plot import write_run

import teachenv  # noqa: F401
from teachenv.env import MakeEnv
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.errors import UserError
from teachenv.experiments.gallery import bodies_figure, draw_gallery, gallery_figure
from teachenv.experiments.plot import load_run
from teachenv.experiments.plot_style import SCORE_MAP

STUMPS = MakeEnv("teachenv/StumpTracks-v0")


def pictures(figure):
    """The axes with a level in them, by row and column from the top left."""
    return [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]


def highest(ax):
    """Top of the highest obstacle, in metres."""
    return max(path.vertices[:, 1].max() for path in ax.collections[1].get_paths())


def test_two_parameters_make_a_grid_with_the_second_upwards():
    env = STUMPS()
    axes = pictures(gallery_figure(env, n=3))
    assert len(axes) == 9
    tops = np.array([highest(ax) for ax in axes]).reshape(3, 3)
    assert (np.diff(tops, axis=1) > 0.3).all()  # stumps get higher to the right
    stumps = np.array([len(ax.collections[1].get_paths()) for ax in axes]).reshape(3, 3)
    assert (np.diff(stumps, axis=0) > 0).all()  # and closer downwards
    assert axes[6].get_xlabel() == "0"
    assert axes[0].get_ylabel() == "6"


def test_more_parameters_make_a_row_each():
    env = MakeEnv("teachenv/HexagonTracks-v0")()
    axes = np.array(pictures(gallery_figure(env, n=4)), dtype=object).reshape(12, 4)
    tops = [[highest(ax) for ax in row] for row in axes]
    assert np.ptp(tops[1]) == 0  # inert
    assert (np.diff(tops[5]) > 0.2).all()
    assert [ax.get_title() for ax in axes[5]] == ["0", "1.33", "2.67", "4"]


def test_a_level_seed_fixes_the_pictures():
    env = STUMPS()
    first, again, other = (gallery_figure(env, n=2, level_seed=s) for s in (0, 0, 1))
    tops = [[highest(ax) for ax in pictures(figure)] for figure in (first, again, other)]
    assert tops[0] == tops[1] != tops[2]


def test_the_sky_is_coloured_by_a_runs_scores(tmp_path: Path):
    env = STUMPS()
    space = env.get_wrapper_attr("task_space")
    tested = {"corners-v1": space.grid(2)}
    view = load_run(write_run(tmp_path / "run", space, n_rounds=2, test_sets=tested))
    returns = view.evaluations["corners-v1"][-1].returns
    figure = gallery_figure(env, n=3, view=view)
    skies = [ax.get_facecolor()[:3] for ax in pictures(figure)]
    assert skies[4] == (1, 1, 1)  # nothing was tested in the middle
    low_and_far = int(np.flatnonzero((space.grid(2) == [0, 6]).all(axis=1))[0])
    expected = to_rgb(SCORE_MAP(view.score(np.array(returns)))[low_and_far])
    assert skies[0] == pytest.approx(expected)
    with pytest.raises(UserError, match="another task space"):
        gallery_figure(MakeEnv("teachenv/HexagonTracks-v0")(), view=view)


def test_other_environments_are_drawn_as_they_render(tmp_path: Path):
    args = {"env_ids": ["teachenv/CartPole-v0"], "n": 2}
    (path,) = draw_gallery(tmp_path / "new", **args)
    assert path.name == "CartPole-v0.png"
    assert Image.open(path).size[0] == 1800


def test_an_environment_without_pictures_is_refused():
    env = gym.make("teachenv/SkillGrid-v0")
    if "rgb_array" in env.metadata.get("render_modes", ()):
        pytest.skip("it has pictures")
    with pytest.raises(UserError, match="draws no picture"):
        gallery_figure(env, n=2)


def test_every_body_is_drawn():
    figure = bodies_figure()
    names = [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes if ax.images]
    assert names == list(BODIES)
    pictures = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    flat = [np.asarray(picture).tobytes() for picture in pictures]
    assert len(set(flat)) >= len(flat) - 1  # one body differs in its sensors only
