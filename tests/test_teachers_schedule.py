"""Fixed curricula: stages made by hand, and recorded runs replayed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import teachers
from teachenv.broker import Broker
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.schedule import TAIL, Schedule

SPACE = TaskSpace(
    [
        Dim("height", 0.0, 3.0, default=1.0),
        Dim("n", 2, 9, kind="int"),
        Dim("mode", kind="choice", choices=("a", "b")),
    ]
)
OK = Outcome(0.5, 0.5, 1, False)


def tasks(teacher, n):
    return np.array([teacher.ask().task for _ in range(n)])


# -- stages ----------------------------------------------------------------------------------


def test_stages_follow_one_another_by_the_number_of_trials_asked():
    teacher = Schedule(SPACE, stages=[{"until": 3}, {"until": 5}, {}])
    reasons = [teacher.ask().reason for _ in range(8)]
    assert reasons == ["stage 1"] * 3 + ["stage 2"] * 2 + ["stage 3"] * 3


def test_a_box_holds_its_corners_and_leaves_other_parameters_free():
    stage = {"low": {"height": 1.0, "n": 4}, "high": {"height": 1.5, "n": 5}}
    drawn = tasks(Schedule(SPACE, stages=[stage]), 2000)
    assert drawn[:, 0].min() == pytest.approx(1.0, abs=0.01)
    assert drawn[:, 0].max() == pytest.approx(1.5, abs=0.01)
    for column, values in ((1, [4, 5]), (2, [0, 1])):
        found, counts = np.unique(drawn[:, column], return_counts=True)
        np.testing.assert_array_equal(found, values)
        np.testing.assert_allclose(counts / 2000, 0.5, atol=0.05)


def test_tasks_are_drawn_by_weight_and_the_rest_is_at_its_default():
    stage = {"tasks": [{"height": 2.0}, {"mode": "b"}], "weights": [3, 1]}
    drawn = tasks(Schedule(SPACE, stages=[stage]), 4000)
    assert {tuple(task) for task in drawn.tolist()} == {(2.0, 2.0, 0.0), (1.0, 2.0, 1.0)}
    assert np.mean(drawn[:, 0] == 2.0) == pytest.approx(0.75, abs=0.03)
    single = tasks(Schedule(SPACE, stages=[{"task": {"height": 0.3, "n": 9}}]), 3)
    np.testing.assert_array_equal(single, [[0.3, 9.0, 0.0]] * 3)


def test_no_stage_is_the_whole_space():
    drawn = tasks(Schedule(SPACE), 2000)
    np.testing.assert_allclose(drawn.mean(axis=0), [1.5, 5.5, 0.5], atol=0.15)
    assert len(np.unique(drawn[:, 1])) == 8


def test_describe_shows_the_stage_as_a_window():
    teacher = Schedule(SPACE, stages=[{"until": 1, "high": {"height": 1.5}}, {"task": {}}])
    text = teacher.describe()
    assert (text["stage"], text["n_stages"]) == (1, 2)
    np.testing.assert_allclose(text["window"]["low"], 0.0)
    np.testing.assert_allclose(text["window"]["high"], [0.5, 1.0, 1.0])
    teacher.ask()
    np.testing.assert_array_equal(teacher.describe()["tasks"], [[1.0, 2.0, 0.0]])


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([3], "stage 1: expected a mapping"),
        ([{"heigth": 1}], r"stage 1: unknown \['heigth'\]; known: until, low"),
        ([{}, {}], "stage 1: until: expected a whole number"),
        ([{"until": 5}], "stage 1: until: the last stage has no end"),
        ([{"until": 5}, {"until": 5}, {}], r"until: expected rising numbers, got \[5, 5\]"),
        ([{"until": 5}, {"until": 3}, {}], r"until: expected rising numbers, got \[5, 3\]"),
        ([{"low": {"height": 4}}], r"stage 1: .*height"),
        ([{"low": {"height": 2}, "high": {"height": 1}}], "low: expected at most high"),
        ([{"low": {}, "task": {}}], "not several"),
        ([{"task": {}, "tasks": [{}]}], "not several"),
        ([{"tasks": []}], "tasks: expected at least one"),
        ([{"tasks": [{}], "weights": [1, 2]}], "weights: expected 1 numbers"),
        ([{"tasks": [{}, {}], "weights": [0, 0]}], "weights: expected at least one above 0"),
        ([{"tasks": [{}], "weights": [-1]}], "weights: expected a finite number in"),
        ([3, {"low": {"height": 4}}], "stage 1: .*; stage 2: "),
    ],
)
def test_bad_stages_are_named(stages, message):
    with pytest.raises(ValueError, match=f"schedule: .*{message}"):
        Schedule(SPACE, stages=stages)


# -- records ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder as a run leaves it, of 300 trials told out of order; and the trials."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    folder.mkdir()
    broker = Broker(teachers.make("robust-plr", SPACE, seed=5, capacity=20), seed=5)
    rng = np.random.default_rng(0)
    issued = []
    for _ in range(10):
        batch = [broker.ask(str(i)) for i in range(30)]
        issued += batch
        for i in rng.permutation(30):
            status = ("ok", "lost", "failed")[int(rng.choice(3, p=[0.8, 0.1, 0.1]))]
            signals = dict.fromkeys(broker.teacher.needs, 0.5)
            outcome = {"ok": Outcome(0.5, 0.5, 1, False, signals=signals), "lost": Outcome.lost()}
            broker.tell(batch[i].id, outcome.get(status, Outcome.failed()))
    rows = broker.close_round()
    (folder / "episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    header = {"task_space": json.loads(SPACE.to_json())}
    (folder / "config.json").write_text(json.dumps(header))
    failed = {row["trial"] for row in rows if row["status"] == "failed"}
    return folder, [trial for trial in issued if trial.id not in failed]


def test_a_recorded_run_is_replayed_trial_by_trial(recorded):
    folder, played = recorded
    teacher = Schedule(SPACE, run=str(folder))
    assert teacher.describe()["n_recorded"] == len(played)
    for i, old in enumerate(played):
        new = teacher.ask()
        assert new.task.tobytes() == old.task.tobytes()
        assert (new.level_seed, new.train) == (old.level_seed, old.train)
        assert new.reason == f"replay {i}"
    assert {trial.train for trial in played} == {True, False}


def test_a_record_that_is_over_goes_on_with_its_last_tasks(recorded):
    folder, played = recorded
    teacher = Schedule(SPACE, run=str(folder / "episodes.jsonl"))
    for _ in played:
        teacher.ask()
    again = [teacher.ask() for _ in range(1000)]
    last = {trial.task.tobytes() for trial in played[-TAIL:]}
    assert {trial.task.tobytes() for trial in again} == last
    assert {(trial.level_seed, trial.train) for trial in again} == {(None, True)}


def test_a_torn_last_line_is_dropped(recorded, tmp_path):
    folder, played = recorded
    text = (folder / "episodes.jsonl").read_text()
    (tmp_path / "episodes.jsonl").write_text(text + '{"trial": 300, "ta')
    assert Schedule(SPACE, run=str(tmp_path)).describe()["n_recorded"] == len(played)


def test_a_changed_record_is_noticed_on_loading(recorded, tmp_path):
    folder, _ = recorded
    state = Schedule(SPACE, run=str(folder)).state_dict()
    lines = (folder / "episodes.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "episodes.jsonl").write_text("".join(lines[:-20]))
    with pytest.raises(ValueError, match="has changed"):
        Schedule(SPACE, run=str(tmp_path)).load_state_dict(state)
    Schedule(SPACE, run=str(folder)).load_state_dict(state)


def test_bad_records_are_refused(recorded, tmp_path):
    folder, _ = recorded
    with pytest.raises(ValueError, match=r"schedule: run: .*cannot be read"):
        Schedule(SPACE, run=str(tmp_path / "nowhere"))
    other = TaskSpace([Dim("a"), Dim("b"), Dim("c")])
    with pytest.raises(ValueError, match="recorded with the parameters"):
        Schedule(other, run=str(folder))
    file = tmp_path / "episodes.jsonl"
    good = {"trial": 0, "task": [1.0, 3, 0], "level_seed": 1, "train": True, "status": "ok"}
    for row, message in (
        ("", "no trial to replay"),
        ("[1]\n", "line 1: not the row of a trial"),
        ("[" * 100_000 + "\n", "line 1: not the row of a trial"),
        ('{"trial": 0}\n', "line 1: not the row of a trial"),
        (json.dumps({**good, "task": [1.0]}) + "\n", "expected tasks of 3 numbers"),
        (json.dumps({**good, "task": [1.0, 2.5, 0]}) + "\n", "is not in TaskSpace"),
        (json.dumps({**good, "task": [9.0, 2, 0]}) + "\n", "is not in TaskSpace"),
        (json.dumps({**good, "level_seed": -1}) + "\n", "line 1: not the row of a trial"),
    ):
        file.write_text(row)
        with pytest.raises(ValueError, match=message):
            Schedule(SPACE, run=str(tmp_path))
    with pytest.raises(ValueError, match="not both"):
        Schedule(SPACE, run=str(folder), stages=[{}])
