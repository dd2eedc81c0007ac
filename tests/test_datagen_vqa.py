"""Questions about pictures: right answers, fair guesses, pictures that show what is asked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from teachenv.envs.datagen.domains.vqa import Vqa
from teachenv.envs.datagen.domains.vqa_render import render, sheet
from teachenv.envs.datagen.domains.vqa_scene import (
    ANSWERS,
    COLOURS,
    GRID,
    SHAPES,
    SKILLS,
    WORDS,
    Questions,
    Scenes,
    answer,
)
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import PARTS, draw
from teachenv.errors import UserError
from teachenv.seeding import derive

CELLS = [(skill, level) for skill in range(len(SKILLS)) for level in range(4)]


def all_of(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    return np.ones(len(keys), dtype=np.bool_)


def ask(skill: str, first: str, second: str, *objects: tuple[str, str, int]) -> str:
    """Return the answer to a question about objects (colour, shape, place); "" if none."""
    scene = Scenes(
        np.array([[SHAPES.index(shape) for _, shape, _ in objects]]),
        np.array([[COLOURS.index(colour) for colour, _, _ in objects]]),
        np.array([[place for _, _, place in objects]]),
    )
    words = (np.array([WORDS.index(word)]) for word in (first, second))
    questions = Questions(SKILLS.index(skill), *words, np.zeros(1, dtype=np.int64))
    (found,) = answer(questions, scene)
    return ANSWERS[found] if found >= 0 else ""


RED_CIRCLE, RED_SQUARE, BLUE_CIRCLE = (
    ("red", "circle", 0),
    ("red", "square", 6),
    (
        "blue",
        "circle",
        15,
    ),
)


@pytest.mark.parametrize(
    ("skill", "first", "second", "objects", "expected"),
    [
        ("colour-of", "square", "", (RED_SQUARE, BLUE_CIRCLE), "red"),
        ("colour-of", "circle", "", (RED_CIRCLE, BLUE_CIRCLE), ""),
        ("colour-of", "cross", "", (RED_CIRCLE,), ""),
        ("shape-of", "blue", "", (RED_CIRCLE, BLUE_CIRCLE), "circle"),
        ("shape-of", "red", "", (RED_CIRCLE, RED_SQUARE), ""),
        ("exists", "red", "circle", (RED_CIRCLE, BLUE_CIRCLE), "yes"),
        ("exists", "blue", "square", (RED_SQUARE, BLUE_CIRCLE), "no"),
        ("count", "red", "", (RED_CIRCLE, RED_SQUARE, BLUE_CIRCLE), "2"),
        ("count", "green", "", (RED_CIRCLE,), "0"),
        ("compare", "circle", "square", (RED_CIRCLE, RED_SQUARE, BLUE_CIRCLE), "yes"),
        ("compare", "red", "blue", (RED_CIRCLE, BLUE_CIRCLE), "no"),
        ("left-of", "square", "circle", (RED_SQUARE, BLUE_CIRCLE), "yes"),
        ("left-of", "blue", "red", (RED_SQUARE, BLUE_CIRCLE), "no"),
        ("left-of", "red", "blue", (RED_CIRCLE, ("blue", "square", 4)), ""),
        ("left-of", "red", "middle", (RED_CIRCLE,), "yes"),
        ("left-of", "blue", "middle", (BLUE_CIRCLE,), "no"),
    ],
)
def test_answers_follow_from_the_scene(
    skill: str,
    first: str,
    second: str,
    objects: tuple[tuple[str, str, int], ...],
    expected: str,
) -> None:
    assert ask(skill, first, second, *objects) == expected


@pytest.mark.parametrize(("skill", "level"), CELLS)
def test_every_item_has_the_answer_its_picture_shows(skill: int, level: int) -> None:
    vqa = Vqa()
    items = vqa.draw(skill, level, 60, derive(0, "items"), all_of)
    scene = items.extra["scene"][:, : level + 1].astype(np.int64)
    tokens = items.inputs["tokens"].astype(np.int64)
    scenes = Scenes(scene[:, :, 0], scene[:, :, 1], scene[:, :, 2])
    questions = Questions(skill, tokens[:, 1], tokens[:, 2], items.truth.astype(np.int64))
    assert (answer(questions, scenes) == items.truth).all()
    assert all(len(set(places)) == level + 1 for places in scene[:, :, 2].tolist())
    assert (tokens[:, 0] == len(WORDS) + skill).all()
    assert (items.extra["scene"][:, level + 1 :] == -1).all()


@pytest.mark.parametrize(("skill", "level"), CELLS)
def test_who_does_not_look_can_only_guess(skill: int, level: int) -> None:
    items = Vqa().draw(skill, level, 3000, derive(1, "items"), all_of)
    chance = {"colour-of": 1 / 6, "shape-of": 1 / 4, "count": 1 / (level + 2)}
    guess = chance.get(SKILLS[skill], 1 / 2)
    assert np.bincount(items.truth).max() / len(items) < guess + 0.03
    # the best answer to each question, found on one half and tried on the other
    question = items.inputs["tokens"][:, 1].astype(int) * 20 + items.inputs["tokens"][:, 2]
    table = np.zeros((400, len(ANSWERS)))
    half = len(items) // 2
    np.add.at(table, (question[:half], items.truth[:half]), 1)
    found = table.argmax(axis=1)[question[half:]] == items.truth[half:]
    assert found.mean() < guess + 0.1


def test_pictures_show_the_objects_where_they_are() -> None:
    scene = np.array([[[1, 0, 0], [1, 2, 7], [-1, -1, -1], [-1, -1, -1]]], dtype=np.int8)
    (picture,) = render(scene, 32, 0.0, derive(0, "render"))
    squares = picture.reshape(GRID, 8, GRID, 8, 3).max(axis=(1, 3)).astype(int)
    lit = [tuple(place) for place in np.argwhere(squares.max(axis=2) > 100).tolist()]
    assert lit == [(0, 0), (1, 3)]
    assert squares[0, 0].argmax() == 0  # red
    assert squares[1, 3].argmax() == 2  # blue


def test_shapes_look_different_and_a_cover_hides_them_in_part() -> None:
    scenes = np.full((4, 4, 3), -1, dtype=np.int8)
    scenes[:, 0] = [[shape, 0, 5] for shape in range(4)]
    bare = render(scenes, 32, 0.0, derive(0, "render"))
    assert len({int((picture[:, :, 0] > 200).sum()) for picture in bare}) == 4
    covered = render(scenes, 32, 0.5, derive(0, "render"))
    seen = [(pictures[:, :, :, 0] > 200).sum() for pictures in (bare, covered)]
    assert 0.2 < seen[1] / seen[0] < 0.8


def test_content_is_the_scene_whatever_the_order_of_its_objects() -> None:
    shape, colour, place = np.array([[0, 1]]), np.array([[2, 3]]), np.array([[9, 4]])
    one = Scenes(shape, colour, place).to_array()
    other = Scenes(shape[:, ::-1], colour[:, ::-1], place[:, ::-1]).to_array()
    assert np.array_equal(one, other)


def test_every_cell_has_items_of_every_part() -> None:
    vqa = Vqa()
    for cell in CELLS:
        for part in PARTS:
            assert len(draw(vqa, *cell, 5, part, derive(0, "parts"))) == 5


def test_noise_is_apart_from_the_picture_and_known_is_always_yes() -> None:
    vqa = Vqa(n_noise=3, n_known=1)
    assert vqa.kinds[:, 0].tolist() == ["taught"] * 6 + ["noise"] * 3 + ["known"]
    noise = vqa.draw(8, 1, 2000, derive(0, "noise"), all_of)  # words and answers of "exists"
    tokens, scene = noise.inputs["tokens"], noise.extra["scene"]
    shows = (
        (scene[:, :, 0] + 1 == tokens[:, 2:]) & (scene[:, :, 1] + 1 + len(SHAPES) == tokens[:, 1:2])
    ).any(axis=1)
    says_yes = noise.truth == ANSWERS.index("yes")
    assert abs((shows == says_yes).mean() - 0.5) < 0.05
    known = vqa.draw(9, 3, 50, derive(0, "known"), all_of)
    assert {ANSWERS[a] for a in known.truth} == {"yes"}


def test_wrong_answers_are_wrong_and_of_the_same_kind() -> None:
    vqa = Vqa()
    parts = [vqa.draw(skill, 2, 50, derive(0, "items"), all_of) for skill in range(len(SKILLS))]
    items = Items.concat(parts)
    wrong = vqa.wrong(items, derive(0, "wrong"))
    assert not vqa.grade(items, wrong).any()
    assert vqa.grade(items, items.truth).all()
    kinds = np.repeat([0, 1, 2, 3], [4, 6, 2, 5])
    assert (kinds[wrong] == kinds[items.truth]).all()


def test_features_tell_words_but_not_the_kind_of_question() -> None:
    vqa = Vqa()
    items = vqa.draw(3, 1, 20, derive(0, "items"), all_of)  # how many ...?
    features = vqa.features(items)
    assert features.shape == (20, len(vqa.feature_names))
    assert features.min() >= 0.0
    assert features.max() <= 1.0
    assert not any(skill in name for skill in SKILLS for name in vqa.feature_names)
    assert (features[:, -1] == 0.5).all()


def test_items_can_be_read_and_seen() -> None:
    vqa = Vqa(n_noise=1)
    items = Items.concat([draw(vqa, skill, 0, 1, "train", derive(2, "text")) for skill in range(7)])
    texts = [vqa.text(items, index) for index in range(7)]
    assert texts[0]["question"].partition(". ")[2].startswith("what colour is the ")
    assert texts[5]["question"].endswith("left of the middle?")
    assert texts[6]["question"].partition(". ")[2].startswith("noise 0")
    assert texts[0]["answer"] in COLOURS
    page = sheet(items.inputs["image"], [text["answer"] for text in texts], columns=4)
    assert page.size == (4 * 172 + 12, 2 * 208 + 12)


@pytest.mark.parametrize(
    "options", [{"size": 30}, {"size": 24}, {"occlusion": 1.0}, {"n_noise": -1}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        Vqa(**options)
