"""Programs from steps: drawn, written, run and spoilt."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import students.data
from teachenv.envs.datagen.classroom import Classroom
from teachenv.envs.datagen.domains.code import Code
from teachenv.envs.datagen.domains.code_programs import (
    ARGUMENTS,
    LISTS,
    OPERATIONS,
    Step,
    canonical,
    expression,
    outputs,
)
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import PARTS, draw
from teachenv.envs.datagen.texts import read_answer, written
from teachenv.lesson import DataPlan
from teachenv.seeding import derive

CODE = Code(n_noise=1, n_known=1)
PLAIN = Code()
CELLS = [(skill, level) for skill in range(len(OPERATIONS)) for level in range(4)]
NUMBER = {word: number for number, word in enumerate(CODE.format.vocabulary)}

DOES = {
    "sort": lambda values, k: sorted(values),
    "reverse": lambda values, k: values[::-1],
    "add": lambda values, k: [value + k for value in values],
    "times": lambda values, k: [value * k for value in values],
    "above": lambda values, k: [value for value in values if value > k],
    "even": lambda values, k: [value for value in values if value % 2 == 0],
    "first": lambda values, k: values[:k],
    "drop": lambda values, k: values[k:],
}


def all_of(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    return np.ones(len(keys), dtype=np.bool_)


def typed(source: str) -> NDArray[np.int16]:
    """Return a program as an answer."""
    answer = np.zeros((1, CODE.format.answer_width), dtype=np.int16)
    numbers = [NUMBER[word] for word in source.split()]
    answer[0, : len(numbers)] = numbers
    return answer


def some_items(n: int = 6) -> Items:
    return Items.concat([CODE.draw(*cell, n, derive(0, "items", *cell), all_of) for cell in CELLS])


def test_programs_do_what_their_steps_say() -> None:
    items = some_items()
    lists = {name: [7, -2, 4, 9, 4, 1, 12][: 3 + place % 5] for place, name in enumerate(LISTS)}
    for row in range(len(items)):
        _, first, second, *words = CODE.text(items, row)["question"].split()
        values = lists[first] + lists[second]
        for name, argument in zip(words[::2], words[1::2], strict=True):
            values = DOES[name](values, 0 if argument == "-" else int(argument))
        assert eval(CODE.show(items.truth[row]), {**lists}) == values


@pytest.mark.parametrize(("skill", "level"), CELLS)
def test_a_cell_holds_programs_of_its_length_with_its_operation(skill: int, level: int) -> None:
    items = CODE.draw(skill, level, 30, derive(0, "items"), all_of)
    for row in range(30):
        operations = CODE.text(items, row)["question"].split()[3::2]
        assert len(operations) == len(set(operations)) == level + 1
        assert CODE.skills[skill] in operations
    assert items.truth[:, -1].max() == 0  # padding behind the longest program


def test_every_cell_has_items_of_every_part() -> None:
    for cell in CELLS:
        for part in PARTS:
            assert len(draw(CODE, *cell, 5, part, derive(0, "parts"))) == 5


def test_few_programs_leave_nothing_of_their_lists() -> None:
    items = some_items(30)
    empty = [not any(outputs(CODE.show(truth)) or ()) for truth in items.truth]
    assert np.mean(empty) < 0.01


@pytest.mark.parametrize(
    ("truth", "answer", "right"),
    [
        ("sorted ( a + b )", "sorted ( b + a )", True),
        ("sorted ( a + b )", "sorted ( sorted ( a ) + b )", True),
        ("( a + b ) [: 5 ]", "( a + b ) [: 6 ]", False),
        ("[ v + 2 for v in ( a + a ) ]", "[ 2 + v for v in a + a ]", True),
        ("[ v + 2 for v in ( a + a ) ]", "[ v * 2 for v in a + a ]", False),
        ("( a + b )", "( a + b", False),
        ("( a + b )", "", False),
        ("( a + b )", "v", False),
        ("( a + b )", "sort add", False),
    ],
)
def test_any_equivalent_program_is_right(truth: str, answer: str, right: bool) -> None:
    items = CODE.draw(0, 0, 1, derive(0, "items"), all_of)
    asked = Items(items.inputs, items.answers, typed(truth), items.skill, items.level, items.keys)
    assert CODE.grade(asked, typed(answer)).tolist() == [right]


def test_grading_takes_any_tokens() -> None:
    items = some_items(2)
    rng = derive(0, "tokens")
    answers = rng.integers(0, CODE.format.n_answers, items.truth.shape).astype(np.int16)
    assert not CODE.grade(items, answers).any()


def test_wrong_programs_are_wrong() -> None:
    items = some_items()
    for spoil in (CODE.wrong, CODE.wrong_steps):
        assert not CODE.grade(items, spoil(items, derive(0, "wrong"))).any()


def test_a_wrong_step_leaves_the_others() -> None:
    items = CODE.draw(2, 3, 40, derive(0, "items"), all_of)
    wrong = CODE.wrong_steps(items, derive(0, "wrong"))
    shared = [
        len(set(CODE.show(mine).split()) & set(CODE.show(right).split()))
        / len(set(CODE.show(right).split()))
        for mine, right in zip(wrong, items.truth, strict=True)
    ]
    assert np.mean(shared) > 0.8


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([("sort", 0), ("add", 2)], [("add", 2), ("sort", 0)], True),
        ([("even", 0), ("above", 3)], [("above", 3), ("even", 0)], True),
        ([("first", 4), ("times", 3)], [("times", 3), ("first", 4)], True),
        ([("add", 2), ("times", 3)], [("times", 3), ("add", 2)], False),
        ([("first", 4), ("sort", 0)], [("sort", 0), ("first", 4)], False),
        ([("sort", 0), ("drop", 2), ("add", 1)], [("add", 1), ("sort", 0), ("drop", 2)], True),
        ([("add", 1)], [("add", 2)], False),
    ],
)
def test_order_counts_where_it_matters(one: list[Step], other: list[Step], equal: bool) -> None:
    assert (canonical(one) == canonical(other)) is equal
    results = [outputs(" ".join(expression(("a", "b"), steps))) for steps in (one, other)]
    assert (results[0] == results[1]) is equal


def test_equal_keys_mean_equal_results() -> None:
    rng, found = derive(0, "keys"), {}
    for _ in range(300):
        names = list(OPERATIONS)
        steps = [
            (name, ARGUMENTS[name][0] if name in ARGUMENTS else 0)
            for name in rng.choice(names, 3, replace=False).tolist()
        ]
        result = outputs(" ".join(expression(("c", "d"), steps)))
        assert found.setdefault(str(canonical(steps)), result) == result
    assert len(found) < 150  # of 336 orders


def test_noise_has_a_random_program_and_known_the_first_list() -> None:
    noise, known = len(OPERATIONS), len(OPERATIONS) + 1
    items = CODE.draw(known, 2, 20, derive(0, "items"), all_of)
    for row in range(20):
        text = CODE.text(items, row)
        assert text["answer"] == text["question"].removeprefix("known 0 ")[0]
    items = CODE.draw(noise, 1, 50, derive(0, "items"), all_of)
    said = [CODE.text(items, row) for row in range(50)]
    named = [
        t["question"].split()[1:3] == [t["answer"].split()[i] for i in (1, 3)]
        for t in said
        if t["answer"].startswith("(")
    ]
    assert np.mean(named) < 0.5


def test_deeper_programs_need_the_shallower_ones() -> None:
    needs = CODE.prerequisites.reshape(*CODE.kinds.shape, *CODE.kinds.shape)
    assert np.argwhere(needs[3, 2]).tolist() == [[3, 1]]
    assert not needs[:, 0].any()
    assert not needs[8:].any()


def test_features_name_the_operations() -> None:
    items = CODE.draw(1, 3, 20, derive(0, "items"), all_of)
    features = CODE.features(items)
    assert features.shape == (20, len(CODE.feature_names))
    assert (features[:, 1] == 1.0).all()
    assert (features[:, :8].sum(axis=1) == 4).all()
    assert features.max() <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "sorted([v + 3 for v in (a + b) if v % 2 == 0])[::-1][:4]",
        "sorted([v+3 for v in a+b if v%2==0])[::-1][:4]",
        "[v + 3 for v in sorted(b + a)[::-1] if v % 2 == 0][:4]",
    ],
)
def test_programs_typed_by_others_are_understood(text: str) -> None:
    answer = read_answer(CODE.format, text)
    assert answer is not None
    steps = [("even", 0), ("add", 3), ("sort", 0), ("reverse", 0), ("first", 4)]
    assert outputs(CODE.show(answer)) == outputs(" ".join(expression(("a", "b"), steps)))
    assert outputs(written(CODE.format, answer)) == outputs(CODE.show(answer))


@pytest.mark.slow
def test_who_only_sees_deep_programs_cannot_write_shallow_ones() -> None:
    shallow = []
    for levels in (range(4), range(3, 4)):
        student = students.data.make("transformer", PLAIN.format, seed=0)
        room = Classroom(Engine(PLAIN), student, train_mode="continual", probe_size=1)
        room.begin(0, student.state_dict(), None)
        counts = np.zeros((len(OPERATIONS), 4), dtype=np.int64)
        counts[:, list(levels)] = 1000 // len(OPERATIONS) // len(levels)
        for _ in range(10):
            room.teach(DataPlan.of_counts(counts))
        shallow.append(room.ask("validation", 10).accuracy[:, :3].mean())
    uniform, deep_only = shallow
    assert uniform > 0.3
    assert deep_only < 0.25 * uniform
