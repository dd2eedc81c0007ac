"""Replay teachers against hand-computed weights; tests name the bug of others they prevent."""

from collections import Counter

import numpy as np
import pytest
import worlds

import teachers
from teachenv.broker import Broker
from teachenv.env import FIRST_TEST_LEVEL
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.accel import Accel
from teachers.levels import Level, LevelBuffer
from teachers.plr import Plr
from teachers.probe import stored
from teachers.robust_plr import RobustPlr
from teachers.sfl import Sfl

PLANE = TaskSpace([Dim("x"), Dim("y", 1.0, 7.0)])
REPLAYERS = ("plr", "robust-plr", "accel")
SIGNAL = "positive_value_loss"


def result(loss, episode_return=0.0, success=False):
    return Outcome(0.5, episode_return, 1, success, signals={SIGNAL: loss})


def level(number):
    return Level(np.array([number / 100, 1.0 + number / 50]), number)


def buffer(scores, dates, *, capacity=10, temperature=0.5, staleness=0.25):
    found = LevelBuffer(2, capacity, temperature, staleness)
    for i, (score, date) in enumerate(zip(scores, dates, strict=True)):
        assert found.put(level(i), score, date, now=max(dates)) == i
    return found


def fill(teacher, n, loss=lambda i: float(i)):
    """Play trials one after the other."""
    for i in range(n):
        teacher.tell(teacher.ask(), result(loss(i)))


# -- weights of the buffer -----------------------------------------------------------------


def test_weights_equal_the_hand_worked_case():
    levels = buffer(scores=[0.3, 0.9, 0.1, 0.5], dates=[6, 9, 2, 10], temperature=0.5)
    # Ranks 3 1 4 2; (1 / rank) ** 2 = 1/9 1 1/16 1/4. Ages at time 10: 4 1 8 0.
    by_rank = np.array([1 / 9, 1, 1 / 16, 1 / 4]) / (1 / 9 + 1 + 1 / 16 + 1 / 4)
    by_age = np.array([4, 1, 8, 0]) / 13
    assert levels.weights(10) == pytest.approx(0.75 * by_rank + 0.25 * by_age, rel=1e-12)
    assert levels.weights(10).sum() == pytest.approx(1.0, abs=1e-12)


def test_no_time_passed_for_any_level_divides_by_zero_as_in_minimax_7():
    levels = buffer(scores=[0.3, 0.9], dates=[5, 5])
    assert levels.weights(5) == pytest.approx(0.75 * np.array([0.2, 0.8]) + 0.25 * 0.5)


def test_the_temperature_acts_on_ranks_not_on_the_mixture_as_in_minimax_7():
    cold = buffer([0.3, 0.9, 0.1], [1, 2, 3], temperature=0.01, staleness=0.4)
    ages = np.array([3, 2, 1]) / 6
    assert cold.weights(4) == pytest.approx(0.6 * np.array([0, 1, 0]) + 0.4 * ages)
    hot = buffer([0.3, 0.9, 0.1], [1, 2, 3], temperature=1e3, staleness=0.4)
    assert hot.weights(4) == pytest.approx(0.6 / 3 + 0.4 * ages, abs=1e-3)


def test_only_the_order_of_scores_counts_whatever_their_sign_and_size():
    first = buffer([0.3, 0.9, 0.1], [1, 2, 3])
    other = buffer([-3e5, 1e300, -1e301], [1, 2, 3])
    assert first.weights(4).tolist() == other.weights(4).tolist()


def test_equal_scores_are_ranked_in_the_order_of_their_slots():
    levels = buffer([0.5, 0.5, 0.5], [3, 3, 3], temperature=1.0, staleness=0.0)
    assert levels.weights(3) == pytest.approx(np.array([6, 3, 2]) / 11)


def test_a_new_score_replaces_the_old_one_and_the_ranks_follow():
    levels = buffer([0.3, 0.9], [1, 2], staleness=0.0)
    assert levels.weights(2) == pytest.approx([0.2, 0.8])
    assert levels.put(level(0), 1.5, date=3, now=3) == 0
    assert levels.weights(3) == pytest.approx([0.8, 0.2])
    assert levels.scores.tolist() == [1.5, 0.9]
    assert len(levels) == 2


