"""Pictures of studies: who is drawn how, over which axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from teachenv.experiments.curves import Band
from teachenv.experiments.plot_study import curves_figure, looks, standings_figure
from teachenv.experiments.plot_study_files import save_figure
from teachenv.experiments.plot_study_tasks import competence_figure
from teachenv.experiments.plot_style import ACCENT, FAINT
from teachenv.experiments.report_cells import Group, World
from teachenv.experiments.verdict import Standing
from teachenv.space import Dim, TaskSpace


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_competence_is_a_map_of_two_parameters_and_bars_of_others(dim):
    space = TaskSpace([Dim(f"p{i}", 0.0, 1.0) for i in range(dim)])
    tasks = space.grid(4)
    world = World(space, (0.0, 100.0), 50.0, {"grid": tasks}, False)
    returns = np.stack([100 * tasks[:, 0], 100 * tasks[:, 0]])
    order = np.argsort(-tasks[:, 0], kind="stable")
    group = Group("Plains, walker", world, "grid", ())
    (ax, *_) = competence_figure("uniform", group, tasks, returns, order).axes
    assert ax.get_title(loc="left") == "Plains, walker"
    assert "uniform: 50% mastered" in {text.get_text() for text in ax.texts}
    if dim == 2:
        np.testing.assert_allclose(ax.collections[0].get_array(), returns[0].reshape(4, 4).T / 100)
        return
    heights = [bar.get_height() for bar in ax.patches]
    wanted = sorted(tasks[:, 0], reverse=dim == 3)
    np.testing.assert_allclose(heights, wanted)


def test_eight_teachers_have_colours_of_their_own() -> None:
    names = ["uniform", "oracle", "alp-gmm", "covar-gmm", "riac", "adr", "plr", "lp-bins"]
    assert len({look.colour for look in looks(names).values()}) == len(names)


def test_the_baselines_of_two_studies_are_grey_and_told_apart() -> None:
    found = looks(["a/uniform", "a/riac", "b/uniform", "b/riac"])
    assert found["a/uniform"].colour == found["b/uniform"].colour == FAINT
    assert found["a/uniform"].dash != found["b/uniform"].dash
    assert FAINT not in (found["a/riac"].colour, found["b/riac"].colour)


@pytest.mark.parametrize("n_teachers", [4, 5])
def test_many_teachers_have_a_panel_each_over_the_others_in_grey(n_teachers: int) -> None:
    names = ["uniform", "alp-gmm", "riac", "plr", "adr"][:n_teachers]
    heights = np.linspace(0.1, 0.5, n_teachers)
    bands = {
        name: Band((1.0, 2.0), (0.0, top), (0.0, top - 0.05), (0.0, top + 0.05))
        for name, top in zip(names, heights, strict=True)
    }
    styles = looks(names)
    figure = curves_figure(bands, "share mastered", styles, True, title="On poles")
    panels = [ax for ax in figure.axes if ax.lines]
    if n_teachers == 4:
        assert len(panels) == 1
        return
    assert [ax.get_title(loc="left") for ax in panels] == names[::-1]  # the highest first
    for ax, name in zip(panels, names[::-1], strict=True):
        *others, own = ax.lines
        assert (len(others), {line.get_color() for line in others}) == (5, {FAINT})
        assert own.get_color() == styles[name].colour
        assert list(own.get_ydata()) == list(bands[name].middle)
        assert len(ax.collections) == 1  # its own interval only
        assert ax.get_ylim() == panels[0].get_ylim()


def test_axes_end_where_the_scores_end() -> None:
    """Curves between 0 and 20 % are drawn over 0 to 22 %, not to 100 %."""
    bands = {"uniform": Band((1.0, 2.0), (0.1, 0.15), (0.05, 0.1), (0.15, 0.2))}
    figure = curves_figure(bands, "share mastered", looks(["uniform"]), True)
    assert figure.axes[0].get_ylim()[1] == pytest.approx(0.2244)


def test_axes_end_where_the_scores_end_with_a_single_seed_too() -> None:
    """Its interval is all that scores can be, and is not drawn."""
    bands = {"uniform": Band((1.0, 2.0), (0.1, 0.15), (0.0, 0.0), (1.0, 1.0))}
    figure = curves_figure(bands, "share mastered", looks(["uniform"]), False)
    assert figure.axes[0].get_ylim()[1] == pytest.approx(0.1683)
    standing = Standing("uniform", None, 0.15, (0.0, 1.0), 0.1, (0.0, 1.0), ())
    figure = standings_figure([standing], "share mastered", looks(["uniform"]), False)
    assert figure.axes[0].get_xlim()[1] == pytest.approx(16.83)


def test_pictures_are_files_of_few_colours_that_keep_the_rare_ones(tmp_path: Path) -> None:
    figure = Figure(figsize=(4, 3))
    ax = figure.subplots()
    ax.imshow(np.random.default_rng(0).random((60, 80)), cmap="viridis")
    ax.plot([10, 16], [20, 20], color=ACCENT, lw=1)
    save_figure(figure, tmp_path, "noise")
    picture = Image.open(tmp_path / "noise.png")
    assert picture.mode == "P"
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    accent = np.array([int(ACCENT[i : i + 2], 16) for i in (1, 3, 5)])
    assert (np.abs(pixels - accent).max(axis=2) < 10).sum() > 10
