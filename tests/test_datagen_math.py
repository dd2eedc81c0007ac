"""The math domain: questions, answers, mistakes and what counts as the same question."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable

import numpy as np
import pytest

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.domains.math import OPERATIONS, Math
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import PARTS, draw
from teachenv.errors import UserError
from teachenv.lesson import DataPlan

NUMBERS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "mod": operator.mod,
    "max": max,
}


def every_cell(domain: Math, n: int = 30, part: str = "train") -> Items:
    rng = np.random.default_rng(0)
    cells = np.ndindex(*domain.kinds.shape)
    return Items.concat([draw(domain, s, v, n, part, rng) for s, v in cells])  # type: ignore[arg-type]


def solved(name: str, question: str) -> str:
    """Solve a question as people write it by Python's own means; units come first."""
    if name in ("sort", "reverse", "parity"):
        digits = question.split()[1:]
        if name == "parity":
            return str(sum(int(d) % 2 for d in digits) % 2)
        return " ".join(sorted(digits) if name == "sort" else reversed(digits))
    first, _, second = question.split()
    if name == "compare":
        return "<=>"[1 + (int(first) > int(second)) - (int(first) < int(second))]
    width = {"add": 7, "mul": 7, "mod": 1}.get(name, 6)
    return " ".join(reversed(str(NUMBERS[name](int(first), int(second))).zfill(width)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_right(name: str) -> None:
    domain = Math(skills=(name,))
    items = every_cell(domain)
    for index in range(len(items)):
        text = domain.text(items, index)
        assert text["answer"] == solved(name, text["question"]), text["question"]


def test_levels_are_digits() -> None:
    domain = Math()
    items = every_cell(domain)
    for index in range(len(items)):
        name, level = domain.skills[items.skill[index]], int(items.level[index])
        words = domain.text(items, index)["question"].split()
        if name in ("sort", "reverse", "parity"):
            assert len(words) - 1 == (2 * level + 2 if name == "parity" else level + 3)
        elif level:
            assert len(words[0]) == level + 1
        else:
            assert int(words[0]) < 20


def test_answers_of_comparisons_and_parities_are_balanced() -> None:
    domain = Math(skills=("compare", "parity"))
    items = every_cell(domain, 400)
    for skill, most in ((0, 0.5), (1, 0.56)):
        for level in range(domain.n_levels):
            cell = (items.skill == skill) & (items.level == level)
            _, counts = np.unique(items.truth[cell, 0], return_counts=True)
            assert counts.max() / counts.sum() < most


def test_a_commuted_question_is_the_same_and_another_operation_is_not() -> None:
    domain = Math(skills=("add", "sub", "mul"))
    everything = lambda keys: np.ones(len(keys), dtype=bool)  # noqa: E731
    key_of: dict[tuple[str, ...], int] = {}
    for skill, _ in enumerate(domain.skills):
        items = domain.draw(skill, 0, 2000, np.random.default_rng(3), everything)
        for index, key in enumerate(items.keys):
            first, symbol, second = domain.text(items, index)["question"].split()
            pair = (first, second) if symbol == "-" else tuple(sorted((first, second)))
            assert key_of.setdefault((symbol, *pair), int(key)) == key
    assert len(set(key_of.values())) == len(key_of) > 400


def test_the_same_question_at_two_levels_has_one_key() -> None:
    everything = lambda keys: np.ones(len(keys), dtype=bool)  # noqa: E731
    domain = Math(skills=("add",))
    seen = [domain.draw(0, v, 3000, np.random.default_rng(v), everything) for v in (0, 1)]
    rows = [{t.tobytes(): k for t, k in zip(i.inputs["tokens"], i.keys, strict=True)} for i in seen]
    both = rows[0].keys() & rows[1].keys()
    assert len(both) > 10
    assert all(rows[0][row] == rows[1][row] for row in both)


def test_keys_are_the_same_on_every_machine() -> None:
    everything = lambda keys: np.ones(len(keys), dtype=bool)  # noqa: E731
    domain = Math(skills=("add",))
    items = domain.draw(0, 0, 5000, np.random.default_rng(0), everything)
    row = [domain.format.vocabulary.index(t) for t in "+000003000004"]
    index = int(np.flatnonzero((items.inputs["tokens"] == row).all(axis=1))[0])
    assert int(items.keys[index]) == GOLDEN_KEY


GOLDEN_KEY = 5_317_865_060_797_576_716


def test_every_cell_has_items_of_every_part() -> None:
    domain = Math(n_noise=1, n_known=1)
    for part in PARTS:
        assert len(every_cell(domain, 5, part)) == 11 * 6 * 5


def test_questions_have_one_width_whatever_is_drawn() -> None:
    domain = Math()
    items = every_cell(domain, 3)
    assert items.inputs["tokens"].shape[1:] == domain.format.fields["tokens"]
    assert items.answers.shape[1] == domain.format.answer_width
    assert Math(skills=("parity",)).format.answer_width == 1


def test_mistakes_are_mistakes_of_the_same_form() -> None:
    domain = Math(n_noise=1, n_known=1)
    items = every_cell(domain)
    rng = np.random.default_rng(1)
    for answers in (domain.wrong(items, rng), domain.wrong_steps(items, rng)):
        assert not domain.grade(items, answers).any()
        assert np.array_equal(answers > 0, items.truth > 0)
        assert answers.max() < domain.format.vocabulary.index("+")


def test_a_wrong_step_of_a_sum_is_a_carry() -> None:
    domain = Math(skills=("add",))
    items = every_cell(domain, 50)
    wrong = domain.wrong_steps(items, np.random.default_rng(1))
    places = 10 ** np.arange(7)
    error = (wrong.astype(int) - 1) @ places - (items.truth.astype(int) - 1) @ places
    assert set(np.abs(error)) <= {10**n for n in range(1, 7)}
    assert (error < 0).any()
    assert (error > 0).any()


def test_noise_has_random_answers_and_known_cells_one() -> None:
    domain = Math(skills=("add",), n_noise=1, n_known=1)
    assert domain.kinds[:, 0].tolist() == ["taught", "noise", "known"]
    items = every_cell(domain, 300)
    noise = items.truth[items.skill == 1]
    _, counts = np.unique(noise, return_counts=True)
    assert counts.min() > 0.8 * counts.mean()
    assert len(np.unique(items.truth[items.skill == 2], axis=0)) == 1


def test_prerequisites_come_first() -> None:
    domain = Math(skills=("add", "mul", "max"), n_noise=1)
    needs = domain.prerequisites.reshape(4, 6, 4, 6)
    assert needs[0, 3].sum() == 1
    assert needs[0, 3, 0, 2]
    assert set(map(tuple, np.argwhere(needs[1, 3]))) == {(1, 2), (0, 3)}
    assert set(map(tuple, np.argwhere(needs[2, 3]))) == {(2, 2)}  # without "compare"
    assert not needs[3].any()
    order = np.linalg.matrix_power(domain.prerequisites.astype(int), 24)
    assert not order.any()  # no circles


def test_features_tell_neither_operation_nor_skill() -> None:
    domain = Math()
    items = every_cell(domain, 20)
    features = domain.features(items)
    assert features.dtype == np.float32
    assert features.shape == (len(items), len(domain.feature_names))
    assert features.min() >= 0.0
    assert features.max() <= 1.0
    symbols = items.inputs["tokens"].copy()
    symbols[:, 0] = 0
    renamed = Items(
        {"tokens": symbols}, items.answers, items.truth, items.skill, items.level, items.keys
    )
    assert np.array_equal(domain.features(renamed), features)


def test_a_thousand_items_take_milliseconds() -> None:
    domain = make_domain("math")
    plan = DataPlan.of_counts(np.full(domain.kinds.shape, 200))
    engine, took = Engine(domain), []
    for seed in range(3):
        start = time.perf_counter()
        engine.make(plan, np.random.default_rng(seed))
        took.append((time.perf_counter() - start) / plan.total)
    assert min(took) < 50e-6  # measured: about 1 microsecond


@pytest.mark.parametrize(
    "options", [{"skills": ("fly",)}, {"skills": ("add", "add")}, {"n_levels": 7}]
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"fly|different|n_levels"):
        make_domain("math", **options)
