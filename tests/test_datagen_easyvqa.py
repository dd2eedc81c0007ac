"""Somebody else's pictures and questions, sorted into cells and parts."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.domains import easyvqa
from teachenv.envs.datagen.domains.easyvqa import ANSWERS, SKILLS, EasyVqa
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import PARTS, draw, part_of
from teachenv.errors import UserError
from teachenv.seeding import derive

CELLS = [(skill, level) for skill in range(len(SKILLS)) for level in range(2)]


@pytest.fixture(scope="module")
def domain() -> EasyVqa:
    pytest.importorskip("easy_vqa")
    return EasyVqa()


def test_all_questions_are_there(domain: EasyVqa) -> None:
    data = domain._data
    assert data.pictures.shape == (5000, 32, 32, 3)
    assert len(data.keys) == 38_575 + 9_673
    assert data.picture.max() == 4999


@pytest.mark.parametrize(
    ("question", "skill", "level"),
    [
        ("what color is the shape", "colour-of", 0),
        ("what is the color of the circle", "colour-of", 1),
        ("what shape does the image contain", "shape-of", 0),
        ("what is the teal shape", "shape-of", 1),
        ("is a red shape present", "has-colour", 0),
        ("does the image not contain a gray shape", "has-colour", 1),
        ("is there a triangle in the image", "has-shape", 0),
        ("is no rectangle present", "has-shape", 1),
    ],
)
def test_questions_are_sorted_by_what_they_ask(question: str, skill: str, level: int) -> None:
    assert easyvqa._cell(question.split()) == (SKILLS.index(skill), level)


def test_a_picture_belongs_to_one_part_and_a_question_has_its_own_key(domain: EasyVqa) -> None:
    data = domain._data
    parts = part_of(data.keys)
    first = np.full(len(data.pictures), -1)
    first[data.picture] = parts
    assert (first[data.picture] == parts).all()
    shares = np.bincount(parts) / len(parts)
    np.testing.assert_allclose(shares, [0.80, 0.05, 0.05, 0.10], atol=0.02)
    asked = {(p, *t) for p, t in zip(data.picture.tolist(), data.tokens.tolist(), strict=True)}
    assert len(set(data.keys.tolist())) == len(asked)


def test_equal_pictures_are_in_one_part(domain: EasyVqa) -> None:
    data, seen = domain._data, {}
    for picture, part in zip(data.picture.tolist(), part_of(data.keys).tolist(), strict=True):
        assert seen.setdefault(data.pictures[picture].tobytes(), part) == part


@pytest.mark.parametrize("cell", CELLS)
def test_answers_are_balanced(domain: EasyVqa, cell: tuple[int, int]) -> None:
    items = draw(domain, *cell, 800, "train", derive(0, "items"))
    kinds = {"colour-of": 8, "shape-of": 3}.get(SKILLS[cell[0]], 2)
    counts = np.bincount(items.truth)
    assert (counts > 0).sum() == kinds
    assert counts.max() / 800 < 1 / kinds + 0.06


def test_every_cell_has_items_of_every_part(domain: EasyVqa) -> None:
    for cell in CELLS:
        for part in PARTS:
            assert len(draw(domain, *cell, 5, part, derive(0, "parts"))) == 5


def test_colours_are_what_they_are_called(domain: EasyVqa) -> None:
    items = draw(domain, 0, 0, 100, "train", derive(0, "items"))
    red = items.inputs["image"][items.truth == ANSWERS.index("red")].astype(int)
    assert len(red) > 3
    corner = red[:, :1, :1]
    far = np.abs(red - corner).sum(axis=3).reshape(len(red), -1).argmax(axis=1)
    shape = red.reshape(len(red), -1, 3)[np.arange(len(red)), far]
    assert (shape[:, 0] > shape[:, 1:].max(axis=1)).all()


def test_wrong_answers_are_wrong(domain: EasyVqa) -> None:
    items = Items.concat([draw(domain, *cell, 30, "train", derive(0, "x")) for cell in CELLS])
    assert not domain.grade(items, domain.wrong(items, derive(0, "wrong"))).any()
    assert domain.grade(items, items.truth).all()
    assert domain.text(items, 0)["question"] == "what color is the shape?"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "easy_vqa", None)
    easyvqa._load.cache_clear()
    with pytest.raises(UserError, match="pip install"):
        make_domain("easyvqa")
