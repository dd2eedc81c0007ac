"""Who plays what: levels, episodes and returns of many walkers, without their physics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.env import Level, read_level_seed
from teachenv.envs.bipedal.lane_options import Orders
from teachenv.envs.bipedal.terrain import FINISH_X, SPAWN_X
from teachenv.envs.bipedal.tracks import MASTERY, Track
from teachenv.protocols import State

_DRAW = -1
"""In place of a level seed: to be drawn."""

_MOST = {"seed": 2**64 - 1, "episode": 2**62, "elapsed": 2**62}
"""Largest whole numbers of a state: they fit into 64 bits, and the last two can go up."""


class Lanes:
    """The levels and episodes of ``n`` lanes.

    Attributes:
        tasks: What each lane plays, float64 of shape ``(n, dim)``; replaced, never written, as
            infos hold it.
        level_seeds: Likewise, int64 of shape ``(n,)``.
        started: Whether each has ever been reset.
        ended: Whether its episode is over.
        elapsed: Steps of its episode.
        returns: Sum of its rewards.
    """

    def __init__(self, n: int, track: Track) -> None:
        self.track = track
        self.tasks = frozen(np.tile(track.task_space.default, (n, 1)))
        self.level_seeds = frozen(np.zeros(n, np.int64))
        self.started = np.zeros(n, np.bool_)
        self.ended = np.zeros(n, np.bool_)
        self.elapsed = np.zeros(n, np.int64)
        self.returns = np.zeros(n)
        self._next_tasks = self.tasks.copy()
        self._next_level_seeds = np.full(n, _DRAW)
        (entropy,) = np.random.SeedSequence().generate_state(1, np.uint64)
        self._seeds = np.arange(n).astype(np.uint64) + entropy
        self._episodes = np.full(n, -1)
        self._everyone = frozen(np.ones(n, np.bool_))

    def level(self, lane: int) -> Level:
        """Return what a lane plays."""
        return Level(self.tasks[lane], int(self.level_seeds[lane]))

    def set_next(self, lane: int, task: Any, level_seed: int | None) -> None:
        """Say what a lane plays next.

        Raises:
            TaskError: for a bad task or level seed; nothing has changed then.
            IndexError: if there is no such lane.
        """
        self.require(lane)
        vector = self.track.task_space.task(task)
        seed = _DRAW if level_seed is None else read_level_seed(level_seed)
        self._next_tasks[lane] = vector
        self._next_level_seeds[lane] = seed

    def truncate(self, lane: int) -> None:
        """End a lane's episode.

        Raises:
            IndexError: if there is no such lane.
        """
        self.require(lane)
        self.ended[lane] = True

    def follow(self, orders: Orders) -> None:
        """Take over what a reset asks for; the episodes begin with :meth:`begin`."""
        for lane, seed in orders.seeds.items():
            self._seeds[lane] = seed
            self._episodes[lane] = -1
        if orders.tasks is not None:
            self._next_tasks[orders.mask] = orders.tasks[orders.mask]
            self._next_level_seeds[orders.mask] = _DRAW
        if orders.level_seeds is not None:
            self._next_level_seeds[orders.mask] = orders.level_seeds[orders.mask]

    def begin(self, lanes: NDArray[np.int64]) -> None:
        """Begin the next episode of lanes, given by their numbers."""
        self._episodes[lanes] += 1
        seeds = self._next_level_seeds[lanes]
        if (seeds == _DRAW).any():
            drawn = self.track.level_seeds(self._seeds[lanes], self._episodes[lanes])
            seeds = np.where(seeds == _DRAW, drawn, seeds)
        self._next_level_seeds[lanes] = _DRAW
        self.tasks = _replaced(self.tasks, lanes, self._next_tasks[lanes])
        self.level_seeds = _replaced(self.level_seeds, lanes, seeds)
        self.elapsed[lanes] = 0
        self.returns[lanes] = 0.0
        self.ended[lanes] = False
        self.started[lanes] = True

    def infos(self, positions: NDArray[np.float64]) -> dict[str, Any]:
        """Return the infos of all lanes, as Gymnasium's vector environments give them.

        Args:
            positions: Horizontal positions of the hulls, in metres, shape ``(n,)``.
        """
        progress = (positions - SPAWN_X) / (FINISH_X - SPAWN_X)
        np.minimum(np.maximum(progress, 0.0, out=progress), 1.0, out=progress)
        return {
            "task": self.tasks,
            "_task": self._everyone,
            "level_seed": self.level_seeds,
            "_level_seed": self._everyone,
            "is_success": self.returns > MASTERY,
            "_is_success": self._everyone,
            "progress": progress,
            "_progress": self._everyone,
        }

    def require(self, lane: int) -> None:
        """Refuse lanes that do not exist.

        Raises:
            IndexError: if this is one.
            TypeError: if it is no whole number; True would be all lanes to NumPy.
        """
        if isinstance(lane, bool) or not isinstance(lane, int | np.integer):
            raise TypeError(f"lane: expected a whole number, got {lane!r:.80}")
        if not 0 <= lane < len(self.started):
            raise IndexError(f"lane {lane}: expected 0 to {len(self.started) - 1}")

    def require_started(self, lanes: Sequence[int] | None = None) -> None:
        """Refuse lanes that have never been reset, of those given or of all.

        Raises:
            ResetNeeded: if there are any.
            IndexError: if a lane does not exist.
        """
        for lane in lanes or ():
            self.require(lane)
        if not (self.started if lanes is None else self.started[lanes]).all():
            raise ResetNeeded("call reset first: there are lanes that have never been reset")

    def require_running(self) -> None:
        """Refuse lanes whose episodes are over.

        Raises:
            ResetNeeded: if there are any.
        """
        if self.ended.any():
            raise ResetNeeded(
                f"the episodes of lanes {np.flatnonzero(self.ended).tolist()} are over and "
                "autoreset is disabled; reset them with options={'reset_mask': mask}"
            )

    def get(self, lane: int) -> State:
        """Return all about a lane, as JSON values and arrays."""
        return {
            "task": self.tasks[lane].copy(),
            "level_seed": int(self.level_seeds[lane]),
            "next_task": self._next_tasks[lane].copy(),
            "next_level_seed": int(self._next_level_seeds[lane]),
            "seed": int(self._seeds[lane]),
            "episode": int(self._episodes[lane]),
            "elapsed": int(self.elapsed[lane]),
            "episode_return": float(self.returns[lane]),
            "ended": bool(self.ended[lane]),
        }

    def check(self, state: State) -> None:
        """Check what :meth:`put` is to be given.

        Raises:
            ValueError: if something is missing or impossible.
        """
        space = self.track.task_space
        try:
            space.task(state["task"])
            space.task(state["next_task"])
            read_level_seed(state["level_seed"])
            if state["next_level_seed"] != _DRAW:
                read_level_seed(state["next_level_seed"], "next_level_seed")
            for name, most in _MOST.items():
                number = state[name]
                whole = isinstance(number, int) and not isinstance(number, bool)
                if not whole or not 0 <= number <= most:
                    raise ValueError(
                        f"{name}: expected a whole number from 0 to {most}, got {number!r}"
                    )
            if not math.isfinite(state["episode_return"]) or not isinstance(state["ended"], bool):
                raise ValueError(
                    "expected a finite episode_return and ended as a bool, "
                    f"got {state['episode_return']!r} and {state['ended']!r}"
                )
        except (KeyError, TypeError) as error:
            raise ValueError(f"missing or of the wrong type: {error!r}") from None

    def put(self, lane: int, state: State) -> None:
        """Continue a lane from :meth:`get`, checked by :meth:`check`."""
        lanes, space = np.array([lane]), self.track.task_space
        self.tasks = _replaced(self.tasks, lanes, space.task(state["task"]))
        self.level_seeds = _replaced(self.level_seeds, lanes, state["level_seed"])
        self._next_tasks[lane] = space.task(state["next_task"])
        self._next_level_seeds[lane] = state["next_level_seed"]
        self._seeds[lane] = state["seed"]
        self._episodes[lane] = state["episode"]
        self.elapsed[lane] = state["elapsed"]
        self.returns[lane] = state["episode_return"]
        self.ended[lane] = state["ended"]
        self.started[lane] = True


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return ``array``, no longer writable."""
    array.flags.writeable = False
    return array


def _replaced(array: NDArray[Any], lanes: NDArray[np.int64], values: Any) -> NDArray[Any]:
    array = array.copy()
    array[lanes] = values
    return frozen(array)
