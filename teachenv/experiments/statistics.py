"""Figures over many runs, and how sure they are.

Scores come as tables of shape ``(n_tasks, n_seeds)``: a row for each environment (or whatever was
repeated), a column for each seed; higher is better. The rows are what they are, and only the seeds
stand for a larger whole: intervals are stratified by row. The figures are those of Agarwal et al.,
"Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021.

Their percentile bootstrap is too narrow for a handful of seeds, so intervals here widen it or
replace it; ``benchmarks/verdict_calibration.py`` prints how often each of them holds the truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.errors import UserError
from teachenv.seeding import derive

Table = NDArray[np.float64]
Interval = tuple[float, float]
Statistic = Callable[[Table], NDArray[np.float64]]
"""Takes tables of shape ``(..., n_tasks, n_seeds)``; returns one figure each, shape ``(...)``."""

UNIT: Interval = (0.0, 1.0)
_ANY: Interval = (-math.inf, math.inf)

CONFIDENCE = 0.95
"""Share of intervals that are to hold the truth, unless said otherwise."""

N_RESAMPLES = 10_000
"""Resamples of a bootstrap: enough for the far tails that five seeds need."""


def as_table(scores: ArrayLike, name: str = "scores") -> Table:
    """Return scores as a table; scores of shape ``(n_seeds,)`` are those of one task.

    Raises:
        UserError: unless they are finite numbers of shape ``(n_seeds,)`` or
            ``(n_tasks, n_seeds)``, at least one.
    """
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if table.ndim != 2 or table.size == 0:
        raise UserError(f"{name}: expected (n_tasks, n_seeds) numbers, got shape {table.shape}")
    if not np.isfinite(table).all():
        raise UserError(
            f"{name}: expected finite numbers; leave out the seeds (of every teacher) whose runs "
            "have no score"
        )
    return table


def paired_tables(
    scores: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> tuple[dict[str, Table], list[int]]:
    """Return tables of scores that belong together, for :func:`verdict.judge`.

    Args:
        scores: Teacher -> task (environment) -> seed -> score.

    Returns:
        Teacher -> table of shape ``(n_tasks, n_seeds)``; and the seeds, which are those that
        every teacher has on every task, in order.

    Raises:
        UserError: if teachers were not given the same tasks, or have no seed in common.
    """
    tasks = {teacher: sorted(by_task) for teacher, by_task in scores.items()}
    if len({tuple(names) for names in tasks.values()}) != 1:
        raise UserError(f"paired_tables: expected the same tasks for every teacher, got {tasks}")
    by_seed = [by_task[task] for by_task in scores.values() for task in by_task]
    seeds = sorted(set.intersection(*(set(row) for row in by_seed))) if by_seed else []
    if not seeds:
        raise UserError("paired_tables: no seed was run with every teacher on every task")
    return {
        teacher: np.array([[scores[teacher][task][seed] for seed in seeds] for task in names])
        for teacher, names in tasks.items()
    }, seeds


# -- figures ---------------------------------------------------------------------------------


def mean(table: Table) -> NDArray[np.float64]:
    """Mean over tasks and seeds; a :data:`Statistic`."""
    return np.asarray(table.mean(axis=(-2, -1)))


def iqm(table: Table) -> NDArray[np.float64]:
    """Interquartile mean: the mean without the lowest and the highest quarter; a `Statistic`.

    All scores are taken together, and ``floor(n / 4)`` are cut from either end, as in rliable and
    ``scipy.stats.trim_mean(scores, 0.25)``.
    """
    flat = np.sort(table.reshape(*table.shape[:-2], -1), axis=-1)
    n = flat.shape[-1]
    cut = n // 4
    return np.asarray(flat[..., cut : n - cut].mean(axis=-1))


def optimality_gap(table: Table, best: float = 1.0) -> NDArray[np.float64]:
    """How far scores stay below ``best`` on average, those above it not counted; 0 is ideal."""
    return np.asarray(best - np.minimum(table, best).mean(axis=(-2, -1)))


def probability_of_improvement(ours: Table, theirs: Table) -> float:
    """Probability that a run of ours ends above one of theirs, a tie counting half.

    All pairs of seeds are compared (Mann-Whitney's U over their number), and tasks averaged.

    Args:
        ours: Shape ``(n_tasks, n_seeds)``.
        theirs: Shape ``(n_tasks, any number of seeds)``.

    Returns:
        In [0, 1]; 0.5 where neither is better.
    """
    above = np.sign(ours[:, :, None] - theirs[:, None, :])
    return float(0.5 + 0.5 * above.mean())


# -- how sure they are -----------------------------------------------------------------------


def mean_interval(
    table: Table, confidence: float = CONFIDENCE, bounds: Interval = UNIT
) -> Interval:
    """Return an interval of the mean over tasks and seeds.

    Student's t with the degrees of freedom of Welch and Satterthwaite: each row has its own spread.
    With a handful of seeds a percentile bootstrap is too narrow.

    Args:
        table: Shape ``(n_tasks, n_seeds)``. Where the seeds of each row agree, the width is 0.
        confidence: Share of such intervals that are to hold the true mean.
        bounds: What scores can be at all; the interval is cut to it, and with a single seed it is
            all of it.
    """
    from scipy.stats import t

    low, high = bounds
    if table.shape[1] == 1:
        return low, high
    centre, (error, freedom) = float(table.mean()), _error(table)
    if error == 0.0:
        return centre, centre
    half = float(t.ppf(0.5 + confidence / 2, freedom)) * error
    return max(low, centre - half), min(high, centre + half)


def difference_interval(
    ours: Table, theirs: Table, *, paired: bool, confidence: float = CONFIDENCE
) -> Interval:
    """Return an interval of how much higher our mean is.

    Args:
        ours: Shape ``(n_tasks, n_seeds)``.
        theirs: The same shape.
        paired: Whether columns belong together, so that their differences are looked at.
        confidence: As in :func:`mean_interval`.
    """
    if paired:
        return mean_interval(ours - theirs, confidence, _ANY)
    # The difference of two means over tasks: one mean over twice as many rows, doubled.
    low, high = mean_interval(np.concatenate([ours, -theirs]), confidence, _ANY)
    return 2 * low, 2 * high


def _error(table: Table) -> tuple[float, float]:
    """Return the standard error of the mean, and its degrees of freedom, of >= 2 seeds."""
    n_tasks, n_seeds = table.shape
    spread = table.var(axis=1, ddof=1) / n_seeds
    total = float(spread.sum())
    if total == 0.0:
        return 0.0, float(n_seeds - 1)
    freedom = total**2 / float((spread**2).sum() / (n_seeds - 1))
    return math.sqrt(total) / n_tasks, freedom


def bootstrap_interval(
    table: Table, statistic: Statistic, *, seed: int = 0, confidence: float = CONFIDENCE
) -> Interval:
    """Return a stratified bootstrap interval of any figure.

    Seeds are drawn anew within each row, and the percentiles taken further out than those of
    Agarwal et al., by as much as Student's t is wider than the normal and a variance of ``n`` is
    smaller than one of ``n - 1`` (Hesterberg, "What Teachers Should Know About the Bootstrap",
    The American Statistician, 2015, section 5.3).

    Args:
        table: Shape ``(n_tasks, n_seeds)``.
        statistic: The figure.
        seed: Of the resamples.
        confidence: Share of intervals that are to hold the truth.

    Raises:
        UserError: for a single seed: there is nothing to draw from.
    """
    from scipy.stats import norm, t

    n_tasks, n_seeds = table.shape
    if n_seeds == 1:
        raise UserError("bootstrap_interval: expected at least 2 seeds, got 1")
    _, freedom = _error(table)
    reach = float(t.ppf(0.5 + confidence / 2, freedom)) * math.sqrt(n_seeds / (n_seeds - 1))
    tail = float(norm.cdf(-reach))
    rng = derive(seed, "bootstrap")
    drawn = rng.integers(n_seeds, size=(N_RESAMPLES, n_tasks, n_seeds))
    figures = statistic(np.take_along_axis(table[None], drawn, axis=2))
    low, high = np.quantile(figures, [tail, 1 - tail]).tolist()
    return low, high


def improvement_interval(ours: Table, theirs: Table, confidence: float = CONFIDENCE) -> Interval:
    """Return an interval of :func:`probability_of_improvement`.

    The score interval of Newcombe, "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2", Statistics in Medicine, 2006, method 5: all probabilities that
    what was seen does not contradict, with Hanley and McNeil's variance. Unlike a bootstrap it does
    not collapse where one side is always above the other.

    Deviations: Student's t in place of the normal, since a handful of seeds that scatter unequally
    needs it; and for several tasks the variance is divided by their number, as if all had the mean
    probability, which is no less than what it is if not. Seeds that go together make the interval
    too wide rather than too narrow.

    Args:
        ours: Shape ``(n_tasks, n_seeds)``.
        theirs: Shape ``(n_tasks, any number of seeds)``; one seed each says nothing: [0, 1].
        confidence: Share of intervals that are to hold the truth.
    """
    from scipy.optimize import brentq
    from scipy.stats import t

    seen = probability_of_improvement(ours, theirs)
    n_tasks, n, m = len(ours), ours.shape[1], theirs.shape[1]
    if n + m == 2:
        return 0.0, 1.0
    far = float(t.ppf(0.5 + confidence / 2, n_tasks * (n + m - 2)))

    def beyond(truth: float) -> float:
        """Above 0 where the truth contradicts what was seen."""
        pairs = (1 - truth) / (2 - truth) + truth / (1 + truth)
        spread = truth * (1 - truth) * (1 + ((n + m) / 2 - 1) * pairs) / (n * m * n_tasks)
        return float((truth - seen) ** 2 - far**2 * spread)

    start = min(max(seen, 1e-9), 1 - 1e-9)  # 0 and 1 never contradict themselves
    low = 0.0 if seen == 0.0 else float(brentq(beyond, 0.0, start))
    high = 1.0 if seen == 1.0 else float(brentq(beyond, start, 1.0))
    return low, high
