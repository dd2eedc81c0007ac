"""ADR: a box of tasks that widens where the student does well at its bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.seeding import derive
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, Pick, UnitPoint
from teachers.values import flag_problems, number_problems, refuse, whole_problems

LOW, HIGH = 0, 1
"""The two sides of a dimension."""


class Adr(BaseTeacher):
    """Automatic domain randomisation (Akkaya et al., 2019, algorithm 1).

    ("Solving Rubik's cube with a robot hand".) The numbers are those of TeachMyAgent (Romac et
    al., ICML 2021).

    Tasks are drawn uniformly from a box, at first a single point. With probability
    ``boundary_share`` one parameter, chosen evenly, is put on its lower or upper bound, and the
    score goes to that bound's queue. When a queue holds ``queue`` scores, their mean is looked
    at and the queue emptied: at ``t_high`` or above the bound moves out by ``step``, at
    ``t_low`` or below it moves in, but not past the other one.

    Units: the thresholds are scores. Those of TeachMyAgent, returns 0 and 180 in [-150, 350],
    are 0.3 and 0.66; its step of 0.1 in stump heights up to 3 is 1/30 of the range.

    Deviations: an outcome counts for the bound it was asked for, however late it arrives, and
    not at all if that bound has moved since. In TeachMyAgent it counted for every bound the
    task lay on (``every_bound``; while the box is a point these are all of them), the uniform
    draws started anew from one seed whenever a bound moved (``same_draws``), and a step was as
    long in every parameter, whatever their ranges (``raw_step``).

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        start: The first task, {name: value}; names left out are at the default of the space.
            If ``None`` it is drawn at random, as without expert knowledge in TeachMyAgent.
        boundary_share: Share of tasks on a bound, in [0, 1].
        step: How far a bound moves, as a share of the range, in [0, 1].
        t_low: Mean score at or below which a bound moves in.
        t_high: Mean score at or above which a bound moves out.
        queue: Scores that decide about a bound.
        every_bound: Parity flag, see above.
        same_draws: Parity flag, see above.
        raw_step: Parity flag, see above: ``step`` is in the units of each parameter.

    Raises:
        ValueError: for values out of range, all named at once, or a start that is no task.
    """

    id = "adr"
    knowledge: ClassVar[Knowledge] = "thresholds"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teachmyagent": {
            "boundary_share": 0.7,
            "step": 0.1,
            "t_low": 0.3,
            "t_high": 0.66,
            "queue": 10,
            "every_bound": True,
            "same_draws": True,
            "raw_step": True,
        }
    }
    """The benchmark runs of TeachMyAgent, with the traps of its code; the defaults have its
    numbers without them."""

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        start: Mapping[str, Any] | None = None,
        boundary_share: float = 0.7,
        step: float = 1 / 30,
        t_low: float = 0.3,
        t_high: float = 0.66,
        queue: int = 10,
        every_bound: bool = False,
        same_draws: bool = False,
        raw_step: bool = False,
    ) -> None:
        super().__init__(space, seed=seed)
        problems = [
            *number_problems(0.0, 1.0, boundary_share=boundary_share),
            *number_problems(0.0, math.inf if raw_step is True else 1.0, step=step),
            *number_problems(0.0, 1.0, t_low=t_low, t_high=t_high),
            *whole_problems(queue=queue),
            *flag_problems(every_bound=every_bound, same_draws=same_draws, raw_step=raw_step),
        ]
        if not problems and t_low >= t_high:
            problems.append(f"t_low: expected less than t_high {t_high}, got {t_low}")
        refuse(self.id, problems)
        self._share = boundary_share
        self._step = step / (space.widths if raw_step else np.ones(space.dim))
        self._t_low, self._t_high = t_low, t_high
        self._every_bound = every_bound
        point = self._rng.random(space.dim) if start is None else space.to_unit(space.task(start))
        self._bounds = np.stack([point, point])
        # Of each bound (side, dimension): how often it moved, and its queue of scores.
        self._moves = np.zeros((2, space.dim), dtype=np.int64)
        self._scores = np.zeros((2, space.dim, queue))
        self._n_scores = np.zeros((2, space.dim), dtype=np.int64)
        # In parity, the seed of the uniform draws and how many there were since a bound moved.
        self._same_draws = same_draws
        self._draws = np.zeros(2, dtype=np.int64)
        if same_draws:
            self._draws[0] = self._rng.integers(2**62)

    def _uniform(self) -> UnitPoint:
        if not self._same_draws:
            return self._rng.random(self.space.dim)
        seed, n = self._draws.tolist()
        self._draws[1] += 1
        return derive(seed, "adr", n).random(self.space.dim)

    def _sample(self) -> Pick:
        low, high = self._bounds
        point = low + (high - low) * self._uniform()
        reason, bounds = "box", np.empty((0, 2), dtype=np.int64)
        if self._rng.random() < self._share:
            dim = int(self._rng.integers(self.space.dim))
            side = int(self._rng.integers(2))
            point[dim] = self._bounds[side, dim]
            reason = f"{('lower', 'upper')[side]} bound of {self.space.names[dim]}"
            bounds = np.array([(side, dim)])
        if self._every_bound:
            bounds = np.argwhere(self._bounds == point)
        note = [[side, dim, int(self._moves[side, dim])] for side, dim in bounds.tolist()]
        return Pick(point, reason, note=note)

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        for side, dim, moves in pick.note:
            if self._moves[side, dim] == moves:
                self._push(side, dim, float(outcome.score))

    def _push(self, side: int, dim: int, score: float) -> None:
        queue = self._scores[side, dim]
        queue[self._n_scores[side, dim]] = score
        self._n_scores[side, dim] += 1
        if self._n_scores[side, dim] < len(queue):
            return
        self._n_scores[side, dim] = 0
        mean = math.fsum(queue) / len(queue)
        outwards = 1.0 if side == HIGH else -1.0
        if mean >= self._t_high:
            self._move(side, dim, outwards * self._step[dim], 0.0, 1.0)
        elif mean <= self._t_low:
            low, high = self._bounds[:, dim]
            self._move(side, dim, -outwards * self._step[dim], low, high)

    def _move(self, side: int, dim: int, by: float, least: float, most: float) -> None:
        """Move a bound, within limits; outcomes still to come for where it was are void."""
        moved = min(max(self._bounds[side, dim] + by, least), most)
        if moved != self._bounds[side, dim]:
            self._bounds[side, dim] = moved
            self._moves[side, dim] += 1
            self._draws[1] = 0

    def _describe(self) -> dict[str, Any]:
        low, high = self._bounds.copy()
        return {"window": {"low": low, "high": high}, "n_moves": self._moves.sum(axis=0)}

    def _state(self) -> State:
        return {
            "bounds": self._bounds,
            "moves": self._moves,
            "scores": self._scores,
            "n_scores": self._n_scores,
            "draws": self._draws,
        }

    def _load_state(self, state: State) -> None:
        own = self._state()
        arrays = {name: cast(NDArray[Any], state[name]) for name in own}
        for name, array in arrays.items():
            if array.shape != own[name].shape:
                raise ValueError(
                    f"adr: {name}: expected shape {own[name].shape}, got {array.shape}"
                )
        self._bounds, self._moves = arrays["bounds"], arrays["moves"]
        self._scores, self._n_scores = arrays["scores"], arrays["n_scores"]
        self._draws = arrays["draws"]
