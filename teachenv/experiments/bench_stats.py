"""What to make of the results of the bench: means, intervals, who beats the baseline."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachenv.experiments.bench_play import BEST
from teachenv.experiments.bench_reference import Kept
from teachenv.experiments.statistics import mean_interval

BASELINE = "uniform"


@dataclass(frozen=True)
class Row:
    """What became of a teacher.

    Attributes:
        teacher: Its id.
        shares: World -> share mastered by seed; worlds it cannot teach in are left out.
        us: Mean CPU time of ask and tell, in microseconds.
        kept: Whether these are results from earlier, and the times perhaps another machine's.
        mean: Mean share over its worlds, in [0, 1].
        interval: 95 % interval of the mean over seeds; the worlds are what they are.
        beats: Probability of beating the baseline: mean over worlds and seeds of a higher share
            with the same seed, ties count half; ``None`` for the baseline itself.
        beats_interval: Its 95 % interval.
    """

    teacher: str
    shares: Mapping[str, NDArray[np.float64]]
    us: float
    kept: bool
    mean: float
    interval: tuple[float, float]
    beats: float | None
    beats_interval: tuple[float, float]


def make_rows(
    results: Mapping[tuple[str, str], Kept],
    kept: set[tuple[str, str]],
    worlds: Collection[str],
    n_seeds: int,
) -> list[Row]:
    """Return what became of each teacher, the best known curriculum first, then the best.

    Args:
        results: Results by teacher and world.
        kept: Which of them are from earlier.
        worlds: The worlds, in order.
        n_seeds: Seeds to look at.
    """
    shares: dict[str, dict[str, NDArray[np.float64]]] = {}
    for (teacher, world), row in results.items():
        shares.setdefault(teacher, {})[world] = np.array(row.shares[:n_seeds])
    rows = []
    for teacher, by_world in shares.items():
        ordered = {world: by_world[world] for world in worlds if world in by_world}
        table = np.array(list(ordered.values()))
        ours = [(teacher, world) for world in ordered]
        beats, beats_interval = None, (math.nan, math.nan)
        if teacher not in (BASELINE, BEST) and BASELINE in shares:
            base = np.array([shares[BASELINE][world] for world in ordered])
            wins = (table > base) + 0.5 * (table == base)
            beats, beats_interval = float(wins.mean()), mean_interval(wins)
        rows.append(
            Row(
                teacher,
                ordered,
                math.fsum(results[pair].us for pair in ours) / len(ours),
                any(pair in kept for pair in ours),
                float(table.mean()),
                mean_interval(table),
                beats,
                beats_interval,
            )
        )
    # Means over fewer worlds cannot be compared, so they come last.
    return sorted(
        rows,
        key=lambda row: (
            row.teacher != BEST,
            len(row.shares) < len(worlds),
            -row.mean,
            row.teacher,
        ),
    )
