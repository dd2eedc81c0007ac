"""Questions about pictures: small scenes of coloured shapes, drawn on demand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.domains.classes import ClassAnswers
from teachenv.envs.datagen.domains.vqa_render import render
from teachenv.envs.datagen.domains.vqa_scene import (
    ANSWERS,
    COLOURS,
    GRID,
    MAX_OBJECTS,
    SHAPES,
    SKILLS,
    WORDS,
    draw_questions,
    draw_scenes,
)
from teachenv.envs.datagen.items import Format, Items, content_keys
from teachenv.errors import UserError, at_least

__all__ = ["Vqa"]

_SENTENCES = {
    "colour-of": "what colour is the {0}?",
    "shape-of": "what shape is the {0} thing?",
    "exists": "is there a {0} {1}?",
    "count": "how many {0} things are there?",
    "compare": "are there more {0} things than {1} things?",
    "left-of": "is the {0} thing left of the {1} thing?",
    "left-of the middle": "is the {0} thing left of the middle?",
}


class Vqa(ClassAnswers):
    """What does the picture show? A skill is a kind of question, a level the number of objects.

    Question and answer are drawn first, apart from one another, then a scene in which the answer
    is right: who does not look at the picture cannot do better than guess. The content of an item
    is its question and its scene; that an object stands a pixel aside makes no other item.

    Args:
        n_noise: Further kinds of question whose answers have nothing to do with the picture.
        n_known: Further kinds of question whose answer is always "yes".
        size: Width and height of a picture in pixels, a multiple of 8, at least 32.
        occlusion: Share of each object hidden by a grey bar, in [0, 0.9]: how hard it is to see.

    Raises:
        UserError: for an option out of range.
    """

    id = "vqa"
    n_levels = MAX_OBJECTS
    student = "film"

    def __init__(
        self, *, n_noise: int = 0, n_known: int = 0, size: int = 32, occlusion: float = 0.0
    ) -> None:
        if at_least(32, "size", size) % 8:
            raise UserError(f"size: expected a multiple of 8, got {size}")
        if not 0.0 <= occlusion <= 0.9:
            raise UserError(f"occlusion: expected a share in [0, 0.9], got {occlusion!r}")
        noise = [f"noise {n}" for n in range(at_least(0, "n_noise", n_noise))]
        known = [f"known {n}" for n in range(at_least(0, "n_known", n_known))]
        self.skills = (*SKILLS, *noise, *known)
        kinds = ["taught"] * len(SKILLS) + ["noise"] * n_noise + ["known"] * n_known
        self.kinds = np.repeat(np.array(kinds)[:, None], self.n_levels, axis=1)
        vocabulary = (*WORDS, *self.skills)
        fields = {"image": (size, size, 3), "tokens": (3,)}
        self.format = Format(fields, "class", len(ANSWERS), vocabulary=vocabulary)
        names = [f"{nth} word {w or 'none'}" for nth in ("first", "second") for w in WORDS]
        self.feature_names = (*names, "objects")
        self.usual: Mapping[str, Any] = {}
        self._size, self._occlusion = size, occlusion

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw items of a cell; see :class:`teachenv.envs.datagen.domain.Domain`."""
        kind, n_objects = self.kinds[skill, level], level + 1
        source = skill % len(SKILLS)
        questions = draw_questions(source, n_objects, n, rng)
        scenes = draw_scenes(questions, n_objects, rng).to_array()
        first_token = np.full(n, len(WORDS) + skill)
        tokens = np.stack([first_token, questions.first, questions.second], axis=1).astype(np.int16)
        truth = questions.wanted
        if kind == "noise":
            truth = draw_questions(source, n_objects, n, rng).wanted
        elif kind == "known":
            truth = np.full(n, ANSWERS.index("yes"))
        contents = np.concatenate([tokens.astype("<i2").view(np.int8), scenes.reshape(n, -1)], 1)
        keys = content_keys(row.tobytes() for row in contents)
        kept = np.flatnonzero(keep(keys))
        inputs: dict[str, NDArray[Any]] = {
            "image": render(scenes[kept], self._size, self._occlusion, rng),
            "tokens": tokens[kept],
        }
        right = truth[kept].astype(np.int16)
        skills, levels = (np.full(len(kept), number, dtype=np.int16) for number in (skill, level))
        return Items(inputs, right, right, skills, levels, keys[kept], {"scene": scenes[kept]})

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return another answer of the same kind: a shape for a shape, a number for a number."""
        wrong = np.empty_like(items.truth)
        bounds = np.cumsum([0, len(SHAPES), len(COLOURS), 2, MAX_OBJECTS + 1])
        for low, high in itertools.pairwise(bounds.tolist()):
            mine = (items.truth >= low) & (items.truth < high)
            step = rng.integers(1, high - low, mine.sum())
            wrong[mine] = low + (items.truth[mine] - low + step) % (high - low)
        return wrong

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return which words the question names and the number of objects, not what it asks."""
        n, n_words = len(items), len(WORDS)
        features = np.zeros((n, len(self.feature_names)), dtype=np.float32)
        rows = np.arange(n)
        features[rows, items.inputs["tokens"][:, 1]] = 1.0
        features[rows, n_words + items.inputs["tokens"][:, 2]] = 1.0
        features[:, -1] = (items.extra["scene"][:, :, 0] >= 0).sum(axis=1) / MAX_OBJECTS
        return features

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return the scene in words with the question, and the answer."""
        scene = "; ".join(
            f"{COLOURS[colour]} {SHAPES[shape]} at row {place // GRID + 1}, column "
            f"{place % GRID + 1}"
            for shape, colour, place in items.extra["scene"][index].tolist()
            if place >= 0
        )
        asked, *numbers = items.inputs["tokens"][index].tolist()
        words = [WORDS[number] for number in numbers]
        name = self.skills[asked - len(WORDS)]
        if name == "left-of" and words[1] == "middle":
            name = "left-of the middle"
        question = _SENTENCES.get(name, f"{name}: {{0}} {{1}}?").format(*words)
        return {"question": f"{scene}. {question}", "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return the answer's word."""
        return ANSWERS[int(answer)]
