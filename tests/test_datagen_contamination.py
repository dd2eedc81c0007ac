"""No item that is probed, validated on or tested with may ever be trained on."""

from __future__ import annotations

import numpy as np
import pytest

from teachenv.envs.datagen.domain import BARE_DOMAINS, DOMAINS, Domain, make_domain
from teachenv.envs.datagen.domains.code_programs import outputs
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import PARTS, draw, part_of
from teachenv.errors import UserError
from teachenv.lesson import DataPlan

EVERY = (*DOMAINS, *BARE_DOMAINS)
ALLOWED = {"humaneval": {"execute": True}}
"""Options without which a domain is not made; nothing is executed here."""


def made(domain_id: str) -> Domain:
    try:
        return make_domain(domain_id, **ALLOWED.get(domain_id, {}))
    except UserError as error:
        pytest.skip(str(error))


def contents(items: Items) -> list[bytes]:
    """Return what the student sees of every item, as bytes."""
    fields = sorted(items.inputs)
    return [b"|".join(items.inputs[f][i].tobytes() for f in fields) for i in range(len(items))]


def shared_by_parts(domain: Domain, n: int) -> list[str]:
    """Return the contents that are found in more than one part, over about ``n`` draws."""
    n_skills, n_levels = domain.kinds.shape
    each = max(1, n // (n_skills * n_levels))
    part_of_content: dict[bytes, int] = {}
    leaks = []
    for skill, level in np.ndindex(n_skills, n_levels):
        rng = np.random.default_rng([skill, level])
        items = domain.draw(skill, level, each, rng, lambda keys: np.ones(len(keys), dtype=bool))
        parts = part_of(items.keys).tolist()
        for index, (content, part) in enumerate(zip(contents(items), parts, strict=True)):
            if part_of_content.setdefault(content, part) != part:
                leaks.append(f"{domain.skills[skill]} {level}: {domain.text(items, index)}")
    return leaks


@pytest.mark.parametrize("domain_id", EVERY)
def test_what_a_student_sees_belongs_to_one_part_only(domain_id: str) -> None:
    assert shared_by_parts(made(domain_id), 5_000) == []


@pytest.mark.slow
@pytest.mark.parametrize("domain_id", EVERY)
def test_a_hundred_thousand_draws_share_nothing_between_parts(domain_id: str) -> None:
    assert shared_by_parts(made(domain_id), 100_000) == []


@pytest.mark.parametrize("domain_id", EVERY)
def test_every_part_is_drawn_from_its_own_items(domain_id: str) -> None:
    domain = made(domain_id)
    rng = np.random.default_rng(1)
    for skill in range(0, len(domain.skills), 3):
        for part in PARTS:
            items = draw(domain, skill, 0, 20, part, rng)
            assert len(items) == 20
            assert set(part_of(items.keys)) == {PARTS.index(part)}


@pytest.mark.parametrize("domain_id", EVERY)
def test_an_engine_makes_training_items_only(domain_id: str) -> None:
    domain = made(domain_id)
    plan = DataPlan.of_counts(np.full(domain.kinds.shape, 3))
    items = Engine(domain, error_rate=0.5).make(plan, np.random.default_rng(2)).items
    assert items is not None
    assert set(part_of(items.keys)) == {PARTS.index("train")}


def test_sorting_two_lists_is_one_question_in_whatever_order_they_are_joined() -> None:
    domain = make_domain("code")
    skill = domain.skills.index("sort")
    results: list[set[object]] = []
    for part in PARTS:
        items = draw(domain, skill, 0, 300, part, np.random.default_rng(3))
        results.append({outputs(domain.show(answer)) for answer in items.truth})
    assert sum(map(len, results)) == len(set().union(*results)) > 70  # of 78 pairs


def test_the_audit_finds_a_leak() -> None:
    domain = make_domain("math", skills=("add",))
    original = domain.draw

    def by_seed(skill: int, level: int, n: int, rng: np.random.Generator, keep: object) -> Items:
        items = original(skill, level, n, rng, lambda keys: np.ones(len(keys), dtype=bool))
        keys = rng.integers(2**62, size=len(items)).astype(np.uint64)
        return Items(
            items.inputs, items.answers, items.truth, items.skill, items.level, keys, items.extra
        )

    domain.draw = by_seed  # type: ignore[method-assign]
    assert shared_by_parts(domain, 5_000)
