"""Environments with one fault each; ``FAULTS`` names the finding that each must give."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from toys import LADDER, Ladder

from teachenv import check_play
from teachenv.env import Level
from teachenv.space import TaskError

Advance = tuple[np.ndarray, float, bool, bool]
Options = dict[str, Any] | None


# -- tasks ------------------------------------------------------------------------------------


class IgnoresTask(Ladder):
    """Says it plays the task, and plays the default."""

    @property
    def task(self) -> np.ndarray:
        return self.task_space.default


class KeepsFirstTask(Ladder):
    """Takes a task once; every later reset keeps it."""

    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        given = dict(options or {})
        if self._level is not None and "task" in given:
            self.task_space.task(given["task"])
            given["task"] = self._level.task
        return super().reset(seed=seed, options=given)


class ForgetsTaskWithoutOptions(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        return super().reset(seed=seed, options=options or {"task": self.task_space.default})


class IgnoresWind(Ladder):
    def _advance(self, action: int) -> Advance:
        observation, _, terminated, truncated = super()._advance(action)
        return observation, 0.75, terminated, truncated

    def _observe(self) -> np.ndarray:
        return super()._observe() * [1, 0, 1, 1, 1]


class IgnoresChoice(Ladder):
    def _advance(self, action: int) -> Advance:
        observation, reward, terminated, truncated = super()._advance(action)
        return observation, reward + 0.125 * self.task[2], terminated, truncated

    def _observe(self) -> np.ndarray:
        return super()._observe() * [1, 1, 0, 1, 1]


class ClipsTasks(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        given = dict(options or {})
        with contextlib.suppress(TypeError, ValueError, KeyError):
            if isinstance(given["task"], Mapping):
                name, value = next(iter(given["task"].items()))
                dim = self.task_space.dims[self.task_space.names.index(name)]
                given["task"] = {name: min(max(value, dim.low), dim.high)}
        return super().reset(seed=seed, options=given)


class TakesNaNForDefault(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        given = dict(options or {})
        if isinstance(given.get("task"), Mapping):
            given["task"] = {k: v for k, v in given["task"].items() if v == v}
        return super().reset(seed=seed, options=given)


class DropsUnknownNames(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        given = dict(options or {})
        if isinstance(given.get("task"), Mapping):
            known = self.task_space.names
            given["task"] = {k: v for k, v in given["task"].items() if k in known}
        return super().reset(seed=seed, options=given)


class RefusesByAssertion(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        assert self.task_space.contains((options or {}).get("task", self.task))
        return super().reset(seed=seed, options=options)


class RefusalDropsTask(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        try:
            return super().reset(seed=seed, options=options)
        except TaskError:
            self._level = None
            super().reset(seed=seed)
            raise


class RefusalRestartsEpisode(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        self.t = self.height = 0
        return super().reset(seed=seed, options=options)


# -- infos ------------------------------------------------------------------------------------


class NoTaskInReset(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        observation, info = super().reset(seed=seed, options=options)
        del info["task"]
        return observation, info


class NoTaskInSteps(Ladder):
    def step(self, action: int) -> Any:
        *rest, info = super().step(action)
        del info["task"]
        return *rest, info


class NoTaskInLastInfo(Ladder):
    def step(self, action: int) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {} if terminated else info


class TaskAsDict(Ladder):
    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "task": self.task_space.to_dict(self.task)}


class NoSuccess(Ladder):
    def _info(self) -> dict[str, Any]:
        return {k: v for k, v in super()._info().items() if k != "is_success"}


class SucceedsWhenDone(Ladder):
    """Calls reaching the top a success, whatever the return."""

    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "is_success": bool(self.height >= self.task[0])}


class SuccessOneStepLate(Ladder):
    def step(self, action: int) -> Any:
        before = self._episode_return > self.mastery
        *rest, info = super().step(action)
        return *rest, {**info, "is_success": before and not rest[2]}


class ProgressInRungs(Ladder):
    @property
    def progress(self) -> float:
        return float(self.height)


# -- randomness and memory --------------------------------------------------------------------


class NumpyGlobal(Ladder):
    def _advance(self, action: int) -> Advance:
        if self.t >= 4:
            self.height += int(np.random.random() < 0.1)  # noqa: NPY002
        return super()._advance(action)


class PythonGlobal(Ladder):
    def _start(self, level: Level, options: Mapping[str, Any]) -> np.ndarray:
        random.shuffle([1, 2, 3])
        return super()._start(level, options)


class ReseedsGlobal(Ladder):
    """The same whatever the global generator was, but it tramples on it."""

    def _start(self, level: Level, options: Mapping[str, Any]) -> np.ndarray:
        np.random.seed(level.level_seed)  # noqa: NPY002
        return super()._start(level, options)


class OwnEntropy(Ladder):
    def _start(self, level: Level, options: Mapping[str, Any]) -> np.ndarray:
        return super()._start(Level(level.task, random.SystemRandom().randrange(2**40)), options)


class SeedIgnored(Ladder):
    """Takes the level seed, but without one draws it from nowhere."""

    def _draw_level_seed(self, seed: int | None) -> int:
        return random.SystemRandom().randrange(2**40)


class RemembersEpisodes(Ladder):
    count = 0

    def _start(self, level: Level, options: Mapping[str, Any]) -> np.ndarray:
        self.count += 1
        return super()._start(level, options)

    def _observe(self) -> np.ndarray:
        return super()._observe() * [1, 1, 1, 1, self.count]


class RemembersAbandoned(Ladder):
    """Slips in the episode after one that was cut off."""

    cut = False

    def _start(self, level: Level, options: Mapping[str, Any]) -> np.ndarray:
        self.slips = self.cut
        self.cut = True
        return super()._start(level, options)

    def _advance(self, action: int) -> Advance:
        observation, reward, terminated, truncated = super()._advance(action)
        self.cut = not terminated
        return observation, reward - 0.5 * self.slips, terminated, truncated


# -- numbers and ends -------------------------------------------------------------------------


class NaNReward(Ladder):
    def _advance(self, action: int) -> Advance:
        observation, reward, terminated, truncated = super()._advance(action)
        return observation, reward if self.t != 12 else np.nan, terminated, truncated


class NaNObservation(Ladder):
    def _observe(self) -> np.ndarray:
        return super()._observe() * (np.nan if self.t == 12 else 1.0)


class OutsideObservationSpace(Ladder):
    def _observe(self) -> np.ndarray:
        return super()._observe() + (100.0 if self.t == 12 else 0.0)


class HugeReturn(Ladder):
    def _advance(self, action: int) -> Advance:
        observation, reward, terminated, truncated = super()._advance(action)
        return observation, reward - (0 if not terminated else 1000), terminated, truncated


class TerminatesAtTimeLimit(Ladder):
    def _advance(self, action: int) -> Advance:
        observation, reward, terminated, truncated = super()._advance(action)
        return observation, reward, terminated or self.t >= 6, truncated


class NeverEnds(Ladder):
    def _advance(self, action: int) -> Advance:
        observation, reward, *_ = super()._advance(action)
        return observation, reward if self.t < 20 else 0.0, False, False

    def _observe(self) -> np.ndarray:
        return super()._observe().clip(0, 40)


class RaisesLate(Ladder):
    def _advance(self, action: int) -> Advance:
        if self.t == 12:
            raise IndexError("no such rung")
        return super()._advance(action)


# -- copies and declarations ------------------------------------------------------------------


class HoldsLambda(Ladder):
    def __init__(self) -> None:
        self.shape = lambda x: x


class CopyForgets(Ladder):
    """Pickles, but the copy has lost a setting."""

    gain = 0.0

    def __init__(self, gain: float = 0.0) -> None:
        self.gain = gain

    def __reduce__(self) -> Any:
        return CopyForgets, ()

    def _observe(self) -> np.ndarray:
        return super()._observe() * [1, 1, 1, 1, self.gain]


class NoMastery(Ladder):
    @property
    def mastery(self) -> float:  # type: ignore[override]
        raise AttributeError("mastery")


class RangeUpsideDown(Ladder):
    return_range = (40.0, -10.0)


class MasteryOutOfRange(Ladder):
    mastery = 400.0


class TextRange(Ladder):
    return_range = ("low", "high")  # type: ignore[assignment]


class GymnasiumTasks(Ladder):
    task_space = LADDER.to_gymnasium()


# -- Gymnasium's own contract ------------------------------------------------------------------


class ResetGivesNoInfo(Ladder):
    def reset(self, *, seed: int | None = None, options: Options = None) -> Any:
        return super().reset(seed=seed, options=options)[0]


class StepGivesFour(Ladder):
    def step(self, action: int) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated or truncated, info


class InfoIsText(Ladder):
    def step(self, action: int) -> Any:
        *rest, _ = super().step(action)
        return *rest, "fine"


class RewardIsText(Ladder):
    def step(self, action: int) -> Any:
        observation, _, *rest = super().step(action)
        return observation, "much", *rest


class OddShape(Ladder):
    def _observe(self) -> np.ndarray:
        return super()._observe()[:4]


class StartsOutside(Ladder):
    def _observe(self) -> np.ndarray:
        return super()._observe() - (200.0 if self.t == 0 else 0.0)


class NoActionSpace(Ladder):
    action_space = property()  # type: ignore[assignment]


# -- actions, speed, mastery -------------------------------------------------------------------


class TakesAnyAction(Ladder):
    def _check_action(self, action: int) -> None:
        pass


class TakesNaNAction(TakesAnyAction):
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def _advance(self, action: np.ndarray) -> Advance:
        return super()._advance(bool(action[0] > 0))


class SlowStep(Ladder):
    def _advance(self, action: int) -> Advance:
        check_play.clock.now += 0.2
        return super()._advance(action)


class OutOfReach(Ladder):
    """Within the return range, but no default episode brings more than 12."""

    mastery = 39.0


FAULTS: dict[str, list[Callable[[], gym.Env[Any, Any]]]] = {
    "task-ignored": [IgnoresTask, KeepsFirstTask, ForgetsTaskWithoutOptions],
    "no-effect": [IgnoresWind, IgnoresChoice],
    "bounds": [ClipsTasks, TakesNaNForDefault, DropsUnknownNames, RefusesByAssertion],
    "old-task-lost": [RefusalDropsTask, RefusalRestartsEpisode],
    "info-task": [NoTaskInReset, NoTaskInSteps, NoTaskInLastInfo, TaskAsDict],
    "info-success": [NoSuccess, SucceedsWhenDone, SuccessOneStepLate],
    "info-progress": [ProgressInRungs],
    "global-rng": [NumpyGlobal, PythonGlobal, ReseedsGlobal],
    "not-deterministic": [OwnEntropy, SeedIgnored],
    "state-leak": [RemembersEpisodes, RemembersAbandoned],
    "not-finite": [NaNReward, NaNObservation],
    "observation-space": [OutsideObservationSpace, OddShape, StartsOutside],
    "return-range": [HugeReturn],
    "time-limit": [
        TerminatesAtTimeLimit,
        lambda: gym.wrappers.TimeLimit(TerminatesAtTimeLimit(), 6),
    ],
    "endless": [NeverEnds],
    "crashed": [
        *(RaisesLate, ResetGivesNoInfo, StepGivesFour, InfoIsText, RewardIsText, NoActionSpace),
    ],
    "action-accepted": [TakesAnyAction, TakesNaNAction],
    "slow-step": [SlowStep],
    "mastery": [OutOfReach],
    "not-picklable": [HoldsLambda, lambda: CopyForgets(0.5)],
    "contract": [
        NoMastery,
        RangeUpsideDown,
        MasteryOutOfRange,
        TextRange,
        GymnasiumTasks,
        lambda: gym.make("CartPole-v1"),
    ],
}
ALSO = {
    KeepsFirstTask: {"state-leak"},
    NoTaskInLastInfo: {"info-progress", "info-success"},
    OwnEntropy: set(),
}
"""Codes that a fault cannot help showing besides its own."""

SEEDED = (
    # Gymnasium's contract
    *(ResetGivesNoInfo, StepGivesFour, InfoIsText, RewardIsText, OddShape, StartsOutside),
    *(NoActionSpace, OwnEntropy, SeedIgnored),
    # what its checker does not see
    *(NaNReward, NaNObservation, OutsideObservationSpace, NumpyGlobal, RemembersEpisodes),
    *(NeverEnds, TerminatesAtTimeLimit, IgnoresTask, HoldsLambda, SlowStep, TakesAnyAction),
    # ours
    *(IgnoresWind, ClipsTasks, NoTaskInLastInfo, HugeReturn, OutOfReach),
)
"""The faults of the bar C1; the others are more of their kinds."""
