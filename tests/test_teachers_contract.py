"""Every shipped teacher keeps the ask/tell contract; every broken one is caught."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome, State, Trial
from teachenv.space import TaskSpace
from teachers import probe
from teachers.alp_gmm import AlpGmm
from teachers.base import BaseTeacher, UnitPoint
from teachers.check import Factory, LearnsFrom, check_teacher
from teachers.uniform import Uniform

SPACES = probe.SAMPLE_SPACES
LEARNS_FROM: dict[str, LearnsFrom] = {"uniform": "nothing", "oracle": "outcomes"}


def build(id: str, space: TaskSpace, *, seed: int = 0, **hyper: object) -> BaseTeacher:
    """A teacher of the table with the hyper-parameters it cannot do without."""
    if id == "oracle":
        hyper = {"mastery": 0.0, "harder": {space.names[0]: -1}, **hyper}
    if id == "alp-gmm":
        hyper = {"fit_rate": 100, "max_k": 3, **hyper}
    return teachers.make(id, space, seed=seed, **hyper)


@pytest.fixture
def short(monkeypatch):
    """Checks of fewer trials, enough for teachers that fit after 100."""
    monkeypatch.setattr("teachers.check.N_TRIALS", 240)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_shipped_teacher_keeps_the_contract(id, space):
    def factory(space, *, seed):
        return build(id, space, seed=seed)

    learns_from = LEARNS_FROM.get(id, "tasks")
    assert check_teacher(factory, SPACES[space], learns_from=learns_from) == []


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["teachdeeprl", "teachmyagent"])
def test_published_alp_gmm_keeps_the_contract(preset):
    def factory(space, *, seed):
        return AlpGmm(space, seed=seed, preset=preset)

    assert check_teacher(factory, SPACES["two"], learns_from="tasks") == []


# -- broken teachers -----------------------------------------------------------------------


class Nearest(BaseTeacher):
    """A small healthy teacher: repeats the best task of the last ten, with some noise."""

    id = "nearest"

    def __init__(self, space: TaskSpace, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self.scores: list[float] = []
        self.points: list[list[float]] = []

    def _sample(self) -> tuple[UnitPoint, str]:
        point = self._rng.random(self.space.dim)
        if self.points:
            best = self.points[int(np.argmax(self.scores))]
            point = np.clip(np.array(best) + 0.2 * (point - 0.5), 0.0, 1.0)
        return point, "near the best"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self.points = [*self.points, point.tolist()][-10:]
        self.scores = [*self.scores, outcome.score][-10:]

    def _state(self) -> State:
        return {"points": self.points, "scores": self.scores}

    def _load_state(self, state: State) -> None:
        self.points, self.scores = state["points"], state["scores"]


class GlobalRng(Nearest):
    def _sample(self):
        return np.random.random(self.space.dim), "global"  # noqa: NPY002


class GlobalRandom(Nearest):
    def _sample(self):
        return np.array([random.random() for _ in self.space]), "global"


class ReseedsGlobal(Nearest):
    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=seed)
        np.random.seed(0)  # noqa: NPY002


class SeedZeroIgnored(Nearest):
    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=seed or int.from_bytes(os.urandom(4), "little"))


class SeedIgnored(Nearest):
    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=3)


class LeavesTheSpace(Nearest):
    def ask(self):
        trial = super().ask()
        if self._counts["ok"] < 100:
            return trial
        task = trial.task.copy()
        task[0] = self.space.high[0] + 1e-12
        task.flags.writeable = False
        self._outstanding[trial.id] = task
        return replace(trial, task=task)


class RoundsToFloat32(Nearest):
    def ask(self):
        trial = super().ask()
        task = trial.task.astype(np.float32).astype(np.float64)
        task.flags.writeable = False
        self._outstanding[trial.id] = task
        return replace(trial, task=task)


class Float32Tasks(Nearest):
    def ask(self):
        trial = super().ask()
        return replace(trial, task=trial.task.astype(np.float32))


class WritableTasks(Nearest):
    def ask(self):
        trial = super().ask()
        return replace(trial, task=trial.task.copy())


class ForgetsIds(Nearest):
    def ask(self):
        return replace(super().ask(), id=0)


class NeedsTellBeforeAsk(Nearest):
    def ask(self):
        if len(self._outstanding) > 20:
            raise RuntimeError("tell me first")
        return super().ask()


class DropsStateOnLoad(Nearest):
    def _load_state(self, state):
        pass


class LosesRngOnLoad(Nearest):
    def load_state_dict(self, state):
        rng = self._rng
        super().load_state_dict(state)
        self._rng = rng


class SharesItsState(Nearest):
    def _update(self, point, outcome):
        self.points.append(point.tolist())
        self.scores.append(outcome.score)
        del self.points[:-10], self.scores[:-10]

    def state_dict(self):
        return {**super().state_dict(), "method": self._state()}


class PicklesIntoState(Nearest):
    def _state(self):
        return {"points": self.points, "scores": self.scores, "object": object()}

    def state_dict(self):
        state = super().state_dict()
        state["method"]["object"] = {1, 2}
        return state


class GrowsWithoutBound(Nearest):
    def _update(self, point, outcome):
        super()._update(point, outcome)
        self.__dict__.setdefault("log", []).append(point)


class AcceptsAnything(Nearest):
    def tell(self, trial, outcome):
        if getattr(trial, "id", None) in self._outstanding:
            super().tell(trial, Outcome(0.5, 0.0, 1, False))


class AcceptsNan(Nearest):
    def tell(self, trial, outcome):
        if isinstance(outcome, Outcome) and isinstance(outcome.score, float):
            outcome = replace(outcome, score=float(np.nan_to_num(outcome.score, posinf=2.0)))
        super().tell(trial, outcome)


class AcceptsRepeats(Nearest):
    def tell(self, trial, outcome):
        if isinstance(trial, Trial) and trial.id in range(self._counts["asked"]):
            self._outstanding.setdefault(int(trial.id), trial.task)
        super().tell(trial, outcome)


class CountsRefusedCalls(Nearest):
    def tell(self, trial, outcome):
        self.points = [*self.points, [0.5] * self.space.dim][-10:]
        self.scores = [*self.scores, 0.0][-10:]
        super().tell(trial, outcome)


class CreditsTheLastTask(Nearest):
    def ask(self):
        trial = super().ask()
        self.last = self.space.to_unit(trial.task)
        return trial

    def _update(self, point, outcome):
        super()._update(self.last, outcome)


class IgnoresOutcomes(Nearest):
    def _update(self, point, outcome):
        pass


class NanWhenScoresAreEqual(Nearest):
    def _sample(self):
        scores = np.array(self.scores)
        if len(scores) == 10:
            weights = (scores - scores.min()) / (scores - scores.min()).sum()
            return np.array(self.points[self._rng.choice(10, p=weights)]), "weighted"
        return super()._sample()


class CrashesOnAConstantHistory(Nearest):
    def _sample(self):
        if len(self.scores) == 10 and np.ptp(self.scores) == 0.0:
            raise ZeroDivisionError
        return super()._sample()


class LearnsFromLost(Nearest):
    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        if outcome.status == "lost":
            self._update(self.space.to_unit(trial.task), replace(outcome, score=1.0))


class DrawsOnFailed(Nearest):
    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        if outcome.status == "failed":
            self._rng.random()


class SharesAMutableDefault(Nearest):
    memory: list[float] = []  # noqa: RUF012

    def _sample(self):
        point, reason = super()._sample()
        return (point + 0.01 * len(self.memory)) % 1.0, reason

    def _update(self, point, outcome):
        super()._update(point, outcome)
        self.memory.append(outcome.score)


class ReadsTheClock(Nearest):
    def _sample(self):
        import time

        point, reason = super()._sample()
        return (point + time.time() % 1.0) % 1.0, reason


class UsesObjectIds(Nearest):
    def _sample(self):
        point, reason = super()._sample()
        return (point + id(self) % 1009 / 1009) % 1.0, reason


class MutatesSignals(Nearest):
    needs = frozenset({"value"})

    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        outcome.signals.clear()


class MutatesTheSpace(Nearest):
    def _update(self, point, outcome):
        super()._update(point, outcome)
        self.space.high.flags.writeable = True
        self.space.high[0] += 1e-6


class CrashesInOneDimension(Nearest):
    def _sample(self):
        np.linalg.cholesky(np.cov(self._rng.random((self.space.dim, 5))))
        return super()._sample()


class DescribeAdvances(Nearest):
    def _describe(self):
        self._rng.random()
        return {}


class DescribesNan(Nearest):
    def _describe(self):
        return {"mean": np.array([np.nan])}


CAUGHT_BY: dict[type[BaseTeacher], str] = {
    GlobalRng: "global-rng-used",
    GlobalRandom: "global-rng-used",
    ReseedsGlobal: "global-rng-used",
    SeedZeroIgnored: "not-reproducible",
    SeedIgnored: "seed-ignored",
    LeavesTheSpace: "outside-space",
    RoundsToFloat32: "float32-tasks",
    Float32Tasks: "bad-trial",
    WritableTasks: "task-writable",
    ForgetsIds: "bad-trial",
    NeedsTellBeforeAsk: "needs-tell",
    DropsStateOnLoad: "state-round-trip",
    LosesRngOnLoad: "state-round-trip",
    SharesItsState: "state-shared",
    PicklesIntoState: "state-not-json",
    GrowsWithoutBound: "memory-grows",
    AcceptsAnything: "accepts-string-score",
    AcceptsNan: "accepts-nan-score",
    AcceptsRepeats: "accepts-repeated-id",
    CountsRefusedCalls: "refusal-changes-state",
    CreditsTheLastTask: "credits-wrong-task",
    IgnoresOutcomes: "ignores-outcomes",
    NanWhenScoresAreEqual: "degenerate-history",
    CrashesOnAConstantHistory: "degenerate-history",
    LearnsFromLost: "lost-changes-sampling",
    DrawsOnFailed: "failed-changes-sampling",
    SharesAMutableDefault: "shares-state",
    ReadsTheClock: "not-reproducible",
    UsesObjectIds: "not-reproducible",
    MutatesSignals: "mutates-input",
    MutatesTheSpace: "mutates-input",
    CrashesInOneDimension: "crash",
    DescribeAdvances: "describe-changes-state",
    DescribesNan: "bad-describe",
}


@pytest.mark.usefixtures("short")
def test_the_healthy_teacher_behind_the_broken_ones_passes():
    assert check_teacher(Nearest, SPACES["two"], learns_from="tasks") == []


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("broken", CAUGHT_BY, ids=lambda cls: cls.__name__)
def test_broken_teacher_is_caught(broken: Factory):
    one = broken is CrashesInOneDimension
    space = TaskSpace(SPACES["one" if one else "two"].dims)
    codes = {finding.code for finding in check_teacher(broken, space, learns_from="tasks")}
    assert CAUGHT_BY[broken] in codes


# -- the ledger ----------------------------------------------------------------------------


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_random_calls_keep_the_books(id):
    """Ask, tell, bad calls, save and load in random order, against a model of the ledger."""
    space = SPACES["two"]
    for sequence in range(20):
        rng = np.random.default_rng(sequence)
        teacher = build(id, space, seed=sequence)
        waiting: dict[int, Trial] = {}
        told: list[Trial] = []
        counts = dict.fromkeys(("asked", "ok", "failed", "lost"), 0)
        for action in rng.integers(6, size=50):
            if action <= 1 or not waiting:
                trial = teacher.ask()
                assert trial.id == counts["asked"]
                counts["asked"] += 1
                waiting[trial.id] = trial
            elif action <= 3:
                trial = waiting.pop(int(rng.choice(list(waiting))))
                status = ("ok", "failed", "lost")[rng.integers(3)]
                teacher.tell(trial, probe.outcome_for(teacher, rng.random(), status))
                counts[status] += 1
                told.append(trial)
            elif action == 4 and told:
                with pytest.raises(ValueError, match="not outstanding"):
                    teacher.tell(told[-1], probe.outcome_for(teacher, 0.5))
            else:
                state = teacher.state_dict()
                teacher = build(id, space, seed=99)
                teacher.load_state_dict(probe.stored(state))
            text = teacher.describe()
            assert [text[f"n_{key}"] for key in ("asked", "told", "failed", "lost")] == list(
                counts.values()
            )


def test_messages_name_the_field_and_the_value():
    teacher = Uniform(SPACES["two"])
    trial = teacher.ask()
    good = Outcome(0.5, 1.0, 3, False)
    for changes, message in (
        ({"score": 1.5}, r"score: .*\[0, 1\], got 1.5"),
        ({"episode_return": float("nan")}, "episode_return: .*finite number, got nan"),
        ({"episode_length": 0}, "episode_length: .*at least 1"),
        ({"status": "done"}, "status: .*'ok', 'failed', 'lost'.*'done'"),
        ({"success": 1}, "success: .*True or False, got 1"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            teacher.tell(trial, replace(good, **changes))
    with pytest.raises(ValueError, match="never issued"):
        teacher.tell(replace(trial, id=5), good)
    teacher.tell(trial, good)
    with pytest.raises(ValueError, match="already told"):
        teacher.tell(trial, good)


def test_an_outstanding_trial_given_up_is_counted_as_lost(monkeypatch):
    monkeypatch.setattr("teachers.base.MAX_OUTSTANDING", 3)
    teacher = Uniform(SPACES["two"])
    trials = [teacher.ask() for _ in range(4)]
    assert teacher.describe()["n_lost"] == 1
    with pytest.raises(ValueError, match="given up"):
        teacher.tell(trials[0], Outcome.lost())
    teacher.tell(trials[1], Outcome.lost())


def test_lost_needs_no_signals_but_ok_does():
    class Needy(Uniform):
        needs = frozenset({"value"})

    teacher = Needy(SPACES["two"])
    teacher.tell(teacher.ask(), Outcome.lost())
    trial = teacher.ask()
    with pytest.raises(ValueError, match="value"):
        teacher.tell(trial, Outcome(0.5, 0.5, 1, False))
    teacher.tell(trial, Outcome(0.5, 0.5, 1, False, signals={"value": 1.0}))


def test_state_of_another_teacher_or_space_is_refused():
    state = build("uniform", SPACES["two"]).state_dict()
    with pytest.raises(ValueError, match="teacher 'uniform'"):
        build("alp-gmm", SPACES["two"]).load_state_dict(state)
    with pytest.raises(ValueError, match="space"):
        build("uniform", SPACES["one"]).load_state_dict(state)
    del state["rng"]
    with pytest.raises(ValueError, match="rng"):
        build("uniform", SPACES["two"]).load_state_dict(state)


# -- other processes -----------------------------------------------------------------------

PROGRAM = """
from test_teachers_contract import trials_digests
print(trials_digests())
"""


def trials_digests() -> dict[str, str]:
    """Hash of the trials of a run with late and shuffled tells, for every teacher."""
    runs = {id: probe.drive(build(id, SPACES["two"], seed=2**31), 700) for id in teachers.TEACHERS}
    return {id: hashlib.sha256(repr(run).encode()).hexdigest() for id, run in runs.items()}


def test_same_trials_in_other_processes_and_with_other_thread_counts():
    tests = Path(__file__).parent
    running = []
    for hash_seed, n_threads in (("0", "1"), ("1", "2"), ("4242", "2")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "OMP_NUM_THREADS": n_threads,
            "OPENBLAS_NUM_THREADS": n_threads,
            "PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)]),
        }
        command = [sys.executable, "-c", PROGRAM]
        running.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    expected = str(trials_digests())
    assert [process.communicate(timeout=120)[0].strip() for process in running] == [expected] * 3
