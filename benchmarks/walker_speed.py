"""Steps per second of the reference walker against Gymnasium's, in one process.

Repetitions alternate between the environments, so that other work on the machine hits all alike;
times are CPU time of this process, figures are medians. Every environment is called unwrapped,
with the same random actions; resets are timed apart.

    python benchmarks/walker_speed.py --steps 3000 --repetitions 7
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker

import teachenv  # noqa: F401  (registers the ids)

STUMPS = {"task": {"stump_height": 1.5, "stump_spacing": 3.0}}


def environments() -> dict[str, tuple[gym.Env[Any, Any], dict[str, Any] | None]]:
    def ours(name: str, **kwargs: Any) -> gym.Env[Any, Any]:
        return gym.make(f"teachenv/{name}", **kwargs).unwrapped

    return {
        "gymnasium easy": (BipedalWalker(), None),
        "gymnasium hardcore": (BipedalWalker(hardcore=True), None),
        "Walker-v0 easy": (ours("Walker-v0"), None),
        "Walker-v0 hardcore": (ours("Walker-v0", hardcore=True), None),
        "StumpTracks-v0": (ours("StumpTracks-v0", backend="reference"), STUMPS),
    }


def measure(
    env: gym.Env[Any, Any], options: dict[str, Any] | None, n_steps: int, seed: int
) -> tuple[float, float]:
    """Return seconds per step and per reset."""
    actions = np.random.default_rng(seed).uniform(-1, 1, (n_steps, 4)).astype(np.float32)
    step_s = reset_s = 0.0
    n_resets, done, i = 0, True, 0
    while i < n_steps:
        if done:
            begin = time.process_time()
            env.reset(seed=seed + n_resets, options=options)
            reset_s += time.process_time() - begin
            n_resets += 1
        begin = time.process_time()
        done = False
        while i < n_steps and not done:
            done = env.step(actions[i])[2]
            i += 1
        step_s += time.process_time() - begin
    return step_s / n_steps, reset_s / n_resets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=3000, help="steps per repetition")
    parser.add_argument("--repetitions", type=int, default=7)
    args = parser.parse_args()
    envs = environments()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in envs}
    for repetition in range(args.repetitions):
        for name, (env, options) in envs.items():
            times[name].append(measure(env, options, args.steps, 1000 * repetition))
    print(
        f"{'environment':20s} {'steps/s':>9s} {'us/step':>9s} {'x gymnasium':>12s} {'reset ms':>9s}"
    )
    for name, rows in times.items():
        base = times["gymnasium hardcore" if "hardcore" in name else "gymnasium easy"]
        ratio = statistics.median(b[0] / r[0] for b, r in zip(base, rows, strict=True))
        step_s = statistics.median(row[0] for row in rows)
        reset_s = statistics.median(row[1] for row in rows)
        print(
            f"{name:20s} {1 / step_s:9.0f} {1e6 * step_s:9.1f} {ratio:12.2f} {1e3 * reset_s:9.2f}"
        )


if __name__ == "__main__":
    main()
