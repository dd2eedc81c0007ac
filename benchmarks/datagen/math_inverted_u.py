"""Where do lessons help most? Gain of a cell against how hard it was before.

    python benchmarks/datagen/math_inverted_u.py [--seeds 5]

All nine operations of "math", six levels each, 20 lessons of 1,000 samples spread evenly. The
student has learnt the three easier levels of a random half of the operations before. Cells are
sorted into bins by their first accuracy on the validation part; the gain is measured on the
test part (100 questions each), so that no luck with the questions counts as a gain.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  registers the environments
import teachers.data

BINS = np.array([0.0, 0.1, 0.35, 0.65, 0.9, 1.01])


def run(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return every cell's first accuracy and what it gained."""
    made = gym.make(
        "teachenv/DataGenSkillList-math-v0",
        profile="random",
        warm_levels=3,
        base_samples=1500,
        n_samples=1000,
        probe_size=10,
    )
    env: Any = made.unwrapped
    env.reset(seed=seed, options={"student": seed})
    first = env.evaluate("validation", 100).accuracy
    before = env.evaluate("test", 100).accuracy
    teacher = teachers.data.make("uniform", env.syllabus, seed=seed)
    teacher.begin(env.rehearse)
    done = False
    while not done:
        _, _, terminated, truncated, _ = env.step_plan(teacher.plan(env.reading))
        done = terminated or truncated
    return first.reshape(-1), (env.evaluate("test", 100).accuracy - before).reshape(-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    results = [run(seed) for seed in range(parser.parse_args().seeds)]
    print("| first accuracy | cells | gain (mean over seeds) |")
    print("|---|---|---|")
    for low, high in itertools.pairwise(BINS):
        inside = [(first >= low) & (first < high) for first, _ in results]
        gains = [g[i].mean() for (_, g), i in zip(results, inside, strict=True) if i.any()]
        error = np.std(gains, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
        count = sum(int(i.sum()) for i in inside)
        mean = np.mean(gains) if gains else np.nan
        print(f"| {low:.2f} to {min(high, 1.0):.2f} | {count} | {mean:+.3f} ± {error:.3f} |")


if __name__ == "__main__":
    main()
