"""Pictures of a study: how teachers compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from teachenv.experiments.curves import Band
from teachenv.experiments.plot_style import FAINT, INK, LINES, MARKERS, step_axis
from teachenv.experiments.verdict import Standing

WIDTH = 4.6
"""Width of a figure in inches: two fit beside each other on a page, one on a phone."""

_DASHES = ("-", "--", "-.", ":")


class Look(NamedTuple):
    """How a teacher is drawn wherever it appears."""

    colour: str
    marker: str
    dash: str


def looks(teachers: Sequence[str]) -> dict[str, Look]:
    """Return how to draw teachers: the baselines in greys, the others in colours."""
    found = {"uniform": Look(FAINT, "o", "--"), "oracle": Look(INK, "*", "--")}
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
) -> Figure:
    """Draw mean learning curves over steps, perhaps with their intervals."""
    figure = _figure(3.3)
    ax = figure.subplots()
    _draw_bands(ax, bands, styles, intervals)
    tops = [np.nanmax(band.high if intervals else band.middle) for band in bands.values()]
    ax.set_ylim(*_from_zero(max(tops), 1))
    step_axis(ax, max(band.x[-1] for band in bands.values()), label=False)
    ax.set_xlabel(steps)
    ax.set_ylabel(label)
    _legend(figure, ax)
    return figure


def profiles_figure(
    bands: Mapping[str, Band], label: str, styles: Mapping[str, Look], intervals: bool
) -> Figure:
    """Draw performance profiles: the share of runs above each score."""
    figure = _figure(3.3)
    ax = figure.subplots()
    _draw_bands(ax, bands, styles, intervals, markers=False)
    reached = max(max(np.multiply(band.x, np.sign(band.middle))) for band in bands.values())
    ax.set_xlim(0, _from_zero(reached, 1)[1])
    ax.set_ylim(*_from_zero(1, 1))
    ax.xaxis.set_major_formatter(FuncFormatter(_as_percent))
    ax.set_xlabel(label)
    ax.set_ylabel("share of runs above it")
    _legend(figure, ax)
    return figure


def _from_zero(highest: float, full: float) -> tuple[float, float]:
    """Return the limits of an axis from zero to what was reached, which may be all."""
    top = min(1.1 * highest, full) if highest > 0 else full
    return -0.02 * top, 1.02 * top


def _figure(height: float) -> Figure:
    return Figure(figsize=(WIDTH, height), layout="constrained")


def _draw_bands(
    ax: Axes,
    bands: Mapping[str, Band],
    styles: Mapping[str, Look],
    intervals: bool,
    markers: bool = True,
) -> None:
    for teacher, band in bands.items():
        look = styles[teacher]
        if intervals:
            ax.fill_between(band.x, band.low, band.high, color=look.colour, alpha=0.13, lw=0)
        (line,) = ax.plot(band.x, band.middle, color=look.colour, ls=look.dash, lw=1.6)
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
