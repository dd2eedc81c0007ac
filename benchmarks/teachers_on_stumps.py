"""Share of test tasks mastered, by teacher: reads finished run folders and prints a table.

Make them with the loop under "Runs" in the README, then run
``python benchmarks/teachers_on_stumps.py runs/*``.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from teachenv.experiments.store import read_run


def main(folders: list[Path]) -> None:
    shares: dict[tuple[str, str], list[float]] = defaultdict(list)
    for folder in folders:
        run = read_run(folder)
        last = {row["test_set"]: row for row in run.evals if row["status"] == "ok"}
        for name, row in last.items():
            shares[run.config.teacher, name].append(row["share_mastered"])
        seconds = sum(row["learn_s"] for row in run.times)
        print(
            f"{folder.name}: {run.status['step']:,} steps, {run.status['step'] / seconds:,.0f} "
            f"steps/s, {sum(row['total_s'] for row in run.times):,.0f} s with evaluations"
        )
    print(f"\n{'teacher':<12}{'test set':<16}{'runs':>5}{'mean':>8}{'sd':>8}   each")
    for (teacher, name), values in sorted(shares.items()):
        spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
        each = " ".join(f"{value:.0%}" for value in values)
        print(
            f"{teacher:<12}{name:<16}{len(values):>5}{np.mean(values):>8.1%}{spread:>8.1%}   {each}"
        )


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
