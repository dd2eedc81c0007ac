"""Engines that err, what their quality checks let through, and what they say of a probe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_datagen_envs import even, make

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine, Made
from teachenv.errors import UserError
from teachenv.lesson import DataPlan
from teachenv.seeding import derive

N = 3000
DIGITS, MATH = make_domain("digits"), make_domain("math", skills=("add", "max"), n_levels=3)


def made(domain: Any, quality: str, knows: Any = None, **rates: float) -> Made:
    counts = np.full(domain.kinds.shape, N // domain.kinds.size)
    engine = Engine(domain, quality=quality, **rates)
    return engine.make(DataPlan.of_counts(counts), derive(0, "data"), None, knows)


def share_right(domain: Any, data: Made) -> float:
    assert data.items is not None
    return float(domain.grade(data.items, data.items.answers).mean())


def test_without_a_check_all_errors_are_taught() -> None:
    data = made(DIGITS, "none", error_rate=0.3)
    assert data.accepted == 1.0
    assert share_right(DIGITS, data) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("rates", [{"error_rate": 0.3}, {"step_error_rate": 0.3}])
@pytest.mark.parametrize("domain", [DIGITS, MATH])
def test_the_grader_finds_wrong_answers_and_wrong_working(domain: Any, rates: Any) -> None:
    data = made(domain, "answer", **rates)
    assert data.accepted == pytest.approx(0.7, abs=0.03)
    assert data.rejected.sum() == pytest.approx(0.3 * N, abs=0.03 * N)
    assert share_right(domain, data) == 1.0


def test_answers_that_agree_are_nearly_all_right_though_no_truth_is_looked_at() -> None:
    data = made(DIGITS, "agree", error_rate=0.3)
    assert data.accepted == pytest.approx(0.7**2 + 0.3**2 / 9, abs=0.03)
    assert share_right(DIGITS, data) == pytest.approx(0.98, abs=0.01)
    assert made(DIGITS, "agree").accepted == 1.0


def test_only_what_the_student_does_not_know_is_new() -> None:
    def knows(items: Any) -> np.ndarray[Any, Any]:
        return np.asarray(items.level == 0)

    data = made(DIGITS, "new", knows, error_rate=0.3)
    assert not data.made[:, 0].any()
    assert data.accepted == pytest.approx(0.7 * 2 / 3, abs=0.03)
    assert share_right(DIGITS, data) == 1.0


def test_an_environment_asks_its_own_student_what_is_new() -> None:
    env = make(profile="warm", quality="new", n_samples=90)
    env.reset(seed=0)
    before = env.classroom.student.state_dict()
    env.step_plan(even(env, 90))
    data = env.classroom.made.items
    env.classroom.student.load_state_dict(before)
    assert len(data) < 90
    assert not env.domain.grade(data, env.classroom.student.predict(data).answers).any()


def test_info_says_how_much_was_accepted() -> None:
    env = make(error_rate=0.3, quality="answer", n_samples=600)
    _, info = env.reset(seed=0)
    assert info["accepted"] == 1.0
    info = env.step_plan(even(env, 600))[-1]
    assert info["accepted"] == info["taught"].sum() / 600 == pytest.approx(0.7, abs=0.06)
    assert info["spent"] == 600


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(UserError, match="unknown quality 'anser'"):
        make(quality="anser")
    with pytest.raises(UserError, match="unknown quality 'anser'"):
        Engine(DIGITS, quality="anser")


# -- the probe under the engine's answers -------------------------------------------------------


def test_the_engines_answers_to_a_fixed_probe_stay_and_to_a_fresh_one_change() -> None:
    """A student that has learnt nothing in between agrees as often, question by question."""
    nothing = DataPlan(())
    for fresh in (False, True):
        env = make(error_rate=0.5, fresh_probe=fresh, profile="warm", probe_size=40)
        env.reset(seed=0)
        proxies = [env.classroom.proxy()]
        for _ in range(2):
            env.step_plan(nothing)
            proxies.append(env.classroom.proxy())
        assert np.array_equal(proxies[0], proxies[1]) != fresh
        assert np.array_equal(proxies[1], proxies[2]) != fresh


def test_the_proxy_on_the_probe_falls_short_of_the_metric_by_the_errors() -> None:
    env = make(error_rate=0.4, profile="warm", probe_size=200)
    _, info = env.reset(seed=0)
    golden = info["metric"]
    assert env.proxy() == pytest.approx(0.6 * golden + 0.4 * (1 - golden) / 9, abs=0.03)
    for exact in (make(), make(error_rate=0.4, quality="answer")):
        exact.reset(seed=0)
        assert exact.proxy() is None
