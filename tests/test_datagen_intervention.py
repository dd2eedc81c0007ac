"""Help for a share of the questions: what it changes, and who spends it best."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_sb3

from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.datagen.intervention import InterventionBudget
from teachenv.envs.datagen.intervention_student import MARKS, HintedDigits
from teachenv.envs.datagen.play import play
from teachenv.envs.datagen.split import PARTS, part_of
from teachenv.errors import UserError
from teachenv.seeding import derive
from teachers.data.games import GAMES, make
from teachers.data.utility import N_FEATURES
from teachers.data.utility_model import fit_logistic

ENV = "teachenv/InterventionBudget-v0"


def gain(id: str, seed: int, batch: int = 50) -> float:
    """Return right answers gained by help, per help that the budget allows."""
    env = InterventionBudget(n_items=1000 if batch > 1 else 400, batch_size=batch)
    played = play(env, make("intervention", id, seed=seed), seed=seed, task={"budget": 0.2})
    return sum(played.rewards) - played.infos[-1]["later_gain"]


@pytest.mark.parametrize("options", [{"n_items": 100}, {"n_items": 60, "batch_size": 1}])
def test_all_checkers_pass_without_a_warning(options: dict[str, Any]) -> None:
    assert check_task_env(MakeEnv(ENV, options), episodes=3) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gymnasium(gym.make(ENV, **options).unwrapped)
        check_sb3(gym.make(ENV, **options).unwrapped)


def test_utility_beats_confidence_beats_chance_and_ill_will_harms() -> None:
    means = [np.mean([gain(id, seed) for seed in range(10)]) for id in GAMES["intervention"]]
    assert means[0] > means[1] + 0.05
    assert means[1] > means[2] + 0.05
    assert means[2] > means[3] + 0.05
    assert means[3] < 0.0


def test_one_question_at_a_time_utility_still_beats_chance() -> None:
    utility, chance = (
        np.mean([gain(id, seed, batch=1) for seed in range(5)]) for id in ("utility", "random")
    )
    assert utility > chance


@pytest.mark.parametrize("batch_size", [1, 20])
def test_help_stays_within_the_budget(batch_size: int) -> None:
    env = InterventionBudget(n_items=200, batch_size=batch_size)
    observation, _ = env.reset(seed=0, options={"task": {"budget": 0.25}})
    helped, done = 0, False
    while not done:
        action: Any = 1 if batch_size == 1 else np.zeros(20, dtype=np.float32)
        observation, _, _, done, info = env.step(action)
        helped += info["feedback"]["helped"].sum()
        assert observation["budget"][0] == pytest.approx(1.0 - helped / 50, abs=1e-6)
        asked = 200 * (1.0 - observation["left"][0])
        left = min(1.0, (50 - helped) / max(200 - asked, 1))
        assert observation["help"][0] == pytest.approx(left, abs=1e-3)
    assert helped == 50
    assert observation["left"][0] == 0.0


def test_the_highest_priorities_are_helped_and_only_they_change() -> None:
    env = InterventionBudget(n_items=100, batch_size=10)
    env.reset(seed=1, options={"task": {"budget": 0.3}})
    _, reward, *_, info = env.step(np.linspace(-1, 1, 10, dtype=np.float32))
    feedback = info["feedback"]
    assert feedback["helped"].tolist() == [False] * 7 + [True] * 3
    assert (feedback["after"] == feedback["before"])[:7].all()
    change = feedback["after"].sum() - feedback["before"].sum(dtype=int)
    assert reward == pytest.approx(float(change) / 30)


def test_marks_help_where_they_are_understood_and_harm_where_they_are_not() -> None:
    gains: dict[bool, list[float]] = {False: [], True: []}
    for seed in range(5):
        student = HintedDigits(derive(seed, "student"), 2)
        questions = student.questions("probe", 500, derive(seed, "questions"))
        before, after = student.answers_right(questions)
        misread = np.isin(questions.marks, student.misread)
        for kind in gains:
            rows = misread == kind
            gains[kind].append(after[rows].mean() - before[rows].mean())
    assert np.mean(gains[False]) > 0.1
    assert np.mean(gains[True]) < -0.1


def test_a_student_that_misreads_nothing_gains_by_all_help() -> None:
    student = HintedDigits(derive(0, "student"), 0)
    assert student.misread.tolist() == []
    before, after = student.answers_right(student.questions("probe", 500, derive(0, "q")))
    assert after.mean() > before.mean() + 0.05


def test_items_show_probabilities_level_and_mark() -> None:
    student = HintedDigits(derive(0, "student"), 2)
    questions = student.questions("train", 50, derive(0, "q"))
    shown = student.features(questions)
    np.testing.assert_allclose(shown[:, :10].sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(shown[:, 10] * 2, questions.items.level)
    np.testing.assert_array_equal(shown[:, 11:].argmax(axis=1), questions.marks)
    assert shown.shape == (50, 11 + MARKS)
    assert student.n_features == N_FEATURES


def test_the_hidden_test_part_is_never_asked() -> None:
    env = InterventionBudget()
    env.reset(seed=0)
    parts = {PARTS[p] for p in part_of(env._questions.items.keys)}
    later = {PARTS[p] for p in part_of(env._later.items.keys)}
    assert (parts, later) == ({"train"}, {"probe"})


def test_a_mental_model_is_the_penalised_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    y = rng.random(200) < 1 / (1 + np.exp(-x @ np.array([1.0, -2.0, 0.0, 0.5])))
    expected = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10).fit(x, y).coef_[0]
    np.testing.assert_allclose(fit_logistic(x, y), expected, atol=1e-4)


def test_utility_prefers_what_help_changes_and_its_adversary_the_opposite() -> None:
    rng = np.random.default_rng(1)
    items = np.zeros((400, 12))
    items[:, :10] = 0.1
    items[:, 10] = np.arange(400) % 2  # help makes these right, and the others wrong
    feedback = {
        "items": items,
        "helped": np.ones(400, dtype=bool),
        "before": rng.random(400) < 0.5,
        "after": items[:, 10] == 1,
    }
    for id, best in (("utility", 1.0), ("adversarial", 0.0)):
        teacher = make("intervention", id, seed=0, explore=0.0)
        teacher.tell({"feedback": feedback})
        assert items[teacher.scores(items).argmax(), 10] == best


def test_a_batch_larger_than_the_episode_is_refused() -> None:
    with pytest.raises(UserError, match="batch_size"):
        InterventionBudget(n_items=10, batch_size=20)


@pytest.mark.parametrize("hyper", [{"explore": 5}, {"warmup": 0}, {"memory": 0.5}])
def test_settings_of_utility_out_of_range_are_refused(hyper: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"utility: {next(iter(hyper))}: expected"):
        make("intervention", "utility", **hyper)
