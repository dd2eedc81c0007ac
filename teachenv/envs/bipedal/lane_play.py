"""Lanes at play: who plays what, and the physics of it, stepped together."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from teachenv.envs.bipedal.engine import EngineBatch
from teachenv.envs.bipedal.lane_options import Orders, read_actions
from teachenv.envs.bipedal.lanes import Lanes
from teachenv.protocols import State
from teachenv.vector import select_lanes

Infos = dict[str, Any]

NO_LIMIT = 2**62


class LanePlay:
    """Episodes of ``n`` lanes.

    Args:
        lanes: Their levels and episodes.
        batch: Their physics.
        limit: Steps after which an episode is truncated; ``None`` for no limit.

    Attributes:
        lanes, batch: As given.
        truncated: Which episodes the last step truncated, bool of shape ``(n,)``.
    """

    def __init__(self, lanes: Lanes, batch: EngineBatch, limit: int | None) -> None:
        self.lanes = lanes
        self.batch = batch
        self.truncated = np.zeros(len(lanes.started), np.bool_)
        self._limit = NO_LIMIT if limit is None else limit

    def reset(self, orders: Orders) -> Infos:
        """Begin the episodes that are asked for; return the infos of their lanes."""
        lanes = np.flatnonzero(orders.mask)
        self.lanes.follow(orders)
        self.lanes.begin(lanes)
        for lane, terrain in orders.terrains.items():
            self.batch.set_terrain(lane, terrain, self.lanes.level(lane))
        self._restart(lanes)
        infos = self._infos()
        return infos if orders.mask.all() else select_lanes(infos, orders.mask)

    def step(self, actions: ArrayLike, autoreset_mode: AutoresetMode) -> Infos:
        """Play one step in every lane; return the infos.

        Raises:
            ValueError: for actions that are refused; nothing has moved then.
            ResetNeeded: if a lane has not been reset, or has ended and autoreset is disabled.
        """
        lanes, batch = self.lanes, self.batch
        lanes.require_started()
        if autoreset_mode is AutoresetMode.DISABLED:
            lanes.require_running()
        read_actions(actions, batch.actions)
        lanes.elapsed += 1
        restarting = None
        if lanes.ended.any():
            restarting = lanes.ended.copy()
            lanes.begin(np.flatnonzero(restarting))
        batch.step(lanes.tasks, lanes.level_seeds, restarting)
        lanes.returns += batch.rewards
        np.greater_equal(lanes.elapsed, self._limit, out=self.truncated)
        np.logical_or(batch.terminated, self.truncated, out=lanes.ended)
        if autoreset_mode is AutoresetMode.SAME_STEP and lanes.ended.any():
            return self._restart_ended()
        return self._infos()

    def get_state(self, lane: int) -> State:
        """Return everything a lane's future depends on, as JSON values and arrays.

        Raises:
            ResetNeeded: if the lane has not been reset.
            IndexError: if there is no such lane.
        """
        self.lanes.require_started([lane])
        return {**self.batch.get_state(lane), **self.lanes.get(lane)}

    def set_state(self, lane: int, state: State) -> None:
        """Put a lane where :meth:`get_state` left one.

        Raises:
            ValueError: if the state is damaged; the lane is unchanged.
        """
        try:
            self.lanes.check(state)
            self.batch.set_state(lane, state)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"state of lane {lane}: {error}") from None
        self.lanes.put(lane, state)

    def _infos(self) -> Infos:
        return self.lanes.infos(self.batch.positions)

    def _restart(self, lanes: NDArray[np.int64]) -> None:
        """Play the first step of episodes that have begun; other lanes do not move."""
        self.batch.restart(lanes, self.lanes.tasks, self.lanes.level_seeds)

    def _restart_ended(self) -> Infos:
        """Begin the next episodes of lanes that ended, in the same step; return the infos."""
        ended = self.lanes.ended.copy()
        lanes = np.flatnonzero(ended)
        final = np.full(len(ended), None, object)
        for lane in lanes:
            final[lane] = self.batch.observations[lane].copy()
        final_info = select_lanes(self._infos(), ended)
        self.lanes.begin(lanes)
        self._restart(lanes)
        last = {"final_obs": final, "final_info": final_info}
        return {**self._infos(), **last, "_final_obs": ended, "_final_info": ended}
