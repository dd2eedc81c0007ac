"""A worse data engine: gain in test accuracy against its share of wrong labels.

    python benchmarks/datagen/digits_errors.py [n_seeds]

Retraining, random prior knowledge, 64 samples; policies of digits_policies.py, with the state.
"""

from __future__ import annotations

import sys

from digits_play import head, mean, row
from digits_policies import VARIANTS, gains

RATES = (0.0, 0.1, 0.2, 0.4)


def main(n_seeds: int) -> None:
    head(("environment", *(f"error {rate}" for rate in RATES), "lost at 0.4", "share lost"))
    for variant in VARIANTS:
        by_rate = [gains(variant, True, range(n_seeds), error_rate=rate) for rate in RATES]
        lost = [a - b for a, b in zip(by_rate[0], by_rate[-1], strict=True)]
        share = sum(lost) / sum(by_rate[0])
        row((variant, *map(mean, by_rate), mean(lost), f"{share:.2f}"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
