"""The worlds on which teachers are judged: analytic students, plain and under stress."""

from __future__ import annotations

from teachenv.experiments.bench_play import World

_TOY = "teachenv.envs.toy"
_GRID = f"{_TOY}.skill_grid:SkillGrid"

# Four cells, as the ten bins of some teachers would fall together with five.
_SMALL = {"n_cells": 4}

WORLDS: dict[str, World] = {
    "grid": World("4 x 4 skills that unlock their neighbours", _GRID, _SMALL),
    "grid-3d": World("3 x 3 x 3 skills", _GRID, {"n_dims": 3, "n_cells": 3}),
    "forgetting": World(
        "4 x 4 skills, forgotten when not practised",
        f"{_TOY}.forgetting:Forgetting",
        {"n_cells": 4, "memory": 64},
    ),
    "stones": World(
        "20 skills along a winding path with dead ends", f"{_TOY}.stepping_stones:SteppingStones"
    ),
    "unlearnable": World(
        "3 x 3 skills in a tenth of the tasks, 0 elsewhere",
        f"{_TOY}.unlearnable_box:UnlearnableBox",
    ),
    "noisy": World(
        "3 x 3 skills in a tenth of the tasks, noise elsewhere",
        f"{_TOY}.unlearnable_box:UnlearnableBox",
        {"noise": 0.2},
    ),
    "trivial": World("grid; three quarters of the tasks trivial", _GRID, _SMALL, "mostly-trivial"),
    "unfeasible": World(
        "grid; three quarters of the tasks unfeasible", _GRID, _SMALL, "mostly-unfeasible"
    ),
    "rugged": World(
        "grid; rows and columns in disorder", _GRID, _SMALL, "rugged", {"n_segments": 4}
    ),
    "irrelevant": World(
        "grid; three parameters without effect", _GRID, _SMALL, "irrelevant", {"n_irrelevant": 3}
    ),
    "new-student": World("grid; another student half-way", _GRID, _SMALL, new_student_every=1500),
}
"""The worlds of the bench."""

PAPER: dict[str, World] = {
    "paper-grid": World(
        "10 x 10 skills, 20,000 episodes (Portelas et al., 2019)", _GRID, n_episodes=20_000
    )
}
"""Worlds that are too long for the bench; only played where they are named."""
