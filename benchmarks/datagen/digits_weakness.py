"""Random prior knowledge: does it help to look at the student, and how is it trained?

    python benchmarks/datagen/digits_weakness.py [n_seeds]

Accuracy on the hidden test after 8 lessons of 8 (and of 4) samples; every seed has its own
student, the same for all teachers.
"""

from __future__ import annotations

import sys
from typing import Any

from digits_play import head, make, mean, play, row

TEACHERS = ("anti", "random", "uniform", "zpd", "alp", "mastery", "weakness", "oracle")


def end(env: Any, teacher: str, seed: int) -> float:
    hyper = {"explore": 0.0} if teacher in ("anti", "weakness") else {}  # the bare rules
    return float(play(env, teacher, seed, **hyper)[1])


def main(n_seeds: int) -> None:
    for n_samples, modes in ((8, ("continual", "replay", "retrain")), (4, ("retrain",))):
        print(f"\n{8 * n_samples} samples\n")
        head(("train mode", *TEACHERS, "weakness - uniform"))
        for mode in modes:
            env = make(train_mode=mode, n_samples=n_samples)
            ends = {t: [end(env, t, seed) for seed in range(n_seeds)] for t in TEACHERS}
            gap = [a - b for a, b in zip(ends["weakness"], ends["uniform"], strict=True)]
            row((mode, *(mean(values) for values in ends.values()), mean(gap)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