def test_levels_are_told_apart_by_task_and_seed():
    levels = LevelBuffer(2, 10, 0.1, 0.5)
    same = np.array([0.5, 2.0])
    assert levels.put(Level(same, 1), 1.0, 0, 0) == 0
    assert levels.put(Level(same, 2), 1.0, 0, 0) == 1
    assert levels.put(Level(np.nextafter(same, 9.0), 1), 1.0, 0, 0) == 2
    assert levels.put(Level(same.copy(), 2), 3.0, 0, 0) == 1


# -- eviction ------------------------------------------------------------------------------


def test_a_full_buffer_gives_up_the_level_least_likely_to_be_replayed():
    levels = buffer([0.3, 0.9, 0.1, 0.5], [6, 9, 2, 10], capacity=4)
    # By the weights above, slot 3 (rank 2 but just played): 0.132; slot 0: 0.135, slot 2: 0.187.
    assert int(np.argmin(levels.weights(10))) == 3
    assert levels.put(level(7), 0.6, date=10, now=10) == 3
    assert levels.slot(level(3)) is None
    assert levels.level(3).level_seed == 7
    assert len(levels) == 4


def test_a_level_worth_less_than_the_one_to_give_up_is_not_taken_in():
    levels = buffer([0.3, 0.9, 0.1, 0.5], [6, 9, 2, 10], capacity=4)
    assert levels.put(level(7), 0.49, date=10, now=10) is None
    assert levels.slot(level(7)) is None
    assert levels.seeds.tolist() == [0, 1, 2, 3]
    assert levels.put(level(8), 0.5, date=10, now=10) == 3  # equal is enough


def test_the_buffer_stays_within_its_capacity():
    teacher = Plr(PLANE, capacity=7, seed=1)
    fill(teacher, 300)
    assert len(teacher.levels) == len(teacher.levels._slots) == 7
    for slot in range(7):
        assert teacher.levels.slot(teacher.levels.level(slot)) == slot


# -- when to replay ------------------------------------------------------------------------


@pytest.mark.parametrize("id", REPLAYERS)
def test_nothing_is_replayed_before_the_buffer_is_filled_enough(id):
    teacher = teachers.make(id, PLANE, capacity=20, min_filled=0.5, replay_rate=1.0)
    for _ in range(9):
        trial = teacher.ask()
        assert trial.reason == "new level"
        teacher.tell(trial, result(1.0))
    fill(teacher, 200)
    assert teacher.describe()["n_replays"] > 50


@pytest.mark.parametrize(("filled", "rate", "expected"), [(6, 0.9, 0.6), (6, 0.25, 0.25)])
def test_replays_are_as_frequent_as_the_buffer_is_full_up_to_the_rate(filled, rate, expected):
    teacher = Plr(PLANE, capacity=10, min_filled=0.5, replay_rate=rate)
    for _ in range(filled):
        teacher.tell(teacher.ask(), result(1.0))
        if len(teacher.levels) == filled:
            break
    while len(teacher.levels) < filled:
        teacher.tell(teacher.ask(), result(1.0))
    n = teacher._n_replays
    for _ in range(4000):
        teacher.ask()
    assert (teacher._n_replays - n) / 4000 == pytest.approx(expected, abs=0.03)


def test_replays_are_drawn_by_the_weights():
    teacher = Plr(PLANE, capacity=5, temperature=1.0, staleness=0.0, replay_rate=1.0, seed=3)
    fill(teacher, 3)  # not replayed yet: 3 of 5 is more than half only from here on
    while len(teacher.levels) < 5:
        teacher.tell(teacher.ask(), result(0.5))
    expected = dict(zip(teacher.levels.seeds.tolist(), teacher.levels.weights(0), strict=True))
    drawn = Counter(teacher.ask().level_seed for _ in range(5000))
    assert set(drawn) == set(expected)
    for seed, weight in expected.items():
        assert drawn[seed] / 5000 == pytest.approx(weight, abs=0.03)


def test_a_replay_makes_a_level_fresh_when_it_is_sent_out_even_if_it_is_lost():
    teacher = Plr(PLANE, capacity=2, min_filled=1.0, staleness=1.0, replay_rate=1.0)
    for _ in range(2):
        teacher.tell(teacher.ask(), result(1.0))
    for _ in range(6):
        trial = teacher.ask()
        slot = teacher.levels.slot(Level(trial.task, trial.level_seed))
        assert teacher.levels.dates[slot] == trial.id
        assert teacher.levels.weights(trial.id)[slot] == 0.0
        teacher.tell(trial, Outcome.lost())
        assert teacher.levels.dates[slot] == trial.id


