"""Teachers of tasks as teachers of data."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from small_teachers import LEARNS_FROM, SMALL

import teachers
from teachenv.errors import UserError
from teachenv.lesson import Lesson, Syllabus
from teachenv.protocols import Outcome, Trial
from teachers import probe
from teachers.data import DATA_TEACHERS, hyper_parameters, make
from teachers.data.adapter import TaskTeacher
from teachers.data.check import check_data_teacher
from teachers.data.pretender import SAMPLE_SYLLABI, Pretender, drive

USUAL = SAMPLE_SYLLABI["usual"]
REFUSED = {"accel", "plr", "robust-plr"}
HYPER = {
    **SMALL,
    "mix": {"parts": [{"teacher": "uniform", "until": 30}, {"teacher": "tscl-naive", "from": 10}]},
}
OTHERS = sorted(set(teachers.TEACHERS) - REFUSED)


@pytest.mark.parametrize("id", OTHERS)
def test_teacher_plans_whole_lessons_and_goes_on_from_its_state(id: str) -> None:
    first, second = (TaskTeacher(USUAL, seed=s, teacher=id, **HYPER.get(id, {})) for s in (0, 1))
    assert {plan.total for plan in drive(first, 12)} == {USUAL.n_samples}
    second.load_state_dict(probe.stored(first.state_dict()))
    assert drive(first, 12) == drive(second, 12)


@pytest.mark.slow
@pytest.mark.parametrize("id", OTHERS)
def test_teacher_keeps_the_contract(id: str) -> None:
    hyper = {**HYPER.get(id, {}), "draws": 20}
    if id == "magellan":
        hyper["window"] = 20
    slow = ("adr", "oracle")  # their windows move later than the check looks
    learns = LEARNS_FROM.get(id, "tasks") != "nothing" and id not in slow
    factory = partial(TaskTeacher, teacher=id, **hyper)
    syllabi = {name: SAMPLE_SYLLABI[name] for name in ("usual", "one-cell", "one-lesson")}
    assert check_data_teacher(factory, learns=learns, syllabi=syllabi) == []


@pytest.mark.parametrize("id", sorted(REFUSED))
def test_teacher_of_unknown_signals_is_refused_in_words(id: str) -> None:
    with pytest.raises(UserError, match=r"needs the signals .*students of data provide"):
        make(id, USUAL)


class Listener(teachers.BaseTeacher):
    """Asks for the cells in turn; keeps what it was told."""

    id = "listener"

    def __init__(self, space, *, seed=0):
        super().__init__(space, seed=seed)
        self.told: list[tuple[Trial, Outcome]] = []

    def _sample(self):
        point = np.array([(self._counts["asked"] % 3 + 0.5) / 3, 0.5])
        return point, "in turn"

    def tell(self, trial, outcome):
        super().tell(trial, outcome)
        self.told.append((trial, outcome))

    def _update(self, point, outcome):
        pass


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> TaskTeacher:
    monkeypatch.setitem(teachers.TEACHERS, "listener", f"{__name__}:Listener")
    return TaskTeacher(Syllabus(("add", "sort", "mul"), 1, 4, 8), teacher="listener", draws=3)


def test_trials_share_the_samples_and_get_their_cells_accuracy(listener: TaskTeacher) -> None:
    student = Pretender(listener.syllabus, visible=np.array([[1.0], [1.0], [0.0]]))
    listener.begin()
    before = student.reading
    lesson = student.teach(listener.plan(before))
    assert lesson.taught.reshape(-1).tolist() == [2, 3, 3]
    listener.tell(lesson)
    told = [outcome for _, outcome in listener._teacher.told]
    assert [outcome.status for outcome in told] == ["ok", "ok", "lost"]
    assert [outcome.score for outcome in told[:2]] == lesson.reading.accuracy[:2, 0].tolist()
    assert [outcome.episode_length for outcome in told[:2]] == [2, 3]
    expected = before.confidence[:2, 0].tolist()
    assert [outcome.signals["value_start"] for outcome in told[:2]] == expected


def test_trials_of_a_dropped_plan_are_lost(listener: TaskTeacher) -> None:
    student = Pretender(listener.syllabus)
    listener.begin()
    listener.plan(student.reading)
    lesson = student.teach(listener.plan(student.reading))
    listener.tell(Lesson(lesson.plan, lesson.taught, lesson.reading, 0.0, True))
    assert [o.status for _, o in listener._teacher.told] == ["lost"] * 3 + ["ok"] * 3


def test_the_table_reaches_both_kinds() -> None:
    assert isinstance(make("alp-gmm", USUAL, draws=4, window=300), TaskTeacher)
    assert not isinstance(make("uniform", USUAL), TaskTeacher)
    assert "uniform" in DATA_TEACHERS
    assert {"draws", "mastered", "window"} <= set(hyper_parameters("alp-gmm"))
    with pytest.raises(UserError, match="unknown hyper-parameter of alp-gmm 'draw'"):
        make("alp-gmm", USUAL, draw=4)
