"""How fast an environment steps here, in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

from teachenv.env import MakeEnv

LANES = 256
N_ACTIONS = 50
"""Actions drawn before the clock starts, and then played over and over."""


def describe_speed(make_env: MakeEnv, seconds: float = 0.5) -> str:
    """Play random actions and return backend and steps per CPU-second in one line.

    Args:
        make_env: What to make; as many in one where they have such an implementation.
        seconds: CPU time to spend on steps.
    """
    vector = make_env.vector(LANES)
    if vector is not None:
        vector.reset(seed=0)
        vector.action_space.seed(0)
        moves = cycle([vector.action_space.sample() for _ in range(N_ACTIONS)])
        rate = LANES * _calls_per_second(lambda: vector.step(next(moves)), seconds)
        base: Any = vector.unwrapped
        names = (getattr(base, name, None) for name in ("backend", "isa"))
        how = ", ".join([*filter(None, names), f"{LANES} lanes"])
        vector.close()
        return f"{how}: {_rounded(rate)} steps/s on one core"
    env = make_env()
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = cycle([env.action_space.sample() for _ in range(N_ACTIONS)])

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(next(actions))
        if terminated or truncated:
            env.reset()

    rate = _calls_per_second(step, seconds)
    backend = getattr(env.unwrapped, "backend", None)
    env.close()
    return f"{f'{backend} physics: ' if backend else ''}{_rounded(rate)} steps/s, one at a time"


def _calls_per_second(call: Callable[[], object], seconds: float) -> float:
    calls, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        call()
        calls += 1
    return calls / spent


def _rounded(rate: float) -> str:
    """Two digits are all that a short measurement is good for."""
    return f"{float(f'{rate:.2g}'):,.0f}"