# -- levels stay the same ------------------------------------------------------------------


@pytest.mark.parametrize("id", REPLAYERS)
def test_replays_are_the_same_levels_to_the_last_bit_not_new_ones_as_in_minimax_6(id):
    space = TaskSpace([Dim("x", 0.1, 0.7), Dim("y", -1 / 3, 10.3), Dim("n", 0, 6, kind="int")])
    teacher = teachers.make(id, space, capacity=8, replay_rate=0.9, seed=5)
    first: dict[int, bytes] = {}
    n_replays = 0
    for i in range(400):
        trial = teacher.ask()
        assert trial.level_seed is not None
        assert 0 <= trial.level_seed < FIRST_TEST_LEVEL
        if trial.reason.startswith("replay"):
            assert trial.task.tobytes() == first[trial.level_seed]
            n_replays += 1
        else:
            assert trial.level_seed not in first
            first[trial.level_seed] = trial.task.tobytes()
        teacher.tell(trial, result(float(i % 7)))
    assert n_replays > 100


def test_replays_stay_the_same_levels_through_a_checkpoint():
    teacher, other = (RobustPlr(PLANE, capacity=8, seed=seed) for seed in (1, 2))
    fill(teacher, 50)
    waiting = teacher.ask()
    other.load_state_dict(stored(teacher.state_dict()))
    assert other.levels.tasks.tobytes() == teacher.levels.tasks.tobytes()
    for one in (teacher, other):
        one.tell(waiting, result(3.0))
    for _ in range(100):
        trials = teacher.ask(), other.ask()
        assert trials[0].task.tobytes() == trials[1].task.tobytes()
        assert trials[0].level_seed == trials[1].level_seed
        for one, trial in zip((teacher, other), trials, strict=True):
            one.tell(trial, result(trial.task[0]))
    with pytest.raises(ValueError, match="at most 4"):
        RobustPlr(PLANE, capacity=4).load_state_dict(teacher.state_dict())


def test_scores_go_to_the_level_that_was_played_not_to_the_last_one():
    teacher = Plr(PLANE, capacity=50, min_filled=1.0)
    trials = [teacher.ask() for _ in range(20)]
    for trial in reversed(trials):
        teacher.tell(trial, result(trial.task[0]))
    levels = teacher.levels
    assert levels.scores.tolist() == levels.tasks[:, 0].tolist()
    assert levels.dates.tolist() == [float(t.id) for t in reversed(trials)]


def test_a_level_that_was_given_up_while_it_was_played_is_judged_anew():
    teacher = Plr(PLANE, capacity=1, replay_rate=1.0)
    teacher.tell(teacher.ask(), result(1.0))
    replay = teacher.ask()
    assert replay.reason == "replay score 1"
    teacher.levels.put(level(3), 2.0, 5.0, 5.0)
    teacher.tell(replay, result(9.0))
    assert teacher.levels.scores.tolist() == [9.0]
    assert teacher.levels.seeds.tolist() == [replay.level_seed]


# -- what the student learns from ----------------------------------------------------------


@pytest.mark.parametrize(("id", "new"), [("plr", True), ("robust-plr", False), ("accel", False)])
def test_only_plr_trains_on_new_levels_and_all_train_on_replays(id, new):
    teacher = teachers.make(id, PLANE, capacity=8, seed=2)
    seen = set()
    for i in range(300):
        trial = teacher.ask()
        replay = trial.reason.startswith("replay")
        seen.add(replay)
        assert trial.train == (replay or new)
        teacher.tell(trial, result(float(i % 5)))
    assert seen == {True, False}


@pytest.mark.parametrize("score", ["positive_value_loss", "value_l1", "max_monte_carlo"])
def test_any_signal_of_a_student_can_be_the_score(score):
    signals = pytest.importorskip("students.signals")
    teacher = Plr(PLANE, score=score)
    assert teacher.needs == {score} <= signals.SIGNALS
    teacher.tell(teacher.ask(), Outcome(0.5, 0.0, 1, False, signals={score: -0.25}))
    assert teacher.levels.scores.tolist() == [-0.25]


# -- ACCEL ---------------------------------------------------------------------------------


