"""The developing curriculum, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray

from teachenv.experiments.plot_data import RunView
from teachenv.experiments.plot_style import (
    ACCENT,
    FAINT,
    LINES,
    MARKERS,
    belief_note,
    draw_belief,
    new_figure,
    score_bar,
    score_points,
    spans,
    step_axis,
    steps_text,
    task_axis,
)

N_FRAMES = 60
WINDOW = 0.08
"""Share of the run whose tasks are shown at a time."""
DPI = 100


def animation_frames(view: RunView, n_frames: int = N_FRAMES) -> Iterator[NDArray[np.uint8]]:
    """Yield RGB frames of shape ``(height, width, 3)``: recent tasks, belief and progress.

    With more than two parameters the two that the teacher steered most are shown; with one, it
    is drawn against the score.
    """
    from teachenv.experiments.plot_style import style

    with style():
        yield from _frames(view, n_frames)


def _frames(view: RunView, n_frames: int) -> Iterator[NDArray[np.uint8]]:
    pair = view.steered_most(2)
    note = "Recent tasks, coloured by score. "
    figure = new_figure(4.3, view.title, note + belief_note(view), width=8.0)
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    score_bar(figure, left, view, location="right", fraction=0.05)
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    for number, step in enumerate(np.linspace(0, view.last_step, n_frames + 1)[1:]):
        left.clear()
        right.clear()
        _draw_tasks(left, view, step, pair)
        _draw_progress(right, view, step)
        canvas.draw()  # type: ignore[no-untyped-call]
        if number == 0:
            figure.set_layout_engine("none")  # placed once: faster, and nothing jumps
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        yield pixels[:, :, :3].copy()


def _draw_tasks(ax: Axes, view: RunView, step: float, pair: list[int]) -> None:
    shown = (view.steps <= step) & (view.steps > step - WINDOW * view.last_step)
    belief = view.belief_at(step)
    tasks, scores = view.scattered_tasks()[shown], view.scores[shown]
    task_axis(ax, view.space.dims[pair[0]], "x")
    if len(pair) == 1:
        score_points(ax, tasks[:, 0], scores, scores, s=18)
        for low, high, share in spans(belief) if belief else ():
            ax.axvspan(low, high, fc=ACCENT, alpha=0.4 * share, lw=0, zorder=0)
        ax.set_ylim(-0.03, 1.03)
        ax.set_ylabel("score")
    else:
        score_points(ax, tasks[:, pair[0]], tasks[:, pair[1]], scores, s=18)
        draw_belief(ax, belief, *pair)
        task_axis(ax, view.space.dims[pair[1]], "y")
    ax.set_title(f"{steps_text(step)} steps", loc="left")


def _draw_progress(ax: Axes, view: RunView, step: float) -> None:
    """Share mastered up to now, or the training score where nothing was evaluated."""
    if view.evaluations:
        ax.set_title("tasks mastered", loc="left")
        for k, (name, rows) in enumerate(view.evaluations.items()):
            past = [row for row in rows if row.step <= step]
            shares = [row.share_mastered for row in past]
            line = ax.plot([row.step for row in past], shares, ms=4, lw=1.6, label=name)[0]
            line.set(color=LINES[k % len(LINES)], marker=MARKERS[k % len(MARKERS)])
        ax.legend(loc="upper left")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    else:
        ax.set_title("mean training score", loc="left")
        n_past = int((view.steps <= step).sum())
        groups = np.array_split(np.arange(n_past), max(1, n_past // 25))
        known = [group for group in groups if len(group)]
        means = [view.scores[group].mean() for group in known]
        ax.plot([view.steps[group].mean() for group in known], means, color=LINES[0], lw=1.6)
    ax.axvline(step, color=FAINT, lw=0.8)
    ax.set_ylim(-0.02, 1.02)
    ax.grid(axis="y")
    step_axis(ax, view.last_step)
