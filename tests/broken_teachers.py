"""Mutations of teachers: each breaks one rule of the contract in whatever teacher it is mixed into.

``broken(Mutation, Teacher)`` is the broken teacher.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.spaces import Box

from teachenv.protocols import Outcome, Trial
from teachers.base import BaseTeacher, Pick


def broken(mutation: type, teacher: type[BaseTeacher]) -> type[BaseTeacher]:
    """A teacher class with a mutation mixed in, found by that name in this module."""
    name = f"{mutation.__name__}{teacher.__name__}"
    if name not in globals():
        names = {"__module__": __name__, "__qualname__": name, "__doc__": mutation.__doc__}
        globals()[name] = type(name, (mutation, teacher), names)
    return globals()[name]


# -- the twenty of reliability -------------------------------------------------------------


class GlobalRng:
    def _sample(self):
        return elsewhere(super()._sample(), np.random.random(self.space.dim))  # noqa: NPY002


class SeedZeroIgnored:
    def __init__(self, space, *, seed=0, **hyper):
        super().__init__(space, seed=seed or int.from_bytes(os.urandom(4), "little"), **hyper)


class LeavesTheSpace:
    def ask(self):
        trial = super().ask()
        if self._counts["ok"] < 80:
            return trial
        return reissued(self, trial, np.append(self.space.high[0] + 1e-12, trial.task[1:]))


class MutatesTheTask:
    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        trial.task.flags.writeable = True
        trial.task[:] = self.space.to_unit(trial.task)


class NeedsTellBeforeAsk:
    def ask(self):
        if len(self._outstanding) > 20:
            raise RuntimeError("tell me first")
        return super().ask()


class DropsStateOnLoad:
    def _load_state(self, state):
        pass


class LosesRngOnLoad:
    def load_state_dict(self, state):
        rng = self._rng
        super().load_state_dict(state)
        self._rng = rng


class GrowsWithoutBound:
    def _learn(self, pick, outcome):
        super()._learn(pick, outcome)
        self.__dict__.setdefault("log", []).append(pick.point)


class AcceptsNan:
    def tell(self, trial, outcome):
        if isinstance(outcome, Outcome) and isinstance(outcome.score, float):
            outcome = replace(outcome, score=float(np.nan_to_num(outcome.score, posinf=2.0)))
        super().tell(trial, outcome)


class CreditsTheLastTask:
    def ask(self):
        trial = super().ask()
        self.last = self._outstanding[trial.id]
        return trial

    def _learn(self, pick, outcome):
        super()._learn(self.last, outcome)


class IgnoresOutcomes:
    def _learn(self, pick, outcome):
        pass


class NanWhenScoresAreEqual:
    scores: tuple[float, ...] = ()

    def _sample(self):
        if len(self.scores) == 10:
            above = np.array(self.scores) - min(self.scores)
            self._rng.choice(10, p=above / above.sum())
        return super()._sample()

    def _learn(self, pick, outcome):
        super()._learn(pick, outcome)
        self.scores = (*self.scores, outcome.score)[-10:]


class DifferentInAnotherProcess:
    def _sample(self):
        self._rng.random(hash("a word") % 97)
        return super()._sample()


class RoundsToFloat32:
    def ask(self):
        trial = super().ask()
        return reissued(self, trial, trial.task.astype(np.float32))


class LearnsFromLost:
    def tell(self, trial, outcome):
        pick = self._outstanding.get(getattr(trial, "id", None))
        super().tell(trial, outcome)
        if outcome.status == "lost":
            signals = dict.fromkeys(self.needs, 1.0)
            self._learn(pick, Outcome(1.0, 1.0, 1, True, signals=signals))


class SharesAMutableDefault:
    memory = {"told": 0}  # noqa: RUF012

    def _sample(self):
        self._rng.random(self.memory["told"] % 97)
        return super()._sample()

    def _learn(self, pick, outcome):
        super()._learn(pick, outcome)
        self.memory["told"] += 1


class ReadsTheClock:
    def _sample(self):
        self._rng.random(int(time.time()) % 97)
        return super()._sample()


class SortsTheCallersList:
    def __init__(self, space, *, seed=0, order, **hyper):
        super().__init__(space, seed=seed, **hyper)
        order.sort()
        self.order = order


class AcceptsRepeats:
    def tell(self, trial, outcome):
        known = self.__dict__.setdefault("known", {})
        number = getattr(trial, "id", None)
        if number in self._outstanding:
            known[number] = self._outstanding[number]
        elif number in known:
            self._outstanding[number] = known[number]
        super().tell(trial, outcome)


class CrashesInOneDimension:
    def _sample(self):
        np.linalg.cholesky(np.cov(self._rng.random((self.space.dim, 50))))
        return super()._sample()


TWENTY: dict[type, str] = {
    GlobalRng: "global-rng-used",
    SeedZeroIgnored: "not-reproducible",
    LeavesTheSpace: "outside-space",
    MutatesTheTask: "mutates-input",
    NeedsTellBeforeAsk: "needs-tell",
    DropsStateOnLoad: "state-round-trip",
    LosesRngOnLoad: "state-round-trip",
    GrowsWithoutBound: "memory-grows",
    AcceptsNan: "accepts-nan",
    CreditsTheLastTask: "credits-wrong-task",
    IgnoresOutcomes: "ignores-outcomes",
    NanWhenScoresAreEqual: "degenerate-history",
    DifferentInAnotherProcess: "other-process-differs",
    RoundsToFloat32: "float32-tasks",
    LearnsFromLost: "lost-changes-sampling",
    SharesAMutableDefault: "shares-state",
    ReadsTheClock: "not-reproducible",
    SortsTheCallersList: "mutates-input",
    AcceptsRepeats: "accepts-repeated-id",
    CrashesInOneDimension: "degenerate-history",
}
"""Mutation -> the finding that must name it."""


# -- and more ------------------------------------------------------------------------------


class GlobalRandom:
    def _sample(self):
        return elsewhere(super()._sample(), np.array([random.random() for _ in self.space]))


class ReseedsGlobal:
    def __init__(self, space, *, seed=0, **hyper):
        super().__init__(space, seed=seed, **hyper)
        np.random.seed(0)  # noqa: NPY002


class SamplesFromGymnasium:
    def _sample(self):
        box = Box(0.0, 1.0, (self.space.dim,), np.float64)
        return elsewhere(super()._sample(), box.sample())


class DrawsFreshEntropy:
    def _sample(self):
        return elsewhere(super()._sample(), np.random.default_rng().random(self.space.dim))


class SeedIgnored:
    def __init__(self, space, *, seed=0, **hyper):
        super().__init__(space, seed=3, **hyper)


class UsesObjectIds:
    def _sample(self):
        self._rng.random(id(self) // 16 % 97)
        return super()._sample()


class Float32Tasks:
    def ask(self):
        trial = super().ask()
        return replace(trial, task=trial.task.astype(np.float32))


class WritableTasks:
    def ask(self):
        trial = super().ask()
        return replace(trial, task=trial.task.copy())


class ForgetsIds:
    def ask(self):
        return replace(super().ask(), id=0)


class GivesNoReason:
    def ask(self):
        return replace(super().ask(), reason="")


class NegativeLevelSeed:
    def ask(self):
        return replace(super().ask(), level_seed=-1)


class SharesItsState:
    def __init__(self, space, *, seed=0, **hyper):
        super().__init__(space, seed=seed, **hyper)
        self.seen = {"told": 0}

    def _learn(self, pick, outcome):
        super()._learn(pick, outcome)
        self.seen["told"] += 1

    def state_dict(self):
        return {**super().state_dict(), "seen": self.seen}


class MutatesTheLoadedState:
    def load_state_dict(self, state):
        super().load_state_dict(state)
        state["counts"]["asked"] += 1


class PutsAnObjectIntoTheState:
    def state_dict(self):
        return {**super().state_dict(), "object": {1, 2}}


class AcceptsAnIncompleteState:
    def load_state_dict(self, state):
        super().load_state_dict({**state, "method": {**self._state(), **state["method"]}})


class AcceptsAnything:
    def tell(self, trial, outcome):
        if getattr(trial, "id", None) in self._outstanding:
            super().tell(trial, Outcome(0.5, 0.0, 1, False))


class CountsRefusedCalls:
    def tell(self, trial, outcome):
        self._counts["asked"] += 1
        super().tell(trial, outcome)
        self._counts["asked"] -= 1


class RefusalLosesTheTrial:
    def tell(self, trial, outcome):
        try:
            super().tell(trial, outcome)
        except ValueError:
            self._outstanding.pop(trial.id, None)
            raise


class RefusesSilently:
    def tell(self, trial, outcome):
        try:
            super().tell(trial, outcome)
        except TypeError:
            raise TypeError from None


class RefusesByAssertion:
    def tell(self, trial, outcome):
        assert isinstance(trial, Trial)
        super().tell(trial, outcome)


class CrashesOnAConstantHistory(NanWhenScoresAreEqual):
    def _sample(self):
        if len(self.scores) == 10 and len(set(self.scores)) == 1:
            raise ZeroDivisionError
        return super(NanWhenScoresAreEqual, self)._sample()


class DrawsOnFailed:
    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        if outcome.status == "failed":
            self._rng.random()


class MutatesSignals:
    needs = frozenset({"value"})

    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        outcome.signals.clear()


class NeedsAreAList:
    def __init__(self, space, *, seed=0, **hyper):
        super().__init__(space, seed=seed, **hyper)
        self.needs = ["value"]


class MutatesTheSpace:
    def _learn(self, pick, outcome):
        super()._learn(pick, outcome)
        self.space.high.flags.writeable = True
        self.space.high[0] += 1e-6


class DescribeAdvances:
    def _describe(self):
        self._rng.random()
        return super()._describe()


class DescribesNan:
    def _describe(self) -> Mapping[str, Any]:
        return {"mean": np.array([np.nan])}


class DescribesOddProbabilities:
    def _describe(self) -> Mapping[str, Any]:
        return {"arms": {"probabilities": np.array([0.5, 0.4])}}


MORE: dict[type, str] = {
    GlobalRandom: "global-rng-used",
    ReseedsGlobal: "global-rng-used",
    SamplesFromGymnasium: "global-rng-used",
    DrawsFreshEntropy: "global-rng-used",
    SeedIgnored: "seed-ignored",
    UsesObjectIds: "not-reproducible",
    Float32Tasks: "bad-trial",
    WritableTasks: "task-writable",
    ForgetsIds: "bad-trial",
    GivesNoReason: "bad-trial",
    NegativeLevelSeed: "bad-trial",
    SharesItsState: "state-shared",
    MutatesTheLoadedState: "mutates-input",
    PutsAnObjectIntoTheState: "state-not-json",
    AcceptsAnIncompleteState: "accepts-incomplete-state",
    AcceptsAnything: "accepts-string",
    CountsRefusedCalls: "refusal-changes-state",
    RefusalLosesTheTrial: "refusal-loses-trial",
    RefusesSilently: "silent-refusal",
    RefusesByAssertion: "wrong-exception",
    CrashesOnAConstantHistory: "degenerate-history",
    DrawsOnFailed: "failed-changes-sampling",
    MutatesSignals: "mutates-input",
    NeedsAreAList: "bad-teacher",
    MutatesTheSpace: "mutates-input",
    DescribeAdvances: "describe-changes-state",
    DescribesNan: "bad-describe",
    DescribesOddProbabilities: "bad-describe",
}
"""Further mutations, so that every code of the checker is seen to fire."""


# -- controls of other tests ---------------------------------------------------------------


class TellsNothing:
    def tell(self, trial, outcome):
        pass


class KeepsTenKilobytesEach:
    def _learn(self, pick, outcome):
        self.__dict__.setdefault("log", []).append(np.ones(1250))


def reissued(teacher: BaseTeacher, trial: Trial, task: np.ndarray) -> Trial:
    """The trial with another task, also in the teacher's books."""
    task = task.astype(np.float64)
    task.flags.writeable = False
    pick = teacher._outstanding[trial.id]
    teacher._outstanding[trial.id] = replace(pick, task=task)
    return replace(trial, task=task)


def elsewhere(found: Pick | tuple[np.ndarray, str], point: np.ndarray) -> Pick:
    """What a method picked, moved to another point."""
    pick = found if isinstance(found, Pick) else Pick(*found)
    return replace(pick, point=point, task=None)
