"""Teachers trained by reinforcement learning against rules, on digits with random prior knowledge.

Every teacher is trained with one seed on students of its own and judged on the same new students:
accuracy on the hidden test after an episode of 8 lessons of 8 samples, retrained each time.

    python benchmarks/datagen/digits_rl.py                     # PPO with "mix": minutes
    python benchmarks/datagen/digits_rl.py sb3-sac alloc 3000  # algorithm, action mode, lessons
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from digits_play import ENV, head, make, mean, play, row

from teachenv.env import MakeEnv
from teachenv.experiments.train_teacher import train_teacher

SETTINGS = {"train_mode": "retrain"}
SEEDS = range(5)
STUDENTS = range(10_000, 10_030)


def main(algorithm: str = "sb3-ppo", mode: str = "mix", steps: str = "5000") -> None:
    env = make(**SETTINGS)
    head(["teacher", "lessons", "CPU s to train", "test accuracy", "less uniform"])
    uniform = np.array([play(env, "uniform", seed)[1] for seed in STUDENTS])
    weakness = np.array([play(env, "weakness", seed)[1] for seed in STUDENTS])
    row(["uniform", "0", "", mean(uniform), ""])
    row(["weakness", "0", "", mean(weakness), mean(weakness - uniform)])
    recipe = MakeEnv(ENV, {"action_mode": mode, **SETTINGS})
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            out, began = Path(folder) / "teacher", time.process_time()
            train_teacher(recipe, out, algorithm=algorithm, steps=int(steps), seed=seed)
            spent = time.process_time() - began
            scores = [play(env, "trained", s, path=str(out))[1] for s in STUDENTS]
        gain = mean(np.array(scores) - uniform)
        row([f"{algorithm}, {mode}, seed {seed}", steps, f"{spent:.0f}", mean(scores), gain])


if __name__ == "__main__":
    main(*sys.argv[1:])
