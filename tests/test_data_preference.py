"""Teachers that learn what teaches: preferences and the gradient of Meta Pseudo Labels."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from scipy.stats import spearmanr

import teachenv  # noqa: F401  (registers the environments)
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, Lesson, Reading, Syllabus
from teachenv.seeding import derive_int
from teachers import data
from teachers.data.meta_label import MetaLabel
from teachers.data.preference import Preference
from teachers.data.preference_features import CELL_FEATURES, cell_features, softmax
from teachers.data.pretender import Pretender, drive

SYLLABUS = Syllabus(("add", "sort"), 2, 4, 20)


def reading(accuracy: list[list[float]], **maps: Any) -> Reading:
    zero = np.zeros((2, 2))
    names = ("delta", "loss", "confidence", "data_share", "last_alloc")
    usual, one = dict.fromkeys(names, zero), np.ones((2, 2))
    return Reading(np.array(accuracy), visible=one, step=0, budget_left=1.0, **{**usual, **maps})


def test_features_of_a_cell_by_hand() -> None:
    share = np.array([[0.5, 0.25], [0.25, 0.0]])
    rows = cell_features(reading([[0.2, 0.6], [0.0, 1.0]], loss=share * 2, data_share=share))
    expected = {
        "accuracy": [0.2, 0.6, 0.0, 1.0],
        "accuracy (1 - accuracy)": [0.64, 0.96, 0.0, 0.0],
        "loss": [0.5, 1 / 3, 1 / 3, 0.0],
        "data": [2 / 3, 0.5, 0.5, 0.0],
        "level": [0.0, 1.0, 0.0, 1.0],
        "skill's accuracy": [0.4, 0.4, 0.5, 0.5],
        "probed": [1.0, 1.0, 1.0, 1.0],
    }
    for name, values in expected.items():
        centred = np.array(values) - np.mean(values)
        np.testing.assert_allclose(rows[:, CELL_FEATURES.index(name)], centred, err_msg=name)
    np.testing.assert_allclose(softmax(np.array([0.0, np.log(3.0)])), [0.25, 0.75])


def test_drafts_are_tried_on_as_many_students_as_the_teacher_asks_for() -> None:
    asked = []

    def rehearse(plans: Iterable[DataPlan], students: int = 1) -> list[np.ndarray]:
        asked.append(students)
        return likes_the_hard_level(plans)

    for teacher in (Preference(SYLLABUS, seed=0), Preference(SYLLABUS, seed=0, students=3)):
        teacher.begin(rehearse)
        teacher.plan(reading([[0.5, 0.5], [0.5, 0.5]]))
    assert asked == [1, 3]


def digits(**settings: Any) -> Any:
    given = {"n_samples": 30, "epochs": 5, "train_mode": "continual", **settings}
    return gym.make("teachenv/DataGenSkillList-digits-v0", **given).unwrapped


def even(env: Any) -> DataPlan:
    return DataPlan.of_counts(np.full(env.syllabus.shape, env.syllabus.n_samples // 30))


def test_a_rehearsal_with_several_students_is_the_mean_over_them() -> None:
    env = digits()
    env.reset(seed=0)
    env.step_plan(even(env))
    plans = [even(env), DataPlan(even(env).items[:9])]
    room, expected = env.classroom, []
    seed = derive_int(env._seed, "classmate", 0)  # an episode of its own tells what is right
    mate = copy.copy(room)
    mate.student = env._newcomers.untrained(0)
    base = env._newcomers.base(seed, "random", None)
    mate.begin(seed, base.state, base.items)
    mate.teach(even(env))
    for own, other in zip(env.rehearse(plans), mate.rehearse(plans), strict=True):
        expected.append((own + other) / 2)
    np.testing.assert_array_equal(env.rehearse(plans, 2), expected)
    assert not np.allclose(env.rehearse(plans, 2), env.rehearse(plans))
    np.testing.assert_array_equal(env.rehearse(plans, 2), expected)
    with pytest.raises(UserError, match="students"):
        env.rehearse(plans, 0)


def test_classmates_leave_the_episode_as_it_is_and_their_samples_are_counted() -> None:
    alone, together = digits(), digits()
    for env in (alone, together):
        env.reset(seed=3)
    for lesson in range(2):
        together.rehearse([even(together)] * 2, 3)
        counted = 3 * 2 * 30 * (lesson + 1) + 2 * 30 * lesson  # drafts, and lessons of the mates
        assert together.classroom.n_rehearsed == counted
        steps = [env.step_plan(even(env))[1] for env in (alone, together)]
        assert steps[0] == steps[1]
    np.testing.assert_array_equal(alone.reading.loss, together.reading.loss)


def likes_the_hard_level(plans: Iterable[DataPlan], students: int = 1) -> list[np.ndarray]:
    return [np.full((2, 2), plan.counts((2, 2))[:, 1].sum() / 100) for plan in plans]


def test_the_best_draft_is_preferred_to_the_worst() -> None:
    teacher = Preference(SYLLABUS, seed=0, drafts=4)
    teacher.begin(likes_the_hard_level)
    teacher.plan(reading([[0.5, 0.5], [0.5, 0.5]]))
    state = teacher.state_dict()["method"]
    level = CELL_FEATURES.index("level")
    expected = np.zeros(len(CELL_FEATURES))
    expected[level] = 1.0  # level 1 less level 0
    np.testing.assert_allclose(state["pairs"][0], expected)
    theta = state["theta"][level]  # minimises -log sigmoid(theta) + theta^2 / 2
    assert theta == pytest.approx(1 / (1 + np.exp(theta)))


def test_the_policy_follows_the_preferences_and_beta_says_how_far() -> None:
    shares = {}
    for beta in (0.1, 2.0):
        teacher = Preference(SYLLABUS, seed=0, beta=beta, explore=0.0)
        for _ in range(5):
            teacher.begin(likes_the_hard_level)
            teacher.plan(reading([[0.5, 0.5], [0.5, 0.5]]))
        shares[beta] = teacher.describe()["shares"][:, 1].sum()
    assert shares[0.1] > 0.95
    assert 0.55 < shares[2.0] < 0.85


def test_equal_drafts_teach_nothing() -> None:
    teacher = Preference(SYLLABUS, seed=0)
    teacher.begin(lambda plans, students: [np.zeros((2, 2)) for _ in plans])
    teacher.plan(reading([[0.1, 0.2], [0.3, 0.4]]))
    assert teacher.describe()["n_pairs"] == 0
    np.testing.assert_allclose(teacher.describe()["shares"], 0.25)


def test_old_pairs_make_room_for_new_ones() -> None:
    teacher = Preference(SYLLABUS, seed=0, memory=3)
    teacher.begin(likes_the_hard_level)
    for _ in range(5):
        teacher.plan(reading([[0.5, 0.5], [0.5, 0.5]]))
    assert teacher.describe()["n_pairs"] == 5
    assert teacher.state_dict()["method"]["pairs"].shape == (3, len(CELL_FEATURES))


def test_the_meta_label_gradient_by_hand() -> None:
    teacher = MetaLabel(SYLLABUS, seed=0, rate=0.5, explore=0.0)
    drops = [0.1, 0.2, 0.4]  # of the loss at the first lesson of three students
    before = reading([[0.1, 0.2], [0.3, 0.8]], loss=np.ones((2, 2)))
    for drop in drops:
        teacher.begin()
        plan = teacher.plan(before)
        after = replace(before, loss=np.full((2, 2), 1.0 - drop), step=1)
        taught = plan.counts((2, 2))
        teacher.tell(Lesson(plan, taught, after, 0.0, False))
    advantage = (0.4 - 0.15) / np.std([0.1, 0.2], ddof=1)
    surprise = taught.reshape(-1) / 20 - 0.25
    expected = 0.5 * min(advantage, 3.0) * surprise @ cell_features(before)
    found = teacher.state_dict()["method"]["theta"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_meta_label_learns_to_leave_noise_alone() -> None:
    syllabus = Syllabus(("add", "sort", "noise"), 3, 6, 30)
    teacher = MetaLabel(syllabus, seed=1)
    drive(teacher, 6 * 60)
    student = Pretender(syllabus)
    teacher.begin()
    for _ in range(3):
        plan = teacher.plan(student.reading)
        teacher.tell(student.teach(plan))
    assert teacher.describe()["shares"][2].sum() < 0.28  # even: 1/3


def taught(env: Any, teacher: Any, seed: int) -> float:
    env.reset(seed=seed)
    teacher.begin(env.rehearse)
    done = False
    while not done:
        plan = teacher.plan(env.reading)
        _, reward, terminated, truncated, info = env.step_plan(plan)
        done = terminated or truncated
        teacher.tell(Lesson(plan, info["taught"], env.reading, reward, done))
    return float(env.evaluate("test", 20).accuracy.mean())


def correlation(env: Any, teacher: Any, seed: int) -> float:
    """Return the rank correlation of predicted and true gains of a lesson on each cell."""
    env.reset(seed=seed)
    counts = env.syllabus.n_samples * np.eye(env.syllabus.n_cells, dtype=int)
    plans = [DataPlan.of_counts(row.reshape(env.syllabus.shape)) for row in counts]
    gains = [change.mean() for change in env.rehearse(plans)]
    return float(spearmanr(teacher.predicted(env.reading).reshape(-1), gains)[0])


@pytest.mark.slow
@pytest.mark.parametrize(("id", "n_students"), [("preference", 2), ("meta-label", 40)])
def test_on_digits_it_predicts_gains_and_beats_uniform(id: str, n_students: int) -> None:
    env: Any = gym.make("teachenv/DataGenSkillList-digits-v0", train_mode="retrain").unwrapped
    teacher = data.make(id, env.syllabus, seed=0)
    for seed in range(n_students):
        taught(env, teacher, seed)
    ranks = [correlation(env, teacher, seed) for seed in range(900, 904)]
    assert np.mean(ranks) > 0.3
    uniform = data.make("uniform", env.syllabus, seed=0)
    gaps = [taught(env, teacher, s) - taught(env, uniform, s) for s in range(500, 508)]
    assert np.mean(gaps) > 0.02
