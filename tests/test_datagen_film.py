"""The network that looks at pictures learns, repeats itself and can be put away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import students.data
from students.data import DataStudent
from students.data.film import PREDICTED
from teachenv.envs.datagen.domains.vqa import Vqa
from teachenv.envs.datagen.domains.vqa_scene import ANSWERS
from teachenv.envs.datagen.items import Format, Items
from teachenv.envs.datagen.split import draw
from teachenv.errors import UserError
from teachenv.protocols import State
from teachenv.seeding import derive

VQA = Vqa()


def items_of(skill: int, level: int, n: int, seed: int = 0) -> Items:
    return draw(VQA, skill, level, n, "train", derive(seed, "items", skill, level))


def fresh(seed: int = 0, **hyper: float) -> DataStudent:
    return students.data.make("film", VQA.format, seed=seed, **hyper)


def arrays(state: State) -> dict[str, np.ndarray]:
    slots = state["optimizer"]["slots"]
    moments = {f"{k} {name}": v for k, slot in slots.items() for name, v in slot.items()}
    return {**state["network"], **moments}


def same(one: State, other: State) -> bool:
    mine, theirs = arrays(one), arrays(other)
    return mine.keys() == theirs.keys() and all(
        np.array_equal(mine[name], theirs[name]) for name in mine
    )


def test_it_learns_to_name_colours() -> None:
    student, asked = fresh(), items_of(0, 0, 200, seed=1)
    before = (student.predict(asked).answers == asked.truth).mean()
    student.train(items_of(0, 0, 1500), seed=0, epochs=2)
    after = student.predict(asked)
    assert before < 0.4
    assert (after.answers == asked.truth).mean() > 0.9


def test_it_repeats_itself_bit_for_bit() -> None:
    items = items_of(3, 2, 100)
    one, other = fresh(7), fresh(7)
    for student in (one, other):
        student.train(items, seed=3, epochs=2)
    assert same(one.state_dict(), other.state_dict())
    other.train(items, seed=4)
    one.train(items, seed=5)
    assert not same(one.state_dict(), other.state_dict())


def test_a_state_is_everything() -> None:
    items = items_of(2, 1, 100)
    one, other = fresh(1), fresh(2)
    one.train(items, seed=0)
    kept = one.state_dict()
    one.train(items, seed=1)
    other.load_state_dict(kept)
    other.train(items, seed=1)
    assert same(one.state_dict(), other.state_dict())
    assert not same(one.state_dict(), kept)


def test_answering_changes_nothing_and_tells_probabilities() -> None:
    student, items = fresh(), items_of(1, 3, PREDICTED + 10)
    student.train(items, seed=0)
    kept = student.state_dict()
    told = student.predict(items)
    assert same(student.state_dict(), kept)
    assert told.probabilities is not None
    np.testing.assert_allclose(told.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert np.array_equal(told.answers, told.probabilities.argmax(axis=1))
    assert np.array_equal(told.confidence, told.probabilities.max(axis=1))
    right = told.probabilities[np.arange(len(items)), items.answers]
    np.testing.assert_allclose(told.loss, -np.log(right), rtol=1e-4)


def test_items_without_weight_teach_nothing() -> None:
    items = items_of(4, 1, 32)
    wrong = items.answers.copy()
    wrong[16:] = VQA.wrong(items, derive(0, "wrong"))[16:]
    spoilt = Items(
        items.inputs, wrong, items.truth, items.skill, items.level, items.keys, items.extra
    )
    weights = np.repeat(np.array([1.0, 0.0], dtype=np.float32), 16)
    one, other = fresh(), fresh()
    one.train(items, seed=0, weights=weights)
    other.train(spoilt, seed=0, weights=weights)
    assert same(one.state_dict(), other.state_dict())


def test_soft_labels_that_are_certain_are_labels() -> None:
    items = items_of(4, 1, 64)
    soft = np.eye(len(ANSWERS), dtype=np.float32)[items.answers]
    one, other = fresh(), fresh()
    one.train(items, seed=0)
    other.train(items, seed=0, soft=soft)
    theirs = other.state_dict()["network"]
    for name, mine in one.state_dict()["network"].items():
        np.testing.assert_allclose(mine, theirs[name], atol=1e-4)


def test_torchs_own_state_is_left_alone() -> None:
    torch.manual_seed(0)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    student, items = fresh(), items_of(0, 0, 40)
    student.train(items, seed=0)
    student.predict(items)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "format",
    [
        Format({"features": (4,)}, "class", 2),
        Format({"image": (32, 32, 3), "tokens": (3,)}, "tokens", 2, 4, ("", "a")),
        Format({"image": (30, 30, 3), "tokens": (3,)}, "class", 2, 1, ("", "a")),
    ],
)
def test_what_it_cannot_learn_is_refused(format: Format) -> None:
    with pytest.raises(UserError, match="student film: expected"):
        students.data.make("film", format, seed=0)