def accel_after_a_batch(parents, returns, losses, **hyper):
    """An ACCEL that was told a batch of replays, and the tasks of that batch."""
    teacher = Accel(
        PLANE, capacity=40, min_filled=0.1, replay_rate=1.0, parents=parents, batch=len(returns),
        n_parents=2, temperature=1.0, seed=1, **hyper,
    )  # fmt: skip
    fill(teacher, 4)
    replayed = []
    while len(replayed) < len(returns):
        trial = teacher.ask()
        if trial.train:
            i = len(replayed)
            replayed.append(trial.task)
            teacher.tell(trial, result(losses[i], returns[i]))
        else:
            teacher.tell(trial, Outcome.lost())
    return teacher, replayed


RETURNS, LOSSES = [5.0, 9.0, 1.0, 9.0, 3.0], [0.0, 7.0, 0.0, 0.5, 0.0]
# Return minus loss: 5, 2, 1, 8.5, 3.


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        ("top", [3, 0, 3, 0, 3]),
        ("bottom", [2, 1, 2, 1, 2]),
        ("first", [0, 0, 0, 0, 0]),
        ("all", [0, 1, 2, 3, 4]),
    ],
)
def test_parents_are_the_chosen_ones_not_always_the_first_as_in_dcd_11(
    parents, expected, monkeypatch
):
    edited = []

    def edit(self, task, rng, n_edits):
        edited.append(task.tolist())
        return task

    monkeypatch.setattr(TaskSpace, "edit", edit)
    _, replayed = accel_after_a_batch(parents, RETURNS, LOSSES)
    assert edited == [replayed[i].tolist() for i in expected]


def test_children_are_edits_of_their_parents_on_new_seeds_played_next_without_training():
    teacher, replayed = accel_after_a_batch("all", RETURNS, LOSSES, n_edits=1)
    known = set(teacher.levels.seeds.tolist())
    changed = 0
    for parent in replayed:
        child = teacher.ask()
        assert (child.reason, child.train) == ("edited level", False)
        assert child.level_seed not in known
        different = np.flatnonzero(child.task != parent)
        assert len(different) <= 1
        changed += len(different)
        teacher.tell(child, result(50.0))
        assert teacher.levels.slot(Level(child.task, child.level_seed)) is not None
    assert changed >= 1
    assert teacher.ask().reason != "edited level"


def test_batches_are_edited_as_often_as_asked_for():
    never, _ = accel_after_a_batch("all", RETURNS, LOSSES, edit_rate=0.0)
    assert never.describe()["n_waiting"] == 0
    always, _ = accel_after_a_batch("all", RETURNS, LOSSES)
    assert always.describe()["n_waiting"] == 5


def test_new_levels_are_drawn_at_the_easy_end():
    space = TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0), Dim("colour")])
    teacher = Accel(space, harder={"height": 1, "spacing": -1}, easy_width=0.1)
    tasks = np.array([teacher.ask().task for _ in range(300)])
    assert tasks[:, 0].max() <= 0.3
    assert tasks[:, 1].min() >= 5.4
    assert np.ptp(tasks[:, 2]) > 0.9
    whole = Accel(space, harder={"height": 1}, easy_width=1.0)
    assert np.ptp([whole.ask().task[0] for _ in range(300)]) > 2.7


def test_children_waiting_to_be_played_are_bounded():
    teacher = Accel(PLANE, capacity=20, replay_rate=1.0, batch=4, n_parents=2, seed=1)
    fill(teacher, 20)
    trials = [teacher.ask() for _ in range(300)]
    for trial in trials:
        teacher.tell(trial, result(1.0))
    assert teacher.describe()["n_waiting"] == 20


# -- SFL -----------------------------------------------------------------------------------


