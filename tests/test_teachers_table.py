"""The table of teachers; uniform and oracle."""

from __future__ import annotations

from typing import get_args

import gymnasium as gym
import numpy as np
import pytest
from small_teachers import REFUSES, told

import teachenv  # noqa: F401  (registers the environments)
import teachers
from teachenv.protocols import Outcome, Teacher
from teachenv.space import Dim, TaskSpace
from teachers.base import Knowledge
from teachers.probe import SAMPLE_SPACES

STUMPS = TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0), Dim("other", -1.0, 1.0)])
ORACLE = {"mastery": 230.0, "harder": {"height": 1, "spacing": -1}}


def tell(teacher, trial, episode_return):
    teacher.tell(trial, Outcome(0.5, episode_return, 10, False))


# -- table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_table_and_classes_agree(id):
    cls = teachers.teacher_class(id)
    assert cls.id == id
    assert cls.__doc__
    assert cls.knowledge in get_args(Knowledge)
    teacher = told(id, space_of(id), seed=3)
    assert isinstance(teacher, Teacher)
    assert teacher.describe()["teacher"] == id


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_presets_are_hyper_parameters_and_build(id):
    for name, values in teachers.presets(id).items():
        assert set(values) <= set(teachers.hyper_parameters(id)), name
        told(id, space_of(id), preset=name).ask()


def space_of(id):
    return SAMPLE_SPACES["whole"] if "two" in REFUSES.get(id, ()) else STUMPS


def test_table_is_in_alphabetical_order():
    assert list(teachers.TEACHERS) == sorted(teachers.TEACHERS)


def test_unknown_teacher_lists_the_known_and_the_nearest():
    with pytest.raises(ValueError, match=r"'alpgmm'; known: .*alp-gmm, .*did you mean 'alp-gmm'\?"):
        teachers.make("alpgmm", STUMPS)


def test_unknown_hyper_parameter_lists_the_accepted_with_defaults():
    with pytest.raises(ValueError, match=r"'steps'; known: .*step=0.03.*mean 'step'"):
        teachers.make("oracle", STUMPS, steps=1)
    with pytest.raises(ValueError, match="known: none"):
        teachers.make("uniform", STUMPS, rate=1)


def test_hyper_parameters_are_the_keywords_without_the_seed():
    assert teachers.hyper_parameters("uniform") == {}
    assert list(teachers.hyper_parameters("oracle")) == ["mastery", "harder", "step"]
    assert teachers.hyper_parameters("alp-gmm")["fit_rate"] == 250


def test_something_else_than_a_space_or_a_seed_is_refused():
    with pytest.raises(TypeError, match="expected a TaskSpace"):
        teachers.make("uniform", None)
    with pytest.raises(ValueError, match="seed"):
        teachers.make("uniform", STUMPS, seed=-1)


# -- uniform ---------------------------------------------------------------------------------


def test_uniform_covers_every_dimension_evenly():
    teacher = teachers.make("uniform", STUMPS)
    units = STUMPS.to_unit(np.array([teacher.ask().task for _ in range(5000)]))
    for column in units.T:
        shares = np.histogram(column, bins=10, range=(0.0, 1.0))[0] / 5000
        np.testing.assert_allclose(shares, 0.1, atol=0.02)


# -- oracle ----------------------------------------------------------------------------------


def test_window_starts_at_the_easy_end_and_spans_what_is_not_ordered():
    teacher = teachers.make("oracle", STUMPS, **ORACLE)
    window = teacher.describe()["window"]
    np.testing.assert_allclose(window["low"], [0.0, 5 / 6, 0.0])
    np.testing.assert_allclose(window["high"], [1 / 6, 1.0, 1.0])
    tasks = np.array([teacher.ask().task for _ in range(1000)])
    low, high = tasks.min(axis=0), tasks.max(axis=0)
    np.testing.assert_allclose(low, [0.0, 5.0, -1.0], atol=0.02)
    np.testing.assert_allclose(high, [0.5, 6.0, 1.0], atol=0.02)


def test_window_moves_by_the_published_step_after_fifty_good_returns():
    teacher = teachers.make("oracle", STUMPS, **ORACLE)
    for _ in range(49):
        tell(teacher, teacher.ask(), 231.0)
    assert teacher.describe()["n_moves"] == 0
    tell(teacher, teacher.ask(), 231.0)
    window = teacher.describe()["window"]
    np.testing.assert_allclose(window["low"] * [3, 6, 1], [0.1, 4.8, 0.0])
    assert teacher.ask().reason == "window 1"


def test_batches_do_not_overlap_and_the_mean_must_be_above_mastery():
    teacher = teachers.make("oracle", STUMPS, **ORACLE)
    for episode_return in [230.0] * 50 + [0.0] * 25 + [1000.0] * 25 + [231.0] * 49:
        tell(teacher, teacher.ask(), episode_return)
    assert teacher.describe()["n_moves"] == 1


def test_window_stops_at_the_hard_end():
    teacher = teachers.make("oracle", STUMPS, **ORACLE)
    for _ in range(40 * 50):
        tell(teacher, teacher.ask(), 300.0)
    window = teacher.describe()["window"]
    np.testing.assert_allclose(window["low"], [5 / 6, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(window["high"], [1.0, 1 / 6, 1.0], atol=1e-12)


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        ({"mastery": None}, "mastery=env.unwrapped.mastery"),
        ({"mastery": float("nan")}, "mastery: expected a finite number"),
        ({"harder": None}, r"no order of difficulty .*harder=\{'height': 1\}"),
        ({"harder": {}}, "no order of difficulty"),
        ({"harder": ["height"]}, "expected {name: "),
        ({"harder": {"hight": 1, "spacing": 2}}, r"'hight' is not one of .*'spacing': .*\+1 or -1"),
        ({"step": 0.0}, r"step: expected a number in \(0, 1\]"),
    ],
)
def test_oracle_says_what_it_needs(hyper, message):
    with pytest.raises(ValueError, match=message):
        teachers.make("oracle", STUMPS, **{**ORACLE, **hyper})


@pytest.mark.parametrize(
    ("preset", "env", "step"),
    [
        ("stump-tracks", "StumpTracks", [0.1, -0.2]),
        ("hexagon-tracks", "HexagonTracks", [0.1] * 12),
        ("stump-sequences", "StumpSequences", [0.1] * 10),
    ],
)
def test_oracle_presets_move_by_the_published_step(preset, env, step):
    tracks = gym.make(f"teachenv/{env}-v0").unwrapped
    teacher = teachers.make("oracle", tracks.task_space, preset=preset, mastery=230.0)
    low = teacher.window()[0]
    for _ in range(50):
        tell(teacher, teacher.ask(), 231.0)
    moved = (teacher.window()[0] - low) * (tracks.task_space.high - tracks.task_space.low)
    np.testing.assert_allclose(moved, step)
