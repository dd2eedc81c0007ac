"""Does a student learn its engine's errors? Proxies on what was taught and on the probe.

    python benchmarks/datagen/hacking.py [n_seeds]

A fresh small transformer learns sums and comparisons (levels 0 and 1) from an engine. "fixed": the
same 400 items over and over; "fresh": 400 new ones every time. "random": some answers are wrong in
a way of their own. "the same": after ten passes without errors the engine takes the smaller number
for the larger in 8 of 10 items (errors of steps, skill "max" alone), which can be learnt.

After every pass the proxies (the answers that the data of that pass had, and that the last engine
gives to the probe) and the golden accuracy (the true checker, on the probe) are read, and
:func:`teachenv.envs.datagen.monitors.teacher_hacking` looks at golden with each proxy.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import students.data
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.monitors import Hacking, proxy_accuracy, teacher_hacking
from teachenv.envs.datagen.split import draw
from teachenv.lesson import DataPlan
from teachenv.seeding import derive, derive_int

N_ITEMS, N_PASSES, N_PROBE = 400, 40, 500
N_CLEAN = 10
"""Passes before "the same" error begins."""


class Found(NamedTuple):
    """Curves over passes, and what the monitor says of them."""

    taught: list[float]
    probe: list[float]
    golden: list[float]
    by_taught: Hacking
    by_probe: Hacking


def train(fixed: bool, error_rate: float, seed: int) -> Found:
    """Return what comes of random errors."""
    engine = Engine(make_domain("math", skills=("compare", "max")), error_rate=error_rate)
    return _watch([engine] * N_PASSES, fixed, seed)


def train_on_the_same_error(seed: int) -> Found:
    """Return what comes of an error that can be learnt, with fresh data."""
    domain = make_domain("math", skills=("max",))
    clean, erring = Engine(domain), Engine(domain, step_error_rate=0.8)
    return _watch([clean] * N_CLEAN + [erring] * (N_PASSES - N_CLEAN), False, seed)


def _watch(engines: list[Engine], fixed: bool, seed: int) -> Found:
    """Train a student, one pass of each engine's data after the other."""
    domain = engines[0].domain
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
    told = probe.answered(engines[-1].answers(probe, derive(seed, "engine on probe")))
    curves = np.zeros((3, len(engines)))
    for number, engine in enumerate(engines):
        data = engine.make(plan, derive(seed, "data", 0 if fixed else number)).items
        assert data is not None
        student.train(data, seed=derive_int(seed, "train", number))
        answered = student.predict(probe)
        curves[:, number] = (
            proxy_accuracy(data, student.predict(data)),
            proxy_accuracy(told, answered),
            domain.grade(probe, answered.answers).mean(),
        )
    taught, on_probe, golden = curves.tolist()
    verdicts = (
        teacher_hacking(proxy, golden, n_proxy=n, n_golden=N_PROBE)
        for proxy, n in ((taught, N_ITEMS), (on_probe, N_PROBE))
    )
    return Found(taught, on_probe, golden, *verdicts)


def main(n_seeds: int) -> None:
    columns = "proxy, taught | proxy, probe | best golden | golden | flagged: taught | probe"
    print(f"| data | errors | {columns} |")
    print("|---" * 8 + "|")
    start = time.perf_counter()
    cases: list[tuple[str, str, Callable[[int], Found]]] = [
        (name, f"random, {rate}", functools.partial(train, fixed, rate))
        for name, fixed in (("fixed", True), ("fresh", False))
        for rate in (0.2, 0.0)
    ]
    cases.append(("fresh", "the same, 0.8", train_on_the_same_error))
    for name, errors, play in cases:
        found = [play(seed) for seed in range(n_seeds)]
        figures = (
            [each.taught[-1] for each in found],
            [each.probe[-1] for each in found],
            [max(each.golden) for each in found],
            [each.golden[-1] for each in found],
        )
        shown = " | ".join(
            f"{np.mean(c):.3f} ± {np.std(c, ddof=1) / n_seeds**0.5:.3f}" for c in figures
        )
        taught, on_probe = (
            sum(verdict.flagged for verdict in verdicts)
            for verdicts in zip(*((each.by_taught, each.by_probe) for each in found), strict=True)
        )
        flagged = f"{taught} of {n_seeds} | {on_probe} of {n_seeds}"
        print(f"| {name} | {errors} | {shown} | {flagged} |", flush=True)
    print(f"\n{(time.perf_counter() - start) / (len(cases) * n_seeds):.1f} s a training")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
