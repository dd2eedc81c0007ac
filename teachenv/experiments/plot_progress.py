"""Pictures of progress: how the student got better."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from teachenv.experiments.plot_data import Evaluation, Floats, RunView
from teachenv.experiments.plot_style import (
    ACCENT,
    FAINT,
    LINES,
    MARKERS,
    SCORE_MAP,
    SCORES,
    message_figure,
    new_figure,
    score_bar,
    step_axis,
)


def progress_figure(view: RunView) -> Figure:
    """Draw share mastered, every test task, mean return and training score over steps."""
    if not len(view.tasks) and not view.evaluations:
        return message_figure(view.title, "No finished episodes and no evaluation yet.")
    note = "Dashed: mastery threshold. Band: 10 % to 90 % of the episodes. "
    if view.evaluations:
        note += "Stairs: test tasks mastered at least once so far. "
    if view.new_students:
        note += "Dotted: a new student."
    figure = new_figure(6.4, view.title, note)
    axes = figure.subplots(2, 2, sharex=True, height_ratios=(1, 1.25))
    _draw_shares(axes[0, 0], view)
    _draw_returns(axes[0, 1], view)
    _draw_tasks(axes[1, 0], view)
    _draw_training(axes[1, 1], view)
    if view.evaluations:
        score_bar(figure, axes[1, 0], view, aspect=22, fraction=0.05)
    for ax in axes.flat:
        for step in view.new_students:
            ax.axvline(step, color=FAINT, lw=0.8, ls=":")
        step_axis(ax, view.last_step, label=ax in axes[1])
    return figure


def _draw_shares(ax: Axes, view: RunView) -> None:
    ax.set_title("tasks mastered, by test set", loc="left")
    ax.set_ylim(-0.02, 1.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(axis="y")
    if not view.evaluations:
        _say(ax, "no evaluation yet")
    for k, (name, rows) in enumerate(view.evaluations.items()):
        label = f"{name} ({len(rows[-1].returns)} tasks)"
        shares = np.array([row.share_mastered for row in rows])
        _draw_line(ax, rows, shares, k, label)
    if view.evaluations:
        ax.legend(loc="best")


def _draw_returns(ax: Axes, view: RunView) -> None:
    ax.set_title("mean episode return", loc="left")
    ax.grid(axis="y")
    ax.axhline(view.mastery, color=ACCENT, lw=1.2, ls="--")
    if len(view.returns):
        at, bands = _course(view.steps, view.returns)
        ax.plot(at, bands[1], color=FAINT, lw=1.4, label="training, on the tasks the teacher chose")
    for k, rows in enumerate(view.evaluations.values()):
        _draw_line(ax, rows, np.array([row.returns.mean() for row in rows]), k)
    bottom, top = ax.get_ylim()
    low, high = view.return_range
    ax.set_ylim(min(bottom, low), max(top, high))
    if len(view.returns):
        ax.legend(loc="upper left")


def _draw_line(
    ax: Axes, rows: tuple[Evaluation, ...], values: Floats, k: int, label: str = ""
) -> None:
    line = ax.plot([row.step for row in rows], values, label=label, ms=4, lw=1.6, clip_on=False)[0]
    line.set(color=LINES[k % len(LINES)], marker=MARKERS[k % len(MARKERS)])


def _draw_tasks(ax: Axes, view: RunView) -> None:
    """Every task (rows) of the test set played most often, at every evaluation (columns)."""
    ax.set_title("score on every test task, first mastered at the bottom", loc="left")
    if not view.evaluations:
        _say(ax, "no evaluation yet")
        ax.set_yticks([])
        return
    name = max(
        view.evaluations,
        key=lambda n: (len(view.evaluations[n]), len(view.evaluations[n][-1].returns)),
    )
    n_tasks = len(view.evaluations[name][-1].returns)
    rows = [row for row in view.evaluations[name] if len(row.returns) == n_tasks]
    returns = np.stack([row.returns for row in rows], axis=1)
    order = _by_mastering(returns, view.mastery)
    scores = view.score(returns[order])
    borders = _borders(np.array([row.step for row in rows], dtype=np.float64))
    ax.pcolormesh(borders, np.arange(n_tasks + 1), scores, cmap=SCORE_MAP, norm=SCORES)
    so_far = np.maximum.accumulate(returns > view.mastery, axis=1).sum(axis=0)
    ax.stairs(so_far, borders, baseline=None, color=ACCENT, lw=1.6)
    ax.set_ylim(0, n_tasks)
    ax.set_ylabel(f"tasks of {name}")


def _by_mastering(returns: Floats, mastery: float) -> np.ndarray:
    """Order of tasks: by first mastering evaluation, then by mean return, best first."""
    mastered = returns > mastery
    first = np.where(mastered.any(axis=1), mastered.argmax(axis=1), returns.shape[1])
    return np.lexsort((-returns.mean(axis=1), first))


def _borders(steps: Floats) -> Floats:
    """Column borders half way between evaluations; the last column ends at its evaluation."""
    if len(steps) == 1:
        return np.array([steps[0] / 2, max(steps[0], 1.0)])
    middles = (steps[1:] + steps[:-1]) / 2
    first = max(0.0, steps[0] - (steps[1] - steps[0]) / 2)
    return np.concatenate([[first], middles, steps[-1:]])


def _draw_training(ax: Axes, view: RunView) -> None:
    ax.set_title("training score, on the tasks the teacher chose", loc="left")
    ax.set_ylim(-0.02, 1.02)
    ax.grid(axis="y")
    if not len(view.scores):
        _say(ax, "no finished episodes yet")
        return
    at, (low, mean, high) = _course(view.steps, view.scores)
    ax.fill_between(at, low, high, color=LINES[0], alpha=0.12, lw=0)
    ax.plot(at, mean, color=LINES[0], lw=1.6)
    ax.axhline(view.mastery_score, color=ACCENT, lw=1.2, ls="--")


def _course(steps: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return steps ``(m,)`` and 10 % quantile, mean and 90 % quantile ``(3, m)`` over time."""
    groups = np.array_split(np.arange(len(values)), int(np.clip(len(values) // 10, 1, 50)))
    at = np.array([steps[group].mean() for group in groups])
    low, high = np.array([np.quantile(values[group], (0.1, 0.9)) for group in groups]).T
    mean = np.array([values[group].mean() for group in groups])
    if len(at) == 1:  # too few episodes for a course over time: a level line
        return np.array([0.0, steps[-1]]), np.repeat([low, mean, high], 2, axis=1)
    return at, np.stack([low, mean, high])


def _say(ax: Axes, message: str) -> None:
    ax.text(0.5, 0.5, message, transform=ax.transAxes, ha="center", va="center", color=FAINT)
