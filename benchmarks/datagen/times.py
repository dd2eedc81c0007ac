"""How long lessons and episodes take, with every usual student.

python benchmarks/datagen/times.py

Skill lists with their usual settings, lessons spread evenly: median CPU time of a lesson (data,
training, probe), of a reset once the first student has been built, and of a whole episode.
"""

from __future__ import annotations

import time
from typing import Any

import gymnasium as gym
import numpy as np

import teachenv  # noqa: F401  registers the environments
from teachenv.lesson import DataPlan
from teachenv.one_thread import one_thread

WORLDS = (
    ("digits", "sgd"),
    ("digits", "scikit"),
    ("math", "gru"),
    ("math", "transformer"),
    ("math", "hf"),
    ("reasoning", "transformer"),
    ("code", "transformer"),
    ("vqa", "film"),
    ("easyvqa", "film"),
)
N_LESSONS = 5


def measure(domain: str, student: str) -> tuple[Any, float, float]:
    """Return the environment, and the median seconds of a reset and of a lesson."""
    made = gym.make(f"teachenv/DataGenSkillList-{domain}-v0", student=student)
    env: Any = made.unwrapped
    env.reset(seed=0)
    resets, lessons = [], []
    for seed in range(1, 4):
        began = time.process_time()
        env.reset(seed=seed)
        resets.append(time.process_time() - began)
    n, shape = env.syllabus.n_samples, env.syllabus.shape
    for _ in range(min(N_LESSONS, env.syllabus.n_steps)):
        cells = np.arange(n) % env.syllabus.n_cells
        counts = np.bincount(cells, minlength=env.syllabus.n_cells).reshape(shape)
        began = time.process_time()
        env.step_plan(DataPlan.of_counts(counts))
        lessons.append(time.process_time() - began)
    return env, float(np.median(resets)), float(np.median(lessons))


def main() -> None:
    print("| domain | student | lessons x samples | reset, ms | lesson, ms | episode, s |")
    print("|---|---|---|---|---|---|")
    for domain, student in WORLDS:
        with one_thread():
            env, reset, lesson = measure(domain, student)
        n_steps, n_samples = env.syllabus.n_steps, env.syllabus.n_samples
        print(
            f"| {domain} | {student} | {n_steps} x {n_samples} | {1000 * reset:.0f} "
            f"| {1000 * lesson:.0f} | {reset + n_steps * lesson:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
