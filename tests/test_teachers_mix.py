"""Mixes of teachers: shares, warm-up, and outcomes that go where they belong."""

from __future__ import annotations

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers import probe
from teachers.mix import Mix

SPACE = TaskSpace([Dim("x", -1.0, 0.7), Dim("n", 0, 4, kind="int")])
RIAC = {"teacher": "riac", "args": {"max_region_size": 20}}


def tell(teacher, trial, score=0.5):
    signals = dict.fromkeys(teacher.needs, 0.5)
    teacher.tell(trial, Outcome(score, score, 1, False, signals=signals))


def counts(teacher, key="n_told"):
    return [part[key] for part in teacher.describe()["parts"].values()]


def test_parts_are_asked_by_their_shares():
    teacher = Mix(SPACE, parts=[{"teacher": "uniform", "share": 3}, {"teacher": "grid"}])
    reasons = [teacher.ask().reason.split(":")[0] for _ in range(4000)]
    assert set(reasons) == {"uniform", "grid"}
    assert reasons.count("uniform") / 4000 == pytest.approx(0.75, abs=0.02)


def test_one_warms_up_for_the_other():
    parts = [
        {"teacher": "uniform", "until": 20},
        {"teacher": "grid", "from": 20},
        {"teacher": "adr", "from": 20, "until": 25, "share": 1e9},
    ]
    teacher = Mix(SPACE, parts=parts)
    reasons = [teacher.ask().reason.split(":")[0] for _ in range(40)]
    assert reasons == ["uniform"] * 20 + ["adr"] * 5 + ["grid"] * 15
    np.testing.assert_array_equal(teacher.describe()["weights"], [0, 1, 0])


def test_an_outcome_goes_to_the_part_that_asked():
    parts = [RIAC, {**RIAC, "share": 0.5}, {"teacher": "uniform"}]
    teacher = Mix(SPACE, seed=1, parts=parts)
    trials = [teacher.ask() for _ in range(60)]
    asked = counts(teacher, "n_asked")
    assert sum(asked) == 60
    rng = np.random.default_rng(0)
    for i in rng.permutation(60)[:30]:
        tell(teacher, trials[i])
    told = counts(teacher)
    assert sum(told) == 30
    for trial in trials:
        if trial.id in teacher._outstanding:
            teacher.tell(trial, Outcome.lost())
    assert counts(teacher) == told
    assert (np.array(counts(teacher, "n_lost")) + told).tolist() == asked


def test_a_part_learns_as_it_would_alone():
    """One part asked in every trial takes the same course as the teacher itself."""
    teacher = Mix(SPACE, seed=3, parts=[RIAC])
    inner = teacher._parts[0].teacher
    alone = teachers.make("riac", SPACE, seed=0, max_region_size=20)
    alone.load_state_dict(inner.state_dict())
    for i in range(200):
        one, other = teacher.ask(), alone.ask()
        assert one.task.tobytes() == other.task.tobytes()
        tell(teacher, one, i % 7 / 7)
        tell(alone, other, i % 7 / 7)
    assert probe.fingerprint(inner.state_dict()) == probe.fingerprint(alone.state_dict())


def test_levels_training_and_needed_signals_of_parts_pass_through():
    teacher = Mix(SPACE, parts=[{"teacher": "robust-plr", "args": {"capacity": 5}}])
    assert teacher.needs == teachers.make("robust-plr", SPACE).needs != frozenset()
    trial = teacher.ask()
    assert trial.level_seed is not None
    assert trial.train is False
    tell(teacher, trial)
    assert counts(teacher) == [1]


def test_state_holds_the_parts_and_what_they_wait_for():
    parts = [RIAC, {"teacher": "alp-gmm", "args": {"fit_rate": 20, "max_k": 2}}]
    teacher = Mix(SPACE, seed=3, parts=parts)
    waiting = []
    probe.drive(teacher, 100, waiting=waiting)
    assert waiting
    other = Mix(SPACE, seed=9, parts=parts)
    other.load_state_dict(probe.stored(teacher.state_dict()))
    runs = [probe.drive(t, 60, waiting=list(waiting)) for t in (teacher, other)]
    assert runs[0] == runs[1]


def test_parts_differ_in_seed():
    teacher = Mix(SPACE, parts=[{"teacher": "uniform"}, {"teacher": "uniform"}])
    first, second = (part.teacher for part in teacher._parts)
    assert first.ask().task.tobytes() != second.ask().task.tobytes()


def test_presets_arguments_and_the_environments_facts_reach_the_parts():
    parts = [
        {"teacher": "alp-gmm", "preset": "teachmyagent", "args": {"max_k": 3}},
        {"teacher": "oracle"},
        {"teacher": "oracle", "args": {"mastery": 7.0}},
    ]
    teacher = Mix(SPACE, parts=parts, mastery=0.5, harder={"x": 1})
    gmm, one, other = (part.teacher for part in teacher._parts)
    assert (gmm.settings.fit_rate, gmm.settings.max_k) == (150, 3)
    assert (one._mastery, other._mastery) == (0.5, 7.0)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([3], "part 1: expected a mapping with a teacher"),
        ([{"teacher": "unifrom"}], "part 1: unknown teacher 'unifrom'"),
        ([{"teacher": "uniform", "shar": 1}], r"part 1: unknown \['shar'\]"),
        ([{"teacher": "uniform", "share": -1}], "part 1: share"),
        ([{"teacher": "uniform", "from": 0.5}], "part 1: from"),
        ([{"teacher": "uniform", "args": {"x": 1}}], "part 1: unknown hyper-parameter"),
        ([{"teacher": "riac", "preset": "x"}], "part 1: unknown preset"),
        ([{"teacher": "oracle"}], "part 1: oracle: mastery"),
        ([{"teacher": "uniform", "until": 9}], "no part is asked in trial 9"),
        ([{"teacher": "uniform", "from": 9}], "no part is asked in trial 0"),
        ([{"teacher": "uniform", "share": 0}], "no part is asked in trial 0"),
        ([], "no part is asked in trial 0"),
        ([3, {"teacher": "x"}], "part 1: .*; part 2: "),
    ],
)
def test_bad_parts_are_named(parts, message):
    with pytest.raises(ValueError, match=f"mix: .*{message}"):
        Mix(SPACE, parts=parts)


def test_what_a_part_gives_up_as_lost_the_mix_gives_up_too(monkeypatch):
    monkeypatch.setattr("teachers.base.MAX_OUTSTANDING", 20)
    parts = [{"teacher": "uniform", "until": 10}, {**RIAC, "from": 10}]
    teacher = Mix(SPACE, parts=parts)
    for _ in range(100):
        teacher.ask()
    assert teacher.describe()["n_lost"] == 80
