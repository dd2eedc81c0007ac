"""The skill trees that a run grew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from teachenv.experiments.lesson_view import LessonView
from teachenv.experiments.plot_style import ACCENT, FAINT, SCORE_MAP, SCORES, new_figure
from teachenv.experiments.tree_view import GrownTree

__all__ = ["grown_figure"]

TWO_COLUMNS = 14
"""Rows from which trees are drawn in two columns."""
ROW = 0.25
"""Height of a subskill in inches."""
BAND = 0.3
"""Half the height of the widest band, in rows."""


def grown_figure(view: LessonView) -> Figure:
    """Draw the trees of the last episode: a root per skill, subskills where they were added."""
    columns = _columns(view.trees)
    n_rows = max(sum(map(_height, column)) for column in columns)
    note = (
        f"The trees after episode {len(view.taught)}. A subskill stands at the lesson that added "
        "it: colour is accuracy on the probe (white: not probed), size and number are its samples "
        "(some belong to several), ringed once mastered. Its band: what it was to get of lessons."
    )
    figure = new_figure(1.6 + ROW * n_rows, view.title, note)
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    most = max(tree.taught for tree in view.trees)
    widest = max(max(each.alloc) for tree in view.trees for each in tree.subskills)
    for ax, column in zip(axes, columns, strict=True):
        ticks, top = [], 0.0
        for tree in column:
            ticks.append(_draw_tree(ax, tree, top, view, most=most, widest=widest))
            top += _height(tree)
        ax.set_yticks(ticks, [tree.skill for tree in column])
        ax.set_ylim(n_rows - 0.5, -0.8)
        ax.set_xlim(-0.6, view.n_lessons + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.set_xlabel("lesson")
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    bar = figure.colorbar(ScalarMappable(SCORES, SCORE_MAP), ax=axes, aspect=28, fraction=0.03)
    bar.outline.set_visible(False)
    bar.ax.axhline(view.mastery, color=ACCENT, lw=2)
    bar.set_label(f"accuracy (line: mastery, {view.mastery:.2f})")
    return figure


def _height(tree: GrownTree) -> float:
    """Return the rows a tree takes, with the gap below it."""
    return max(1, len(tree.subskills)) + 0.6


def _columns(trees: Sequence[GrownTree]) -> list[Sequence[GrownTree]]:
    """Return the trees in one column, or in two of about the same height."""
    heights = [_height(tree) for tree in trees]
    if len(trees) == 1 or sum(heights) < TWO_COLUMNS:
        return [trees]
    cuts = range(1, len(trees))
    cut = min(cuts, key=lambda n: max(sum(heights[:n]), sum(heights[n:])))
    return [trees[:cut], trees[cut:]]


def _draw_tree(
    ax: Axes, tree: GrownTree, top: float, view: LessonView, *, most: int, widest: int
) -> float:
    """Draw a tree from row ``top`` downwards; return the row of its root."""
    rows = [top + number for number in range(len(tree.subskills))] or [top]
    root = (rows[0] + rows[-1]) / 2
    line: dict[str, Any] = {"color": "#b5b5b5", "lw": 1.0, "zorder": 1}
    ax.plot([0, 0], [rows[0], rows[-1]], **line)
    nodes: list[tuple[float, float, int, float | None]] = [(0, root, tree.taught, tree.accuracy)]
    for row, each in zip(rows, tree.subskills, strict=False):
        ax.plot([0, each.added], [row, row], **line)
        nodes.append((each.added, row, each.taught, each.accuracy))
        colour = FAINT if each.accuracy is None else SCORE_MAP(each.accuracy)
        lessons = [each.added + step - 0.5 for step in range(len(each.alloc) + 1)]
        half = [BAND * samples / max(widest, 1) for samples in (*each.alloc, each.alloc[-1])]
        ends = [row - each for each in half], [row + each for each in half]
        ax.fill_between(lessons, *ends, step="post", color=colour, alpha=0.35, lw=0, zorder=2)
        where: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "center", "size": 7.5}
        ax.text(1.01, row, f"{each.label}: {each.taught}", **where)
    for x, y, taught, accuracy in nodes:
        size = 22.0 + 190.0 * taught / max(most, 1)
        mastered = accuracy is not None and accuracy > view.mastery
        how: dict[str, Any] = {"s": size, "zorder": 3, "linewidths": 1.4, "clip_on": False}
        how["c"] = "white" if accuracy is None else [SCORE_MAP(accuracy)]
        ax.scatter(x, y, edgecolors=ACCENT if mastered else FAINT, **how)
    return root
