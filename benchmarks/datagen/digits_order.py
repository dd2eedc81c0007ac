"""Does the order of lessons matter? The same lessons of a skill each, in two orders.

    python benchmarks/datagen/digits_order.py [n_seeds]

Mean absolute difference of the test accuracy per skill between two orders, beside that between
two seeds of the data in one order: where they are equal, only the composition counts.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from digits_play import head, make, mean, row
from numpy.typing import NDArray

from teachenv.lesson import DataPlan
from teachenv.seeding import derive


def end(env: Any, seed: int, order: NDArray[np.int64]) -> NDArray[np.float64]:
    env.reset(seed=seed)
    for skill in order:
        counts = np.zeros(env.syllabus.shape, dtype=np.int64)
        counts[skill] = 8
        env.step_plan(DataPlan.of_counts(counts))
    return np.asarray(env.evaluate("test", 50).accuracy.mean(axis=1))


def main(n_seeds: int) -> None:
    head(("train mode", "between orders", "between seeds", "more by order"))
    for mode in ("retrain", "replay", "continual"):
        env = make(train_mode=mode, n_steps=10, n_samples=24, profile="fresh")
        orders, seeds = [], []
        for seed in range(n_seeds):
            order = derive(seed, "order").permutation(10)
            first = end(env, seed, order)
            orders.append(np.abs(first - end(env, seed, order[::-1])).mean())
            seeds.append(np.abs(first - end(env, seed + 1000, order)).mean())
        more = mean(a - b for a, b in zip(orders, seeds, strict=True))
        row((mode, mean(orders), mean(seeds), more))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
