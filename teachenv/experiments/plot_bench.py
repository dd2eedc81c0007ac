"""The bench as a picture: how good each teacher is, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from teachenv.experiments.bench_play import BEST
from teachenv.experiments.bench_stats import BASELINE, Row
from teachenv.experiments.bench_teachers import Verdict
from teachenv.experiments.plot_style import ACCENT, FAINT, INK, SCORE_MAP, SCORES, new_figure, style

DPI = 160


def plot_bench(verdict: Verdict, path: Path) -> None:
    """Write the picture of a verdict as PNG."""
    rows = list(reversed(verdict.rows))
    with style():
        height = 1.9 + 0.24 * len(rows)
        figure = new_figure(
            height,
            "Teachers on students whose best curriculum is known",
            "Left: mean share mastered over all worlds (hollow, at the bottom: over those it "
            f"fits), with its 95 % interval, and how often it beats {BASELINE}. Right: share "
            f"mastered in each world, in per cent ({verdict.n_seeds} seeds).",
            width=12.0,
        )
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.55], sharey=True)
        _means(left, rows, len(verdict.worlds))
        _worlds(right, rows, list(verdict.worlds))
        figure.savefig(path, dpi=DPI)


def _means(ax: Axes, rows: list[Row], n_worlds: int) -> None:
    for y, row in enumerate(rows):
        if row.teacher == BEST:
            ax.plot(100 * row.mean, y, marker="*", color=FAINT, ms=8)
            continue
        colour = ACCENT if row.teacher == BASELINE else INK
        ax.plot([100 * end for end in row.interval], [y, y], color=colour, lw=2.2)
        partial = len(row.shares) < n_worlds
        ax.plot(100 * row.mean, y, "o", color=colour, ms=4.5, mfc="white" if partial else colour)
        if row.beats is not None:
            ax.text(1.01, y, f"{row.beats:.2f}", va="center", transform=ax.get_yaxis_transform())
    base = next((row for row in rows if row.teacher == BASELINE), None)
    if base is not None:
        ax.axvline(100 * base.mean, color=ACCENT, lw=0.8, ls=":", zorder=0)
    ax.set_yticks(range(len(rows)), [row.teacher for row in rows])
    ax.set_xlim(0, 103)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("mean share mastered (%)")
    ax.text(1.01, 1.0, f"beats\n{BASELINE}", va="bottom", size=8, transform=ax.transAxes)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def _worlds(ax: Axes, rows: list[Row], worlds: list[str]) -> None:
    empty = np.array([np.nan])
    shares = np.array([[row.shares.get(world, empty).mean() for world in worlds] for row in rows])
    ax.imshow(shares, cmap=SCORE_MAP, norm=SCORES, aspect="auto", origin="lower")
    for (y, x), share in np.ndenumerate(shares):
        text = "-" if np.isnan(share) else f"{100 * share:.0f}"
        colour = "black" if np.isnan(share) or share > 0.6 else "white"
        ax.text(x, y, text, ha="center", va="center", size=7.5, color=colour)
    ax.set_xticks(range(len(worlds)), worlds, rotation=35, ha="left")
    ax.tick_params(axis="both", length=0, labeltop=True, labelbottom=False, labelleft=False)
    ax.spines[:].set_visible(False)
