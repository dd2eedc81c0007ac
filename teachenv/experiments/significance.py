"""Whether one teacher is really better than another: permutation tests, and many of them.

If two teachers are the same, it does not matter which scores are called whose. A test therefore
gives the labels out anew, in all ways or in many, and counts how often the two sides come out at
least as far apart as they did: the level is exact for any distribution, with any number of seeds
and with ties. What is compared is the probability of improvement over its standard error, so that
the level also holds, nearly, where only that probability is even and the spreads differ (Neubert
and Brunner, "A studentized permutation test for the non-parametric Behrens-Fisher problem",
Computational Statistics & Data Analysis, 2007): measured, with one normal spread five times the
other, 5 to 10 seeds are called different in 6 to 7 % of studies at a level of 5 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachenv.experiments.statistics import Table
from teachenv.seeding import derive

MAX_LABELLINGS = 50_000
"""As many ways to label scores are gone through; where there are more, as many are drawn."""

CLEARANCE = 10.0
"""Scores are paired by seed where the smallest p-value that leaves, times the number of tests, is
below the level by this factor; a paired test with fewer seeds could hardly ever speak."""


@dataclass(frozen=True)
class Design:
    """What is compared, apart from the scores.

    Attributes:
        n_tasks: Rows of each table of scores.
        n_seeds: Columns.
        paired: Whether labels change places only between scores of the same task and seed.
    """

    n_tasks: int
    n_seeds: int
    paired: bool

    @property
    def n_labellings(self) -> int:
        """Ways to label the scores."""
        n = self.n_seeds
        one = 2**n if self.paired else math.comb(2 * n, n)
        return int(one**self.n_tasks)

    @property
    def smallest_p(self) -> float:
        """The smallest two-sided p-value a test can have."""
        return 2 / min(self.n_labellings, MAX_LABELLINGS)


def choose_design(n_tasks: int, n_seeds: int, n_tests: int, level: float) -> Design:
    """Return a paired design if there are enough seeds for it, otherwise an unpaired one.

    Decided before any score is seen. Where seeds go together, the unpaired test is cautious.
    """
    paired = Design(n_tasks, n_seeds, True)
    enough = paired.smallest_p * n_tests * CLEARANCE <= level
    return paired if enough else Design(n_tasks, n_seeds, False)


def labellings(design: Design) -> NDArray[np.float64]:
    """Return ways to label scores, as they are labelled first.

    Returns:
        Ones where a score is ours and zeros where it is theirs, shape
        ``(n, n_tasks, 2 * n_seeds)``; without a label, our scores are followed by theirs.
    """
    n_tasks, n_seeds = design.n_tasks, design.n_seeds
    if n_tasks == 1 and design.n_labellings <= MAX_LABELLINGS:
        ours = _all_swaps(n_seeds) if design.paired else _all_splits(n_seeds)
        return ours[:, None, :]
    rng = derive(0, "labellings")
    shape = (MAX_LABELLINGS, n_tasks)
    if design.paired:
        kept = rng.integers(2, size=(*shape, n_seeds))
        drawn = np.concatenate([kept, 1 - kept], axis=2)
    else:
        order = np.argsort(rng.random((*shape, 2 * n_seeds)), axis=2)
        drawn = (order < n_seeds).astype(np.int64)
    drawn[0] = np.repeat([1, 0], n_seeds)
    return drawn.astype(np.float64)


def _all_splits(n: int) -> NDArray[np.float64]:
    chosen = np.array(list(itertools.combinations(range(2 * n), n)))
    ours = np.zeros((len(chosen), 2 * n))
    np.put_along_axis(ours, chosen, 1.0, axis=1)
    return ours


def _all_swaps(n: int) -> NDArray[np.float64]:
    kept = np.array(list(itertools.product([1.0, 0.0], repeat=n)))
    return np.concatenate([kept, 1.0 - kept], axis=1)


def permutation_p(ours: Table, theirs: Table, labels: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of "neither is better", in (0, 1].

    Args:
        ours: Shape ``(n_tasks, n_seeds)``.
        theirs: The same shape.
        labels: Of :func:`labellings`; the first as the scores are.
    """
    sizes = np.abs(_studentised(np.concatenate([ours, theirs], axis=1), labels))
    return float(np.mean(sizes >= sizes[0] - 1e-9))


def _studentised(scores: Table, ours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (probability of improvement - 1/2) over its standard error, for each labelling.

    The variance of a task is that of the shares of the other side that each score beats
    (Brunner and Munzel, 2000); where it is 0, half of what it can be at least is taken.

    Args:
        scores: Shape ``(n_tasks, 2 n_seeds)``.
        ours: Shape ``(n, n_tasks, 2 n_seeds)``.
    """
    n = scores.shape[1] // 2
    beats = 0.5 + 0.5 * np.sign(scores[:, :, None] - scores[:, None, :])
    chances, variances = np.zeros(len(ours)), np.zeros(len(ours))
    for mine, table in zip(ours.swapaxes(0, 1), beats, strict=True):
        # Share of ours that each score beats, and share of theirs.
        over_ours = mine @ table.T / n
        over_theirs = table.sum(axis=1) / n - over_ours
        chance = (mine * over_theirs).sum(axis=1) / n
        spread = mine * (over_theirs - chance[:, None]) ** 2
        spread += (1.0 - mine) * (over_ours - 1.0 + chance[:, None]) ** 2
        variances += np.maximum(spread.sum(axis=1) / ((n - 1) * n), 0.25 / n**4)
        chances += chance - 0.5
    return np.asarray(chances / np.sqrt(variances))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number (Holm, 1979), in the order given.

    Calling those at most ``level`` real is wrong at all, in any of them, in at most a share
    ``level`` of studies, however the tests hang together.
    """
    n = len(p_values)
    order = sorted(range(n), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * n, 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (n - place) * p_values[i]))
        adjusted[i] = highest
    return adjusted
