"""Tasks of reasoning-gym in a compact form that small students can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.items import Format, Items, content_keys
from teachenv.errors import UserError, unknown

__all__ = ["TASKS", "Reasoning", "Task"]

Metadata = Mapping[str, Any]

N_LEVELS = 4


@dataclass(frozen=True)
class Task:
    """How a task of reasoning-gym is asked here.

    Attributes:
        attribute: The attribute of its curriculum that is the level; others keep their first.
        question: Its question, from an item's metadata, without its name.
        canonical: What is equal for questions of equal content.
        digits: Digits that numbers in questions are zero-padded to; 0 for none.
        width: Characters of a question at most.
        answer_width: Characters of an answer at most.
    """

    attribute: str
    question: Callable[[Metadata], str]
    canonical: Callable[[Metadata], str]
    digits: int
    width: int
    answer_width: int


def _expression(metadata: Metadata) -> str:
    return str(metadata["expression"]).replace(" ", "")


def _terms(metadata: Metadata) -> str:
    expression = _expression(metadata)
    return " ".join(sorted(re.findall(r"[+-]?\d+", f"+{expression}")))


def _factors(metadata: Metadata) -> str:
    return " ".join(sorted(_expression(metadata).split("*")))


def _numbers(metadata: Metadata) -> str:
    return " ".join(str(number) for number in metadata["numbers"])


def _sorted_numbers(metadata: Metadata) -> str:
    return " ".join(str(number) for number in sorted(metadata["numbers"]))


def _word(metadata: Metadata) -> str:
    return str(metadata["word"]).lower()


TASKS: dict[str, Task] = {
    "chain_sum": Task("num_digits", _expression, _terms, 4, 9, 5),
    "products": Task("num_digits", _expression, _factors, 4, 9, 8),
    "gcd": Task("value", _numbers, _sorted_numbers, 6, 13, 6),
    "lcm": Task("value", _numbers, _sorted_numbers, 6, 13, 10),
    "spell_backward": Task("word_len", _word, _word, 0, 10, 10),
}
"""Task -> how it is asked. All of them have one right answer, which is one string."""

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz+-* "


class Reasoning:
    """Procedurally generated tasks of reasoning-gym; a level is a level of its curriculum.

    A question is the task's token and its content in characters, numbers zero-padded; answers
    are the task's own, and one is right if it is equal, which the task's own scorer agrees to.

    Items of reasoning-gym are made from ``seed + index``, so that nearby seeds share items: here
    every draw has a seed of its own out of 2**62, and the split goes by content as everywhere.

    Args:
        skills: Tasks, of :data:`TASKS`; all if empty.

    Raises:
        UserError: for an unknown or repeated task, or if reasoning-gym is not installed.
    """

    id = "reasoning"
    skills: tuple[str, ...] = tuple(TASKS)
    student = "transformer"
    n_levels = N_LEVELS

    def __init__(self, *, skills: Sequence[str] = ()) -> None:
        self.skills = tuple(skills) or self.skills
        for name in self.skills:
            if name not in TASKS:
                raise UserError(unknown("task", str(name), TASKS))
        if len(set(self.skills)) < len(self.skills):
            raise UserError(f"skills: expected different ones, got {self.skills}")
        tasks = [TASKS[name] for name in self.skills]
        self.kinds = np.full((len(tasks), N_LEVELS), "taught")
        level = np.arange(N_LEVELS)
        after = level[:, None] == level + 1
        self.prerequisites = np.kron(np.eye(len(tasks)), after).astype(np.bool_)
        self._width = max(task.width for task in tasks)
        self.format = Format(
            {"tokens": (1 + self._width,)},
            "tokens",
            1 + len(CHARACTERS) + len(TASKS),
            max(task.answer_width for task in tasks),
            ("", *CHARACTERS, *TASKS),
        )
        self.feature_names = ("length", *(f"token {n}" for n in range(self._width)))
        self.usual: dict[str, Any] = {"warm_levels": 1, "probe_size": 30}
        self._sources = {name: _sources(name) for name in self.skills}

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw items of a cell; see :class:`teachenv.envs.datagen.domain.Domain`."""
        name = self.skills[skill]
        task, source = TASKS[name], self._sources[name][level]
        source.seed = int(rng.integers(2**62))
        made = [source[index] for index in range(n)]
        keys = content_keys(f"{name} {task.canonical(item['metadata'])}".encode() for item in made)
        kept = np.flatnonzero(keep(keys))
        questions = [_padded(task.question(made[i]["metadata"]), task.digits) for i in kept]
        tokens = np.empty((len(kept), 1 + self._width), dtype=np.int16)
        tokens[:, 0] = self.format.vocabulary.index(name)
        tokens[:, 1:] = _tokens(questions, self._width)
        answers = [str(made[i]["answer"]).lower() for i in kept]
        truth = _tokens(answers, self.format.answer_width)
        cell = np.full((2, len(kept)), [[skill], [level]], dtype=np.int16)
        return Items({"tokens": tokens}, truth, truth, cell[0], cell[1], keys[kept])

    def grade(self, items: Items, answers: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return where every character of an answer is right."""
        right: NDArray[np.bool_] = (answers == items.truth).all(axis=1)
        return right

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return answers with one digit or letter changed to another."""
        answers, rows = items.truth.copy(), np.arange(len(items))
        chance = rng.random(answers.shape) * ((answers > 0) & (answers <= 36))
        place = chance.argmax(axis=1)
        old = answers[rows, place]
        first, n_kinds = np.where(old <= 10, 1, 11), np.where(old <= 10, 10, 26)
        answers[rows, place] = first + (old - first + rng.integers(1, n_kinds)) % n_kinds
        return answers

    def wrong_steps(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """The same as :meth:`wrong`: answers show no working."""
        return self.wrong(items, rng)

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return the length and the characters of the questions, without the task's name."""
        field = items.inputs["tokens"][:, 1:].astype(np.float32)
        length = (field > 0).mean(axis=1, keepdims=True, dtype=np.float32)
        return np.concatenate([length, field / np.float32(len(CHARACTERS))], axis=1)

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return one question and its answer."""
        name, *content = (self.format.vocabulary[t] for t in items.inputs["tokens"][index])
        question = f"{name}: {''.join(content)}"
        return {"question": question, "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return an answer's characters."""
        return "".join(self.format.vocabulary[token] for token in answer)


def _sources(name: str) -> list[Any]:
    """Return reasoning-gym's data sets of a task, one per level."""
    try:
        from reasoning_gym.coaching.base_curriculum import (
            DefaultCurriculumContext,
            RangeAttributeMode,
        )
        from reasoning_gym.factory import create_curriculum, create_dataset
    except ModuleNotFoundError as error:
        raise UserError(
            f"domain reasoning needs {error.name!r}, which is not installed: "
            'pip install "teachenv[data]"'
        ) from error
    only_this_level = DefaultCurriculumContext(RangeAttributeMode.UPPER_BOUND)
    curriculum = create_curriculum(name)
    sources = []
    for level in range(N_LEVELS):
        for attribute in curriculum.attributes:
            curriculum.set_attr_level(attribute, 0)
        curriculum.set_attr_level(TASKS[name].attribute, level)
        config = curriculum.generate_configuration({"seed": 0}, only_this_level)
        sources.append(create_dataset(name, **vars(config)))
    return sources


def _padded(question: str, digits: int) -> str:
    return re.sub(r"\d+", lambda number: number[0].zfill(digits), question)


_TOKEN_OF = np.zeros(128, dtype=np.int16)
_TOKEN_OF[list(CHARACTERS.encode())] = np.arange(1, len(CHARACTERS) + 1)


def _tokens(texts: Sequence[str], width: int) -> NDArray[np.int16]:
    """Return the characters of texts as tokens, padded behind to ``(n, width)``."""
    longest = max(map(len, texts), default=0)
    if longest > width:
        raise ValueError(f"reasoning: expected at most {width} characters, got {longest}")
    characters = "".join(text.ljust(width, "\0") for text in texts).encode("ascii")
    return _TOKEN_OF[np.frombuffer(characters, dtype=np.uint8)].reshape(-1, width)
