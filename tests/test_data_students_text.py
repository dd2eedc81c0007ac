"""Students that write tokens: they learn, answer as they write, and can be put back."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import students.data
from students.data import DataStudent
from students.data.tokens import TokenStudent
from teachenv.envs.datagen.domain import Domain, make_domain
from teachenv.envs.datagen.items import Format, Items
from teachenv.envs.datagen.split import Part, draw
from teachenv.errors import UserError

SMALL: dict[str, dict[str, Any]] = {
    "gru": {},
    "transformer": {"width": 32, "layers": 1},
}
EVERY = [
    *SMALL,
    "transformer strong",
    pytest.param("hf", marks=pytest.mark.slow),
    pytest.param("hf lora", marks=pytest.mark.slow),
]
HYPER = {
    **SMALL,
    "transformer strong": {"width": 128, "layers": 1},
    "hf": {"width": 32, "layers": 1},
    "hf lora": {"width": 32, "lora_rank": 4},
}


def made(name: str, domain: Domain, seed: int = 0, **hyper: Any) -> DataStudent:
    id = name.split()[0]
    return students.data.make(id, domain.format, seed=seed, **{**HYPER[name], **hyper})


def some(domain: Domain, n: int, part: Part = "train", seed: int = 0) -> Items:
    rng = np.random.default_rng(seed)
    cells = np.ndindex(*domain.kinds.shape)
    return Items.concat([draw(domain, s, v, n, part, rng) for s, v in cells])


@pytest.fixture(scope="module")
def easy() -> Domain:
    """Answers of one and of seven tokens, padded; the first soon learnt."""
    return make_domain("math", skills=("compare", "add"), n_levels=2)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return bool(np.array_equal(one, other))


@pytest.mark.parametrize("name", EVERY)
def test_equal_seeds_make_equal_students_and_others_do_not(name: str, easy: Domain) -> None:
    items = some(easy, 20)
    states = []
    for seed in (0, 0, 1):
        torch.rand(seed + 1)  # whatever others draw
        student = made(name, easy, seed)
        student.train(items, seed=seed)
        states.append(student.state_dict())
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


@pytest.mark.parametrize("name", EVERY)
def test_torch_keeps_its_random_state_and_threads(name: str, easy: Domain) -> None:
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    student = made(name, easy)
    student.train(some(easy, 5), seed=0)
    student.predict(some(easy, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", EVERY)
def test_a_state_put_back_has_the_same_future(name: str, easy: Domain) -> None:
    items, more = some(easy, 30), some(easy, 30, seed=1)
    student, other = made(name, easy), made(name, easy, seed=5)
    student.train(items, seed=1)
    state = student.state_dict()
    kept = {k: v.copy() for k, v in state["network"].items()}
    student.train(more, seed=2)
    assert same(state["network"], kept), "the state changed with the student"
    other.load_state_dict(state)
    other.train(more, seed=2)
    assert same(other.state_dict(), student.state_dict())


@pytest.mark.parametrize("name", EVERY)
def test_predicting_changes_nothing_and_training_does(name: str, easy: Domain) -> None:
    student, items = made(name, easy), some(easy, 10)
    before = student.state_dict()
    first = student.predict(items)
    assert same(student.state_dict(), before)
    student.train(items, seed=0)
    assert student.predict(items).loss.mean() < first.loss.mean()


@pytest.mark.parametrize("name", EVERY)
def test_answers_read_off_are_right_where_written_ones_are(name: str, easy: Domain) -> None:
    items = some(easy, 80)
    student = made(name, easy)
    student.train(items, seed=0, epochs=6)
    writer = made(name, replace_format(easy, free=True))
    writer.load_state_dict(student.state_dict())
    read, written = student.predict(items), writer.predict(items)
    right = easy.grade(items, read.answers)
    assert 0.1 < right.mean() < 0.95, "nothing to compare"
    assert np.array_equal(right, easy.grade(items, written.answers))
    assert np.array_equal(read.answers[right], written.answers[right])
    assert np.allclose(read.confidence[right], written.confidence[right], atol=1e-4)
    assert np.allclose(read.loss, written.loss)
    for index in np.flatnonzero(~right):
        differs = np.flatnonzero(written.answers[index] != items.answers[index])[0]
        until = slice(0, differs + 1)
        assert np.array_equal(read.answers[index, until], written.answers[index, until])


@pytest.mark.parametrize("name", EVERY)
def test_writing_on_equals_reading_everything_again(name: str, easy: Domain) -> None:
    student = made(name, replace_format(easy, free=True))
    assert isinstance(student, TokenStudent)
    items = some(easy, 5)
    student.train(some(easy, 50), seed=0, epochs=2)
    written = student.predict(items).answers
    tokens = torch.from_numpy(items.inputs["tokens"].astype(np.int64))
    slow = []
    with torch.no_grad():
        for _ in range(easy.format.answer_width):
            slow.append(student._network(tokens, 1)[:, -1].argmax(dim=-1))
            tokens = torch.cat([tokens, slow[-1][:, None]], dim=1)
    answers = torch.stack(slow, dim=1).numpy()
    ended = np.cumsum(answers == 0, axis=1) > 0
    assert np.array_equal(written, np.where(ended, 0, answers))


def replace_format(domain: Domain, **changes: Any) -> Domain:
    other = make_domain("math", skills=("compare", "add"), n_levels=2)
    other.format = replace(domain.format, **changes)
    return other


@pytest.mark.parametrize("name", SMALL)
def test_an_answer_does_not_depend_on_who_else_is_asked(name: str, easy: Domain) -> None:
    student, items = made(name, easy), some(easy, 20)
    student.train(items, seed=0)
    together = student.predict(items)
    alone = student.predict(items.take(slice(7, 8)))
    assert np.array_equal(alone.answers[0], together.answers[7])
    assert np.isclose(alone.loss[0], together.loss[7], atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_items_of_no_weight_are_not_learnt(name: str, easy: Domain) -> None:
    items = some(easy, 32)
    wrong = replace(items, answers=easy.wrong(items, np.random.default_rng(0)))
    both = Items.concat([items, wrong])
    weights = np.repeat(np.array([1.0, 0.0], dtype=np.float32), len(items))
    losses = []
    for weight in (weights, weights[::-1].copy()):
        student = made(name, easy)
        student.train(both, seed=0, epochs=15, weights=weight)
        losses.append(student.predict(items).loss.mean())
    assert losses[0] < 0.7 * losses[1]


def test_soft_labels_and_other_formats_are_refused(easy: Domain) -> None:
    student = made("gru", easy)
    with pytest.raises(ValueError, match="soft"):
        student.train(some(easy, 2), seed=0, soft=np.ones((8, 3), dtype=np.float32))
    classes = Format({"features": (4,)}, "class", 3)
    for id in SMALL:
        with pytest.raises(UserError, match="tokens"):
            students.data.make(id, classes, seed=0)
    with pytest.raises(UserError, match="multiple of 16"):
        students.data.make("transformer", easy.format, seed=0, width=40)


def test_a_transformer_learns_to_compare() -> None:
    domain = make_domain("math", skills=("compare",), n_levels=2)
    student = students.data.make("transformer", domain.format, seed=0, width=32, layers=1)
    student.train(some(domain, 2000), seed=0, epochs=2)
    probe = some(domain, 100, "test")
    assert domain.grade(probe, student.predict(probe).answers).mean() > 0.8


def test_a_state_is_put_back_in_about_a_millisecond(easy: Domain) -> None:
    student = students.data.make("transformer", easy.format, seed=0)
    student.train(some(easy, 5), seed=0)
    state, took = student.state_dict(), []
    for _ in range(20):
        start = time.perf_counter()
        student.load_state_dict(state)
        took.append(time.perf_counter() - start)
    assert min(took) < 10e-3  # measured: 1.1 ms
