"""Small environments and a teacher that other tests, and their worker processes, import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from teachenv.env import Level, TaskEnv
from teachenv.protocols import Outcome, State, Trial, TrialSource
from teachenv.seeding import derive
from teachenv.space import Dim, TaskSpace
from teachenv.wrap import CurriculumWrapper, Parameterize

LADDER = TaskSpace(
    [
        Dim("rungs", 2, 40, default=12, kind="int", unit="rungs"),
        Dim("wind", 0.0, 1.0, default=0.25, unit="m/s"),
        Dim("ground", kind="choice", choices=("grass", "ice")),
    ]
)


class Ladder(TaskEnv[np.ndarray, int]):
    """Climb one rung a step, or two with action 1; the observation shows the whole task.

    With action 0 an episode takes exactly ``rungs`` steps.
    """

    task_space = LADDER
    return_range = (-10.0, 40.0)
    mastery = 12.0
    observation_space = gym.spaces.Box(-100.0, 100.0, (5,), np.float64)
    action_space = gym.spaces.Discrete(2)

    def _start(self, level: Level, options: Mapping[str, Any]) -> np.ndarray:
        self._noise = derive(level.level_seed, "wind")
        self.height = self.t = 0
        return self._observe()

    def _advance(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        self.t += 1
        self.height += 1 + int(action)
        reward = 1.0 - self.task[1] * self._noise.random() - 0.125 * self.task[2]
        reward = round(reward * 1024) / 1024  # sums are exact, also over float32 rewards
        return self._observe(), reward, self.height >= self.task[0], False

    def _observe(self) -> np.ndarray:
        return np.array([*self.task, self.height, self._noise.random()])

    @property
    def progress(self) -> float:
        return min(1.0, self.height / float(self.task[0]))


class Recorder:
    """A teacher that remembers what it issued and what came back, and refuses anything twice."""

    def __init__(self, space: TaskSpace = LADDER, needs: frozenset[str] = frozenset()) -> None:
        self.space = space
        self.needs = needs
        self.issued: list[np.ndarray] = []
        self.told: dict[int, Outcome] = {}
        self._rng = derive(7, "recorder")

    def ask(self) -> Trial:
        self.issued.append(self.space.sample(self._rng))
        return Trial(len(self.issued) - 1, self.issued[-1], "drawn")

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        assert np.array_equal(trial.task, self.issued[trial.id])
        if trial.id in self.told:
            raise ValueError(f"trial {trial.id} told twice")
        self.told[trial.id] = outcome

    def describe(self) -> dict[str, Any]:
        return {"n_issued": len(self.issued), "n_told": len(self.told)}

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None: ...


@dataclass(frozen=True)
class LaneMaker:
    """Picklable maker of one wrapped ladder."""

    source: TrialSource
    lane: int

    def __call__(self) -> CurriculumWrapper:
        return CurriculumWrapper(Ladder(), self.source, self.lane)


def set_pole(env: Any, task: dict[str, Any]) -> None:
    env.length = task["length"]
    env.polemass_length = env.masspole * env.length


def pole() -> gym.Env[Any, Any]:
    space = TaskSpace([Dim("length", 0.1, 2.0, default=0.5, unit="m")])
    return Parameterize("CartPole-v1", space, set_pole, return_range=(0, 500), mastery=475)
