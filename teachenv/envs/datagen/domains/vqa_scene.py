"""Scenes of coloured shapes, and questions about them whose answers follow from the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ANSWERS", "COLOURS", "GRID", "MAX_OBJECTS", "SHAPES", "SKILLS", "WORDS"]
__all__ += ["Questions", "Scenes", "answer", "draw_questions", "draw_scenes"]

SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan")
SKILLS = ("colour-of", "shape-of", "exists", "count", "compare", "left-of")
GRID = 4
"""Objects stand in the squares of a grid of this width, one in each at most."""
MAX_OBJECTS = 4

WORDS = ("", *SHAPES, *COLOURS, "middle")
"""What a question may name, by number."""
_FIRST_COLOUR = 1 + len(SHAPES)
_MIDDLE = len(WORDS) - 1

ANSWERS = (*SHAPES, *COLOURS, "no", "yes", *(str(n) for n in range(MAX_OBJECTS + 1)))
"""The answers of all questions, by class."""
_NO, _YES = ANSWERS.index("no"), ANSWERS.index("yes")
_ZERO = ANSWERS.index("0")

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scenes:
    """``n`` scenes of as many objects each; int64 arrays of shape ``(n, n_objects)``.

    Attributes:
        shape: Index into :data:`SHAPES`.
        colour: Index into :data:`COLOURS`.
        place: Square of the grid, row by row; no two objects share one.
    """

    shape: Numbers
    colour: Numbers
    place: Numbers

    def has(self, word: Numbers) -> Mask:
        """Return which objects a word (one per scene, of :data:`WORDS`) is true of."""
        word = word[:, None]
        found: Mask = (self.shape + 1 == word) | (self.colour + _FIRST_COLOUR == word)
        return found

    def to_array(self) -> NDArray[np.int8]:
        """Return (shape, colour, place) of the objects in order of place, int8.

        Its shape is ``(n, MAX_OBJECTS, 3)``; rows without an object are -1.
        """
        n, n_objects = self.place.shape
        order = np.argsort(self.place, axis=1)
        columns = [np.take_along_axis(a, order, 1) for a in (self.shape, self.colour, self.place)]
        array = np.full((n, MAX_OBJECTS, 3), -1, dtype=np.int8)
        array[:, :n_objects] = np.stack(columns, axis=2)
        return array


@dataclass(frozen=True)
class Questions:
    """``n`` questions of one skill, with the answers they shall have; int64 arrays ``(n,)``.

    Attributes:
        skill: Index into :data:`SKILLS`.
        first: Word asked about.
        second: The other word; 0 if there is none.
        wanted: Class of the answer.
    """

    skill: int
    first: Numbers
    second: Numbers
    wanted: Numbers

    def take(self, index: NDArray[np.int64]) -> Questions:
        """Return the questions at some positions."""
        return Questions(self.skill, self.first[index], self.second[index], self.wanted[index])


def draw_questions(skill: int, n_objects: int, n: int, rng: np.random.Generator) -> Questions:
    """Draw words and answers, independent of one another and uniform over what is possible."""
    name = SKILLS[skill]
    nothing = np.zeros(n, dtype=np.int64)
    a_shape = rng.integers(1, _FIRST_COLOUR, n)
    a_colour = rng.integers(_FIRST_COLOUR, _MIDDLE, n)
    yes_no = _NO + rng.integers(0, 2, n)
    if name == "colour-of":
        return Questions(skill, a_shape, nothing, len(SHAPES) + rng.integers(0, len(COLOURS), n))
    if name == "shape-of":
        return Questions(skill, a_colour, nothing, rng.integers(0, len(SHAPES), n))
    if name == "exists":
        return Questions(skill, a_colour, a_shape, yes_no)
    by_colour = rng.random(n) < 0.5
    first = np.where(by_colour, a_colour, a_shape)
    if name == "count":
        return Questions(skill, first, nothing, _ZERO + rng.integers(0, n_objects + 1, n))
    low, count = np.where(by_colour, _FIRST_COLOUR, 1), np.where(by_colour, 6, 4)
    second = low + (first - low + rng.integers(1, count)) % count  # another word of the kind
    if name == "left-of" and n_objects == 1:
        second = np.full(n, _MIDDLE)
    return Questions(skill, first, second, yes_no)


def answer(questions: Questions, scenes: Scenes) -> Numbers:
    """Return the class of every answer, int64 ``(n,)``; -1 where a question makes no sense.

    "colour-of", "shape-of" and "left-of" speak of *the* red thing: there must be just one.
    """
    name = SKILLS[questions.skill]
    first, second = scenes.has(questions.first), scenes.has(questions.second)
    n_first, n_second = _count(first), _count(second)
    if name == "exists":
        return np.where((first & second).any(axis=1), _YES, _NO)
    if name == "count":
        return n_first + _ZERO
    if name == "compare":
        return np.where(n_first > n_second, _YES, _NO)
    if name == "left-of":
        column = scenes.place % GRID
        one = (first * column).sum(axis=1)
        middle = questions.second == _MIDDLE
        other = np.where(middle, (GRID - 1) / 2, (second * column).sum(axis=1))
        sensible = (n_first == 1) & (middle | (n_second == 1)) & (one != other)
        return np.where(sensible, np.where(one < other, _YES, _NO), -1)
    asked = scenes.shape if name == "shape-of" else scenes.colour + len(SHAPES)
    return np.where(n_first == 1, (first * asked).sum(axis=1), -1)


def _count(objects: Mask) -> Numbers:
    count: Numbers = objects.sum(axis=1, dtype=np.int64)
    return count


def draw_scenes(questions: Questions, n_objects: int, rng: np.random.Generator) -> Scenes:
    """Draw a scene for every question in which the answer is the wanted one, by rejection."""
    scenes = _propose(questions, n_objects, rng)
    todo = np.flatnonzero(answer(questions, scenes) != questions.wanted)
    while len(todo):
        asked = questions.take(todo)
        found = _propose(asked, n_objects, rng)
        right = answer(asked, found) == asked.wanted
        for mine, theirs in zip(_arrays(scenes), _arrays(found), strict=True):
            mine[todo[right]] = theirs[right]
        todo = todo[~right]
    return scenes


def _arrays(scenes: Scenes) -> tuple[Numbers, Numbers, Numbers]:
    return scenes.shape, scenes.colour, scenes.place


def _propose(questions: Questions, n_objects: int, rng: np.random.Generator) -> Scenes:
    """Draw scenes in which what is asked about is more or less frequent.

    Uniform scenes would seldom hold four red things.
    """
    n = len(questions.wanted)
    size = (n, n_objects)
    shape, colour = rng.integers(0, len(SHAPES), size), rng.integers(0, len(COLOURS), size)
    likely = questions.second
    if SKILLS[questions.skill] in ("colour-of", "shape-of"):
        likely = questions.wanted + 1
    share = rng.dirichlet((1.0, 1.0, 1.0), n).cumsum(axis=1)
    draws = rng.random(size)
    same_kind = (questions.first < _FIRST_COLOUR) == (likely < _FIRST_COLOUR)
    hit_first = draws < share[:, :1]
    again = np.where(same_kind[:, None], draws, rng.random(size))
    hit_likely = (again < share[:, 1:2]) & ~(hit_first & same_kind[:, None])
    for word, hit in ((questions.first, hit_first), (likely, hit_likely)):
        number = word[:, None]
        is_shape = (number >= 1) & (number < _FIRST_COLOUR)
        is_colour = (number >= _FIRST_COLOUR) & (number < _MIDDLE)
        shape = np.where(hit & is_shape, number - 1, shape)
        colour = np.where(hit & is_colour, number - _FIRST_COLOUR, colour)
    place = np.argsort(rng.random((n, GRID * GRID)), axis=1)[:, :n_objects].copy()
    return Scenes(shape, colour, place)
