"""Where do lessons help most? Gain of a level against how hard it was before.

    python benchmarks/datagen/math_inverted_u.py [--seeds 5] [--lessons 10]

Six levels of "add", lessons of 500 samples spread evenly, without noise. The student has learnt
the three easier levels before. Difficulty is the loss before the lessons, on the validation
part; accuracy and gain are measured on the test part (100 questions per level), so that no luck
with the questions counts as a gain.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  registers the environments
import teachers.data

Levels = NDArray[np.float64]


def run(seed: int, lessons: int) -> tuple[Levels, Levels, Levels]:
    """Return every level's first loss, its first accuracy and what that gained."""
    made = gym.make(
        "teachenv/DataGenSkillList-math-v0",
        domain_args={"skills": ("add",)},
        profile="warm",
        train_mode="continual",
        n_steps=lessons,
        n_samples=500,
    )
    env: Any = made.unwrapped
    env.reset(seed=seed)
    loss = env.evaluate("validation", 100).loss[0]
    before = env.evaluate("test", 100).accuracy[0]
    teacher = teachers.data.make("uniform", env.syllabus, seed=seed)
    teacher.begin(env.rehearse)
    done = False
    while not done:
        _, _, terminated, truncated, _ = env.step_plan(teacher.plan(env.reading))
        done = terminated or truncated
    return loss, before, env.evaluate("test", 100).accuracy[0] - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lessons", type=int, default=10)
    given = parser.parse_args()
    results = np.array([run(seed, given.lessons) for seed in range(given.seeds)])
    means, errors = results.mean(axis=0), results[:, 2].std(axis=0, ddof=1) / given.seeds**0.5
    print("| level | loss before | accuracy before | gain |")
    print("|---|---|---|---|")
    for level, (loss, before, gain) in enumerate(means.T):
        print(f"| {level} | {loss:.2f} | {before:.2f} | {gain:+.3f} ± {errors[level]:.3f} |")


if __name__ == "__main__":
    main()
