"""Steps per second of the students on native stump tracks, through the whole run loop.

Everything runs on one core, with ``alp-gmm`` as the teacher; prints a
markdown table. Run ``python benchmarks/student_speed.py [STUDENT ...]``, on an idle machine: the
clock is the wall's.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from teachenv.experiments import loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.store import read_run

STUDENTS = ("sbx-ppo", "sb3-ppo", "rllib-ppo")
ROUND_STEPS = 500_000
N_ROUNDS = 4


def rates(student: str, folder: Path) -> list[float]:
    """Return steps per second of learning, by round; the first one compiles (JAX) or starts."""
    config = RunConfig(
        env="teachenv/StumpTracks-v0",
        teacher="alp-gmm",
        student=student,
        steps=N_ROUNDS * ROUND_STEPS,
        round_steps=ROUND_STEPS,
        eval_every=0,
        test_sets=("stump-50-v1",),
    )
    loop.start(config, folder)
    return [row["steps_per_s"] for row in read_run(folder).times]


def main(students: list[str]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("| student | steps per second: median of rounds | first round |\n|---|---|---|")
    for student in students or STUDENTS:
        with tempfile.TemporaryDirectory() as folder:
            first, *others = rates(student, Path(folder) / "run")
        print(f"| `{student}` | {median(others):,.0f} | {first:,.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
