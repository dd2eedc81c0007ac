"""The tasks of reasoning-gym: compact questions, the tasks' own answers, and its seeds."""

from __future__ import annotations

import numpy as np
import pytest

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import draw
from teachenv.errors import UserError

pytest.importorskip("reasoning_gym")

from reasoning_gym.factory import create_dataset

from teachenv.envs.datagen.domains.reasoning import TASKS, Reasoning


@pytest.fixture(scope="module")
def domain() -> Reasoning:
    return Reasoning()


def everything(keys: np.ndarray) -> np.ndarray:
    return np.ones(len(keys), dtype=bool)


def every_cell(domain: Reasoning, n: int) -> Items:
    rng = np.random.default_rng(0)
    cells = np.ndindex(*domain.kinds.shape)
    return Items.concat([domain.draw(s, v, n, rng, everything) for s, v in cells])


def test_the_tasks_own_scorers_agree_with_the_grading(domain: Reasoning) -> None:
    items = every_cell(domain, 20)
    wrong = domain.wrong(items, np.random.default_rng(1))
    assert domain.grade(items, items.truth).all()
    assert not domain.grade(items, wrong).any()
    for name in domain.skills:
        scorer = create_dataset(name, seed=0, size=1)
        for index in np.flatnonzero(items.skill == domain.skills.index(name)):
            answer = domain.show(items.truth[index])
            entry = {"answer": answer, "metadata": {}}
            assert scorer.score_answer(answer, entry) == 1.0
            assert scorer.score_answer(domain.show(wrong[index]), entry) < 1.0


def test_questions_say_what_is_needed(domain: Reasoning) -> None:
    items = every_cell(domain, 20)
    for index in range(len(items)):
        text = domain.text(items, index)
        name, content = text["question"].split(": ")
        if name in ("chain_sum", "products"):
            first, symbol, second = content[:4], content[4], content[5:9]
            signed = {"+": int(first) + int(second), "-": int(first) - int(second)}
            value = signed.get(symbol, int(first) * int(second))
        elif name == "spell_backward":
            assert text["answer"] == content[::-1]
            continue
        else:
            numbers = [int(word) for word in content.split()]
            value = int((np.gcd if name == "gcd" else np.lcm)(*numbers))
        assert text["answer"] == str(value)


def test_levels_get_harder(domain: Reasoning) -> None:
    items = every_cell(domain, 100)
    for skill in range(len(domain.skills)):
        size = [
            (items.inputs["tokens"][(items.skill == skill) & (items.level == level)] > 1)
            .sum(axis=1)
            .mean()
            for level in range(domain.n_levels)
        ]
        assert size == sorted(size)
        assert size[-1] > size[0] + 1


def test_datasets_of_neighbouring_seeds_overlap_and_draws_do_not(domain: Reasoning) -> None:
    first, second = (create_dataset("gcd", seed=s, size=50, max_value=10**6) for s in (1, 2))
    shared = {i["question"] for i in first} & {i["question"] for i in second}
    assert len(shared) == 49  # the trap
    skill, level = domain.skills.index("gcd"), 3
    draws = [domain.draw(skill, level, 50, np.random.default_rng(s), everything) for s in (1, 2)]
    assert not set(draws[0].keys) & set(draws[1].keys)


def test_turned_round_questions_are_one_question() -> None:
    assert TASKS["gcd"].canonical({"numbers": [6, 4]}) == TASKS["gcd"].canonical(
        {"numbers": [4, 6]}
    )
    assert TASKS["products"].canonical({"expression": "3 * 2"}) == "2 3"
    terms = TASKS["chain_sum"].canonical
    assert terms({"expression": "3 + 2"}) == terms({"expression": "2 + 3"})
    assert terms({"expression": "3 - 2"}) != terms({"expression": "2 - 3"})


def test_draws_repeat_under_one_seed(domain: Reasoning) -> None:
    one, other = (draw(domain, 0, 0, 20, "train", np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.inputs["tokens"], other.inputs["tokens"])
    assert np.array_equal(one.keys, other.keys)


@pytest.mark.parametrize("skills", [("fly",), ("gcd", "gcd")])
def test_bad_tasks_are_refused(skills: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"fly|different"):
        make_domain("reasoning", skills=skills)
