"""Pictures of a study: which tasks the students of each teacher can do."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from teachenv.experiments.plot_competence import draw_grid, is_grid
from teachenv.experiments.plot_style import ACCENT, SCORE_MAP, SCORES, task_axis
from teachenv.experiments.report_cells import Group, World

Floats = NDArray[np.float64]

WIDTH = 3.4
"""Width of a figure in inches: three fit beside each other on a page, one on a phone."""


def competence_figure(
    teacher: str, group: Group, tasks: Floats, returns: Floats, order: NDArray[np.int64]
) -> Figure:
    """Draw the final score on every test task: mean over seeds.

    A full grid of two parameters is drawn as a map, with lines around the tasks that at least half
    of the students master; other test sets as bars, against the parameter if there is only one.

    Args:
        teacher: Its name.
        group: Where: its name, the task space and the scale of scores.
        tasks: Shape ``(n_tasks, dim)``.
        returns: Final returns, shape ``(n_seeds, n_tasks)``.
        order: Tasks from the easiest to the hardest, for bars of several parameters.
    """
    world = group.world
    scores = world.score(returns).mean(axis=0)
    mastered = returns > world.mastery
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    ax = figure.subplots()
    where = ax.set_title(group.name, loc="left")
    what = f"{teacher}: {mastered.mean():.0%} mastered"
    ax.annotate(what, (0, 1.25), xycoords=where, weight="bold")
    if world.space.dim == 2 and is_grid(tasks):
        draw_grid(ax, world.space, tasks, scores, mastered.mean(axis=0) >= 0.5)
        task_axis(ax, world.space.dims[0], "x", room=0)
        task_axis(ax, world.space.dims[1], "y", room=0)
        if world.space.dims[0].kind == "choice":
            ax.tick_params(axis="x", rotation=90)
        bar = figure.colorbar(ScalarMappable(SCORES, SCORE_MAP), ax=ax, aspect=25, pad=0.03)
        bar.outline.set_visible(False)
        bar.set_label("mean score")
        return figure
    _draw_bars(ax, world, tasks[:, 0] if world.space.dim == 1 else None, scores, order)
    return figure


def _draw_bars(
    ax: Axes, world: World, values: Floats | None, scores: Floats, order: NDArray[np.int64]
) -> None:
    if values is None:
        heights, edges = scores[order], np.arange(len(scores) + 1.0)
        ax.set_xlabel("test tasks, easiest first")
        ax.set_xlim(0, len(scores))
    else:
        places, where = np.unique(values, return_inverse=True)
        heights = np.bincount(where, scores) / np.bincount(where)
        middles = (places[1:] + places[:-1]) / 2
        rim = 0.0 if world.space.dims[0].kind == "float" else 0.5
        edges = np.concatenate([places[:1] - rim, middles, places[-1:] + rim])
        task_axis(ax, world.space.dims[0], "x")
    widths = np.diff(edges)
    ax.bar(edges[:-1], heights, widths, align="edge", color=SCORE_MAP(SCORES(heights)), lw=0)
    low, high = world.return_range
    threshold = (world.mastery - low) / (high - low)
    if 0 <= threshold <= 1:
        ax.axhline(threshold, color=ACCENT, lw=1.2, ls="--")
    ax.set_ylim(0, 1.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_ylabel("mean score")
    ax.grid(axis="y")
