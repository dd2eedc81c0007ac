"""Gymnasium's CartPole with pole, push and gravity as its task."""

from __future__ import annotations

from typing import Any

from teachenv.space import Dim, TaskSpace
from teachenv.wrap import Parameterize

TASKS = TaskSpace(
    [
        Dim("half_length", 0.1, 2.0, default=0.5, unit="m", meaning="of the pole"),
        Dim("force", 2.0, 20.0, default=10.0, unit="N", meaning="of every push"),
        Dim("gravity", 5.0, 15.0, default=9.8, unit="m/s^2"),
    ]
)


def make_cart_pole(render_mode: str | None = None) -> Parameterize:
    """Balance a pole on a cart: Gymnasium's CartPole-v1, observation and action as there.

    Mastered: a return above 475 of 500, Gymnasium's own threshold; one linear controller masters
    every corner of the task space. The task cannot be observed.

    Args:
        render_mode: See Gymnasium's environment.
    """
    return Parameterize(
        "CartPole-v1",
        TASKS,
        set_physics,
        return_range=(0.0, 500.0),
        mastery=475.0,
        render_mode=render_mode,
    )


def set_physics(env: Any, task: dict[str, Any]) -> None:
    """Set the physics of a ``CartPoleEnv``."""
    env.length = task["half_length"]
    env.polemass_length = env.masspole * env.length
    env.force_mag = task["force"]
    env.gravity = task["gravity"]
