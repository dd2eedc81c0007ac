"""Which items shall a weak teacher label? Digits, 160 labels in 8 rounds. Markdown.

    python benchmarks/datagen/pool_selectors.py [--seeds 15]

Test accuracy of the student after the last round, mean and standard error; beside it the share
of right labels among those it learnt. "mentor": a student of 40 right labels gives them;
"uniform" and "adversarial": a quarter of the pool is labelled wrong, at random or where the
student would learn most.
"""

from __future__ import annotations

import argparse

import numpy as np

from teachenv.envs.datagen.pool import Errors, Pool
from teachers.data import games

KINDS: tuple[Errors, ...] = ("mentor", "uniform", "adversarial")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=15)
    given = parser.parse_args()
    seeds = range(given.seeds)
    pools = {kind: [Pool(seed, errors=kind) for seed in seeds] for kind in KINDS}
    right = np.mean([pool.mentor_accuracy for pool in pools["mentor"]])
    print(f"The mentor labels {right:.1%} of the pool right.\n")
    print("| selector | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for name in games.GAMES["pool"]:
        cells = []
        for kind in KINDS:
            runs = [
                pool.run(games.make("pool", name, seed=seed).select)
                for seed, pool in zip(seeds, pools[kind], strict=True)
            ]
            last = np.array([run.accuracy[-1] for run in runs])
            labels = np.mean([run.label_accuracy for run in runs])
            error = last.std(ddof=1) / np.sqrt(len(last))
            cells.append(f"{last.mean():.3f} ± {error:.3f} ({labels:.2f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
