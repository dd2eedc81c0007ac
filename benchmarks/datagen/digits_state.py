"""Does it help to see the student? Gain in test accuracy with the state and without it.

    python benchmarks/datagen/digits_state.py [n_seeds]

Retraining, random prior knowledge, 64 samples; policies of digits_policies.py.
"""

from __future__ import annotations

import sys

from digits_play import head, mean, row
from digits_policies import VARIANTS, gains


def main(n_seeds: int) -> None:
    head(("environment", "no state", "with state", "difference"))
    for variant in VARIANTS:
        blind, seeing = (gains(variant, state, range(n_seeds)) for state in (False, True))
        difference = [b - a for a, b in zip(blind, seeing, strict=True)]
        row((variant, mean(blind), mean(seeing), mean(difference)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
