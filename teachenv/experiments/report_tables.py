"""The tables of a report, as text."""

from __future__ import annotations

import statistics as plain
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from teachenv.experiments.metrics import THRESHOLD, Budget, SetMetrics
from teachenv.experiments.plot_style import steps_text
from teachenv.experiments.report_cells import Entry, Group
from teachenv.experiments.report_verdict import Judged
from teachenv.experiments.statistics import (
    UNIT,
    Interval,
    Table,
    bootstrap_interval,
    mean_interval,
    optimality_gap,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Sheet:
    """A table: its heads, rows of as many texts, and what to know about them."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: str = ""


def standings_sheet(judged: Judged) -> Sheet:
    """Return who stands where."""
    verdict = judged.verdict
    rows = []
    for one in verdict.standings if verdict else ():
        table = judged.tables[one.teacher]
        several = table.shape[1] > 1
        gap = bootstrap_interval(table, optimality_gap) if several else None
        rows.append(
            (
                one.teacher,
                "-" if one.rank is None else str(one.rank),
                _with(one.mean, one.mean_interval if several else None, 100),
                _with(one.iqm, one.iqm_interval if several else None, 100),
                _with(float(optimality_gap(table)), gap, 100),
                ", ".join(one.beats) or "-",
            )
        )
    heads = ("teacher", "rank", "mean, %", "IQM, %", "optimality gap, %", "beats")
    return Sheet(
        heads,
        tuple(rows),
        "In brackets: 95 % intervals over seeds. IQM: interquartile mean over environments and "
        "seeds. Optimality gap: how far below 100 % on average. Teachers that are not told apart "
        "share a rank.",
    )


def metrics_sheet(group: Group, teachers: Iterable[str], test_set: str) -> Sheet:
    """Return all figures of a test set."""
    rows = []
    for name in group.teachers(teachers):
        sets = [run.metrics.test_sets[test_set] for run in group.of(name)]
        rows.append(
            (
                name,
                str(len(sets)),
                _mean(sets, lambda one: one.share_mastered, 100),
                _mean(sets, lambda one: one.mean_score),
                _mean(sets, lambda one: one.mean_return, bounds=group.world.return_range),
                _mean(sets, lambda one: one.worst_tenth),
                _mean(sets, lambda one: one.area_mastered, 100),
                _mean(sets, lambda one: one.area_score),
                _reached(sets),
                _mean(sets, lambda one: one.forgetting),
            )
        )
    return without_dashes(
        (
            "teacher", "seeds", "mastered, %", "mean score", "mean return", "worst tenth",
            "area, mastered, %", "area, score", f"steps to {THRESHOLD:.0%}", "forgetting",
        ),
        rows,
        "In brackets: 95 % intervals over seeds. Worst tenth: mean score of the worst tenth of the "
        "tasks (CVaR). Area: under the learning curve, the mean during training. Steps: the median "
        f"of the runs that mastered {THRESHOLD:.0%} of the tasks, and how many did. Forgetting: "
        "best score of a task so far minus the last, averaged.",
    )  # fmt: skip


def cost_sheet(group: Group, teachers: Iterable[str]) -> Sheet:
    """Return what was taught and what it cost."""
    names = group.teachers(teachers)
    base = _cost([run for run in group.entries if run.metrics.teacher == "uniform"])
    rows = []
    for name in names:
        runs = group.of(name)
        cost = _cost(runs)
        times = [run.metrics.budget for run in runs]
        rows.append(
            (
                name,
                steps_text(plain.mean(budget.steps for budget in times)),
                steps_text(plain.mean(budget.untaught_steps for budget in times)),
                _average(budget.gradient_steps for budget in times),
                _average(budget.cpu_s for budget in times),
                _average(budget.wall_s for budget in times),
                _average(run.learn_s for run in runs),
                "-" if cost is None else f"{cost:.3g}",
                "-" if cost is None or not base else f"{cost / base:.2f}",
                _average(budget.teacher_us for budget in times),
                _average(_teacher_share(budget) for budget in times),
                f"{plain.mean(run.metrics.sampled.n_trials for run in runs):,.0f}",
                _mean(runs, lambda run: run.metrics.sampled.coverage, 100),
                _mean(runs, lambda run: run.metrics.sampled.entropy),
            )
        )
    return without_dashes(
        (
            "teacher", "steps", "untaught steps", "gradient steps", "CPU s", "wall s",
            "of it learning, s", "CPU s per 1000 steps", "times uniform",
            f"teacher, us per {'lesson' if group.world.lessons else 'trial'}",
            "teacher, % of wall s", "trials", "coverage, %", "entropy",
        ),
        rows,
        "Per run. Teacher: its ask and tell, or plan and tell, by the wall clock. CPU-seconds hold "
        "teacher, student, environment and evaluations. Untaught: played without learning. "
        "Coverage and entropy: of the tasks taught, in 100 cells of the task space.",
    )  # fmt: skip


def signs_sheet(group: Group, teachers: Iterable[str]) -> Sheet:
    """Return what teaching with data showed beside accuracy; no columns where it was none."""
    rows = []
    for name in group.teachers(teachers):
        signs = [run.metrics.signs for run in group.of(name)]
        known = [one for one in signs if one is not None]
        if len(known) < len(signs):
            continue
        rows.append(
            (
                name,
                _mean(known, lambda one: one.lost_unprobed),
                _mean(known, lambda one: one.lost_probed),
                _mean(known, lambda one: one.held_out_before),
                _mean(known, lambda one: one.held_out),
                _mean(known, lambda one: one.majority),
                _mean(known, lambda one: one.accepted, 100),
                _mean(known, lambda one: one.share_hacked, 100),
                _mean(known, lambda one: one.share_hacked_probe, 100),
            )
        )
    return without_dashes(
        (
            "teacher", "lost, not probed", "lost, probed", "held out, before", "held out, after",
            "commonest answer", "accepted, %", "hacked, %", "hacked on the probe, %",
        ),
        rows,
        "Over all evaluated episodes. Lost: accuracy lost in cells that the teacher was not shown, "
        "and in those it was, where noise is as large. Held out: accuracy in cells that nobody "
        "teaches. Commonest answer: accuracy of giving no other. Accepted: samples that the "
        "engine's checks let through. Hacked: episodes with teacher hacking, by the questions "
        "taught and by those of the probe.",
    )  # fmt: skip


def without_dashes(heads: Sequence[str], rows: Sequence[Sequence[str]], notes: str = "") -> Sheet:
    """Return a table without the columns that hold nothing but dashes."""
    kept = [k for k in range(len(heads)) if not rows or any(row[k] != "-" for row in rows)]
    columns = tuple(heads[k] for k in kept)
    return Sheet(columns, tuple(tuple(row[k] for k in kept) for row in rows), notes)


def _teacher_share(budget: Budget) -> float | None:
    """Return the teacher's part of a run's time, in per cent."""
    if budget.teacher_s is None or budget.wall_s <= 0.0:
        return None
    return 100 * budget.teacher_s / budget.wall_s


def _cost(runs: Sequence[Entry]) -> float | None:
    """Return CPU-seconds per 1000 steps, if they are known of all runs."""
    seconds = [run.metrics.budget.cpu_s for run in runs]
    known = [one for one in seconds if one is not None]
    steps = sum(run.metrics.budget.steps for run in runs)
    return 1000 * sum(known) / steps if len(known) == len(seconds) and steps else None


def _mean(
    runs: Sequence[T],
    figure: Callable[[T], float | None],
    factor: float = 1.0,
    bounds: Interval = UNIT,
) -> str:
    """Return the mean over runs with its interval, as text; a dash if one has no figure.

    The interval ends at the bounds, or where a run is beyond them.
    """
    values = [value for run in runs if (value := figure(run)) is not None]
    if len(values) < len(runs) or not values:
        return "-"
    table: Table = np.array([values])
    reach = min(bounds[0], *values, bounds[1]), max(bounds[0], *values, bounds[1])
    interval = mean_interval(table, bounds=reach) if len(values) > 1 else None
    return _with(float(table.mean()), interval, factor, factor * (bounds[1] - bounds[0]))


def _with(middle: float, interval: Interval | None, factor: float, span: float = 100.0) -> str:
    """Return a figure with its interval, in places that fit what figures of its kind span."""
    places = 1 if span >= 20 else 2 if span > 2 else 3
    text = f"{factor * middle:.{places}f}"
    if interval is None:
        return text
    low, high = (factor * end for end in interval)
    return f"{text} [{low:.{places}f}, {high:.{places}f}]"


def _reached(sets: Sequence[SetMetrics]) -> str:
    steps = [one.steps_to_threshold for one in sets if one.steps_to_threshold is not None]
    middle = steps_text(plain.median(steps)) if steps else "-"
    return f"{middle} ({len(steps)} of {len(sets)})"


def _average(values: Iterable[float | None]) -> str:
    found = list(values)
    known = [value for value in found if value is not None]
    if not known or len(known) < len(found):
        return "-"
    middle = plain.mean(known)
    return f"{middle:,.0f}" if middle >= 10 else f"{middle:.2g}"
