"""A student that can add small numbers, and half of the cells are noise: which teacher helps?

    python benchmarks/datagen/warm_headline.py [--seeds 5] [--train-mode continual]

Six levels of "add" and six noise cells, 20 lessons of 500 samples. The transformer (width 64)
has mastered the three easier levels before, and all episodes start from it (--own-students: a
seed's own). Every seed has its own data and questions, the same for all teachers. Measured on
the hidden test part, 100 questions per level.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  registers the environments
import teachers.data
from teachenv.lesson import Lesson

TEACHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "uniform": ("uniform", {}),
    "mastered only": ("anti", {}),
    "weakness": ("weakness", {}),
    "ALP": ("alp", {}),
    "ZPD": ("zpd", {}),
    "ZPD, even share 0.28": ("zpd", {"explore": 0.28}),
    "missing-skill": ("missing-skill", {}),
    "target-success": ("target-success", {}),
    "mastery": ("mastery", {}),
    "oracle": ("oracle", {}),
}

WARM = {
    "domain_args": {"skills": ("add",), "n_noise": 1},
    "profile": "warm",
    "warm_levels": 3,
    "base_samples": 10_000,
    "n_steps": 20,
    "n_samples": 500,
}


class Result(NamedTuple):
    """What came of an episode.

    Attributes:
        first: Test accuracy per level before it.
        last: Test accuracy per level after it.
        area: Mean probe accuracy on the levels over the lessons.
        noise: Share of the samples given to noise.
        seconds: How long it took.
    """

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    area: float
    noise: float
    seconds: float


def run(name: str, seed: int, train_mode: str, own_student: bool) -> Result:
    teacher_id, hyper = TEACHERS[name]
    made = gym.make("teachenv/DataGenSkillList-math-v0", train_mode=train_mode, **WARM)
    env: Any = made.unwrapped
    env.reset(seed=seed, options={"student": seed} if own_student else None)
    first = env.evaluate("test", 100).accuracy[0]
    teacher = teachers.data.make(teacher_id, env.syllabus, seed=seed, **hyper)
    teacher.begin(env.rehearse)
    start, done, given, curve = time.perf_counter(), False, np.zeros(env.syllabus.shape), []
    while not done:
        plan = teacher.plan(seen(env))
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        given += info["taught"]
        curve.append(float(env.reading.accuracy[0].mean()))
        teacher.tell(Lesson(plan, info["taught"], seen(env), reward, done))
    seconds = time.perf_counter() - start
    last = env.evaluate("test", 100).accuracy[0]
    noise = float(given[1:].sum() / given.sum())
    return Result(first, last, float(np.mean(curve)), noise, seconds)


def seen(env: Any) -> Any:
    return replace(env.reading, privileged=env.privileged())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--train-mode", default="continual")
    parser.add_argument("--own-students", action="store_true")
    parser.add_argument("--teachers", nargs="*", default=list(TEACHERS))
    given = parser.parse_args()
    print("| teacher | test accuracy | by seed | by level | before | area | on noise | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.teachers:
        results = [
            run(name, seed, given.train_mode, given.own_students) for seed in range(given.seeds)
        ]
        lasts = np.array([r.last for r in results])
        means = lasts.mean(axis=1)
        error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.nan
        seeds, levels = (
            " ".join(f"{v:.2f}" for v in values) for values in (means, lasts.mean(axis=0))
        )
        before = np.mean([r.first.mean() for r in results])
        area, noise, seconds = (np.mean([r[i] for r in results]) for i in (2, 3, 4))
        print(
            f"| {name} | {means.mean():.3f} ± {error:.3f} | {seeds} | {levels} | {before:.3f} "
            f"| {area:.3f} | {noise:.2f} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
