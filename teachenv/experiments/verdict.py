"""Who beats whom, said only where it is so.

The sentence "A beats B with probability p" is the probability of improvement: that a run of A ends
above a run of B. It is said where a permutation test (:mod:`teachenv.experiments.significance`)
calls the two different after Holm's correction for all comparisons made: in at most a share
``level`` of studies does any such sentence stand between teachers that are the same.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from teachenv.errors import UserError, one_of
from teachenv.experiments.significance import Design, choose_design, holm, labellings, permutation_p
from teachenv.experiments.statistics import (
    Interval,
    Table,
    as_table,
    bootstrap_interval,
    difference_interval,
    improvement_interval,
    iqm,
    mean_interval,
    probability_of_improvement,
)

LEVEL = 0.05
"""Share of studies in which a verdict may be wrong, unless said otherwise."""

FEWEST_SEEDS = 5
"""With fewer, nothing is proved."""


@dataclass(frozen=True)
class Comparison:
    """Two teachers.

    Attributes:
        better: The one that ends above the other more often.
        worse: The other.
        probability: That a run of ``better`` ends above one of ``worse``, a tie counting half;
            at least 0.5.
        interval: Its 95 % interval, for this comparison alone.
        difference: Mean of ``better`` minus that of ``worse``.
        difference_interval: Its 95 % interval, for this comparison alone.
        p: p-value of the test; ``None`` without a test, for want of seeds.
        adjusted_p: The same after Holm's correction for all comparisons made.
        real: Whether ``better`` beats ``worse``.
    """

    better: str
    worse: str
    probability: float
    interval: Interval
    difference: float
    difference_interval: Interval
    p: float | None
    adjusted_p: float | None
    real: bool

    @property
    def sentence(self) -> str:
        """What may be said, in one sentence."""
        chance = f"{self.probability:.2f} {_range(self.interval, '.2f')}"
        mean = f"mean {self.difference:+.3g} {_range(self.difference_interval, '+.2g')}"
        if self.adjusted_p is None:
            return f"{self.better} against {self.worse}: too few seeds to say ({chance}; {mean})."
        p = f"p {'<' if self.adjusted_p < 0.001 else '='} {max(self.adjusted_p, 0.001):.3f}"
        if not self.real:
            return f"{self.better} against {self.worse}: undecided ({chance}; {mean}; {p})."
        though = ", though its mean is lower" if self.difference < 0 else ""
        return f"{self.better} beats {self.worse} with probability {chance}{though} ({mean}; {p})."


@dataclass(frozen=True)
class Standing:
    """One teacher among the others.

    Attributes:
        teacher: Its name.
        rank: One more than the teachers that beat it, so that those not told apart share a rank;
            ``None`` where not all were compared.
        mean: Mean score over tasks and seeds.
        mean_interval: Its 95 % interval; see :func:`statistics.mean_interval`.
        iqm: Interquartile mean.
        iqm_interval: Its 95 % interval; see :func:`statistics.bootstrap_interval`.
        beats: The teachers it beats.
    """

    teacher: str
    rank: int | None
    mean: float
    mean_interval: Interval
    iqm: float
    iqm_interval: Interval
    beats: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """All that may be said.

    Attributes:
        level: Share of studies in which any "beats" may stand between equal teachers.
        n_tasks: Tasks (environments) that scores were taken on.
        n_seeds: Seeds of every teacher.
        paired: Whether scores were compared seed by seed.
        smallest_p: The smallest p-value that a test could have.
        standings: One per teacher, the best first: by rank, then by mean.
        comparisons: One per pair, the smallest p-value first.
    """

    level: float
    n_tasks: int
    n_seeds: int
    paired: bool
    smallest_p: float
    standings: tuple[Standing, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def can_tell(self) -> bool:
        """Whether any difference, however large, could have been called real."""
        tests = max(1, len(self.comparisons))
        return self.n_seeds >= FEWEST_SEEDS and self.smallest_p * tests <= self.level

    @property
    def remedy(self) -> str:
        """What to do for so many comparisons to be decidable at this level."""
        tests = max(1, len(self.comparisons))
        for n_seeds in range(FEWEST_SEEDS, 2 * FEWEST_SEEDS + 1):
            if Design(self.n_tasks, n_seeds, False).smallest_p * tests <= self.level:
                return f"Take at least {n_seeds} seeds"
        return "No number of seeds is enough"

    @property
    def headline(self) -> str:
        """The verdict in a sentence or two."""
        seeds = f"{self.n_seeds} seed{'s' * (self.n_seeds != 1)}"
        tests = f"{len(self.comparisons)} comparison{'s' * (len(self.comparisons) != 1)}"
        if not self.comparisons:
            return "One teacher alone: nothing to compare."
        if self.n_seeds < FEWEST_SEEDS:
            return f"{seeds}: this proves nothing. {self.remedy}."
        if not self.can_tell:
            return (
                f"{seeds}: too few for {tests}, whatever the scores; this proves nothing. "
                f"{self.remedy}, or compare fewer teachers."
            )
        if not any(pair.real for pair in self.comparisons):
            return (
                f"No teacher is shown to beat another ({seeds}, {tests}, level {self.level:g}). "
                "That does not show that they are equal."
            )
        first, names = self.standings[0], [standing.teacher for standing in self.standings]
        if len(first.beats) == len(names) - 1:
            return f"{first.teacher} beats every other teacher ({seeds}, level {self.level:g})."
        beaten = {name for standing in self.standings for name in standing.beats}
        top = [name for name in names if name not in beaten]
        return f"Beaten by none: {', '.join(top)} ({seeds}, {tests}, level {self.level:g})."

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values, with the sentences."""
        return {
            **dataclasses.asdict(self),
            "headline": self.headline,
            "sentences": [pair.sentence for pair in self.comparisons],
        }


