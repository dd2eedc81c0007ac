"""How often verdicts are wrong, and how often intervals hold the truth. Markdown.

    python benchmarks/verdict_calibration.py [--studies 1000] [--games 300]

Many games are played of a teacher with an analytic student (four skills that unlock each other, as
in the bench). Their scores are then taken for all there are, so that the truth is known exactly,
and studies draw from them: each compares four teachers, of which either all are the same, or one
has a little more time than the others. Columns:

    wrong      studies with any "beats" between teachers that are the same, or of a teacher over the
               better one; 5 % is what is said
    no Holm    the same if every comparison were tested on its own
    finds one  studies that say of the better teacher that it beats another one
    finds all  ... and that it beats all three

Then the shares of 95 % intervals that hold the truth: of means, interquartile means, differences
of means and probabilities of improvement; "plain" is the percentile bootstrap of the interquartile
mean, for comparison. A handful of scores of the skewed kind that a young student has says little
about the tail that it did not see: there the interval of a single mean is too narrow, those of
differences less so.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachenv.experiments.bench_play import World, play
from teachenv.experiments.statistics import Interval, iqm, probability_of_improvement
from teachenv.experiments.verdict import LEVEL, Comparison, Verdict, judge
from teachenv.seeding import derive

Floats = NDArray[np.float64]

N_TEACHERS = 4
BETTER = "better"
EPISODES = {"same": 600, BETTER: 640}
SIZES = ((1, 5), (1, 8), (1, 12), (3, 5))
"""Tasks and seeds of a study; with twelve seeds, and with three tasks, scores are paired."""


@dataclass(frozen=True)
class Calibration:
    """What came of many studies of one kind.

    Attributes:
        wrong: Share with a false "beats".
        uncorrected: Share with one if Holm's correction were left out.
        finds_one: Share in which the better teacher beats another; NaN if there is none.
        finds_all: Share in which it beats all others.
        held: Figure -> share of its intervals that hold the truth.
    """

    wrong: float
    uncorrected: float
    finds_one: float
    finds_all: float
    held: Mapping[str, float]


def play_pools(n_games: int) -> dict[str, Floats]:
    """Play games; return the shares mastered in each, sorted, by length of the games."""
    grid = "teachenv.envs.toy.skill_grid:SkillGrid"
    worlds = {name: World("", grid, {"n_cells": 2}, n_episodes=n) for name, n in EPISODES.items()}
    return {
        name: np.sort([play("uniform", world, seed).share for seed in range(n_games)])
        for name, world in worlds.items()
    }


def calibrate(
    pools: Mapping[str, Floats], n_tasks: int, n_seeds: int, n_studies: int, one_better: bool
) -> Calibration:
    """Simulate studies of four teachers and judge them.

    Args:
        pools: Of :func:`play_pools`.
        n_tasks: Rows of the scores.
        n_seeds: Columns.
        n_studies: How many.
        one_better: Whether one of the teachers has more time.
    """
    rng = derive(0, "calibration", n_tasks, n_seeds, int(one_better))
    names = [f"same {i}" for i in range(N_TEACHERS - one_better)] + [BETTER] * one_better
    verdicts, plain = [], []
    for _ in range(n_studies):
        scores = {name: rng.choice(pools[name.split()[0]], (n_tasks, n_seeds)) for name in names}
        verdicts.append(judge(scores))
        plain.append(_percentiles(scores[names[0]], rng))
    same = [_between_the_same(verdict) for verdict in verdicts]
    found = np.array([_beaten(verdict) if one_better else np.nan for verdict in verdicts])
    held = {**_held(verdicts, pools), "plain": _share(plain, _truth(pools["same"])["iqm"])}
    return Calibration(
        wrong=float(np.mean([_is_wrong(verdict) for verdict in verdicts])),
        uncorrected=float(
            np.mean([min(pair.p or 1.0 for pair in pairs) <= LEVEL for pairs in same])
        ),
        finds_one=float(np.mean(found >= 1)) if one_better else np.nan,
        finds_all=float(np.mean(found == N_TEACHERS - 1)) if one_better else np.nan,
        held=held,
    )


def _is_wrong(verdict: Verdict) -> bool:
    return any(pair.real and pair.better != BETTER for pair in verdict.comparisons)


def _between_the_same(verdict: Verdict) -> list[Comparison]:
    return [pair for pair in verdict.comparisons if BETTER not in (pair.better, pair.worse)]


def _beaten(verdict: Verdict) -> int:
    return sum(len(s.beats) for s in verdict.standings if s.teacher == BETTER)


def _truth(pool: Floats) -> dict[str, float]:
    return {"mean": float(pool.mean()), "iqm": float(iqm(pool[None]))}


def _held(verdicts: list[Verdict], pools: Mapping[str, Floats]) -> dict[str, float]:
    truths = {name: _truth(pool) for name, pool in pools.items()}
    hits: dict[str, list[bool]] = {"mean": [], "iqm": [], "difference": [], "improvement": []}
    for verdict in verdicts:
        for one in verdict.standings:
            truth = truths[one.teacher.split()[0]]
            hits["mean"].append(_holds(one.mean_interval, truth["mean"]))
            hits["iqm"].append(_holds(one.iqm_interval, truth["iqm"]))
        for pair in verdict.comparisons:
            better, worse = (name.split()[0] for name in (pair.better, pair.worse))
            gap = truths[better]["mean"] - truths[worse]["mean"]
            chance = probability_of_improvement(pools[better][None], pools[worse][None])
            hits["difference"].append(_holds(pair.difference_interval, gap))
            hits["improvement"].append(_holds(pair.interval, chance))
    return {figure: float(np.mean(each)) for figure, each in hits.items()}


def _percentiles(table: Floats, rng: np.random.Generator) -> Interval:
    drawn = rng.integers(table.shape[1], size=(2000, *table.shape))
    figures = iqm(np.take_along_axis(table[None], drawn, axis=2))
    low, high = np.quantile(figures, [0.025, 0.975]).tolist()
    return low, high


def _share(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([_holds(interval, truth) for interval in intervals]))


def _holds(interval: Interval, truth: float) -> bool:
    return interval[0] - 1e-12 <= truth <= interval[1] + 1e-12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--games", type=int, default=300)
    given = parser.parse_args()
    pools = play_pools(given.games)
    chance = probability_of_improvement(pools[BETTER][None], pools["same"][None])
    for name, pool in pools.items():
        values, counts = np.unique(pool, return_counts=True)
        shares = ", ".join(
            f"{v:g}: {c / len(pool):.0%}" for v, c in zip(values, counts, strict=True)
        )
        print(f"{name}: {EPISODES[name]} episodes, mean {pool.mean():.3f} ({shares})")
    print(f"probability of improvement: {chance:.3f}; {given.studies} studies each\n")
    figures = ("mean", "iqm", "difference", "improvement", "plain")
    columns = ("tasks", "seeds", "better", "wrong", "no Holm", "finds one", "finds all", *figures)
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for one_better in (False, True):
        for n_tasks, n_seeds in SIZES:
            got = calibrate(pools, n_tasks, n_seeds, given.studies, one_better)
            shares = [got.wrong, got.uncorrected, got.finds_one, got.finds_all]
            shares += [got.held[figure] for figure in figures]
            cells = ["-" if np.isnan(share) else f"{share:.3f}" for share in shares]
            print(
                f"| {n_tasks} | {n_seeds} | {int(one_better)} | {' | '.join(cells)} |", flush=True
            )


if __name__ == "__main__":
    main()
