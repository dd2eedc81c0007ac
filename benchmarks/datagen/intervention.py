"""Whom to help, at a budget of 20 %: utility, confidence, chance, and ill will. Markdown.

    python benchmarks/datagen/intervention.py [--seeds 20] [--batch 50] [--budgets 0.1 0.2 0.4]

Digits with hints of which the student misreads two of five; 1,000 questions. "help" is the change
of accuracy on them by the help given, "per help" the share of the help that turned a wrong answer
right, less the harm, "later" the change of accuracy on fresh questions without help after
learning from those explained. Mean and standard error; every teacher meets the same students.
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  (registers the environments)
from teachenv.envs.datagen.play import play
from teachers.data import games


def episode(id: str, seed: int, budget: float, batch: int) -> NDArray[np.float64]:
    """Return change of accuracy by help, gain per help, and later change of accuracy."""
    env = gym.make("teachenv/InterventionBudget-v0", batch_size=batch, disable_env_checker=True)
    teacher = games.make("intervention", id, seed=seed)
    infos = play(env, teacher, seed=seed, task={"budget": budget}).infos
    helped, before, after = (
        np.concatenate([info["feedback"][name] for info in infos])
        for name in ("helped", "before", "after")
    )
    gained = int(after.sum()) - int(before.sum())
    return np.array([gained / len(helped), gained / max(helped.sum(), 1), infos[-1]["later_gain"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.1, 0.2, 0.4])
    given = parser.parse_args()
    print("| budget | teacher | help | per help | later |\n|---|---|---|---|---|")
    for budget in given.budgets:
        for name in games.GAMES["intervention"]:
            runs = np.stack([episode(name, s, budget, given.batch) for s in range(given.seeds)])
            mean, error = runs.mean(0), runs.std(0, ddof=1) / np.sqrt(given.seeds)
            cells = [f"{m:+.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)]
            print(f"| {budget:g} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
