"""One rule per environment, with the student's state and with the state taken away.

After DataEnvGym's policies: Open-Ended repeats what went wrong (or what was asked at random),
Skill-List gives each skill what it lacks (or the same), Skill-Tree grows and fills the trees of
weak skills (or moves at random).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from digits_play import make, test
from numpy.typing import NDArray

import teachers.data
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import draw
from teachenv.seeding import derive
from teachenv.trees import MOVES

VARIANTS = ("OpenEnded", "SkillList", "SkillTree")

Policy = Callable[[Any, dict[str, Any], np.random.Generator], NDArray[Any]]


def gains(
    variant: str, with_state: bool, seeds: range, train_mode: str = "retrain", **settings: Any
) -> list[float]:
    """Return what the test accuracy gained in an episode, per seed."""
    policy = _POLICIES[variant]
    extra = {"action_mode": "alloc"} if variant == "SkillList" else {}
    if variant == "OpenEnded":
        extra = {"n_slots": 8, "n_amounts": 2, "deduplicate": False}
    env = make(f"teachenv/DataGen{variant}-digits-v0", train_mode=train_mode, **extra, **settings)
    values = []
    for seed in seeds:
        rng = derive(seed, "policy")
        observation, _ = env.reset(seed=seed)
        before, done = test(env), False
        while not done:
            action = policy(env, observation, rng) if with_state else _blind(env, observation, rng)
            observation, _, terminated, truncated, _ = env.step(action)
            done = terminated or truncated
        values.append(test(env) - before)
    return values


def _blind(env: Any, observation: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    if "errors" in observation:
        return _orders(env, observation, np.ones(len(observation["errors"]), bool), rng)
    if "exists" in observation:
        return rng.integers(0, 6, len(env.action_space.nvec))
    return np.zeros(env.action_space.shape, np.float32)


def _open_ended(env: Any, observation: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    wrong = observation["errors"][:, len(env.domain.feature_names)] == 0.0
    return _orders(env, observation, wrong if wrong.any() else ~wrong, rng)


def _orders(
    env: Any, observation: dict[str, Any], like: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return orders for questions like some of those shown, read by the nearest mean picture."""
    n_features = len(env.domain.feature_names)
    shown = observation["errors"][:, :n_features]
    means = _mean_pictures(env)
    distance = ((shown[:, None, None] - means) ** 2).sum(axis=-1)
    nearest = distance.reshape(len(shown), -1).argmin(axis=1)
    skill, level = np.divmod(nearest, means.shape[1])
    chosen = rng.choice(np.flatnonzero(like), env.action_space.nvec.size // 3)
    return np.stack([skill[chosen], level[chosen], np.ones_like(chosen)], axis=1).reshape(-1)


def _mean_pictures(env: Any) -> NDArray[np.float32]:
    if not hasattr(env, "mean_pictures"):
        rng, (n_skills, n_levels) = derive(0, "teacher's eyes"), env.syllabus.shape
        items = Items.concat(
            [draw(env.domain, s, v, 100, "train", rng) for s, v in np.ndindex(n_skills, n_levels)]
        )
        features = env.domain.features(items).reshape(n_skills, n_levels, 100, -1)
        env.mean_pictures = features.mean(axis=2)
    return np.asarray(env.mean_pictures)


def _skill_list(env: Any, observation: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    return (1.0 - 2.0 * observation["accuracy"]).reshape(-1)


def _skill_tree(env: Any, observation: dict[str, Any], rng: np.random.Generator) -> NDArray[Any]:
    teacher = teachers.data.make("skill-tree", env.syllabus)
    teacher.begin()
    return np.array([MOVES.index(str(move)) for move in teacher.plan(env.reading).moves])


_POLICIES: dict[str, Policy] = {
    "OpenEnded": _open_ended,
    "SkillList": _skill_list,
    "SkillTree": _skill_tree,
}
