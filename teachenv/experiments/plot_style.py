"""One look for all pictures: palette, titles, task axes, score colours."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.ticker import EngFormatter, MaxNLocator

from teachenv.experiments.plot_data import Belief, Floats, RunView
from teachenv.space import Dim

INK = "#262626"
FAINT = "#8c8c8c"
ACCENT = "#D55E00"
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#7A5C3E", "#000000")
"""Okabe and Ito's colours, told apart with any colour vision, and a brown."""
MARKERS = ("o", "s", "^", "D", "v", "P")

SCORES = Normalize(0.0, 1.0)
SCORE_MAP: Colormap = matplotlib.colormaps["viridis"]
WIDTH = 9.0
"""Width of every picture in inches; at README width (900 pixels) text is 12 pixels high."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "hatch.color": "#c9c9c9",
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures take the look of this module."""
    return matplotlib.rc_context(_STYLE)


def new_figure(height: float, title: str, subtitle: str, width: float = WIDTH) -> Figure:
    """Return an empty figure with a title and a line that says how to read it."""
    figure = Figure(figsize=(width, height))
    lines = textwrap.wrap(subtitle, int(width * 14.5))
    head = 0.38 + 0.17 * len(lines)
    room = (0.0, 0.0, 1.0, 1 - head / height)
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=room, w_pad=0.05, h_pad=0.05))
    left = 0.08 / width
    figure.text(left, 1 - 0.08 / height, title, size=12, weight="bold", va="top")
    figure.text(
        left,
        1 - 0.34 / height,
        "\n".join(lines),
        size=9,
        va="top",
        color="#595959",
        linespacing=1.3,
    )
    return figure


def message_figure(title: str, message: str) -> Figure:
    """Return a picture that says why there is nothing to draw yet."""
    figure = new_figure(2.2, title, "")
    figure.text(0.5, 0.42, message, size=11, ha="center", va="center", color=FAINT)
    return figure


def task_axis(ax: Axes, dim: Dim, which: str, label: bool = True, room: float = 0.02) -> None:
    """Set limits (with some room), ticks and label of the x or y axis for a task parameter."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    margin = room * (dim.high - dim.low) if dim.kind == "float" else 0.5
    limits = (dim.low - margin, dim.high + margin)
    (ax.set_xlim if which == "x" else ax.set_ylim)(*limits)
    if dim.kind == "choice" and len(dim.choices) <= 12:
        axis.set_ticks(range(len(dim.choices)), dim.choices)
    else:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], integer=dim.kind != "float"))
    if label:
        axis.set_label_text(dim_label(dim))


def dim_label(dim: Dim) -> str:
    """Return the name of a parameter with its unit."""
    return f"{dim.name} ({dim.unit})" if dim.unit else dim.name


def step_axis(ax: Axes, last_step: float, label: bool = True) -> None:
    """Set the x axis to environment steps."""
    ax.set_xlim(0, last_step * 1.015)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
    if label:
        ax.set_xlabel("environment steps")


def steps_text(step: float) -> str:
    """Return a number of steps for people: 950, 50 k, 1.25 M."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if step >= size:
            return f"{step / size:.3g}{suffix}"
    return f"{step:.0f}"


def score_bar(figure: Figure, axes: Sequence[Axes] | Any, view: RunView, **where: Any) -> None:
    """Add the colour bar of scores with a line at the mastery threshold."""
    where = {"aspect": 28, "fraction": 0.03, "pad": 0.02} | where
    bar = figure.colorbar(ScalarMappable(SCORES, SCORE_MAP), ax=axes, **where)
    bar.outline.set_visible(False)
    label = "score"
    if 0 <= view.mastery_score <= 1:
        for colour, width in (("white", 4.0), (INK, 1.8)):
            bar.ax.axhline(view.mastery_score, color=colour, lw=width)
        label = f"score (line: mastery, {view.mastery_score:.2f})"
    bar.set_label(label)


def score_points(ax: Axes, x: Floats, y: Floats, scores: Floats, **how: Any) -> None:
    """Scatter points coloured by score; the more there are, the smaller."""
    size = float(np.clip(6000 / max(1, len(x)), 6, 22))
    how = {"s": size, "alpha": 0.85, "linewidths": 0} | how
    ax.scatter(x, y, c=scores, cmap=SCORE_MAP, norm=SCORES, **how)


def draw_belief(ax: Axes, belief: Belief | None, i: int, j: int) -> None:
    """Draw the teacher's mixture (2 standard deviations) or window on dimensions i and j.

    Heavier and less transparent lines mark components with a larger share of the draws.
    """
    if belief is None:
        return
    for mean, covariance, share in zip(
        belief.means, belief.covariances, belief.shares, strict=True
    ):
        part = covariance[np.ix_([i, j], [i, j])]
        spread, axes = np.linalg.eigh(part)
        width, height = 4 * np.sqrt(np.maximum(spread[::-1], 0))
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        how = {"fill": False, "ec": ACCENT, "lw": 0.8 + 2.4 * share, "zorder": 3}
        strength = float(0.2 + 0.8 * min(1.0, 2.5 * share))
        centre = (mean[i], mean[j])
        ax.add_patch(Ellipse(centre, width, height, angle=angle, alpha=strength, **how))
    if belief.window is not None:
        low, high = belief.window
        size = (high[i] - low[i], high[j] - low[j])
        ax.add_patch(Rectangle((low[i], low[j]), *size, fill=False, ec=ACCENT, lw=1.8, zorder=3))


def spans(belief: Belief) -> list[tuple[float, float, float]]:
    """Return low end, high end and share of the belief of a one-parameter teacher.

    Components reach 2 standard deviations either way.
    """
    reach = 2 * np.sqrt(belief.covariances[:, 0, 0]) if len(belief.means) else np.empty(0)
    parts = zip(belief.means.ravel(), reach, belief.shares, strict=True)
    found = [(float(m - r), float(m + r), float(share)) for m, r, share in parts]
    if belief.window is not None:
        found.append((float(belief.window[0][0]), float(belief.window[1][0]), 1.0))
    return found


def belief_note(view: RunView) -> str:
    """Return the words that explain what :func:`draw_belief` or :func:`spans` draw."""
    single = view.space.dim == 1
    if any(len(belief.means) for belief in view.beliefs):
        shape = "Shaded" if single else "Ellipses"
        return f"{shape}: the teacher's mixture (2 s.d.), heavier where it samples more."
    if any(belief.window for belief in view.beliefs):
        return f"{'Shaded' if single else 'Box'}: the teacher's sampling window."
    return ""


def no_data(ax: Axes) -> None:
    """Hatch the axes; what is drawn over the hatching is data."""
    patch = Rectangle(
        (0, 0), 1, 1, transform=ax.transAxes, fc="#f4f4f4", hatch="////", ec="#c9c9c9"
    )
    patch.set(linewidth=0, zorder=0)
    ax.add_patch(patch)
