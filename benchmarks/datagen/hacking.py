"""Does a student learn its engine's errors? A fixed set over many epochs against fresh data.

    python benchmarks/datagen/hacking.py [n_seeds]

A fresh small transformer learns sums and comparisons (levels 0 and 1) from an engine. "fixed": the
same 400 items over and over; "fresh": 400 new ones every time. After every pass the proxy (the
engine's answers, on the data of that pass) and the golden accuracy (the true checker, on the
probe) are read, and :func:`teachenv.envs.datagen.monitors.teacher_hacking` looks at the curves.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import students.data
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.monitors import Hacking, proxy_accuracy, teacher_hacking
from teachenv.envs.datagen.split import draw
from teachenv.lesson import DataPlan
from teachenv.seeding import derive, derive_int

SKILLS = ("compare", "max")
N_ITEMS, N_PASSES, N_PROBE = 400, 40, 500


def train(fixed: bool, error_rate: float, seed: int) -> tuple[list[float], list[float], Hacking]:
    """Return the proxy, the golden accuracy and the verdict of one training."""
    domain = make_domain("math", skills=SKILLS)
    engine = Engine(domain, error_rate=error_rate)
    student = students.data.make(
        domain.student, domain.format, seed=derive_int(seed, "student"), width=64
    )
    counts = np.zeros(domain.kinds.shape, dtype=np.int64)
    counts[:, :2] = N_ITEMS // counts[:, :2].size
    plan = DataPlan.of_counts(counts)
    rng = derive(seed, "probe")
    cells = np.argwhere(counts > 0).tolist()
    probe = Items.concat(
        [draw(domain, s, v, N_PROBE // len(cells), "probe", rng) for s, v in cells]
    )
    proxy, golden = [], []
    for number in range(N_PASSES):
        data = engine.make(plan, derive(seed, "data", 0 if fixed else number)).items
        assert data is not None
        student.train(data, seed=derive_int(seed, "train", number))
        proxy.append(proxy_accuracy(data, student.predict(data)))
        golden.append(float(domain.grade(probe, student.predict(probe).answers).mean()))
    return proxy, golden, teacher_hacking(proxy, golden, n_proxy=N_ITEMS, n_golden=N_PROBE)


def main(n_seeds: int) -> None:
    print("| data | engine error | proxy at the end | best golden | golden at the end | flagged |")
    print("|---|---|---|---|---|---|")
    start = time.perf_counter()
    for fixed in (True, False):
        for error_rate in (0.2, 0.0):
            found = [train(fixed, error_rate, seed) for seed in range(n_seeds)]
            columns = (
                [proxy[-1] for proxy, _, _ in found],
                [max(golden) for _, golden, _ in found],
                [golden[-1] for _, golden, _ in found],
            )
            shown = " | ".join(
                f"{np.mean(c):.3f} ± {np.std(c, ddof=1) / n_seeds**0.5:.3f}" for c in columns
            )
            flagged = sum(verdict.flagged for _, _, verdict in found)
            name = "fixed" if fixed else "fresh"
            print(f"| {name} | {error_rate} | {shown} | {flagged} of {n_seeds} |", flush=True)
    print(f"\n{(time.perf_counter() - start) / (4 * n_seeds):.1f} s a training")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
