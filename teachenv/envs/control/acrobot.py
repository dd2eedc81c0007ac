"""Gymnasium's Acrobot with motor and links as its task."""

from __future__ import annotations

from typing import Any

from teachenv.space import Dim, TaskSpace
from teachenv.wrap import Parameterize

TASKS = TaskSpace(
    [
        Dim("torque", 0.6, 2.0, default=1.0, unit="N m", meaning="of the motor"),
        Dim("mass", 0.5, 1.5, default=1.0, unit="kg", meaning="of the lower link"),
        Dim("length", 0.5, 1.5, default=1.0, unit="m", meaning="of the upper link"),
    ]
)


def make_acrobot(render_mode: str | None = None) -> Parameterize:
    """Swing a double pendulum up: Gymnasium's Acrobot-v1, observation and action as there.

    The centre of mass of the upper link stays in its middle. Mastered: a return above -200 of at
    most 0, which is within 200 steps of 500. The task cannot be observed.

    Args:
        render_mode: See Gymnasium's environment.
    """
    return Parameterize(
        "Acrobot-v1",
        TASKS,
        set_physics,
        return_range=(-500.0, 0.0),
        mastery=-200.0,
        harder={"torque": -1},
        render_mode=render_mode,
    )


def set_physics(env: Any, task: dict[str, Any]) -> None:
    """Set the physics of an ``AcrobotEnv``."""
    env.AVAIL_TORQUE = [-task["torque"], 0.0, task["torque"]]
    env.LINK_MASS_2 = task["mass"]
    env.LINK_LENGTH_1 = task["length"]
    env.LINK_COM_POS_1 = task["length"] / 2
