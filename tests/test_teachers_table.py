"""The table of teachers, uniform and oracle, and the golden sequences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import teachers
from teachenv.protocols import Outcome, Teacher
from teachenv.space import Dim, TaskSpace

GOLDEN = Path(__file__).parent / "golden" / "teachers.json"
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
    teacher = teachers.make(id, STUMPS, seed=3, **(ORACLE if id == "oracle" else {}))
    assert isinstance(teacher, Teacher)
    assert teacher.describe()["teacher"] == id


def test_unknown_teacher_lists_the_known_and_the_nearest():
    with pytest.raises(ValueError, match=r"'alpgmm'; known: alp-gmm, .*did you mean 'alp-gmm'\?"):
        teachers.make("alpgmm", STUMPS)


def test_unknown_hyper_parameter_lists_the_accepted_with_defaults():
    with pytest.raises(ValueError, match=r"'steps'; known: .*step=0.03.*mean 'step'"):
        teachers.make("oracle", STUMPS, steps=1)
    with pytest.raises(ValueError, match="known: none"):
        teachers.make("uniform", STUMPS, rate=1)


def test_hyper_parameters_are_the_keywords_without_the_seed():
    assert teachers.hyper_parameters("uniform") == {}
    assert list(teachers.hyper_parameters("oracle")) == ["mastery", "harder", "step"]
    assert teachers.hyper_parameters("alp-gmm")["preset"] == "teachdeeprl"


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
        ({"harder": ["height"]}, "expected a mapping"),
        ({"harder": {"hight": 1, "spacing": 2}}, r"'hight' is not one of .*'spacing': .*\+1 or -1"),
        ({"step": 0.0}, r"step: expected a number in \(0, 1\]"),
    ],
)
def test_oracle_says_what_it_needs(hyper, message):
    with pytest.raises(ValueError, match=message):
        teachers.make("oracle", STUMPS, **{**ORACLE, **hyper})


# -- golden sequences ------------------------------------------------------------------------

GOLDEN_HYPER = {
    "alp-gmm": {"fit_rate": 20, "max_k": 3},
    "oracle": {"mastery": 0.0, "harder": {"height": 1, "spacing": -1}},
    "uniform": {},
}


def golden_tasks(id: str) -> list[list[float]]:
    """The last 50 of 80 tasks under a fixed history, 10 decimals."""
    teacher = teachers.make(id, STUMPS, seed=1, **GOLDEN_HYPER[id])
    tasks = []
    for i in range(80):
        trial = teacher.ask()
        score = (0.37 * i + float(trial.task[0])) % 1.0
        teacher.tell(trial, Outcome(score, score, 1, False))
        tasks.append([round(value, 10) for value in trial.task.tolist()])
    return tasks[30:]


@pytest.mark.parametrize("id", teachers.TEACHERS)
def test_golden_sequence(id):
    """A change of behaviour: run this file as a program, and say so in the changelog."""
    expected = json.loads(GOLDEN.read_text())[id]
    np.testing.assert_allclose(golden_tasks(id), expected, rtol=0, atol=2e-10)


if __name__ == "__main__":
    rows = {id: golden_tasks(id) for id in teachers.TEACHERS}
    lines = [f'"{id}": [\n' + ",\n".join(map(str, tasks)) + "\n]" for id, tasks in rows.items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
