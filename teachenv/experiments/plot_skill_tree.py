"""The skill tree of a run, and what each of its cells gained."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from teachenv.experiments.lesson_view import Floats, LessonView, mean_over
from teachenv.experiments.plot_lessons import level_colour
from teachenv.experiments.plot_style import (
    ACCENT,
    FAINT,
    INK,
    LINES,
    SCORE_MAP,
    SCORES,
    message_figure,
    new_figure,
)
from teachenv.experiments.plot_trees import grown_figure

__all__ = ["gain_figure", "tree_figure"]

N_BINS = 5


def tree_figure(view: LessonView) -> Figure:
    """Draw the trees a run grew, or else its cells as nodes with prerequisites as arrows.

    Accuracy is colour, samples are size.
    """
    if view.trees:
        return grown_figure(view)
    if not np.isfinite(view.taught).any():
        return message_figure(view.title, "No finished episode yet: no tree to draw.")
    accuracy = _final(view)
    note = (
        "Every cell after an episode, mean over episodes: colour is accuracy on the hidden test "
        "(on the probe where not tested), size the samples it was taught, ringed once mastered. "
        "Arrows: what must be known first."
    )
    if not view.prerequisites:
        note += " This domain names none; lines join the levels of a skill."
    n_skills = len(view.skills)
    figure = new_figure(1.5 + 0.46 * n_skills, view.title, note)
    ax = figure.subplots()
    _draw_arrows(ax, view)
    _draw_nodes(ax, view, accuracy)
    ax.set_xlim(-0.5, view.n_levels - 0.5)
    ax.set_ylim(n_skills - 0.45, -0.55)
    ax.set_yticks(range(n_skills), view.skills)
    ax.set_xticks(range(view.n_levels), [f"level {level}" for level in range(view.n_levels)])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(ScalarMappable(SCORES, SCORE_MAP), ax=ax, aspect=28, fraction=0.03)
    bar.outline.set_visible(False)
    bar.ax.axhline(view.mastery, color=ACCENT, lw=2)
    bar.set_label(f"accuracy (line: mastery, {view.mastery:.2f})")
    return figure


def _final(view: LessonView) -> Floats:
    """Return the accuracy after an episode per cell, mean over episodes; NaN if never asked."""
    probed = np.array([_last(each) for each in view.accuracy])
    tested = mean_over(view.after) if len(view.after) else np.full(view.kinds.shape, np.nan)
    return np.where(np.isfinite(tested), tested, mean_over(probed))


def _last(accuracy: Floats) -> Floats:
    """Return the last lesson's row of ``(T + 1, S, L)`` that holds anything."""
    there = np.flatnonzero(np.isfinite(accuracy).any(axis=(1, 2)))
    last: Floats = accuracy[there[-1] if len(there) else -1]
    return last


def _draw_arrows(ax: Axes, view: LessonView) -> None:
    if not view.prerequisites:
        for skill in range(len(view.skills)):
            ax.plot([0, view.n_levels - 1], [skill, skill], color="#d9d9d9", lw=1.2, zorder=1)
        return
    for cell, needed in view.prerequisites:
        (row, column), (from_row, from_column) = (
            divmod(number, view.n_levels) for number in (cell, needed)
        )
        bend = 0.0 if row == from_row and abs(column - from_column) == 1 else 0.35
        how: dict[str, Any] = {
            "arrowstyle": "-|>",
            "color": "#b5b5b5",
            "lw": 1.0,
            "shrinkA": 11,
            "shrinkB": 11,
        }
        how["connectionstyle"] = f"arc3,rad={bend}"
        ax.annotate("", (column, row), (from_column, from_row), arrowprops=how, zorder=1)


def _draw_nodes(ax: Axes, view: LessonView, accuracy: Floats) -> None:
    samples = np.nan_to_num(view.taught).sum(axis=1).mean(axis=0)
    sizes = 60.0 + 420.0 * samples / max(float(samples.max()), 1.0)
    grid = np.indices(view.kinds.shape)
    rows, columns = grid[0], grid[1]
    for kind in ("taught", "known", "noise"):
        mine = view.kinds == kind
        known = mine & np.isfinite(accuracy)
        mastered = np.where(accuracy[known] > view.mastery, ACCENT, "white")
        how: dict[str, Any] = {
            "c": accuracy[known],
            "cmap": SCORE_MAP,
            "norm": SCORES,
            "linewidths": 1.8,
        }
        how |= {"s": sizes[known], "edgecolors": mastered, "zorder": 3}
        how["marker"] = "X" if kind == "noise" else "o"
        ax.scatter(columns[known], rows[known], **how)
        blank = mine & ~np.isfinite(accuracy)
        ax.scatter(columns[blank], rows[blank], s=sizes[blank], c="white", ec=FAINT, zorder=3)
    labelled: list[list[float]] = samples.tolist()
    for row, counts in enumerate(labelled):
        for column, count in enumerate(counts):
            below: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "size": 6.5}
            ax.annotate(f"{count:.0f}", (column, row), (0, -18), color=FAINT, **below)


def gain_figure(view: LessonView) -> Figure:
    """Draw what cells gained against how hard they were at first, and accuracy by episode."""
    if not len(view.after):
        return message_figure(view.title, "No evaluation on the hidden test yet.")
    note = (
        "Accuracy on hidden test questions before and after an episode. Left: a point is a cell "
        "in an episode, dark levels are harder; line: mean by fifths of the difficulty. Right: "
        "mean over the cells there are to teach, a new student every episode."
    )
    if signs := view.signs.text():
        note += f" Beside: {signs}."
    figure = new_figure(4.3, view.title, note)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    _draw_gains(left, view)
    _draw_episodes(right, view)
    return figure


def _draw_gains(ax: Axes, view: LessonView) -> None:
    difficulty, gain = 1.0 - view.before, view.after - view.before
    for level in range(view.n_levels):
        x, y = difficulty[:, :, level].ravel(), gain[:, :, level].ravel()
        colour = level_colour(level, view.n_levels)
        ax.scatter(x, y, s=14, color=colour, alpha=0.7, lw=0, label=f"level {level}", clip_on=False)
    known = np.isfinite(gain)
    x, y = difficulty[known], gain[known]
    bins = np.clip((x * N_BINS).astype(np.int64), 0, N_BINS - 1)
    used = [number for number in range(N_BINS) if (bins == number).any()]
    means = [(x[bins == number].mean(), y[bins == number].mean()) for number in used]
    ax.plot(*np.array(means).T, color=INK, lw=1.8, marker="o", ms=4, zorder=4)
    ax.axhline(0.0, color=FAINT, lw=0.8)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("initial difficulty (1 - accuracy before)")
    ax.set_ylabel("gain in accuracy")
    ax.set_title("gain against initial difficulty", loc="left")
    ax.legend(loc="best", ncols=2 if view.n_levels > 3 else 1, handletextpad=0.2)


def _draw_episodes(ax: Axes, view: LessonView) -> None:
    for values, label, colour in (
        (view.before, "before", FAINT),
        (view.after, "after", LINES[0]),
    ):
        means = np.array([np.nanmean(each) for each in values])
        ax.plot(view.steps, means, marker="o", ms=4, lw=1.5, color=colour, label=label)
    if view.signs.majority is not None:
        ax.axhline(view.signs.majority, color=INK, lw=0.9, ls=":", label="commonest answer")
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlim(0, None)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
    ax.set_xlabel("training samples taught in all")
    ax.set_title("mean accuracy, by episode", loc="left")
    ax.grid(axis="y")
    ax.legend(loc="best")
