"""Gymnasium's Pendulum with gravity, mass and length as its task."""

from __future__ import annotations

from typing import Any

from teachenv.space import Dim, TaskSpace
from teachenv.wrap import Parameterize

TASKS = TaskSpace(
    [
        Dim("gravity", 2.0, 12.0, default=10.0, unit="m/s^2"),
        Dim("mass", 0.5, 1.5, default=1.0, unit="kg"),
        Dim("length", 0.5, 1.5, default=1.0, unit="m"),
    ]
)


def make_pendulum(render_mode: str | None = None) -> Parameterize:
    """Swing a pendulum up and hold it: Gymnasium's Pendulum-v1, observation and action as there.

    The motor is as strong as ever: light, short or in weak gravity the pendulum can be lifted at
    once, heavy and long it has to swing. Mastered: a return above -500 of at least -1600, which an
    energy controller reaches nearly everywhere. The task cannot be observed.

    Args:
        render_mode: See Gymnasium's environment.
    """
    return Parameterize(
        "Pendulum-v1",
        TASKS,
        set_physics,
        return_range=(-1600.0, 0.0),
        mastery=-500.0,
        harder={"gravity": 1, "mass": 1, "length": 1},
        render_mode=render_mode,
    )


def set_physics(env: Any, task: dict[str, Any]) -> None:
    """Set the physics of a ``PendulumEnv``."""
    env.g, env.m, env.l = task["gravity"], task["mass"], task["length"]
