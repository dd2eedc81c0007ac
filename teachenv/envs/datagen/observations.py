"""Readings as arrays for agents: what the skill-list and skill-tree environments show."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.lesson import Reading, Syllabus

__all__ = ["MAX_LOSS", "observation_space", "observe", "observe_trees", "tree_space"]

MAX_LOSS = 10.0
"""Losses are cut here in observations, in nats."""

_SHARES = ("accuracy", "confidence", "data_share", "last_alloc", "visible")
_SLOTS = ("exists", "first", "last", "variant", "alloc", "data", "train_acc", "train_known")


def observation_space(syllabus: Syllabus) -> spaces.Dict:
    """Return the space of :func:`observe`."""
    cells = syllabus.shape
    boxes: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(0.0, 1.0, cells, np.float32) for name in _SHARES
    }
    boxes["delta"] = spaces.Box(-1.0, 1.0, cells, np.float32)
    boxes["loss"] = spaces.Box(0.0, MAX_LOSS, cells, np.float32)
    boxes |= {name: spaces.Box(0.0, 1.0, (1,), np.float32) for name in ("budget_left", "step")}
    return spaces.Dict(boxes)


def observe(reading: Reading, syllabus: Syllabus) -> dict[str, NDArray[np.float32]]:
    """Return a reading as float32 arrays.

    S skills by L levels: ``accuracy``, ``confidence``, ``data_share``, ``last_alloc`` and
    ``visible`` in [0, 1], ``delta`` in [-1, 1], ``loss`` in [0, ``MAX_LOSS``] nats, each of shape
    ``(S, L)``; ``budget_left`` and ``step``, shares of the episode, shape ``(1,)``.
    """
    cells = {name: getattr(reading, name) for name in (*_SHARES, "delta")}
    cells["loss"] = np.minimum(reading.loss, MAX_LOSS)
    cells["budget_left"] = np.array([reading.budget_left])
    cells["step"] = np.array([reading.step / syllabus.n_steps])
    return {name: value.astype(np.float32) for name, value in cells.items()}


def tree_space(syllabus: Syllabus, n_slots: int) -> spaces.Dict:
    """Return the space of :func:`observe_trees`, for trees of up to ``n_slots`` subskills."""
    n_skills = len(syllabus.skills)
    boxes: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(0.0, 1.0, (n_skills, n_slots), np.float32) for name in _SLOTS
    }
    boxes["skill_acc"] = spaces.Box(0.0, 1.0, (n_skills,), np.float32)
    boxes["last_reward"] = spaces.Box(-1.0, 1.0, (n_skills,), np.float32)
    boxes["last_action"] = spaces.Box(0.0, 1.0, (n_skills, 3), np.float32)
    boxes |= {name: spaces.Box(0.0, 1.0, (1,), np.float32) for name in ("budget_left", "step")}
    return spaces.Dict(boxes)


def observe_trees(reading: Reading, syllabus: Syllabus) -> dict[str, NDArray[np.float32]]:
    """Return the trees of a reading as float32 arrays.

    See :class:`teachenv.envs.datagen.skill_tree.SkillTree` for what they are.
    """
    trees = reading.trees
    n_slots = max(len(tree.subskills) + tree.free for tree in trees)
    slots = {name: np.zeros((len(trees), n_slots)) for name in _SLOTS}
    hardest, taught = max(1, syllabus.n_levels - 1), max(1, sum(tree.taught for tree in trees))
    n_variants = max(1, *(len(tree.variants) for tree in trees))
    for skill, tree in enumerate(trees):
        for slot, each in enumerate(tree.subskills):
            known = each.train_accuracy is not None
            values = (
                True,
                each.first / hardest,
                each.last / hardest,
                each.variant / n_variants,
                each.alloc / syllabus.n_samples,
                each.taught / taught,
                each.train_accuracy or 0.0,
                known,
            )
            for name, value in zip(_SLOTS, values, strict=True):
                slots[name][skill, slot] = value
    done = np.array([tree.last for tree in trees])
    observation = {
        **slots,
        "skill_acc": np.array([tree.accuracy for tree in trees]),
        "last_reward": np.array([tree.delta for tree in trees]),
        "last_action": done / (1.0 + done),
        "budget_left": np.array([reading.budget_left]),
        "step": np.array([reading.step / syllabus.n_steps]),
    }
    return {name: value.astype(np.float32) for name, value in observation.items()}
