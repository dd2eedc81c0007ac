"""The data-generation environments, on every domain."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from teachenv.envs.datagen.actions import ACTION_MODES
from teachenv.envs.datagen.domain import DOMAINS
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, PlanItem

SMALL = {"n_steps": 2, "n_samples": 16, "probe_size": 2, "epochs": 1, "profile": "fresh"}
EXTRA = ("easyvqa", "humaneval")
"""Domains whose data come in packages of their own."""
VARIANTS = [
    *(("SkillList", {"action_mode": mode}) for mode in ACTION_MODES),
    *(("SkillTree", {"action_mode": mode}) for mode in ("simple", "full")),
    ("OpenEnded", {}),
]


def make(variant: str = "SkillList", domain: str = "digits", **settings: Any) -> Any:
    return gym.make(f"teachenv/DataGen{variant}-{domain}-v0", **settings).unwrapped


def play(env: Any, seed: int, **options: Any) -> list[tuple[Any, ...]]:
    """Return everything an episode of random actions shows, the arrays as bytes."""
    observation, info = env.reset(seed=seed, options=options)
    env.action_space.seed(seed)
    shown, done = [(flat(observation), 0.0, False, False, flat(info))], False
    while not done:
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        shown.append((flat(observation), reward, terminated, truncated, flat(info)))
        done = terminated or truncated
    return shown


def flat(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def even(env: Any, n: int) -> DataPlan:
    counts = np.full(env.syllabus.shape, n // env.syllabus.n_cells)
    return DataPlan.of_counts(counts)


def run(env: Any, plan: DataPlan, seed: int = 0) -> tuple[float, dict[str, Any], dict[str, Any]]:
    """Return the return of an episode of one plan, the first and the last info."""
    _, first = env.reset(seed=seed)
    total, done, info = 0.0, False, first
    while not done:
        _, reward, terminated, truncated, info = env.step_plan(plan)
        total, done = total + reward, terminated or truncated
    return total, first, info


# -- both checkers, every variant and domain ----------------------------------------------------

CHECKED = [
    *(("digits", *variant) for variant in VARIANTS),
    *(
        pytest.param(domain, variant, {}, marks=pytest.mark.slow)
        for domain in DOMAINS
        for variant in ("SkillList", "SkillTree", "OpenEnded")
        if domain != "digits"
    ),
]


@pytest.mark.parametrize(("domain", "variant", "settings"), CHECKED)
def test_both_checkers_find_nothing(domain: str, variant: str, settings: dict[str, Any]) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    try:
        env = make(variant, domain, **SMALL, **settings)
    except UserError:
        assert domain in EXTRA
        pytest.skip(f"{domain}: its package is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # cells are tables, skills by levels; policies for mixed inputs flatten them themselves
        warnings.filterwarnings("ignore", ".*unconventional shape.*")
        check_env(env)
        checker.check_env(env)


# -- episodes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["SkillList", "SkillTree", "OpenEnded"])
def test_an_episode_repeats_exactly_under_one_seed_whatever_was_played_before(variant: str) -> None:
    env = make(variant, skill_source="gold", error_rate=0.2, visible_share=0.5)
    first, other = play(env, 3), play(env, 4)
    assert play(env, 3) == first
    assert other[0] != first[0]
    assert play(make(variant, error_rate=0.2, visible_share=0.5), 3) == first


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["SkillList", "SkillTree", "OpenEnded"])
@pytest.mark.parametrize("domain", ["math", "code", "vqa"])
def test_episodes_of_other_domains_repeat_exactly(domain: str, variant: str) -> None:
    small = {"n_steps": 2, "n_samples": 20, "probe_size": 2, "profile": "fresh"}
    shown = [play(make(variant, domain, **small), seed) for seed in (3, 3, 4)]
    assert shown[0] == shown[1]
    assert shown[0][0] != shown[2][0]


def test_episodes_without_a_seed_differ_and_follow_from_the_last_seed() -> None:
    def three(env: Any) -> list[float]:
        env.reset(seed=5)
        return [env.reset()[1]["metric"] for _ in range(3)]

    assert three(make()) == three(make())
    assert len(set(three(make()))) > 1


def test_reset_restores_the_student() -> None:
    env = make(profile="warm")
    plan = even(env, 60)
    _, first, last = run(env, plan)
    assert last["metric"] != first["metric"]
    assert env.reset(seed=0)[1]["metric"] == first["metric"]


@pytest.mark.parametrize("mode", ["delta", "final", "target"])
def test_the_return_is_the_total_gain_exactly(mode: str) -> None:
    env = make(reward_mode=mode, reward_scale=20.0, target_cells=[[2, 0], [3, 1]], n_samples=60)
    total, first, last = run(env, even(env, 60))
    assert total / 20.0 == pytest.approx(last["metric"] - first["metric"], abs=1e-12)
    if mode == "target":
        accuracy = env.reading.accuracy
        assert last["metric"] == pytest.approx((accuracy[2, 0] + accuracy[3, 1]) / 2.0)


def test_questions_behind_the_metric_are_counted() -> None:
    noise = {"n_noise": 2}
    _, info = make(probe_size=4, domain_args=noise).reset(seed=0)
    assert info["n_asked"] == 30 * 4
    targets = {"reward_mode": "target", "target_cells": [[2, 0], [3, 1]]}
    _, info = make(probe_size=4, **targets).reset(seed=0)
    assert info["n_asked"] == 2 * 4
    hidden = make(probe_size=4, visible_share=0.1, **targets)
    counts = [hidden.reset(seed=seed)[1]["n_asked"] for seed in range(9)]
    assert set(counts) <= {0, 4, 8}
    assert 0 in counts


def test_the_best_iterate_by_validation_can_be_judged_in_place_of_the_last() -> None:
    last, best = (
        make(train_mode="continual", n_samples=30, profile="warm", iterate=each)
        for each in ("last", "best")
    )
    for env in (last, best):
        env.reset(seed=0)
    spoil = DataPlan((PlanItem(0, 0, 30),))  # all answers become 0
    shown = [[flat(env.step_plan(spoil)[0]) for _ in range(3)] for env in (last, best)]
    assert shown[0] == shown[1]
    first = best.evaluate("test").accuracy
    assert (last.iterate, best.iterate) == (3, 0)
    assert first.mean() > last.evaluate("test").accuracy.mean() + 0.1
    state = [env.classroom.student.state_dict() for env in (last, best)]
    assert flat(state[0]) == flat(state[1])  # judging leaves the student as it is


def test_a_sparse_reward_comes_with_the_last_lesson() -> None:
    env = make(reward_mode="final")
    env.reset(seed=0)
    rewards = [env.step_plan(even(env, 30))[1] for _ in range(8)]
    assert rewards[:-1] == [0.0] * 7
    assert rewards[-1] != 0.0


def test_what_a_lesson_costs_is_taken_from_the_reward() -> None:
    dear, free = (make(cost_weight=w, n_samples=30, reward_scale=1.0) for w in (0.5, 0.0))
    plan = even(dear, 30)
    gain, cost = run(free, plan)[0], run(dear, plan)[0]
    assert gain - cost == pytest.approx(0.5)  # all of the budget


def test_calibration_pays_for_cells_near_the_accuracy_aimed_at() -> None:
    env = make(reward_mode="calibration", calibration=1.0, reward_scale=1.0, profile="warm")
    env.reset(seed=0)
    accuracy = env.reading.accuracy
    best, worst = (np.unravel_index(i, accuracy.shape) for i in (accuracy.argmax(), 2))
    for skill, level in (best, worst):
        expected = env.reading.accuracy[skill, level]
        plan = DataPlan((PlanItem(int(skill), int(level), 4),))
        assert env.step_plan(plan)[1] == pytest.approx(expected)


def test_progress_is_rewarded_whatever_its_direction() -> None:
    env = make(reward_mode="lp", reward_scale=1.0)
    env.reset(seed=0)
    before = env.classroom.last.accuracy
    reward = env.step_plan(even(env, 30))[1]
    assert reward == pytest.approx(np.abs(env.classroom.last.accuracy - before).mean())


def test_an_episode_terminates_at_the_metric_aimed_at() -> None:
    env = make(target_metric=0.3, n_samples=300, train_mode="continual", profile="fresh")
    env.reset(seed=0)
    results = [env.step_plan(even(env, 300))[2:4]]
    while not any(results[-1]):
        results.append(env.step_plan(even(env, 300))[2:4])
    assert results[-1] == (True, False)
    assert env.classroom.last.accuracy.mean() >= 0.3


def test_an_episode_is_truncated_by_steps_and_by_the_budget() -> None:
    env = make(n_samples=30)
    env.reset(seed=0)
    ends = [env.step_plan(even(env, 30))[2:4] for _ in range(8)]
    assert ends == [(False, False)] * 7 + [(False, True)]
    with pytest.raises(ResetNeeded, match="reset"):
        env.step_plan(even(env, 30))
    short = make(n_samples=30, budget=45)
    short.reset(seed=0)
    assert short.step_plan(even(short, 30))[2:4] == (False, False)
    *_, truncated, info = short.step_plan(even(short, 30))
    assert truncated
    assert info["spent"] == 15
    assert short.reading.budget_left == 0.0


def test_what_the_budget_has_left_is_shared_as_planned() -> None:
    env = make(n_samples=30, budget=45)
    env.reset(seed=0)
    env.step_plan(even(env, 30))
    items = PlanItem(2, 0, 20), PlanItem(7, 1, 10)
    (gain,) = env.rehearse([DataPlan(items)])
    before = env.reading.accuracy
    *_, info = env.step_plan(DataPlan(items))
    assert (info["taught"][2, 0], info["taught"][7, 1]) == (10, 5)
    assert (info["malformed"], info["spent"]) == (0, 15)
    assert np.allclose(env.reading.accuracy - before, gain)


def test_malformed_items_cost_budget_and_are_counted() -> None:
    env = make()  # 8 samples
    env.reset(seed=0)
    items = (PlanItem(99, 0, 3), PlanItem(0, -1, 1), PlanItem(0, 0, -5), PlanItem(1, 2, 9))
    *_, info = env.step_plan(DataPlan(items))
    assert (info["malformed"], info["spent"]) == (4, 8)
    assert info["taught"].tolist() == [[0, 0, 0], [0, 0, 3], *[[0, 0, 0]] * 8]
    *_, info = env.step_plan(DataPlan(()))
    assert (info["malformed"], info["spent"]) == (0, 0)


def test_engine_checks_spend_the_budget_on_what_they_throw_away() -> None:
    env = make(error_rate=0.5, quality="answer", n_samples=90)
    env.reset(seed=0)
    *_, info = env.step_plan(even(env, 90))
    assert info["spent"] == 90
    assert 20 < info["taught"].sum() < 70


# -- what is seen -------------------------------------------------------------------------------


def test_a_reading_shows_only_the_cells_that_are_probed() -> None:
    env = make(visible_share=0.2, probe_size=4)
    seen = set()
    for seed in range(3):
        env.reset(seed=seed)
        visible = env.reading.visible
        assert visible.sum() == 6
        assert not env.reading.accuracy[visible == 0].any()
        assert len(env.classroom.last.items) == 6 * 4
        seen.add(visible.tobytes())
    assert len(seen) > 1
    assert env.evaluate("test").accuracy.shape == (10, 3)


def test_the_hidden_test_is_counted_and_changes_nothing_of_the_episode() -> None:
    def rest(looks: int) -> list[Any]:
        env = make()
        env.reset(seed=1)
        shown = []
        for _ in range(3):
            for _ in range(looks):
                env.evaluate("test")
                env.evaluate("validation")
            observation, reward, *_, info = env.step_plan(even(env, 30))
            assert info.pop("n_tests") == (len(shown) + 1) * looks
            shown.append((flat(observation), reward, flat(info)))
        return shown

    assert rest(0) == rest(2)
    env = make()
    env.reset(seed=1)
    with pytest.raises(UserError, match="validation"):
        env.evaluate("probe")


def test_no_question_is_in_two_parts() -> None:
    env = make(n_samples=300)
    env.reset(seed=0)
    env.step_plan(even(env, 300))
    keys = [set(env.classroom.last.items.keys.tolist())]
    keys += [set(env.evaluate(p, 50).items.keys.tolist()) for p in ("validation", "test")]
    keys.append(set(env.classroom.made.items.keys.tolist()))
    assert sum(map(len, keys)) == len(set().union(*keys))


def test_a_rehearsal_tells_what_a_lesson_would_bring_and_is_forgotten() -> None:
    env = make(n_samples=30, train_mode="continual")
    env.reset(seed=0)
    untouched = make(n_samples=30, train_mode="continual")
    untouched.reset(seed=0)
    plan = even(env, 30)
    before = env.reading.accuracy
    gains = env.rehearse([plan, DataPlan(())])
    assert env.classroom.n_rehearsed == 30
    shown, alone = env.step_plan(plan), untouched.step_plan(plan)
    assert flat(shown[0]) == flat(alone[0])
    assert np.allclose(env.reading.accuracy - before, gains[0])
    assert not np.allclose(gains[0], gains[1])


def test_learnable_cells_are_those_that_are_taught_and_not_mastered() -> None:
    env = make(domain_args={"n_noise": 2, "n_known": 1}, profile="random", probe_size=5)
    env.reset(seed=0)
    learnable = env.privileged()["learnable"]
    assert not learnable[10:].any()
    assert learnable.any()
    assert np.array_equal(learnable[:10] > 0, env.classroom.last.accuracy[:10] <= 0.9)


def test_the_report_shows_errors_to_people() -> None:
    env = make()
    _, info = env.reset(seed=0)
    report = info["report"]
    assert report["skills"][0] == "digit 0"
    assert {"question", "answer", "answered"} == set(report["errors"][0])
    _, info = make("OpenEnded").reset(seed=0)
    assert "skills" not in info["report"]


# -- Open-Ended ---------------------------------------------------------------------------------


def test_open_ended_tells_no_skill_and_shows_questions() -> None:
    env = make("OpenEnded", n_shown=12)
    observation, _ = env.reset(seed=0)
    assert not env.reading.visible.any()
    assert observation["errors"].shape == (12, 64 + 4)
    assert observation["mask"].all()
    right, loss = observation["errors"][:, 64], observation["errors"][:, 66]
    assert set(right) == {0.0, 1.0}
    assert loss[right == 1.0].mean() < loss[right == 0.0].mean()


def test_open_ended_orders_share_the_lesson() -> None:
    env = make("OpenEnded", n_slots=2, n_amounts=4, n_samples=60, deduplicate=False)
    env.reset(seed=0)
    *_, info = env.step(np.array([4, 1, 3, 7, 2, 1]))
    assert info["spent"] == 40
    assert (info["taught"][4, 1], info["taught"][7, 2]) == (30, 10)
    again = make("OpenEnded", n_slots=2, n_amounts=4, n_samples=600)
    again.reset(seed=0)
    *_, info = again.step(np.array([4, 1, 3, 4, 1, 3]))
    assert info["spent"] == 600
    assert info["taught"].sum() < 200  # there are not more pictures of a four


# -- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_step": 3}, "did you mean 'n_steps'"),
        ({"n_steps": 0}, "n_steps: expected a whole number of at least 1"),
        ({"reward_mode": "gain"}, "delta"),
        ({"reward_mode": "target"}, "target_cells"),
        ({"target_cells": [[0, 9]]}, "target_cells"),
        ({"profile": "expert"}, "fresh"),
        ({"iterate": "first"}, "best"),
        ({"visible_share": 0.0}, "visible_share"),
        ({"reward_scale": 0.0}, "positive reward_scale"),
        ({"cost_weight": float("nan")}, "cost_weight"),
        ({"skill_source": "oracle"}, "gold"),
        ({"error_rate": 2.0}, "error_rate"),
        ({"domain_args": {"levels": 3}}, "domain digits"),
        ({"domain_args": {"n_noise": -1}}, "n_noise"),
        ({"student": "pupil"}, "known: "),
    ],
)
def test_bad_settings_are_refused_with_what_was_expected(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as error:
        make(**settings).reset(seed=0)
    assert message in str(error.value)


def test_bad_reset_options_leave_the_episode_as_it_was() -> None:
    env = make()
    env.reset(seed=0)
    reading = env.reading
    for options in ({"profil": "warm"}, {"profile": ["digit 11"]}, {"student": -1}):
        with pytest.raises(UserError):
            env.reset(options=options)
    assert env.reading is reading
    env.step_plan(even(env, 30))


@pytest.mark.parametrize("call", ["evaluate", "privileged"])
def test_without_an_episode_there_is_no_student_to_ask(call: str) -> None:
    env: Any = gym.make("teachenv/DataGenSkillList-digits-v0").unwrapped
    with pytest.raises(ResetNeeded, match="call reset"):
        getattr(env, call)()
    with pytest.raises(ResetNeeded, match="call reset"):
        env.rehearse([])
    with pytest.raises(ResetNeeded, match=r"step: .*call reset"):
        env.step(env.action_space.sample())
