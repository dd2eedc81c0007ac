"""What a teacher costs per episode: median and worst ask + tell, refits, memory, state size.

    python benchmarks/teacher_cost.py [--trials 25000] [--dims 2 12]

Limits: 100 us for ask + tell (500 us with a nearest-task search at its full window), 300 ms for
a refit. Calls above 5 ms are taken for refits. Times are CPU times of the process.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.base import BaseTeacher, TeacherWarning
from teachers.probe import deep_size, learning

REFIT_S = 0.005


def build(id: str, space: TaskSpace) -> BaseTeacher:
    if id == "oracle":
        return teachers.make(id, space, mastery=0.5, harder={space.names[0]: 1})
    return teachers.make(id, space)


def measure(id: str, n_dims: int, n_trials: int) -> str:
    space = TaskSpace([Dim(f"x{i}") for i in range(n_dims)])
    teacher = build(id, space)
    rng = np.random.default_rng(0)
    seconds = np.empty(n_trials)
    for i in range(n_trials):
        start = time.process_time()
        trial = teacher.ask()
        asked = time.process_time()
        noisy = learning(i % 1000, trial.task) + 0.2 * rng.random()
        score = min(1.0, noisy)
        outcome = Outcome(score, score, 10, score > 0.8)
        told = time.process_time()
        teacher.tell(trial, outcome)
        seconds[i] = (asked - start) + (time.process_time() - told)
    last = seconds[-n_trials // 5 :]
    calls = last[last < REFIT_S] * 1e6
    fits = seconds[seconds >= REFIT_S][1:] * 1e3  # the first one imports scikit-learn
    fit = f"{np.median(fits):6.0f} {fits.max():6.0f}" if len(fits) else f"{'-':>6} {'-':>6}"
    return (
        f"{id:10} {n_dims:4} {np.median(calls):8.0f} {np.quantile(calls, 0.99):8.0f} "
        f"{fit} {seconds.sum():8.1f} {deep_size(teacher) / 1e6:8.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=25_000, help="trials per teacher")
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 12], help="task dimensions")
    given = parser.parse_args()
    warnings.simplefilter("ignore", TeacherWarning)
    print(f"{given.trials} trials; ask + tell over the last fifth")
    print("                 ask + tell, us      refit, ms     total   memory")
    print("teacher    dims   median      p99 median    max        s       MB")
    for id in sorted(teachers.TEACHERS):
        for n_dims in given.dims:
            print(measure(id, n_dims, given.trials), flush=True)


if __name__ == "__main__":
    main()
