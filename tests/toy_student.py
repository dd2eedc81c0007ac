"""The cheapest student there is, and a world for it, both for runs by id.

Importing registers the world ``toy_student/Climb-v0``; a run finds the student once the table
``students.STUDENTS`` holds :data:`TOY`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from toys import LADDER, Ladder

from students.signals import SIGNALS
from teachenv.broker import Broker
from teachenv.protocols import State
from teachenv.seeding import derive, derive_int
from teachenv.space import Dim, TaskSpace
from teachenv.wrap import CurriculumWrapper


class Climb(Ladder):
    """Short ladders, with their order of difficulty."""

    task_space = TaskSpace([Dim("rungs", 2, 12, default=6, kind="int"), *LADDER.dims[1:]])
    harder = {"rungs": 1}  # noqa: RUF012


gym.register("toy_student/Climb-v0", entry_point=Climb)
CLIMB = "toy_student:toy_student/Climb-v0"
TOY = "toy_student:ToyStudent"


class ToyStudent:
    """Learns how often to climb two rungs at once, and at which pace to learn that."""

    provides = SIGNALS
    carries = False

    def __init__(
        self, make_env: Callable[[], Any], broker: Broker, *, seed: int = 0, n_envs: int = 3
    ) -> None:
        self._broker = broker
        self._lanes = [CurriculumWrapper(make_env(), broker, lane) for lane in range(n_envs)]
        self._skill = float(derive(seed, "toy").random())
        self._pace = 0.0

    def learn(self, n_steps: int, *, seed: int, carry: bool = False) -> int:
        assert not carry
        rng, before, taken = derive(seed, "toy"), self._broker.step, 0
        for i, lane in enumerate(self._lanes):
            lane.reset(seed=derive_int(seed, "lane", i))
        while taken < n_steps:
            for lane in self._lanes:
                trial = lane.trial
                *_, terminated, truncated, info = lane.step(int(rng.random() < self._skill))
                taken += 1
                if terminated or truncated:
                    score = info["outcome"].score
                    self._broker.signal(trial.id, dict.fromkeys(sorted(SIGNALS), score))
                    if trial.train:
                        self._pace = 0.9 * self._pace + 0.1 * (score - self._skill)
                        self._skill += 0.3 * self._pace
                    lane.reset()
            self._broker.advance(before + taken)
        for lane in self._lanes:
            lane.abandon()
        return taken

    def act(self, observations: NDArray[Any]) -> NDArray[Any]:
        return (observations[:, 0] * self._skill > 3.0).astype(np.int64)

    def state_dict(self) -> State:
        return {"skill": self._skill, "pace": self._pace}

    def load_state_dict(self, state: State) -> None:
        self._skill, self._pace = float(state["skill"]), float(state["pace"])

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()
