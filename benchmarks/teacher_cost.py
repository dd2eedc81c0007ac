"""What teachers cost: ask + tell by length of history and dimension, refits, memory. Markdown.

    python benchmarks/teacher_cost.py [--teachers ID ...] [--dims 2 8] [--limit 20]

Every teacher is asked and told one trial after the other, by a student that slowly learns from
one corner of the cube to the other. "after n" is the median CPU time of ask and tell in the 500
calls before the n-th; calls above 5 ms count as refits and are listed apart. Limits: 100 us for
bandits, 500 us for methods that search their history at its full window, 300 ms for a refit. A
teacher is stopped after ``--limit`` seconds ("-": not reached).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import teachers
from teachenv.space import Dim, TaskSpace
from teachers.base import BaseTeacher, TeacherWarning
from teachers.probe import deep_size, learning, outcome_for

REFIT_S = 0.005
LENGTHS = (1_000, 5_000, 25_000)
SPAN = 500
MASTERY = 0.75

COMPLEXITY = (
    "Bandits (`exp3s`, `lp-bins`, `thompson`, `tscl-*`, `*ucb`): O(arms) a call; arms are bounded.",
    "`alp-gmm`: O(n d) a call for the nearest of n tasks in its window, exact; the original "
    "rebuilds a kd-tree of 500 tasks at every call, O(500 log 500), over an unbounded history. "
    "Refit, as `covar-gmm`: O(n k d^3) a step of expectation maximisation for each k of 2 to 10, "
    "the same as scikit-learn's, which the originals call.",
    "`riac`: O(depth) a call and O(attempts n) a split, as the original.",
    "`plr`, `robust-plr`, `accel`, `sfl`: O(K log K) a draw for K levels, as level-replay and dcd.",
    "`currot`: O(n^3) for the assignment of n particles, by SciPy, as the original.",
    "`procurl`, `vds`, `grid`: O(candidates), or open cells; bounded.",
    "`spdl`, `spgl`, `doraemon`: O(n d^2) a step of the optimisation; calls are constant.",
    "`goal-gan`, `setter-solver`, `magellan`: constant numbers of steps of small networks.",
    "`uniform`, `oracle`, `adr`, `schedule`: constant.",
)
"""What is to be expected, n stored outcomes in d dimensions."""


def build(id: str, space: TaskSpace) -> BaseTeacher:
    """Make a teacher, told mastery and order of difficulty where it takes them."""
    accepted = teachers.hyper_parameters(id)
    facts = {"mastery": MASTERY, "harder": dict.fromkeys(space.names, 1)}
    return teachers.make(id, space, **{k: v for k, v in facts.items() if k in accepted})


def seconds_per_call(teacher: BaseTeacher, limit_s: float) -> NDArray[np.float64]:
    """Return the CPU time of ask and tell, trial by trial, until a limit is reached."""
    rng = np.random.default_rng(0)
    seconds: list[float] = []
    total = 0.0
    while len(seconds) < max(LENGTHS) and total < limit_s:
        start = time.process_time()
        trial = teacher.ask()
        asked = time.process_time() - start
        score = min(1.0, learning(len(seconds) % 1000, trial.task) + 0.2 * rng.random())
        outcome = outcome_for(teacher, score)
        start = time.process_time()
        teacher.tell(trial, outcome)
        seconds.append(asked + time.process_time() - start)
        total += seconds[-1]
    return np.array(seconds)


def measure(id: str, n_dims: int, limit_s: float) -> list[str]:
    """Return the cells of a row of the table."""
    teacher = build(id, TaskSpace([Dim(f"x{i}") for i in range(n_dims)]))
    seconds = seconds_per_call(teacher, limit_s)
    cells = []
    for n in LENGTHS:
        calls = seconds[n - SPAN : n]
        calls = 1e6 * calls[calls < REFIT_S]
        reached = len(seconds) >= n and len(calls)
        cells.append(f"{np.median(calls):.0f}" if reached else "-")
    fits = 1e3 * seconds[seconds >= REFIT_S][1:]  # the first one imports its library
    fit = f"{np.median(fits):.0f} / {fits.max():.0f}" if len(fits) else "-"
    mean, size = 1e6 * seconds.mean(), deep_size(teacher) / 1e6
    return [*cells, fit, f"{mean:.0f}", f"{size:.2f}"]


def table(ids: list[str], dims: list[int], limit_s: float) -> Iterator[str]:
    """Yield the lines of the table as they come."""
    lengths = [f"after {n:,}, us" for n in LENGTHS]
    heads = ["teacher", "d", *lengths, "refit, ms: median / most", "mean, us", "MB"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(heads)
    for id in ids:
        for n_dims in dims:
            yield "| " + " | ".join([id, str(n_dims), *measure(id, n_dims, limit_s)]) + " |"


def scikit_learn_refit_ms(n_dims: int) -> float:
    """Return what scikit-learn takes for the refit of a Gaussian mixture teacher.

    Mixtures of 2 to 10 components on 250 vectors of ``n_dims`` and the progress; the median of
    three refits with one thread.
    """
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    vectors = np.random.default_rng(0).random((250, n_dims + 1))
    seconds = []
    with threadpool_limits(1):
        for seed in range(4):
            start = time.process_time()
            for k in range(2, 11):
                GaussianMixture(k, random_state=seed).fit(vectors).aic(vectors)
            seconds.append(time.process_time() - start)
    return float(1e3 * np.median(seconds[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teachers", nargs="+", default=sorted(teachers.TEACHERS))
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--limit", type=float, default=20.0, help="seconds a teacher may take")
    given = parser.parse_args()
    warnings.simplefilter("ignore", TeacherWarning)
    for line in table(given.teachers, given.dims, given.limit):
        print(line, flush=True)
    print()
    for n_dims in given.dims:
        took = scikit_learn_refit_ms(n_dims)
        print(f"- scikit-learn's refit for a mixture teacher, {n_dims} dimensions: {took:.0f} ms")
    for line in COMPLEXITY:
        print(f"- {line}")


if __name__ == "__main__":
    main()
