"""Pictures of a study: how teachers compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from teachenv.experiments.curves import Band
from teachenv.experiments.plot_style import FAINT, INK, LINES, MARKERS, new_figure, step_axis
from teachenv.experiments.verdict import Standing

WIDTH = 4.6
"""Width of a figure in inches: two fit beside each other on a page, one on a phone."""

N_TOGETHER = 4
"""So many teachers share a panel."""

N_COLUMNS = 4

_DASHES = ("-", "--", "-.", ":")


class Look(NamedTuple):
    """How a teacher is drawn wherever it appears."""

    colour: str
    marker: str
    dash: str


def looks(teachers: Sequence[str]) -> dict[str, Look]:
    """Return how to draw teachers: the baselines in greys, the others in colours.

    Those of a second study have its name before theirs, and are dashed otherwise.
    """
    found: dict[str, Look] = {}
    for baseline, colour, marker in (("uniform", FAINT, "o"), ("oracle", INK, "*")):
        same = [name for name in teachers if name.rpartition("/")[2] == baseline]
        for name, dash in zip(same, ("--", ":", "-."), strict=False):
            found[name] = Look(colour, marker, dash)
    others = [name for name in teachers if name not in found]
    colours = LINES[:-1]
    for k, name in enumerate(others):
        dash = _DASHES[k // len(colours) % len(_DASHES)]
        found[name] = Look(colours[k % len(colours)], MARKERS[k % len(MARKERS)], dash)
    return {name: found[name] for name in teachers}


def standings_figure(
    standings: Sequence[Standing], label: str, styles: Mapping[str, Look], intervals: bool
) -> Figure:
    """Draw mean (point) and interquartile mean (tick) of teachers, perhaps with 95 % intervals."""
    figure = _figure(0.8 + 0.3 * len(standings))
    ax = figure.subplots()
    for y, one in enumerate(reversed(standings)):
        look = styles[one.teacher]
        ax.plot(100 * one.mean, y, look.marker, color=look.colour, ms=7)
        ax.plot(100 * one.iqm, y - 0.24, "|", color=look.colour, ms=7)
        if intervals:
            ax.plot(_percent(one.mean_interval), [y, y], color=look.colour, lw=2.6)
            ax.plot(_percent(one.iqm_interval), [y - 0.24] * 2, color=look.colour, lw=0.9)
    ax.set_yticks(range(len(standings)), [one.teacher for one in reversed(standings)])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.6, len(standings) - 0.5)
    ends = [end for one in standings for end in (one.mean, one.iqm)]
    if intervals:
        ends += [end for one in standings for end in (*one.mean_interval, *one.iqm_interval)]
    ax.set_xlim(*_from_zero(100 * np.nanmax(ends), 100))
    ax.set_xlabel(label)
    ax.grid(axis="x")
    return figure


def curves_figure(
    bands: Mapping[str, Band],
    label: str,
    styles: Mapping[str, Look],
    intervals: bool,
    steps: str = "environment steps",
    title: str = "",
) -> Figure:
    """Draw mean learning curves over steps, perhaps with their intervals.

    Up to ``N_TOGETHER`` teachers share a panel; of more, each has one, the highest first.
    """
    last = max(band.x[-1] for band in bands.values())
    tops = [np.nanmax(band.high if intervals else band.middle) for band in bands.values()]
    ordered = dict(sorted(bands.items(), key=lambda item: -item[1].middle[-1]))
    figure, axes = _panels(bands, ordered, styles, intervals, (title, steps, label))
    for ax in axes:
        ax.set_ylim(*_from_zero(max(tops), 1))
        step_axis(ax, last, label=False)
        if len(axes) > 1:
            ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    return figure


def profiles_figure(
    bands: Mapping[str, Band],
    label: str,
    styles: Mapping[str, Look],
    intervals: bool,
    title: str = "",
) -> Figure:
    """Draw performance profiles: the share of runs above each score, in panels as for curves."""
    reached = max(max(np.multiply(band.x, np.sign(band.middle))) for band in bands.values())
    ordered = dict(sorted(bands.items(), key=lambda item: -sum(item[1].middle)))
    said = (title, label, "share of runs above it")
    figure, axes = _panels(bands, ordered, styles, intervals, said, markers=False)
    for ax in axes:
        ax.set_xlim(0, _from_zero(reached, 1)[1])
        ax.set_ylim(*_from_zero(1, 1))
        ax.xaxis.set_major_formatter(FuncFormatter(_as_percent))
    return figure


def _from_zero(highest: float, full: float) -> tuple[float, float]:
    """Return the limits of an axis from zero to what was reached, which may be all."""
    top = min(1.1 * highest, full) if highest > 0 else full
    return -0.02 * top, 1.02 * top


def _figure(height: float) -> Figure:
    return Figure(figsize=(WIDTH, height), layout="constrained")


def _panels(
    bands: Mapping[str, Band],
    ordered: Mapping[str, Band],
    styles: Mapping[str, Look],
    intervals: bool,
    said: tuple[str, str, str],
    markers: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Draw bands in one panel, or each in its own over the others in grey.

    ``said`` are the title and what is along the axes; a single panel has no title.
    """
    title, x_label, y_label = said
    if len(bands) <= N_TOGETHER:
        figure = _figure(3.3)
        ax = figure.subplots()
        for teacher, band in bands.items():
            _draw_band(ax, teacher, band, styles[teacher], intervals, markers)
        ax.set(xlabel=x_label, ylabel=y_label)
        _legend(figure, ax)
        return figure, [ax]
    n_rows = -(-len(bands) // N_COLUMNS)
    note = "Grey: the other teachers." + " Shaded: 95 % interval over seeds." * intervals
    figure = new_figure(0.9 + 1.85 * n_rows, title, note)
    grid = figure.subplots(n_rows, N_COLUMNS, sharex=True, sharey=True)
    for ax in grid.flat[len(bands) :]:
        ax.set_axis_off()
    axes = list(grid.flat[: len(bands)])
    for ax, (teacher, band) in zip(axes, ordered.items(), strict=True):
        for other in bands.values():
            ax.plot(other.x, other.middle, color=FAINT, alpha=0.55, lw=0.8)
        _draw_band(ax, teacher, band, styles[teacher], intervals, markers)
        ax.set_title(teacher, loc="left", weight="bold", color=styles[teacher].colour)
    for ax in axes[len(bands) - N_COLUMNS :]:
        ax.xaxis.set_tick_params(labelbottom=True)
    figure.supxlabel(x_label, size=9)
    figure.supylabel(y_label, size=9)
    return figure, axes


def _draw_band(
    ax: Axes, teacher: str, band: Band, look: Look, intervals: bool, markers: bool
) -> None:
    if intervals:
        ax.fill_between(band.x, band.low, band.high, color=look.colour, alpha=0.18, lw=0)
    (line,) = ax.plot(band.x, band.middle, color=look.colour, ls=look.dash, lw=1.8)
    line.set(label=teacher, clip_on=not markers)
    if markers:
        line.set(marker=look.marker, markersize=4, markevery=max(1, len(band.x) // 10))
    ax.yaxis.set_major_formatter(FuncFormatter(_as_percent))
    ax.grid(axis="y")


def _legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    columns = int(np.clip(60 // (6 + max(map(len, labels))), 1, 4))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _as_percent(value: float, _position: int | None = None) -> str:
    return f"{100 * value:.3g}%"


def _percent(interval: tuple[float, float]) -> list[float]:
    return [100 * end for end in interval]