def test_sfl_keeps_the_levels_with_the_largest_learnability():
    teacher = Sfl(PLANE, n_levels=5, n_attempts=4, keep=2, period=10)
    trials = [teacher.ask() for _ in range(20)]
    assert not any(trial.train for trial in trials)
    assert all(t.task.tobytes() == trials[i % 5].task.tobytes() for i, t in enumerate(trials))
    assert all(t.level_seed == trials[i % 5].level_seed for i, t in enumerate(trials))
    successes = [0, 4, 1, 2, 3]  # p (1 - p): 0, 0, 3/16, 1/4, 3/16
    for i, trial in enumerate(trials):
        teacher.tell(trial, result(0.0, success=i // 5 < successes[i % 5]))
    kept = teacher.describe()["levels"]
    assert kept["scores"].tolist() == [0.25, 0.1875]
    assert kept["level_seeds"].tolist() == [trials[3].level_seed, trials[2].level_seed]
    assert kept["tasks"].tolist() == [trials[3].task.tolist(), trials[2].task.tolist()]


def scored(**hyper):
    teacher = Sfl(PLANE, **{"n_levels": 4, "n_attempts": 2, "keep": 2, "period": 50, **hyper})
    for i in range(8):
        teacher.tell(teacher.ask(), result(0.0, success=i % 3 == 0))
    return teacher


def test_sfl_mixes_kept_levels_with_new_ones_and_scores_again_after_a_period():
    teacher = scored(period=2000, replay_rate=0.3)
    kept = {
        (seed, task.tobytes())
        for seed, task in zip(teacher._kept_seeds.tolist(), teacher._kept_tasks, strict=True)
    }
    trials = [teacher.ask() for _ in range(2000)]
    assert all(trial.train for trial in trials)
    replayed = [t for t in trials if t.reason.startswith("learnability")]
    assert len(replayed) / 2000 == pytest.approx(0.3, abs=0.04)
    assert {(t.level_seed, t.task.tobytes()) for t in replayed} == kept
    again = [teacher.ask() for _ in range(8)]
    assert [t.reason for t in again] == ["scoring"] * 8
    assert not {t.level_seed for t in again} & {t.level_seed for t in trials}


def test_sfl_leaves_out_lost_attempts_and_those_of_an_earlier_scoring():
    teacher = Sfl(PLANE, n_levels=2, n_attempts=2, keep=2, period=1)
    first = [teacher.ask() for _ in range(4)]
    teacher.tell(first[0], Outcome.lost())
    teacher.tell(first[2], result(0.0, success=True))
    assert teacher._kept_scores.tolist() == [0.0]  # one of one attempt succeeded
    assert teacher._kept_seeds.tolist() == [first[0].level_seed]
    assert teacher.ask().train
    assert teacher.ask().reason == "scoring"  # the next scoring has begun
    before = stored(teacher.state_dict())["method"]
    teacher.tell(first[1], result(0.0, success=True))
    after = stored(teacher.state_dict())["method"]
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_sfl_without_any_outcome_plays_random_levels():
    teacher = Sfl(PLANE, n_levels=2, n_attempts=1, keep=1, period=3)
    assert [teacher.ask().reason for _ in range(5)] == ["scoring"] * 2 + ["random level"] * 3


# -- bad arguments, real student -----------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "hyper"),
    [
        ("plr", {"capacity": 0, "replay_rate": 2, "min_filled": -1, "temperature": 0}),
        ("plr", {"score": 3, "staleness": 1.1}),
        ("accel", {"parents": "best", "edit_rate": 3, "n_edits": 0, "easy_width": 0}),
        ("accel", {"n_parents": 17}),
        ("accel", {"harder": {"z": 1}}),
        ("accel", {"harder": 3}),
        ("sfl", {"n_levels": 0, "signal": "value_start", "replay_rate": -1}),
        ("sfl", {"keep": 101}),
    ],
)
def test_bad_hyper_parameters_are_named_together(id, hyper):
    with pytest.raises(ValueError, match=f"^{id}: ") as refused:
        teachers.make(id, PLANE, **hyper)
    assert all(f"{name}: expected" in str(refused.value) for name in hyper), refused.value


def test_a_student_replays_levels_and_is_charged_for_those_that_are_only_scored():
    students = pytest.importorskip("students")
    pytest.importorskip("stable_baselines3")
    teacher = teachers.make("robust-plr", worlds.POLE_SPACE, capacity=6, replay_rate=0.8, seed=1)
    broker = Broker(teacher, seed=1)
    tiny = {"n_envs": 4, "n_steps": 64, "batch_size": 64, "n_epochs": 1, "hidden": (8,)}
    student = students.make("sb3-ppo", worlds.pole, broker, seed=1, **tiny)
    taken = student.learn(1500, seed=0)
    rows = broker.close_round()
    student.close()
    assert broker.step == taken
    played = [row for row in rows if row["status"] == "ok"]
    assert sum(row["episode_length"] for row in played) <= taken
    replays = [row for row in played if row["train"]]
    new = [row for row in played if not row["train"]]
    assert len(replays) > 10
    assert len(new) > 10
    assert all(row["reason"].startswith("replay") for row in replays)
    levels = {(row["level_seed"], *row["task"]) for row in new}
    assert {(row["level_seed"], *row["task"]) for row in replays} < levels
    assert len(teacher.levels) == 6
