"""Hyper-parameters: those that suit a kind of environment, and refusing those out of range."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym

from teachenv.env import MakeEnv
from teachenv.errors import UserError

Group = Mapping[str, Any]
_NONE: Group = {}


@dataclass(frozen=True)
class PpoDefaults:
    """Hyper-parameters of PPO that depend on how the environments are stepped.

    Attributes:
        n_envs: Environments stepped together.
        n_steps: Steps of each of them per rollout.
        batch_size: Steps per gradient step.
        n_epochs: Passes over each rollout.
        learning_rate: Of Adam.
        gamma: Discount factor.
    """

    n_envs: int
    n_steps: int
    batch_size: int
    n_epochs: int
    learning_rate: float
    gamma: float

    def but(self, **given: Any) -> PpoDefaults:
        """Return this with the numbers that are given, and not ``None``, in place of its own."""
        return replace(self, **{name: x for name, x in given.items() if x is not None})


PLAIN = PpoDefaults(
    n_envs=16, n_steps=256, batch_size=256, n_epochs=10, learning_rate=3e-4, gamma=0.999
)
"""For environments that are stepped one by one and take longer than the updates."""

NATIVE = PpoDefaults(
    n_envs=256, n_steps=128, batch_size=1024, n_epochs=5, learning_rate=5e-4, gamma=0.99
)
"""For native vector environments, where the updates take most of the time. Chosen on the walkers:
rollouts of 64 steps learn flat ground sooner and stumps never, and a discount factor of 0.999
needs three times as many steps."""


def comes_as_vector(make_env: Callable[[], gym.Env[Any, Any]]) -> bool:
    """Return whether many of the environment come as one native vector environment."""
    vector = make_env.vector(1) if isinstance(make_env, MakeEnv) else None
    if vector is not None:
        vector.close()
    return vector is not None


def ppo_defaults(make_env: Callable[[], gym.Env[Any, Any]], **given: Any) -> PpoDefaults:
    """Return what suits an environment, with the numbers given, and not ``None``, in its place."""
    return (NATIVE if comes_as_vector(make_env) else PLAIN).but(**given)


def check_hyper(
    student: str,
    *,
    counts: Group,
    positive: Group,
    shares: Group,
    weights: Group,
    hidden: Any,
    counts_or_0: Group = _NONE,
) -> None:
    """Refuse hyper-parameters out of range, all at once.

    Args:
        student: Id for the message.
        counts: Positive whole numbers, by name.
        positive: Positive numbers, by name.
        shares: Numbers in (0, 1], by name.
        weights: Numbers from 0 up, by name.
        hidden: A sequence of positive whole numbers.
        counts_or_0: Whole numbers from 0 up, by name.

    Raises:
        UserError: naming every refused one, with what was expected.
    """
    rules: list[tuple[Group, str, Callable[[Any], bool]]] = [
        (counts, "a positive whole number", _is_count),
        (counts_or_0, "a whole number from 0 up", lambda x: _is_count(x, 0)),
        (positive, "a positive number", lambda x: _is_number(x) and x > 0),
        (shares, "a number in (0, 1]", lambda x: _is_number(x) and 0 < x <= 1),
        (weights, "a number from 0 up", lambda x: _is_number(x) and x >= 0),
        ({"hidden": hidden}, "a list of positive whole numbers", _is_widths),
    ]
    problems = [
        f"{name}: expected {expected}, got {value!r}"
        for values, expected, accepts in rules
        for name, value in values.items()
        if not accepts(value)
    ]
    if problems:
        raise UserError(f"{student}: " + "; ".join(problems))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_widths(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_count, value))
