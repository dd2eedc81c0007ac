"""What the teacher loop costs: SB3 PPO alone against the same PPO through broker and teacher.

Both arms play tasks drawn evenly, with the same hyper-parameters; they are interleaved and
timed in CPU seconds of the process. A third, instrumented run adds up the time spent in the
curriculum wrapper, the broker, the teacher and the signals.

    python benchmarks/loop_overhead.py [environment id] [steps per arm and repeat] [repeats]
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import students
import teachers
from students import sb3_ppo
from teachenv import Dim, Parameterize, TaskSpace
from teachenv.broker import Broker
from teachenv.env import MakeEnv
from teachenv.seeding import derive
from teachenv.wrap import CurriculumWrapper

TEACHER = "alp-gmm"
spent: dict[str, float] = {}


class RandomTasks(gym.Wrapper[Any, Any, Any, Any]):
    """Plays an evenly drawn task each episode, without any loop."""

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        super().__init__(env)
        self.rng = derive(seed, "tasks")
        self.space: TaskSpace = env.get_wrapper_attr("task_space")

    def reset(self, **kwargs: Any) -> Any:
        """Reset on a new task."""
        return self.env.reset(
            seed=kwargs.get("seed"), options={"task": self.space.sample(self.rng)}
        )


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = function(*args, **kwargs)
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - start
        return result

    return call


class Timed(gym.Wrapper[Any, Any, Any, Any]):
    """Adds up the time of the environment itself."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.step = timed("environment", env.step)  # type: ignore[method-assign]
        self.reset = timed("environment", env.reset)  # type: ignore[method-assign]


def flat_walker() -> gym.Env[Any, Any]:
    space = TaskSpace([Dim("nothing")])
    return Parameterize(
        "BipedalWalker-v3", space, lambda env, task: None, return_range=(-150, 350), mastery=230
    )


def bare(make_env: Callable[[], gym.Env[Any, Any]]) -> PPO:
    hyper = students.hyper_parameters("sb3-ppo")
    lanes = [functools.partial(RandomTasks, make_env(), i) for i in range(hyper["n_envs"])]
    env = VecNormalize(DummyVecEnv(lanes), gamma=hyper["gamma"])  # type: ignore[arg-type]
    shared = ("n_steps", "batch_size", "n_epochs", "learning_rate", "gamma", "gae_lambda")
    rest = {name: hyper[name] for name in (*shared, "clip_range", "ent_coef")}
    net = {"net_arch": list(hyper["hidden"])}
    return PPO("MlpPolicy", env, policy_kwargs=net, seed=0, device="cpu", **rest)


def through_loop(make_env: Callable[[], gym.Env[Any, Any]]) -> tuple[Any, Broker]:
    space: TaskSpace = make_env().get_wrapper_attr("task_space")
    broker = Broker(teachers.make(TEACHER, space, seed=0))
    return students.make("sb3-ppo", make_env, broker), broker


def main(env_id: str = "flat", n_steps: str = "16384", repeats: str = "5") -> None:
    make_env = flat_walker if env_id == "flat" else MakeEnv(env_id)
    torch.set_num_threads(1)
    steps = int(n_steps)
    alone = bare(make_env)
    student, broker = through_loop(make_env)
    rates: dict[str, list[float]] = {"alone": [], "loop": []}
    for k in range(int(repeats)):
        start = time.process_time()
        alone.learn(steps, reset_num_timesteps=False)
        rates["alone"].append(steps / (time.process_time() - start))
        start = time.process_time()
        taken = student.learn(steps, seed=k)
        broker.close_round()
        rates["loop"].append(taken / (time.process_time() - start))
    pairs = [b / a - 1 for a, b in zip(rates["loop"], rates["alone"], strict=True)]
    print(
        f"environment {env_id}, teacher {TEACHER}, {repeats} interleaved repeats of {steps} steps"
    )
    for name, values in rates.items():
        print(
            f"{name:>6}: median {statistics.median(values):7.0f} steps per CPU second "
            f"({min(values):.0f} to {max(values):.0f})"
        )
    print(f"CPU time through the loop: {100 * statistics.median(pairs):+.1f} % (median of pairs)")
    instrumented(make_env, steps)


def instrumented(make_env: Callable[[], gym.Env[Any, Any]], steps: int) -> None:
    for name in ("step", "reset"):
        method = getattr(CurriculumWrapper, name)
        setattr(CurriculumWrapper, name, timed("wrapper and environment", method))
    recorder = sb3_ppo._Recorder
    for name in ("_on_step", "_on_rollout_end"):
        setattr(recorder, name, timed("signals", getattr(recorder, name)))
    student, _ = through_loop(lambda: Timed(make_env()))
    spent.clear()
    start = time.perf_counter()
    student.learn(steps, seed=0)
    total = time.perf_counter() - start
    wrapper = spent["wrapper and environment"] - spent["environment"]
    print(
        f"shares of wall time: environment {100 * spent['environment'] / total:.1f} %, wrapper, "
        f"broker and teacher {100 * wrapper / total:.2f} %, "
        f"signals {100 * spent['signals'] / total:.2f} %"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
