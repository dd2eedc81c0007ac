"""Whose skills? Test accuracy by the rule "weakness" told of gold, inferred or random skills.

    python benchmarks/datagen/digits_skills.py [n_seeds]

Retraining, random prior knowledge, 64 and 32 samples; paired seeds.
"""

from __future__ import annotations

import sys
from itertools import pairwise

from digits_play import head, make, mean, play, row

SOURCES = ("gold", "inferred", "shuffled")


def main(n_seeds: int) -> None:
    head(("samples", *SOURCES, "gold - inferred", "inferred - shuffled"))
    for n_samples in (8, 4):
        ends = []
        for source in SOURCES:
            env = make(train_mode="retrain", skill_source=source, n_samples=n_samples)
            ends.append([play(env, "weakness", s, explore=0.0)[1] for s in range(n_seeds)])
        gaps = [
            mean(a - b for a, b in zip(better, worse, strict=True))
            for better, worse in pairwise(ends)
        ]
        row((str(8 * n_samples), *map(mean, ends), *gaps))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
