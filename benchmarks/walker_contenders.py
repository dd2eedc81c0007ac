"""What `walker_speed.py` measures: walkers one at a time, in batches, and the bare engine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker

import teachenv  # noqa: F401  (registers the ids)
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.engine import RESTART, STEP, make_engine
from teachenv.envs.bipedal.tracks import STOCK

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from walking_policy import WalkingPolicy

LIMIT = 1600
WALKING = "easy, walking"
STUMPS = {"task": {"stump_height": 1.5, "stump_spacing": 3.0}}
TERRAINS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "easy": ("teachenv/Walker-v0", {}, {}),
    WALKING: ("teachenv/Walker-v0", {}, {}),
    "hardcore": ("teachenv/Walker-v0", {"hardcore": True}, {}),
    "stump tracks": ("teachenv/StumpTracks-v0", {}, {"options": STUMPS}),
}
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (2**17, 4)).astype(np.float32)

WALKING_POLICY = WalkingPolicy()

Turn = Callable[[], tuple[int, float]]
"""Does something once; returns with how many walkers, and the CPU seconds it took."""


def timed(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, float]:
    begin = time.process_time()
    result = call(*args, **kwargs)
    return result, time.process_time() - begin


def choose_actions(calls: int, n: int, observations: Any, walking: bool) -> Any:
    """A trained policy's actions, or random ones."""
    if walking:
        return WALKING_POLICY(observations)
    begin = calls * 7919 % (len(ACTIONS) - n)
    return ACTIONS[begin : begin + n]


class Single:
    """One environment."""

    def __init__(
        self, env: gym.Env[Any, Any], reset: Mapping[str, Any], walking: bool = False
    ) -> None:
        self.env, self.how, self.walking = env, reset, walking
        self.left, self.calls = 0, 0
        self.seen: Any = None

    def step(self) -> tuple[int, float]:
        if self.left == 0:
            self.reset()
        self.calls += 1
        action = choose_actions(self.calls, 1, self.seen[None], self.walking)[0]
        (self.seen, _, terminated, _, _), spent = timed(self.env.step, action)
        self.left = 0 if terminated else self.left - 1
        return 1, spent

    def reset(self) -> tuple[int, float]:
        self.calls, self.left = self.calls + 1, LIMIT
        (self.seen, _), spent = timed(self.env.reset, seed=self.calls, **self.how)
        return 1, spent


class Batch:
    """A vector environment in Gymnasium's NEXT_STEP mode, and how to reset lanes of it."""

    def __init__(
        self, env: Any, n: int, reset_lanes: Callable[[Any], object], walking: bool = False
    ) -> None:
        self.env, self.n, self.reset_lanes, self.walking = env, n, reset_lanes, walking
        self.ended, self.calls = np.zeros(n, np.bool_), 0
        self.seen = np.zeros((n, 24), np.float32)

    def step(self) -> tuple[int, float]:
        self.calls += 1
        actions = choose_actions(self.calls, self.n, self.seen, self.walking)
        (self.seen, _, terminated, truncated, _), spent = timed(self.env.step, actions)
        moved = self.n - int(self.ended.sum())
        self.ended = terminated | truncated
        return moved, spent

    def reset(self) -> tuple[int, float]:
        """Reset one lane in eight."""
        self.calls += 1
        mask = (np.arange(self.n) + self.calls) % min(8, self.n) == 0
        return int(mask.sum()), timed(self.reset_lanes, mask)[1]


class Bare:
    """The engine without the Python around it."""

    def __init__(
        self, n: int, states: Sequence[Any], num_threads: int = 1, isa: str = "auto"
    ) -> None:
        self.engine = make_engine(BODIES["default"], STOCK, n, num_threads, isa)
        chosen = [states[lane % len(states)] for lane in range(n)]
        for lane, state in enumerate(chosen):
            self.engine.set_state(lane, state["engine"].tobytes())
        self.elapsed = np.array([state["elapsed"] for state in chosen])
        self.ended, self.calls = np.zeros(n, np.bool_), 0
        self.tasks, self.seeds = np.zeros((n, 1)), np.arange(n, dtype=np.uint64)
        seen = np.zeros((n, self.engine.observation_size), np.float32)
        self.out = seen, np.zeros(n), np.zeros(n, np.bool_), np.zeros(n)

    def step(self) -> tuple[int, float]:
        self.calls += 1
        actions = choose_actions(self.calls, len(self.ended), None, walking=False)
        mode = np.where(self.ended, RESTART, STEP).astype(np.uint8)
        self.elapsed = np.where(self.ended, 0, self.elapsed + 1)
        self.seeds[self.ended] += np.uint64(len(self.ended))
        levels = self.tasks, self.seeds
        spent = timed(self.engine.advance, mode, actions, *levels, *self.out)[1]
        self.ended = self.out[2] | (self.elapsed >= LIMIT)
        return int((mode == STEP).sum()), spent


def gymnasium_walker(terrain: str) -> Single:
    return Single(BipedalWalker(hardcore=terrain == "hardcore"), {}, terrain == WALKING)


def reference_walker(terrain: str) -> Single:
    name, kwargs, reset = TERRAINS[terrain]
    return Single(
        gym.make(name, backend="reference", **kwargs).unwrapped, reset, terrain == WALKING
    )


def native_walkers(terrain: str, n: int, states: Sequence[Any], **settings: Any) -> Batch:
    name, kwargs, reset = TERRAINS[terrain]
    env: Any = gym.make_vec(name, n, max_episode_steps=LIMIT, **kwargs, **settings)
    env.reset(**reset)
    for lane in range(n if states else 0):
        env.set_state(lane, states[lane % len(states)])

    def reset_lanes(mask: Any) -> None:
        env.reset(options={"reset_mask": mask})

    return Batch(env, n, reset_lanes, terrain == WALKING)
