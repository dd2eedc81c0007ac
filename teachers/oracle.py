"""Oracle: a hand-made window that slides from easy tasks to hard ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, UnitPoint
from teachers.values import direction_problems, finite_number, refuse

WIDTH = 1.0 / 6.0
"""Width of the window, as a share of the range of each ordered parameter."""

BATCH = 50
"""Outcomes between two decisions; batches do not overlap."""


class Oracle(BaseTeacher):
    """Sliding window ordered by an expert (Portelas et al., CoRL 2019, "Oracle").

    Tasks are drawn uniformly from a window that starts at the easy end. After every ``BATCH``
    outcomes, if their mean episode return is above ``mastery``, the window moves one step
    towards the hard end, and stays there once it arrives; it never moves back. Parameters
    that are not ordered are drawn from their whole range.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        mastery: Mean episode return (raw, not a score) above which the window moves; an
            environment's ``mastery``.
        harder: Parameter name -> +1 where larger values are harder, -1 where smaller ones are;
            an environment's ``harder``. At least one.
        step: Length of a move, as a share of the range. In (0, 1]; 1/30 as published for stump
            tracks (+0.1 of 3 in height, -0.2 of 6 in spacing).

    Raises:
        ValueError: without an order or a threshold, or for values out of range.
        TypeError: for a threshold or step that is not a number.
    """

    id = "oracle"
    knowledge: ClassVar[Knowledge] = "initial distribution"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "stump-tracks": {"harder": {"stump_height": 1, "stump_spacing": -1}, "step": 1 / 30},
        "hexagon-tracks": {
            "harder": {f"vertex{i}_{axis}": 1 for i in range(1, 7) for axis in ("dx", "dy")},
            "step": 1 / 40,
        },
        "stump-sequences": {
            "harder": {f"stump{i}_{size}": 1 for i in range(1, 6) for size in ("height", "width")},
            "step": 1 / 60,
        },
    }
    """Published directions and steps (0.1 of 4 and of 6 in hexagons and sequences), for the
    parameters of the tracks of the same name."""

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        mastery: float | None = None,
        harder: Mapping[str, int] | None = None,
        step: float = 1.0 / 30.0,
    ) -> None:
        super().__init__(space, seed=seed)
        if mastery is None:
            raise ValueError(
                "oracle: mastery: no threshold is known; give the mean episode return above "
                "which the window moves, such as mastery=env.unwrapped.mastery"
            )
        self._mastery = finite_number("oracle: mastery", mastery)
        self._step = finite_number("oracle: step", step)
        if not 0.0 < self._step <= 1.0:
            raise ValueError(f"oracle: step: expected a number in (0, 1], got {step}")
        self._direction = _direction(space, harder)
        self._moves = 0
        self._returns: list[float] = []

    def window(self) -> tuple[UnitPoint, UnitPoint]:
        """Return the lower and upper corner of the window in the unit cube."""
        start = min(self._moves * self._step, 1.0 - WIDTH)
        low = np.select(
            [self._direction > 0, self._direction < 0], [start, 1.0 - WIDTH - start], 0.0
        )
        return low, np.where(self._direction != 0, low + WIDTH, 1.0)

    def _sample(self) -> tuple[UnitPoint, str]:
        low, high = self.window()
        return low + (high - low) * self._rng.random(self.space.dim), f"window {self._moves}"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self._returns.append(float(outcome.episode_return))
        if len(self._returns) < BATCH:
            return
        mean = math.fsum(self._returns) / BATCH
        self._returns.clear()
        if mean > self._mastery and self._moves * self._step < 1.0 - WIDTH:
            self._moves += 1

    def _describe(self) -> dict[str, Any]:
        low, high = self.window()
        return {"window": {"low": low, "high": high}, "n_moves": self._moves}

    def _state(self) -> State:
        return {"moves": self._moves, "returns": list(self._returns)}

    def _load_state(self, state: State) -> None:
        moves, returns = int(state["moves"]), [float(value) for value in state["returns"]]
        self._moves, self._returns = moves, returns


def _direction(space: TaskSpace, harder: Mapping[str, int] | None) -> NDArray[np.float64]:
    if not harder:
        raise ValueError(
            "oracle: harder: no order of difficulty is known for these tasks; say for each "
            f"ordered parameter whether larger (+1) or smaller (-1) values are harder, "
            f"such as harder={{{space.names[0]!r}: 1}}"
        )
    refuse("oracle", direction_problems(space, harder))
    return np.array([harder.get(name, 0) for name in space.names], dtype=np.float64)
