"""Pictures of the curriculum: which tasks the teacher gave, when, and how they went."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from teachenv.experiments.plot_data import Floats, RunView
from teachenv.experiments.plot_style import (
    ACCENT,
    INK,
    belief_note,
    dim_label,
    draw_belief,
    message_figure,
    new_figure,
    score_bar,
    score_points,
    spans,
    step_axis,
    steps_text,
    task_axis,
)

MAX_PANELS = 24
MAX_PAIRED = 5
N_PAIRED = 4


def curriculum_figure(view: RunView) -> Figure:
    """Draw sampled tasks over time, coloured by score.

    Two dimensions: one panel per stretch of time with the teacher's mixture at its end.
    Otherwise: every parameter against environment steps.
    """
    if not len(view.tasks):
        return message_figure(view.title, "No finished episodes yet: no curriculum to draw.")
    return _stretches(view) if view.space.dim == 2 else _over_time(view)


def _stretches(view: RunView) -> Figure:
    n_panels = int(np.clip(len(view.tasks) // 20, 1, 6))
    n_columns = min(3, n_panels)
    n_rows = -(-n_panels // n_columns)
    note = "Tasks by stretch of training, coloured by score. "
    if belief := belief_note(view):
        note += f"{belief} Drawn as of the end of each stretch."
    figure = new_figure(1.3 + 2.55 * n_rows, view.title, note)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    edges = np.linspace(0, view.last_step, n_panels + 1)
    stretch = np.clip(np.searchsorted(edges, view.steps) - 1, 0, n_panels - 1)
    tasks = view.scattered_tasks()
    for k, ax in enumerate(axes.flat):
        if k >= n_panels:
            ax.set_axis_off()
            continue
        mine = stretch == k
        score_points(ax, tasks[mine, 0], tasks[mine, 1], view.scores[mine])
        draw_belief(ax, view.belief_at(edges[k + 1]), 0, 1)
        task_axis(ax, view.space.dims[0], "x", label=False)
        task_axis(ax, view.space.dims[1], "y", label=False)
        span = f"{steps_text(edges[k])} to {steps_text(edges[k + 1])} steps"
        ax.set_title(f"{span}, {mine.sum()} episodes", loc="left", size=8.5)
    figure.supxlabel(dim_label(view.space.dims[0]), size=9)
    figure.supylabel(dim_label(view.space.dims[1]), size=9)
    score_bar(figure, axes, view)
    return figure


def _over_time(view: RunView) -> Figure:
    dims = view.steered_most(MAX_PANELS)
    single = len(dims) == 1
    n_columns = 1 if single else 3 if len(dims) > 4 else 2
    n_rows = -(-len(dims) // n_columns)
    note = "Tasks against environment steps, coloured by score. "
    quantiles = "Lines: median (heavy), 10 % and 90 % of what the teacher sampled."
    shaded = belief_note(view) if single else ""
    note += shaded or quantiles
    if len(dims) < view.space.dim:
        note += f" The {len(dims)} of {view.space.dim} parameters the teacher steered most."
    figure = new_figure(0.9 + (3.4 if single else 1.75 * n_rows), view.title, note)
    axes = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
    tasks = view.scattered_tasks()
    for k, ax in enumerate(axes.flat):
        if k >= len(dims):
            ax.set_axis_off()
            axes[k // n_columns - 1, k % n_columns].xaxis.set_tick_params(labelbottom=True)
            continue
        i = dims[k]
        score_points(
            ax,
            view.steps,
            tasks[:, i],
            view.scores,
            s=9 if single else 4,
            alpha=0.8 if single else 0.5,
        )
        if shaded:
            _draw_bands(ax, view)
        elif view.space.dims[i].kind != "choice":
            _draw_quantiles(ax, view, tasks[:, i])
        step_axis(ax, view.last_step, label=single)
        task_axis(ax, view.space.dims[i], "y", label=single)
        if not single:
            ax.set_title(dim_label(view.space.dims[i]), loc="left")
    if not single:
        figure.supxlabel("environment steps", size=9)
    score_bar(figure, axes, view)
    return figure


def _draw_bands(ax: Axes, view: RunView) -> None:
    """Shade the belief of a one-parameter teacher from when it was written to the next."""
    ends = [belief.step for belief in view.beliefs[1:]] + [int(view.last_step)]
    for belief, end in zip(view.beliefs, ends, strict=True):
        for low, high, share in spans(belief):
            corner, size = (belief.step, low), (end - belief.step, high - low)
            band = Rectangle(corner, *size, fc=ACCENT, alpha=0.4 * share, lw=0, zorder=0)
            ax.add_patch(band)


def _draw_quantiles(ax: Axes, view: RunView, values: Floats) -> None:
    groups = np.array_split(np.arange(len(values)), int(np.clip(len(values) // 40, 1, 25)))
    at = np.array([view.steps[group].mean() for group in groups])
    lines = np.array([np.quantile(values[group], (0.1, 0.5, 0.9)) for group in groups])
    if len(at) == 1:  # too few episodes for a course over time: a level line
        at, lines = np.array([view.steps[0], view.steps[-1]]), np.repeat(lines, 2, axis=0)
    for line, width in zip(lines.T, (0.9, 2.0, 0.9), strict=True):
        ax.plot(at, line, color="white", lw=width + 1.4)
        ax.plot(at, line, color=INK, lw=width)


def pairs_figure(view: RunView) -> Figure:
    """Draw the last quarter of training on pairs of parameters, for three or more of them."""
    if not len(view.tasks):
        return message_figure(view.title, "No finished episodes yet: no tasks to draw.")
    dims = view.steered_most(MAX_PAIRED if view.space.dim <= MAX_PAIRED else N_PAIRED)
    mine, tasks = view.last_quarter(), view.scattered_tasks()
    note = f"Tasks of the last quarter of training ({mine.sum()} episodes), coloured by score. "
    note += belief_note(view)
    if len(dims) < view.space.dim:
        note += f" The {len(dims)} of {view.space.dim} parameters the teacher steered most."
    n = len(dims) - 1
    figure = new_figure(1.0 + 6.8 * min(1.0, 0.35 + 0.2 * n), view.title, note)
    axes = figure.subplots(n, n, sharex="col", sharey="row", squeeze=False)
    for row in range(n):
        for column in range(n):
            ax, i, j = axes[row, column], dims[column], dims[row + 1]
            if column > row:
                ax.set_axis_off()
                continue
            _draw_pair(ax, view, tasks[mine][:, [i, j]], view.scores[mine], (i, j))
            task_axis(ax, view.space.dims[i], "x", label=row == n - 1)
            task_axis(ax, view.space.dims[j], "y", label=column == 0)
    score_bar(figure, axes, view)
    return figure


def _draw_pair(
    ax: Axes, view: RunView, points: Floats, scores: Floats, pair: tuple[int, int]
) -> None:
    score_points(ax, points[:, 0], points[:, 1], scores)
    draw_belief(ax, view.belief_at(view.last_step), *pair)
