"""Does the order of levels matter? Rules by the clock, and teachers that watch the student.

    python benchmarks/datagen/code_vqa_order.py vqa
    python benchmarks/datagen/code_vqa_order.py code --rules zpd alp mastery

A fresh student gets 24 lessons of 1,000 samples (on "vqa" two passes over each) and is asked
about every cell at the end. "easy-to-hard" lets the levels in one after another, each for an
equal share of the lessons, and mixes those let in evenly. The data teachers "zpd", "alp" and
"mastery" see 10 probe questions per cell between lessons. Seeds are paired.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import students.data
import teachers.data
from teachenv.envs.datagen.classroom import Classroom
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.readings import ReadingMaker
from teachenv.envs.datagen.skills import view_of
from teachenv.lesson import DataPlan, Lesson, Syllabus
from teachenv.seeding import derive, derive_int

Rule = Callable[[float, int], NDArray[np.float64]]
"""Weights of the levels, given the share of lessons done and the number of levels."""


def uniform(done: float, n_levels: int) -> NDArray[np.float64]:
    return np.ones(n_levels)


def easy_to_hard(done: float, n_levels: int) -> NDArray[np.float64]:
    return (np.arange(n_levels) <= done * n_levels).astype(np.float64)


def easiest_only(done: float, n_levels: int) -> NDArray[np.float64]:
    return (np.arange(n_levels) == 0).astype(np.float64)


def hardest_only(done: float, n_levels: int) -> NDArray[np.float64]:
    return (np.arange(n_levels) == n_levels - 1).astype(np.float64)


RULES: dict[str, Rule] = {
    "uniform": uniform,
    "easy-to-hard": easy_to_hard,
    "easiest-only": easiest_only,
    "hardest-only": hardest_only,
}


TEACHERS = ("zpd", "alp", "mastery")
PROBE = 10
"""Questions per cell that a teacher sees after every lesson; rules by the clock need none."""

N_STEPS, N_SAMPLES = 24, 1000


def run(domain_id: str, name: str, seed: int, *, epochs: int) -> NDArray[np.float64]:
    """Return the accuracy on the validation part after the last lesson, by level."""
    domain = make_domain(domain_id)
    student = students.data.make(domain.student, domain.format, seed=derive_int(seed, "student"))
    size = PROBE if name in TEACHERS else 1
    room = Classroom(
        Engine(domain), student, train_mode="continual", epochs=epochs, probe_size=size
    )
    room.begin(derive_int(seed, "episode"), student.state_dict(), None)
    if name in TEACHERS:
        taught_by_teacher(room, name, seed)
    else:
        taught_by_clock(room, RULES[name], seed)
    return room.ask("validation", 40).accuracy.mean(axis=0)


def taught_by_clock(room: Classroom, rule: Rule, seed: int) -> None:
    domain, rng = room.domain, derive(seed, "plans")
    for step in range(N_STEPS):
        weights = np.tile(rule(step / N_STEPS, domain.n_levels), (len(domain.skills), 1))
        counts = rng.multinomial(N_SAMPLES, (weights / weights.sum()).reshape(-1))
        room.teach(DataPlan.of_counts(counts.reshape(domain.kinds.shape)))


def taught_by_teacher(room: Classroom, name: str, seed: int) -> None:
    domain = room.domain
    syllabus = Syllabus(domain.skills, domain.n_levels, N_STEPS, N_SAMPLES, domain.prerequisites)
    teacher = teachers.data.make(name, syllabus, seed=seed)
    readings = ReadingMaker(domain, view_of(domain, "gold"))
    reading = readings.begin(room.last, seed)
    teacher.begin()
    for step in range(1, N_STEPS + 1):
        plan = teacher.plan(reading)
        made, scores = room.teach(plan)
        left = 1.0 - step / N_STEPS
        asked = plan.counts(syllabus.shape)
        reading = readings.after(scores, asked=asked, taught=made, budget_left=left)
        teacher.tell(Lesson(plan, made, reading, 0.0, step == N_STEPS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("domain", choices=("vqa", "code"))
    parser.add_argument("--seeds", type=int, default=5)
    known = (*RULES, *TEACHERS)
    parser.add_argument("--rules", nargs="+", choices=known, default=list(RULES))
    told = parser.parse_args()
    means: dict[str, list[float]] = {}
    print("| rule | accuracy | s.e. | minus uniform | s.e. | by level | s a run |")
    print("|---|---|---|---|---|---|---|")
    for name in ("uniform", *(rule for rule in told.rules if rule != "uniform")):
        start = time.perf_counter()
        epochs = 2 if told.domain == "vqa" else 1
        levels = np.array(
            [run(told.domain, name, seed, epochs=epochs) for seed in range(told.seeds)]
        )
        took = (time.perf_counter() - start) / told.seeds
        means[name] = levels.mean(axis=1).tolist()
        gain = np.subtract(means[name], means["uniform"])
        error, gain_error = (np.std(x, ddof=1) / told.seeds**0.5 for x in (means[name], gain))
        shown = " ".join(f"{x:.2f}" for x in levels.mean(axis=0))
        print(
            f"| {name} | {np.mean(means[name]):.3f} | {error:.3f} | {gain.mean():+.3f} | "
            f"{gain_error:.3f} | {shown} | {took:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
