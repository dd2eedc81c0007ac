"""Function teaching: random, greedy, a teacher that learns, and many learners at once. Markdown.

    python benchmarks/datagen/functional.py [--seeds 20] [--rl-seeds 3] [--rl-steps 120000]

Examples until the mean squared error is below 0.02 of the target's mean square, on 400 points,
Gaussian kernel of width 0.05, targets of up to 4 waves; mean, standard error, least and most over
targets. The learnt teacher (PPO of Stable-Baselines3) chooses among 40 examples, as the greedy one
beside it, sees errors relative to the largest, and is tested on targets it has not met, drawing
its actions (the likeliest may repeat itself without end where it is wrong).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import teachenv  # noqa: F401  (registers the environments)
from teachenv.envs.datagen.functional_relative import RelativeError
from teachenv.envs.datagen.play import play
from teachenv.lesson import GameTeacher
from teachers.data import games

ONE, MANY = "teachenv/FunctionalTeaching-v0", "teachenv/FunctionalTeachingMulti-v0"
SMALL = 40
FIRST_TEST = 10_000
"""Seeds of the test targets; the learnt teacher's own start at 0."""


def examples(env: gym.Env[Any, Any], teacher: GameTeacher, seed: int) -> int:
    """Return the examples an episode takes."""
    return len(play(env, teacher, seed=seed).rewards)


def make(env_id: str, n_steps: int = 1000, **options: Any) -> gym.Env[Any, Any]:
    return gym.make(env_id, n_steps=n_steps, disable_env_checker=True, **options)


class Learnt:
    """A trained policy; its actions are drawn."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def act(self, observation: Any) -> int:
        return int(self._model.predict(observation, deterministic=False)[0])

    def tell(self, info: Any) -> None: ...


def learn(seed: int, steps: int) -> Learnt:
    """Train PPO on targets of its own."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)
    envs = DummyVecEnv([lambda: RelativeError(make(ONE, 200, pool_size=SMALL))] * 8)
    net = {"net_arch": {"pi": [128], "vf": [64]}, "activation_fn": torch.nn.ReLU}
    model = PPO(
        "MlpPolicy",
        envs,
        n_steps=128,
        batch_size=256,
        n_epochs=6,
        learning_rate=1e-3,
        gamma=0.0,
        policy_kwargs=net,
        seed=seed,
        device="cpu",
    )
    model.learn(steps)
    return Learnt(model)


def row(name: str, counts: list[int]) -> float:
    values: NDArray[np.float64] = np.array(counts, dtype=np.float64)
    error = values.std(ddof=1) / np.sqrt(len(values))
    print(f"| {name} | {values.mean():.1f} ± {error:.1f} | {values.min():.0f}-{values.max():.0f} |")
    return float(values.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rl-seeds", type=int, default=3)
    parser.add_argument("--rl-steps", type=int, default=120_000)
    given = parser.parse_args()
    seeds = range(FIRST_TEST, FIRST_TEST + given.seeds)
    print("| teacher | examples | least-most |\n|---|---|---|")
    one, greedy = make(ONE), games.make("functional", "greedy")
    row("random", [examples(one, games.make("functional", "random", seed=s), s) for s in seeds])
    row("greedy", [examples(one, greedy, s) for s in seeds])
    small = make(ONE, pool_size=SMALL)
    row(f"greedy, pool of {SMALL}", [examples(small, greedy, s) for s in seeds])
    for seed in range(given.rl_seeds):
        start = time.process_time()
        learnt = learn(seed, given.rl_steps)
        name = f"PPO, seed {seed}, {given.rl_steps:,} steps, {time.process_time() - start:.0f} s"
        row(name, [examples(RelativeError(small), learnt, s) for s in seeds])
    print("\n| learners | taught | examples | least-most |\n|---|---|---|---|")
    for n in (3, 5):
        teacher = games.make("functional", "greedy", n_learners=n)
        alone = [sum(examples(one, greedy, 100 * s + k) for k in range(n)) for s in seeds]
        row(f"{n} | one after the other", alone)
        for share in (False, True):
            many = make(MANY, n_learners=n, communication=share)
            name = f"{n} | together, {'with' if share else 'without'} communication"
            row(name, [examples(many, teacher, s) for s in seeds])


if __name__ == "__main__":
    main()
