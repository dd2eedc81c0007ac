"""Teachers of the table, small enough to fill their windows within a test.

A teacher that leaves its bootstrap within 50 outcomes, and whose windows are full after 100, needs
no line here.
"""

from __future__ import annotations

import functools
from typing import Any

import teachers
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher
from teachers.check import LearnsFrom

CELLS = {"bins": 2}
GMM = {"fit_rate": 40, "min_k": 1, "max_k": 2}
LEVELS = {"capacity": 20}

SMALL: dict[str, dict[str, Any]] = {
    "accel": {**LEVELS, "batch": 4, "n_parents": 2},
    "adr": {"queue": 3, "t_high": 0.4},
    "alp-gmm": {**GMM, "window": 100},
    "covar-gmm": GMM,
    "currot": {"n_particles": 10, "update_every": 10},
    "doraemon": {"update_every": 20},
    "exp3s": CELLS,
    "goal-gan": {"update_size": 10, "n_iterations": 2, "n_pretraining": 2, "hidden": 8},
    "grid": {"n_cells": 4, "n_outcomes": 3, "success_rate": 0.3, "max_cells": 100},
    "lp-bins": CELLS,
    "magellan": {"window": 40, "update_every": 10, "n_steps": 2, "n_candidates": 50, "hidden": 8},
    "mix": {
        "parts": [
            {"teacher": "uniform", "until": 30},
            {"teacher": "plr", "args": LEVELS, "share": 0.3},
            {"teacher": "riac", "args": {"max_region_size": 20}, "from": 10},
        ]
    },
    "plr": LEVELS,
    "procurl": {"window": 40, "update_every": 10, "n_candidates": 50},
    "riac": {"max_region_size": 20},
    "robust-plr": LEVELS,
    "schedule": {"stages": [{"until": 50}, {}]},
    "setter-solver": {"window": 20, "update_every": 20, "n_steps": 1, "batch": 20, "hidden": 8},
    "sfl": {"n_levels": 10, "n_attempts": 2, "keep": 3, "period": 20, "signal": "score"},
    "sliding-ucb": {**CELLS, "window": 50},
    "spdl": {"update_every": 20, "alpha_offset": 1},
    "spgl": {"update_every": 20, "alpha_offset": 1},
    "thompson": {**CELLS, "memory": 50.0},
    "tscl-naive": CELLS,
    "tscl-online": CELLS,
    "tscl-sampling": {**CELLS, "window": 5},
    "tscl-window": {**CELLS, "window": 5},
    "ucb": CELLS,
    "vds": {"window": 40, "update_every": 10, "n_candidates": 50},
}
"""Hyper-parameters by teacher id; what is left out keeps its default."""

LEARNS_FROM: dict[str, LearnsFrom] = {
    "goal-gan": "outcomes",  # a task one of whose rollouts is lost is not labelled
    "oracle": "outcomes",
    "schedule": "nothing",
    "tscl-naive": "outcomes",  # a dozen trials in a row are of one arm
    "uniform": "nothing",
}
"""What a teacher is seen to learn from, where that is not "tasks"."""

N_TRIALS: dict[str, int] = {"goal-gan": 60, "magellan": 60, "setter-solver": 60}
"""Trials of the longer rules in the fast tier, where that is not 100: fewer for costly ones."""

REFUSES: dict[str, tuple[str, ...]] = {}
"""Sample spaces that a teacher says it cannot work on."""


hyper_parameters = functools.cache(teachers.hyper_parameters)


def told(id: str, space: TaskSpace, *, seed: int = 0, **hyper: Any) -> BaseTeacher:
    """A teacher that was told what an environment would tell it."""
    accepted = hyper_parameters(id)
    facts = {"mastery": 0.0, "harder": {space.names[0]: 1}}
    known = {name: value for name, value in facts.items() if name in accepted}
    return teachers.make(id, space, seed=seed, **{**known, **hyper})


def build(id: str, space: TaskSpace, *, seed: int = 0, **hyper: Any) -> BaseTeacher:
    """The same, small."""
    return told(id, space, seed=seed, **{**SMALL.get(id, {}), **hyper})