def judge(
    scores: Mapping[str, ArrayLike],
    *,
    level: float = LEVEL,
    bounds: Interval = (0.0, 1.0),
    about: str | None = None,
    pair_seeds: bool | None = None,
) -> Verdict:
    """Compare teachers.

    Args:
        scores: Teacher -> scores of shape ``(n_seeds,)``, or ``(n_tasks, n_seeds)`` for several
            environments; higher is better, and the same column is the same seed.
        level: Share of studies in which any "beats" may stand between equal teachers.
        bounds: Lowest and highest score there can be.
        about: Compare only this teacher with the others; ``None``: all with all. The fewer
            comparisons, the smaller the differences that can be shown.
        pair_seeds: Whether scores are compared seed by seed; ``None``: where there are seeds
            enough, see :func:`significance.choose_design`. Decide before looking at scores.

    Returns:
        The verdict. With fewer than five seeds, or too few for the number of comparisons, none of
        its comparisons is real.

    Raises:
        UserError: for scores that are not finite, out of bounds or of different shapes, an unknown
            teacher, or a level outside (0, 1).
    """
    tables = _checked(scores, bounds, level)
    n_tasks, n_seeds = next(iter(tables.values())).shape
    pairs = list(itertools.combinations(tables, 2))
    if about is not None:
        one_of("teacher", about, tables)
        pairs = [pair for pair in pairs if about in pair]
    design = choose_design(n_tasks, n_seeds, max(1, len(pairs)), level)
    if pair_seeds is not None:
        design = Design(n_tasks, n_seeds, pair_seeds)
    tested: list[tuple[float | None, float | None]] = [(None, None)] * len(pairs)
    if n_seeds >= FEWEST_SEEDS:
        labels = labellings(design)
        p_values = [permutation_p(tables[a], tables[b], labels) for a, b in pairs]
        tested = list(zip(p_values, holm(p_values), strict=True))
    compared = [
        _compare(pair, tables, design, bounds, both, level)
        for pair, both in zip(pairs, tested, strict=True)
    ]
    compared.sort(key=lambda pair: (pair.p or 0.0, -pair.probability))
    standings = [_stand(name, tables, compared, bounds, about is None) for name in tables]
    standings.sort(key=lambda one: (one.rank or 0, -one.mean))
    return Verdict(
        level, n_tasks, n_seeds, design.paired, design.smallest_p, tuple(standings), tuple(compared)
    )


def _checked(scores: Mapping[str, ArrayLike], bounds: Interval, level: float) -> dict[str, Table]:
    if not 0.0 < level < 1.0:
        raise UserError(f"level: expected a number between 0 and 1, got {level}")
    if not scores:
        raise UserError("judge: expected the scores of at least one teacher, got none")
    tables = {name: as_table(values, name) for name, values in scores.items()}
    shapes = {name: table.shape for name, table in tables.items()}
    if len(set(shapes.values())) != 1:
        raise UserError(f"judge: expected the same tasks and seeds for all teachers, got {shapes}")
    low, high = bounds
    for name, table in tables.items():
        if not (math.isfinite(high - low) and low <= table.min() and table.max() <= high):
            raise UserError(
                f"{name}: expected scores in [{low:g}, {high:g}], got some in "
                f"[{table.min():g}, {table.max():g}]; give the finite bounds they have"
            )
    return tables


def _compare(
    pair: tuple[str, str],
    tables: Mapping[str, Table],
    design: Design,
    bounds: Interval,
    tested: tuple[float | None, float | None],
    level: float,
) -> Comparison:
    p, adjusted = tested
    chance = probability_of_improvement(tables[pair[0]], tables[pair[1]])
    better, worse = pair if chance >= 0.5 else pair[::-1]
    ours, theirs = tables[better], tables[worse]
    width = bounds[1] - bounds[0]
    low, high = difference_interval(ours, theirs, paired=design.paired)
    return Comparison(
        better,
        worse,
        max(chance, 1.0 - chance),
        improvement_interval(ours, theirs),
        float(ours.mean() - theirs.mean()),
        (max(-width, low), min(width, high)),
        p,
        adjusted,
        adjusted is not None and adjusted <= level and chance != 0.5,
    )


def _stand(
    teacher: str,
    tables: Mapping[str, Table],
    compared: list[Comparison],
    bounds: Interval,
    all_compared: bool,
) -> Standing:
    table = tables[teacher]
    beaten = sum(pair.real and pair.worse == teacher for pair in compared)
    return Standing(
        teacher,
        1 + beaten if all_compared else None,
        float(table.mean()),
        mean_interval(table, bounds=bounds),
        float(iqm(table)),
        bootstrap_interval(table, iqm) if table.shape[1] > 1 else bounds,
        tuple(pair.worse for pair in compared if pair.real and pair.better == teacher),
    )


def _range(interval: Interval, form: str) -> str:
    return f"[{interval[0]:{form}}, {interval[1]:{form}}]"
