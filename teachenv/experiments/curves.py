"""Curves over several runs, with how sure they are at every point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from teachenv.errors import UserError
from teachenv.experiments.metrics import Curve
from teachenv.experiments.statistics import UNIT, Interval, Table, mean_interval

Height = Literal["share_mastered", "mean_return", "mean_score"]


@dataclass(frozen=True)
class Band:
    """A curve with an interval at each of its points.

    Attributes:
        x: Where.
        middle: The mean over runs there.
        low: Lower end of its 95 % interval there; ``high`` the upper end. Each point by itself:
            the whole curve lies in the band less often.
    """

    x: tuple[float, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def learning_curve(curves: Sequence[Curve], height: Height, bounds: Interval = UNIT) -> Band:
    """Return the mean learning curve of several seeds.

    Args:
        curves: One per seed.
        height: What to show of them.
        bounds: What its values can be at all; with a single seed the interval is all of it.

    Returns:
        A point wherever one of the curves has one and all of them reach; in between, curves are
        straight.

    Raises:
        UserError: if there is no step that all curves reach.
    """
    first = max((curve.steps[0] for curve in curves), default=1)
    last = min((curve.steps[-1] for curve in curves), default=0)
    steps = sorted({step for curve in curves for step in curve.steps if first <= step <= last})
    if not steps:
        raise UserError("learning_curve: the runs have no step in common; were any evaluated?")
    heights = np.array([np.interp(steps, curve.steps, getattr(curve, height)) for curve in curves])
    return _band(steps, [column[None] for column in heights.T], bounds)


def profile(table: Table, thresholds: ArrayLike) -> Band:
    """Return the performance profile: the share of runs above each threshold, with intervals.

    Runs of all tasks together, as in Agarwal et al. (NeurIPS 2021); intervals are by Student's t
    instead of a percentile bootstrap.

    Args:
        table: Scores, shape ``(n_tasks, n_seeds)``.
        thresholds: Increasing, shape ``(n,)``.
    """
    limits = np.asarray(thresholds, dtype=np.float64)
    return _band(limits.tolist(), [(table > limit).astype(float) for limit in limits], UNIT)


def _band(x: Sequence[float], tables: Sequence[Table], bounds: Interval) -> Band:
    intervals = [mean_interval(table, bounds=bounds) for table in tables]
    return Band(
        tuple(float(value) for value in x),
        tuple(float(table.mean()) for table in tables),
        tuple(low for low, _ in intervals),
        tuple(high for _, high in intervals),
    )
