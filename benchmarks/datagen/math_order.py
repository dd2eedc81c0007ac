"""A fresh student and additions in fixed-width fields: does the order of levels matter?

    python benchmarks/datagen/math_order.py [--seeds 5]
    python benchmarks/datagen/math_order.py --skill parity --student gru --lessons 20

A fresh student gets lessons of 1,000 samples, everything can be learnt. Measured on the hidden
test part, 100 questions per level. Every seed has its own student, data and questions, the same
for all teachers.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  registers the environments
import teachers.data
from teachenv.lesson import Lesson

TEACHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "uniform": ("uniform", {}),
    "weakness": ("weakness", {}),
    "ALP": ("alp", {}),
    "ZPD": ("zpd", {}),
    "mastery": ("mastery", {}),
    "growing prefix": ("stages", {"order": "easy-to-hard"}),
    "strict stages": ("stages", {"order": "strict"}),
    "hard only": ("stages", {"order": "hard-only"}),
}


def run(
    name: str, seed: int, *, skill: str, student: str, lessons: int
) -> tuple[NDArray[np.float64], float, float]:
    """Return the test accuracy per level, the area under the probe's curve, and seconds."""
    made = gym.make(
        "teachenv/DataGenSkillList-math-v0",
        domain_args={"skills": (skill,)},
        student=student,
        profile="fresh",
        train_mode="continual",
        n_steps=lessons,
        n_samples=1000,
    )
    env: Any = made.unwrapped
    env.reset(seed=seed)
    teacher_id, hyper = TEACHERS[name]
    teacher = teachers.data.make(teacher_id, env.syllabus, seed=seed, **hyper)
    teacher.begin(env.rehearse)
    start, done, curve = time.perf_counter(), False, []
    while not done:
        plan = teacher.plan(seen(env))
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        curve.append(float(env.reading.accuracy.mean()))
        teacher.tell(Lesson(plan, info["taught"], seen(env), reward, done))
    seconds = time.perf_counter() - start
    return env.evaluate("test", 100).accuracy[0], float(np.mean(curve)), seconds


def seen(env: Any) -> Any:
    return replace(env.reading, privileged=env.privileged())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skill", default="add")
    parser.add_argument("--student", default="transformer")
    parser.add_argument("--lessons", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--teachers", nargs="*", default=list(TEACHERS))
    given = parser.parse_args()
    settings = {"skill": given.skill, "student": given.student, "lessons": given.lessons}
    print("| teacher | test accuracy | by seed | by level | area | seconds |")
    print("|---|---|---|---|---|---|")
    for name in given.teachers:
        results = [run(name, seed, **settings) for seed in range(given.seeds)]
        levels = np.array([r[0] for r in results])
        means = levels.mean(axis=1)
        error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
        seeds, each = (
            " ".join(f"{v:.2f}" for v in values) for values in (means, levels.mean(axis=0))
        )
        area, seconds = (np.mean([r[i] for r in results]) for i in (1, 2))
        print(
            f"| {name} | {means.mean():.3f} ± {error:.3f} | {seeds} | {each} | {area:.3f} "
            f"| {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
