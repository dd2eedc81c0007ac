"""Questions about pictures nobody here drew: the 5,000 images of the package easy-vqa."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.domains.classes import ClassAnswers
from teachenv.envs.datagen.items import Format, Items, content_keys
from teachenv.errors import UserError

__all__ = ["EasyVqa"]

SKILLS = ("colour-of", "shape-of", "has-colour", "has-shape")
SHAPES = ("circle", "rectangle", "triangle")
COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
ANSWERS = (*SHAPES, *COLOURS, "no", "yes")
_NEGATED = {"not", "no"}


class EasyVqa(ClassAnswers):
    """One shape in a picture of 64 x 64 pixels and 48,248 questions about it.

    Data: the package ``easy-vqa`` 1.0 (MIT licence), its train and test questions together. A
    skill is what is asked; level 1 instead of 0 names the other property too ("what color is the
    circle?") or negates ("is there not a red shape?"). All questions about one picture belong to
    one part: the end of an item's key comes from the picture, the rest from the question. Good
    for trying out of their domain students that were taught on "vqa".

    Args:
        size: Width and height the pictures are scaled to, 32 or 64.

    Raises:
        UserError: if the package is missing or the size is another.
    """

    id = "easyvqa"
    skills = SKILLS
    n_levels = 2
    student = "film"

    def __init__(self, *, size: int = 32) -> None:
        if size not in (32, 64):
            raise UserError(f"size: expected 32 or 64, got {size!r}")
        self._data = _load(size)
        self.kinds = np.full((len(SKILLS), self.n_levels), "taught")
        width = self._data.tokens.shape[1]
        fields = {"image": (size, size, 3), "tokens": (width,)}
        self.format = Format(fields, "class", len(ANSWERS), vocabulary=self._data.vocabulary)
        self.feature_names = tuple(f"says {word}" for word in self._data.vocabulary[1:])
        self.usual: Mapping[str, Any] = {}

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw ``n`` items that may be kept; see :class:`teachenv.envs.datagen.domain.Domain`."""
        data = self._data
        here = (data.skill == skill) & (data.level == level)
        pool = np.flatnonzero(here & keep(data.keys))
        share = 1.0 / np.bincount(data.answer[pool])[data.answer[pool]]
        index = rng.choice(pool, n, p=share / share.sum())
        inputs = {"image": data.pictures[data.picture[index]], "tokens": data.tokens[index]}
        truth = data.answer[index]
        return Items(inputs, truth, truth, data.skill[index], data.level[index], data.keys[index])

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return another answer of the same kind."""
        wrong = np.empty_like(items.truth)
        low = 0
        for count in (len(SHAPES), len(COLOURS), 2):
            mine = (items.truth >= low) & (items.truth < low + count)
            step = rng.integers(1, count, mine.sum())
            wrong[mine] = low + (items.truth[mine] - low + step) % count
            low += count
        return wrong

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return which words a question holds."""
        features = np.zeros((len(items), len(self.format.vocabulary)), dtype=np.float32)
        features[np.arange(len(items))[:, None], items.inputs["tokens"]] = 1.0
        return features[:, 1:]

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return the question, without the picture, and the answer."""
        words = [self.format.vocabulary[token] for token in items.inputs["tokens"][index] if token]
        return {"question": f"{' '.join(words)}?", "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return the answer's word."""
        return ANSWERS[int(answer)]


@dataclass(frozen=True)
class _Data:
    """All questions, one row each, and the pictures they are about."""

    pictures: NDArray[np.uint8]
    picture: NDArray[np.int64]
    tokens: NDArray[np.int16]
    answer: NDArray[np.int16]
    skill: NDArray[np.int16]
    level: NDArray[np.int16]
    keys: NDArray[np.uint64]
    vocabulary: tuple[str, ...]


@functools.cache
def _load(size: int) -> _Data:
    try:
        import easy_vqa
    except ModuleNotFoundError:
        raise UserError('domain easyvqa needs the package: pip install "easy-vqa"') from None
    texts: list[list[str]] = []
    answers: list[str] = []
    picture: list[int] = []
    paths: list[str] = []
    for questions, files in (
        (easy_vqa.get_train_questions(), easy_vqa.get_train_image_paths()),
        (easy_vqa.get_test_questions(), easy_vqa.get_test_image_paths()),
    ):
        order = {number: len(paths) + place for place, number in enumerate(sorted(files))}
        texts += [text.rstrip("?").split() for text in questions[0]]
        answers += questions[1]
        picture += [order[number] for number in questions[2]]
        paths += [files[number] for number in order]
    pictures = np.stack([_read(path, size) for path in paths])
    vocabulary = ("", *sorted({word for text in texts for word in text}))
    number = {word: token for token, word in enumerate(vocabulary)}
    width = max(len(text) for text in texts)
    tokens = np.array([[number[w] for w in t] + [0] * (width - len(t)) for t in texts], np.int16)
    cells = np.array([_cell(text) for text in texts], dtype=np.int16)
    from_picture = content_keys(row.tobytes() for row in pictures)[picture] % np.uint64(100)
    asked = zip(picture, texts, strict=True)
    keys = (
        content_keys(f"{place} {text}".encode() for place, text in asked)
        // np.uint64(200)
        * np.uint64(100)
        + from_picture
    )
    answer = np.array([ANSWERS.index(word) for word in answers], dtype=np.int16)
    return _Data(
        pictures, np.array(picture), tokens, answer, cells[:, 0], cells[:, 1], keys, vocabulary
    )


def _read(path: str, size: int) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BOX))


def _cell(words: list[str]) -> tuple[int, int]:
    """Return skill and level of a question."""
    named = set(words)
    if "what" in named:
        asked = "colour-of" if "color" in named else "shape-of"
        return SKILLS.index(asked), int(bool(named & {*SHAPES, *COLOURS}))
    asked = "has-colour" if named & set(COLOURS) else "has-shape"
    return SKILLS.index(asked), int(bool(named & _NEGATED))
