"""Pictures of competence: which tasks the student can do now."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from teachenv.experiments.plot_data import Evaluation, Floats, RunView, unit_to_axis
from teachenv.experiments.plot_style import (
    ACCENT,
    FAINT,
    LINES,
    SCORE_MAP,
    SCORES,
    message_figure,
    new_figure,
    no_data,
    score_bar,
    score_points,
    steps_text,
    task_axis,
)
from teachenv.space import Dim, TaskSpace

N_PAIRED = 4


class _Tested(NamedTuple):
    name: str
    tasks: Floats
    evaluation: Evaluation


def competence_figure(view: RunView) -> Figure:
    """Draw scores over the task space: the latest evaluation and the last quarter of training.

    A test set that is a full grid is preferred and drawn as a map; others as points.
    """
    tested, recent = _latest(view), view.last_quarter()
    if tested is None and not recent.any():
        return message_figure(view.title, "No finished episodes and no evaluation yet.")
    if view.space.dim == 1:
        return _curve(view, tested)
    if view.space.dim == 2:
        return _maps(view, tested)
    return _matrix(view, tested)


def _latest(view: RunView) -> _Tested | None:
    """Latest evaluation on a test set: grids first, then the one with most tasks."""
    candidates = [
        _Tested(name, view.test_tasks[name], rows[-1])
        for name, rows in view.evaluations.items()
        if len(view.test_tasks.get(name, ())) == len(rows[-1].returns)
    ]
    return max(candidates, key=lambda t: (is_grid(t.tasks), len(t.tasks)), default=None)


def is_grid(tasks: Floats) -> bool:
    """Whether tasks of shape ``(n_tasks, dim)`` are every combination of some values, once."""
    counts = [len(np.unique(column)) for column in tasks.T]
    distinct = len(np.unique(tasks, axis=0))
    return min(counts) > 1 and distinct == len(tasks) == int(np.prod(counts))


def _caption(view: RunView, tested: _Tested) -> str:
    returns = tested.evaluation.returns
    mastered = int((returns > view.mastery).sum())
    at = steps_text(tested.evaluation.step)
    return f"evaluation on {tested.name} at {at} steps\n{mastered} of {len(returns)} tasks mastered"


# -- two parameters -------------------------------------------------------------------------


def _maps(view: RunView, tested: _Tested | None) -> Figure:
    note = "Score over the task space; hatched where there is no data."
    if tested is not None:
        note += " Lines enclose" if is_grid(tested.tasks) else " Rings mark"
        note += " mastered tasks."
    figure = new_figure(4.7, view.title, note)
    left, right = axes = figure.subplots(1, 2, sharex=True, sharey=True)
    if tested is None:
        _say(left, "no evaluation yet")
    elif is_grid(tested.tasks):
        _draw_grid(left, view, tested)
    else:
        _draw_tests(left, view, tested, (0, 1))
    if tested is not None:
        left.set_title(_caption(view, tested), loc="left")
    _draw_bins(right, view, (0, 1))
    n = view.last_quarter().sum()
    right.set_title(f"training, last quarter\nmean score of {n} episodes", loc="left")
    for ax in axes:
        task_axis(ax, view.space.dims[0], "x", room=0)
        task_axis(ax, view.space.dims[1], "y", room=0, label=ax is left)
    score_bar(figure, axes, view)
    return figure


def _draw_grid(ax: Axes, view: RunView, tested: _Tested) -> None:
    returns = tested.evaluation.returns
    draw_grid(ax, view.space, tested.tasks, view.score(returns), returns > view.mastery)


def draw_grid(
    ax: Axes, space: TaskSpace, tasks: Floats, scores: Floats, mastered: NDArray[np.bool_]
) -> None:
    """Draw scores on a full grid of two parameters, with lines around what is mastered.

    Args:
        ax: Where.
        space: The task space.
        tasks: Shape ``(n_tasks, 2)``.
        scores: In [0, 1], shape ``(n_tasks,)``.
        mastered: Shape ``(n_tasks,)``.
    """
    x, y = (np.unique(column) for column in tasks.T)
    at = np.searchsorted(y, tasks[:, 1]), np.searchsorted(x, tasks[:, 0])
    heights, inside = np.empty((len(y), len(x))), np.empty((len(y), len(x)), dtype=bool)
    heights[at], inside[at] = scores, mastered
    edges = _edges(x, space.dims[0]), _edges(y, space.dims[1])
    ax.pcolormesh(*edges, heights, cmap=SCORE_MAP, norm=SCORES, ec="white", lw=0.4)
    outline = _outline(inside, *edges)
    lines = LineCollection(outline, colors=ACCENT, lw=2, capstyle="round", clip_on=False, zorder=3)
    ax.add_collection(lines)


def _edges(values: Floats, dim: Dim) -> Floats:
    """Cell borders half way between values; the outer cells end where the axis does."""
    middles = (values[1:] + values[:-1]) / 2
    rim = 0.0 if dim.kind == "float" else 0.5
    return np.concatenate([values[:1] - rim, middles, values[-1:] + rim])


def _outline(mask: np.ndarray, x: Floats, y: Floats) -> list[list[tuple[float, float]]]:
    """Segments between true and false cells, the outside counting as false."""
    padded = np.pad(mask, 1)
    segments = []
    for r, c in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        segments.append([(x[c], y[r]), (x[c + 1], y[r])])
    for r, c in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):
        segments.append([(x[c], y[r]), (x[c], y[r + 1])])
    return segments


def _draw_tests(
    ax: Axes, view: RunView, tested: _Tested, pair: tuple[int, int], largest: float = 60
) -> None:
    """Points where the tasks are; of tasks that fall together, the mean score."""
    tasks, returns = tested.tasks[:, pair], tested.evaluation.returns
    places, where = np.unique(tasks, axis=0, return_inverse=True)
    counts = np.bincount(where)
    scores = np.bincount(where, view.score(returns)) / counts
    mastered = np.bincount(where, returns > view.mastery) == counts
    size = float(np.clip(2500 / len(places), largest / 4, largest))
    x, y = places.T
    how = {"s": size, "alpha": 1.0, "clip_on": False, "zorder": 3}
    score_points(ax, x, y, scores, **how)
    ax.scatter(
        x[mastered],
        y[mastered],
        s=1.7 * size,
        fc="none",
        ec=ACCENT,
        lw=1.2,
        clip_on=False,
        zorder=3,
    )


def _draw_bins(ax: Axes, view: RunView, pair: tuple[int, int]) -> None:
    """Mean score of recent episodes on bins of two parameters."""
    recent = view.last_quarter()
    no_data(ax)
    if not recent.any():
        _say(ax, "no recent episodes")
        return
    tasks, scores = view.tasks[recent], view.scores[recent]
    n_bins = int(np.clip(np.sqrt(len(tasks) / 4), 4, 15))
    edges = [_bins(view, i, n_bins) for i in pair]
    columns = tasks[:, pair[0]], tasks[:, pair[1]]
    counts = np.histogram2d(*columns, bins=edges)[0]
    sums = np.histogram2d(*columns, bins=edges, weights=scores)[0]
    means = np.ma.masked_where(counts == 0, sums / np.maximum(counts, 1))
    ax.pcolormesh(*edges, means.T, cmap=SCORE_MAP, norm=SCORES, ec="white", lw=0.4)


def _bins(view: RunView, i: int, n_bins: int) -> Floats:
    """Bin borders of a parameter: one bin per value if it has few."""
    offset, scale = unit_to_axis(view.space)
    n_values = view.space.dims[i].n_values
    count = n_values if n_values is not None and n_values <= 20 else n_bins
    return np.linspace(offset[i], offset[i] + scale[i], count + 1)


# -- one parameter, and each of many --------------------------------------------------------


def _curve(view: RunView, tested: _Tested | None) -> Figure:
    note = "Score against the task. Dashed: mastery threshold."
    figure = new_figure(4.0, view.title, note)
    ax = figure.subplots()
    _draw_curve(ax, view, tested, 0)
    ax.set_ylabel("score")
    task_axis(ax, view.space.dims[0], "x")
    ax.legend(loc="upper left", bbox_to_anchor=(0, 1.14), ncols=2, borderaxespad=0)
    return figure


def _draw_curve(ax: Axes, view: RunView, tested: _Tested | None, i: int) -> None:
    recent = view.last_quarter()
    if recent.any():
        edges = _bins(view, i, int(np.clip(recent.sum() / 10, 4, 15)))
        values, scores = view.tasks[recent, i], view.scores[recent]
        where = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        filled = np.unique(where)
        means = np.array([scores[where == k].mean() for k in filled])
        middles = ((edges[1:] + edges[:-1]) / 2)[filled]
        label = f"training, last quarter ({recent.sum()} episodes, mean)"
        ax.plot(middles, means, "o-", color=LINES[0], ms=4, lw=1.6, label=label)
    if tested is not None:
        scores = view.score(tested.evaluation.returns)
        label = _caption(view, tested).replace("\n", ": ")
        ax.plot(tested.tasks[:, i], scores, "s", ms=3, color=LINES[1], alpha=0.7, label=label)
    ax.axhline(view.mastery_score, color=ACCENT, lw=1.2, ls="--")
    ax.set_ylim(-0.03, 1.03)
    ax.grid(axis="y")


# -- three and more parameters --------------------------------------------------------------


def _matrix(view: RunView, tested: _Tested | None) -> Figure:
    dims = view.steered_most(N_PAIRED)
    n, count = len(dims), view.last_quarter().sum()
    note = f"Below the diagonal: mean score of {count} episodes, the last quarter of training; "
    note += "hatched where there is no data. "
    if tested is None:
        note += "No evaluation yet. "
    else:
        caption = _caption(view, tested).replace("\n", ", ")
        note += f"Above: {caption} (rings: all tasks at that place). "
    note += "Diagonal: score against one parameter, both; dashed: mastery."
    if n < view.space.dim:
        note += f" The {n} of {view.space.dim} parameters the teacher steered most."
    figure = new_figure(8.0, view.title, note)
    axes = figure.subplots(n, n, squeeze=False)
    for row, j in enumerate(dims):
        for column, i in enumerate(dims):
            ax = axes[row, column]
            if row == column:
                _draw_curve(ax, view, tested, i)
                ax.yaxis.tick_right()
            elif row > column:
                _draw_bins(ax, view, (i, j))
            elif tested is None:
                ax.set_axis_off()
            else:
                _draw_tests(ax, view, tested, (i, j), 30)
            task_axis(ax, view.space.dims[i], "x", label=row == n - 1, room=0)
            if row != column:
                task_axis(ax, view.space.dims[j], "y", label=False, room=0)
                ax.tick_params(labelleft=column == 0)
            if column == 0:
                ax.set_ylabel(view.space.dims[j].name)
            ax.tick_params(labelbottom=row == n - 1)
    figure.align_labels()
    score_bar(figure, axes, view)
    return figure


def _say(ax: Axes, message: str) -> None:
    no_data(ax)
    box = {"fc": "white", "ec": "none", "pad": 4}
    ax.text(0.5, 0.5, message, transform=ax.transAxes, ha="center", color=FAINT, bbox=box)
