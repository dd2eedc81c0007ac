"""What a method may ask of its base class: picks, notes, presets, refusing hyper-parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers import probe
from teachers.base import LEVEL_SEEDS, BaseTeacher, Pick, copy_state
from teachers.uniform import Uniform
from teachers.values import flag_problems, number_problems, refuse, whole_problems

SQUARE = TaskSpace([Dim("x", -1.0, 0.7), Dim("n", 0, 4, kind="int")])
OK = Outcome(0.5, 0.5, 1, False)


class Replayer(BaseTeacher):
    """New levels and exact replays of those learnt from, in turn."""

    id = "replayer"

    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=seed)
        self.learnt: list[Pick] = []
        self.dropped: list[Pick] = []

    def _sample(self):
        if self.learnt and self._counts["asked"] % 2:
            old = self.learnt[0]
            return replace(old, reason="replay", train=True, note={"kind": "replay"})
        point = self._rng.random(self.space.dim)
        return Pick(point, "new", self._new_level_seed(), train=False, note={"kind": "new"})

    def _learn(self, pick, outcome):
        self.learnt.append(pick)

    def _drop(self, pick, outcome):
        self.dropped.append(pick)

    def _state(self):
        return {"n_learnt": len(self.learnt)}

    def _load_state(self, state):
        assert state["n_learnt"] == 0


def test_a_pick_decides_level_and_training_and_comes_back_with_its_note():
    teacher = Replayer(SQUARE)
    trial = teacher.ask()
    assert (trial.reason, trial.train) == ("new", False)
    assert trial.level_seed is not None
    assert 0 <= trial.level_seed < LEVEL_SEEDS
    teacher.tell(trial, OK)
    pick = teacher.learnt[0]
    assert (pick.reason, pick.level_seed, pick.train) == ("new", trial.level_seed, False)
    assert pick.note == {"kind": "new"}
    np.testing.assert_array_equal(pick.task, trial.task)
    np.testing.assert_array_equal(pick.point, SQUARE.to_unit(trial.task))


def test_a_replayed_task_is_the_same_to_the_last_bit():
    """Through the unit cube and back, a task may move by a rounding error: another level."""
    for seed in range(50):
        teacher = Replayer(SQUARE, seed=seed)
        first = teacher.ask()
        teacher.tell(first, OK)
        again = teacher.ask()
        assert again.reason == "replay"
        assert again.task.tobytes() == first.task.tobytes()
        assert again.level_seed == first.level_seed
        assert not again.task.flags.writeable


def test_picks_outlive_saving():
    teacher = Replayer(SQUARE)
    trials = [teacher.ask() for _ in range(3)]
    other = Replayer(SQUARE, seed=5)
    other.load_state_dict(probe.stored(teacher.state_dict()))
    assert probe.fingerprint(other.state_dict()) == probe.fingerprint(teacher.state_dict())
    for each in (teacher, other):
        each.tell(trials[1], OK)
    one, two = teacher.learnt[0], other.learnt[0]
    assert (one.reason, one.level_seed, one.train, one.note) == (
        two.reason,
        two.level_seed,
        two.train,
        two.note,
    )
    np.testing.assert_array_equal(one.task, two.task)
    np.testing.assert_array_equal(one.point, two.point)


def test_a_fresh_teacher_has_seed_zero_and_empty_books():
    teacher, zero = Uniform(SQUARE), Uniform(SQUARE, seed=0)
    told = teacher.describe()
    assert [told[f"n_{what}"] for what in ("asked", "told", "failed", "lost")] == [0, 0, 0, 0]
    assert probe.fingerprint(teacher.state_dict()) == probe.fingerprint(zero.state_dict())
    foreign = {**teacher.state_dict(), "method": {"window": 3}}
    with pytest.raises(ValueError, match=r"remembers nothing, got \['window'\]"):
        teacher.load_state_dict(foreign)


def test_what_is_no_task_space_is_refused():
    with pytest.raises(TypeError, match=r"space: expected a TaskSpace .* got \[0, 1\]"):
        Uniform([0, 1])


def test_a_state_whose_picks_are_not_of_one_length_is_refused():
    teacher = Uniform(SQUARE)
    teacher.ask()
    state = teacher.state_dict()
    state["outstanding"]["notes"].append(None)
    with pytest.raises(ValueError, match="argument 6 is longer"):
        teacher.load_state_dict(state)


def test_a_copied_state_shares_nothing():
    state = {"rows": [[1.0], {"x": [2.0]}]}
    copied = copy_state(state)
    copied["rows"][0][0] = copied["rows"][1]["x"][0] = 0.0
    assert state == {"rows": [[1.0], {"x": [2.0]}]}


class FixedLevel(Uniform):
    """Plays one level seed, ``None`` for any."""

    level_seed: int | None = None

    def _sample(self):
        return Pick(np.full(self.space.dim, 0.5), "fixed", self.level_seed)


@pytest.mark.parametrize("level_seed", [None, 0, LEVEL_SEEDS - 1])
def test_level_seeds_outlive_saving_from_the_first_to_the_last(level_seed):
    teacher, other = FixedLevel(SQUARE), FixedLevel(SQUARE)
    teacher.level_seed = level_seed
    trial = teacher.ask()
    state = probe.stored(teacher.state_dict())
    assert state["method"] == {}
    other.load_state_dict(state)
    assert probe.fingerprint(other.state_dict()) == probe.fingerprint(state)
    if level_seed is not None:
        with pytest.raises(ValueError, match="level_seed"):
            other.tell(replace(trial, level_seed=level_seed + 1), OK)
    other.tell(trial, OK)


class Sums(Uniform):
    """Remembers an array that it changes in place."""

    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=seed)
        self.sum = np.zeros(space.dim)

    def _update(self, point, outcome):
        self.sum += point

    def _state(self):
        return {"deep": {"sum": self.sum}}

    def _load_state(self, state):
        self.sum = state["deep"]["sum"]


def test_states_do_not_change_while_teachers_go_on():
    teacher, other = Sums(SQUARE), Sums(SQUARE)
    state = teacher.state_dict()
    other.load_state_dict(state)
    before = probe.fingerprint(state)
    for each in (teacher, other):
        each.tell(each.ask(), OK)
        assert each.sum.any()
    assert probe.fingerprint(state) == before


def test_a_trial_changed_on_its_way_is_refused():
    teacher = Replayer(SQUARE)
    trial = teacher.ask()
    before = probe.fingerprint(teacher.state_dict())
    for changed in (replace(trial, train=True), replace(trial, level_seed=trial.level_seed + 1)):
        with pytest.raises(ValueError, match=r"was issued with level_seed=.*unchanged"):
            teacher.tell(changed, OK)
    assert probe.fingerprint(teacher.state_dict()) == before
    teacher.tell(trial, OK)


def test_a_level_seed_the_teacher_left_open_may_be_filled_in():
    teacher = Uniform(SQUARE)
    teacher.tell(replace(teacher.ask(), level_seed=7), OK)
    assert teacher.describe()["n_told"] == 1


def test_failed_lost_and_given_up_picks_are_dropped(monkeypatch):
    monkeypatch.setattr("teachers.base.MAX_OUTSTANDING", 2)
    teacher = Replayer(SQUARE)
    trials = [teacher.ask() for _ in range(3)]
    teacher.tell(trials[1], Outcome.failed())
    teacher.tell(trials[2], Outcome.lost())
    assert [pick.level_seed for pick in teacher.dropped] == [t.level_seed for t in trials]
    assert not teacher.learnt


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (Pick(np.array([0.5]), "short"), "expected 2 finite numbers"),
        (Pick(np.array([0.5, np.nan]), "nan"), "expected 2 finite numbers"),
        (Pick(np.zeros(2), "seed", level_seed=-1), "level seed in"),
        (Pick(np.zeros(2), "seed", level_seed=LEVEL_SEEDS), "level seed in"),
        (Pick(np.zeros(2), "outside", task=np.array([9.0, 0.0])), "expected a task of"),
    ],
)
def test_a_bad_pick_is_the_teachers_bug(pick, message):
    class Broken(Uniform):
        def _sample(self):
            return pick

    with pytest.raises(RuntimeError, match=f"{message}.*bug of the teacher"):
        Broken(SQUARE).ask()


# -- presets and values ----------------------------------------------------------------------


def test_presets_fill_in_and_explicit_values_win(monkeypatch):
    class Tuned(Uniform):
        presets = {"paper": {"rate": 3, "share": 0.5}}  # noqa: RUF012

        def __init__(self, space, *, seed=0, rate=1, share=0.1):
            super().__init__(space, seed=seed)
            self.given = (rate, share)

    monkeypatch.setattr("teachers.teacher_class", lambda id: Tuned)
    assert dict(teachers.presets("tuned")) == {"paper": {"rate": 3, "share": 0.5}}
    assert teachers.make("tuned", SQUARE).given == (1, 0.1)
    assert teachers.make("tuned", SQUARE, preset="paper").given == (3, 0.5)
    assert teachers.make("tuned", SQUARE, preset="paper", share=0.2).given == (3, 0.2)
    with pytest.raises(ValueError, match=r"unknown preset of tuned 'papr'.*did you mean 'paper'"):
        teachers.make("tuned", SQUARE, preset="papr")


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_every_preset_is_accepted(id):
    accepted = teachers.hyper_parameters(id)
    for hyper in teachers.presets(id).values():
        assert set(hyper) <= set(accepted)


def test_all_bad_hyper_parameters_are_named_at_once():
    problems = [
        *whole_problems(a=1, b=0, c=True, d=1.5),
        *number_problems(0, 1, e=0.5, f=float("nan"), g="1", h=2),
        *flag_problems(i=True, j=1),
    ]
    with pytest.raises(ValueError, match=r"^id: b: .*; c: .*; d: .*; f: .*; g: .*; h: .*; j: "):
        refuse("id", problems)
    refuse("id", [])
