"""Gymnasium's LunarLander with gravity and wind as its task."""

from __future__ import annotations

from typing import Any

from teachenv.space import Dim, TaskSpace
from teachenv.wrap import Parameterize

TASKS = TaskSpace(
    [
        Dim("gravity", 2.0, 11.9, default=10.0, unit="m/s^2", meaning="downwards"),
        Dim("wind", 0.0, 20.0, default=0.0, meaning="push to the side, at most"),
        Dim("turbulence", 0.0, 2.0, default=0.0, meaning="turn, at most"),
    ]
)


def make_lunar_lander(continuous: bool = False, render_mode: str | None = None) -> Parameterize:
    """Land between two flags: Gymnasium's LunarLander-v3, observation and action as there.

    Bounds are those Gymnasium recommends. Mastered: a return above 200, Gymnasium's threshold. The
    task cannot be observed.

    Args:
        continuous: Whether engines are throttled instead of switched.
        render_mode: See Gymnasium's environment.
    """
    return Parameterize(
        "LunarLander-v3",
        TASKS,
        set_physics,
        return_range=(-400.0, 300.0),
        mastery=200.0,
        harder={"wind": 1, "turbulence": 1},
        continuous=continuous,
        enable_wind=True,
        render_mode=render_mode,
    )


def set_physics(env: Any, task: dict[str, Any]) -> None:
    """Set the physics of a ``LunarLander``; its next reset builds a world with them."""
    env.gravity = -task["gravity"]
    env.wind_power = task["wind"]
    env.turbulence_power = task["turbulence"]
