"""Pictures of lessons: what was taught when, and how every skill got on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from teachenv.experiments.lesson_view import Floats, LessonView, mean_over
from teachenv.experiments.plot_style import (
    ACCENT,
    FAINT,
    INK,
    LINES,
    SCORE_MAP,
    message_figure,
    new_figure,
)

__all__ = ["allocation_figure", "level_colour", "skills_figure"]

MAX_SKILLS = 16
"""Skills with a panel of their own; further ones are left out of the learning curves."""

SHARE_MAP = LinearSegmentedColormap.from_list("share", ["#f4f4f4", "#56B4E9", "#0072B2", "#002b45"])


def allocation_figure(view: LessonView) -> Figure:
    """Draw the share of the samples by skill (areas) and by cell (map), over lessons."""
    if not np.isfinite(view.taught).any():
        return message_figure(view.title, "No finished episode yet: no lessons to draw.")
    n_cells = view.kinds.size
    note = (
        f"What the lessons were made of, mean over {len(view.taught)} episodes. Left: shares of "
        "skills. Right: shares of cells, levels of a skill from easy (top) to hard."
    )
    if (view.kinds == "noise").any():
        note += " Grey areas and names: noise, which cannot be learnt."
    figure = new_figure(1.4 + float(np.clip(0.13 * n_cells, 3.0, 8.0)), view.title, note)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    shares = view.shares
    _draw_areas(left, view, shares.sum(axis=2))
    _draw_cells(right, view, shares)
    return figure


def _draw_areas(ax: Axes, view: LessonView, shares: Floats) -> None:
    lessons = np.arange(1, len(shares) + 1)
    order = range(len(view.skills))[::-1]  # the first on top, as in the map
    colours = [_skill_colour(view, number) for number in order]
    x, y = lessons, np.nan_to_num(shares).T[::-1]
    if len(lessons) == 1:
        x, y = np.array([0.5, 1.5]), np.repeat(y, 2, axis=1)
    ax.stackplot(x, y, colors=colours, edgecolor="white", linewidth=0.6)
    low = 0.0
    for number, share in zip(order, y[:, -1].tolist(), strict=True):
        if share > 0.025:
            name = view.skills[number]
            place: dict[str, Any] = {
                "transform": ax.get_yaxis_transform(),
                "va": "center",
                "size": 7.5,
            }
            ax.text(1.015, low + share / 2, name, **place)
        low += share
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("lesson")
    ax.set_title("share of the samples, by skill", loc="left")


def _draw_cells(ax: Axes, view: LessonView, shares: Floats) -> None:
    n_lessons, n_skills, n_levels = shares.shape
    rows = shares.reshape(n_lessons, -1).T
    top = max(float(np.nanmax(rows)), 1e-9)
    norm = Normalize(0.0, top)
    extent = (0.5, n_lessons + 0.5, rows.shape[0] - 0.5, -0.5)
    ax.imshow(rows, cmap=SHARE_MAP, norm=norm, aspect="auto", extent=extent, interpolation="none")
    for skill in range(1, n_skills):
        ax.axhline(skill * n_levels - 0.5, color="white", lw=1.6)
    middles = [skill * n_levels + (n_levels - 1) / 2 for skill in range(n_skills)]
    ax.set_yticks(middles, view.skills)
    for label, kinds in zip(ax.get_yticklabels(), view.kinds, strict=True):
        label.set_color(INK if (kinds != "noise").any() else FAINT)
    ax.tick_params(axis="y", length=0)
    ax.spines[:].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("lesson")
    ax.set_title("share of the samples, by cell", loc="left")
    mappable = ScalarMappable(norm, SHARE_MAP)
    bar = ax.figure.colorbar(mappable, ax=ax, aspect=28, fraction=0.04, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0 if top > 0.1 else 1))


def skills_figure(view: LessonView) -> Figure:
    """Draw the probed accuracy of every level of every skill over lessons."""
    curves = mean_over(view.accuracy)
    shown = [s for s in range(len(view.skills)) if np.isfinite(curves[:, s]).any()][:MAX_SKILLS]
    if not shown:
        return message_figure(view.title, "No skill was ever probed: no learning curves.")
    n_columns = min(4, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    note = (
        f"Accuracy on probe questions after every lesson, mean over {len(view.accuracy)} "
        "episodes. Dashed: mastery."
    )
    if len(shown) == MAX_SKILLS < len(view.skills):
        note += f" The first {MAX_SKILLS} of {len(view.skills)} skills."
    figure = new_figure(1.1 + 1.75 * n_rows, view.title, note)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for number, ax in enumerate(axes.flat):
        if number >= len(shown):
            ax.set_axis_off()
            continue
        _draw_skill(ax, view, curves[:, shown[number]], shown[number])
        if number + n_columns >= len(shown):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("lesson")
    figure.supylabel("accuracy", size=9)
    lines = axes.flat[0].get_lines()[: view.n_levels]
    labels = [f"level {level}" for level in range(view.n_levels)]
    figure.legend(lines, labels, loc="outside lower center", ncols=min(view.n_levels, 8))
    return figure


def _draw_skill(ax: Axes, view: LessonView, curves: Floats, skill: int) -> None:
    lessons = np.arange(len(curves))
    for level in range(view.n_levels):
        colour = level_colour(level, view.n_levels)
        line = "-" if view.kinds[skill, level] == "taught" else ":"
        ax.plot(lessons, curves[:, level], color=colour, lw=1.5, ls=line)
    ax.axhline(view.mastery, color=ACCENT, lw=0.9, ls="--", zorder=0)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlim(0, max(len(curves) - 1, 1))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_title(view.skills[skill], loc="left", size=8.5)
    ax.grid(axis="y")


def level_colour(level: int, n_levels: int) -> tuple[float, float, float, float]:
    """Return the colour of a level, light for easy and dark for hard."""
    return SCORE_MAP(0.88 * (1.0 - level / max(n_levels - 1, 1)))


def _skill_colour(view: LessonView, skill: int) -> str:
    if (view.kinds[skill] == "noise").all():
        return ("#c9c9c9", "#b5b5b5")[skill % 2]
    return (*LINES[:5], "#D55E00", "#F0E442", "#8A6FBF", "#7A5C3E", "#4DB6AC")[skill % 10]
