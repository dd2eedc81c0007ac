"""Language models that write the training data, and that name the skills of questions."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain, Varied
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.split import draw, part_of
from teachenv.envs.datagen.texts import ANSWER, ask_each, read_answer
from teachenv.errors import UserError, one_of
from teachenv.llm import Chat, NoJsonError, read_json

__all__ = ["LlmEngine", "LlmGrouping", "Readable"]

Way = Literal["write", "annotate"]

BATCH = 20
"""Questions in one request."""

_WRITE = (
    "You write training questions with right answers, in exactly the form of the examples. Reply "
    'with a JSON object {"items": [{"question": text, "answer": text}, ...]}.'
)
_NAME = (
    "Name the skill that each question needs, in two or three words; equal skills get equal "
    'names. Reply with a JSON object {"skills": [...]}, one name per question, in order.'
)
_GROUP = (
    "Group these names of skills into at most {n} categories; every name belongs to exactly one. "
    'Reply with a JSON object {{"categories": {{category: [name, ...], ...}}}}.'
)


@runtime_checkable
class Readable(Protocol):
    """A domain whose questions can be written by others."""

    def read(self, skill: int, level: int, question: str, answer: str) -> Items | None:
        """Return one item of a cell from text (see ``Domain.text``); ``None`` if it is none.

        ``answers`` are those given, right or wrong; ``truth`` is the domain's own.
        """


class LlmEngine(Engine):
    """A language model makes the data, and the domain checks it.

    "annotate": the domain draws questions of the training part, the model answers them. "write":
    the model writes questions and answers after three examples; what the domain cannot read,
    what is of another cell, variant or part than asked for, and what repeats a question is
    thrown away, and counts as rejected.

    Args:
        domain: With a vocabulary; for "write" a :class:`Readable` one.
        chat: The model.
        way: "annotate" or "write".
        quality: See :class:`teachenv.envs.datagen.engine.Engine`, also for ``deduplicate``,
            which "write" always does. For "agree" the questions are put to the model once more,
            in another order.
        deduplicate: Throw away questions that came before in the same lesson.

    Raises:
        UserError: for a domain that cannot be written.
    """

    def __init__(
        self,
        domain: Domain,
        chat: Chat,
        *,
        way: Way = "annotate",
        quality: str = "answer",
        deduplicate: bool = False,
    ) -> None:
        super().__init__(domain, quality=quality, deduplicate=deduplicate or way == "write")
        one_of("way of a language model's engine", way, ("annotate", "write"))
        if way == "write" and not isinstance(domain, Readable):
            raise UserError(f"domain {domain.id}: its questions cannot be written by a model")
        if not domain.format.vocabulary:
            raise UserError(f"domain {domain.id}: a language model needs a vocabulary")
        self.chat, self.way = chat, way
        self.errs = quality in ("none", "agree")

    def _cell(
        self, skill: int, level: int, n: int, rng: np.random.Generator, variant: int | None
    ) -> Items | None:
        """Make up to ``n`` items of a cell."""
        make = self._annotated if self.way == "annotate" else self._written
        return make(skill, level, n, rng, variant)

    def _again(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return what the model answers when asked a second time, padding where nothing."""
        return self._replies(items, rng.permutation(len(items)))[0]

    def _replies(
        self, items: Items, order: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """Return the model's answers, asked in an order, and where there are any."""
        answers, there = np.zeros_like(items.answers), np.zeros(len(items), dtype=np.bool_)
        for start in range(0, len(items), BATCH):
            batch = order[start : start + BATCH].tolist()
            questions = [self.domain.text(items, index)["question"] for index in batch]
            replies = ask_each(self.chat, ANSWER, questions, "answers")
            for index, reply in zip(batch, replies, strict=True):
                answer = read_answer(self.domain.format, reply)
                if answer is not None:
                    answers[index], there[index] = answer, True
        return answers, there

    def _annotated(
        self, skill: int, level: int, n: int, rng: np.random.Generator, variant: int | None
    ) -> Items | None:
        items = draw(self.domain, skill, level, n, "train", rng, variant)
        answers, kept = self._replies(items, np.arange(n))
        return items.answered(answers).take(kept) if kept.any() else None

    def _written(
        self, skill: int, level: int, n: int, rng: np.random.Generator, variant: int | None
    ) -> Items | None:
        found = []
        for start in range(0, n, BATCH):
            found += self._read(skill, level, min(BATCH, n - start), rng, variant)
        if not found:
            return None
        items = Items.concat(found)
        kept = part_of(items.keys) == 0
        if variant is not None:
            assert isinstance(self.domain, Varied)
            kept &= self.domain.variant(items) == variant
        return items.take(kept) if kept.any() else None

    def _read(
        self, skill: int, level: int, n: int, rng: np.random.Generator, variant: int | None
    ) -> list[Items]:
        """Let the model write ``n`` items; return those that can be read."""
        assert isinstance(self.domain, Readable)
        examples = draw(self.domain, skill, level, 3, "train", rng, variant)
        shown = [self.domain.text(examples, index) for index in range(3)]
        request = f"Examples: {shown}\nWrite {n} more, all different."
        messages = [{"role": "system", "content": _WRITE}, {"role": "user", "content": request}]
        try:
            rows = list(read_json(self.chat.ask(messages, as_json=True))["items"])[:n]
        except (NoJsonError, KeyError, TypeError):
            return []
        texts = [
            (str(r.get("question", "")), str(r.get("answer", "")))
            for r in rows
            if isinstance(r, dict)
        ]
        items = (self.domain.read(skill, level, *pair) for pair in texts)
        return [item for item in items if item is not None]


class LlmGrouping:
    """Skills named by a language model (Didolkar et al., 2024, as DataEnvGym uses it).

    It names the skill of every sample question, groups the names into categories, and every
    other question has the category of the sample nearest to it in what is seen of questions.

    Args:
        domain: Tells what is seen.
        items: The sample.
        n_skills: Categories at most.
        chat: The model.
    """

    def __init__(self, domain: Domain, items: Items, n_skills: int, chat: Chat) -> None:
        self._domain, self._seen = domain, domain.features(items)
        named: list[str] = []
        for start in range(0, len(items), BATCH):
            batch = range(start, min(start + BATCH, len(items)))
            questions = [domain.text(items, index)["question"] for index in batch]
            replies = ask_each(chat, _NAME, questions, "skills")
            named += [reply or "other" for reply in replies]
        category = _categories(chat, sorted(set(named)), n_skills)
        labels = [category.get(name, "other") for name in named]
        self.names = tuple(sorted(set(labels)))
        self._labels = np.array([self.names.index(label) for label in labels])

    def label(self, items: Items) -> NDArray[np.int64]:
        """Return the category of every item."""
        features = self._domain.features(items)
        distance = (self._seen**2).sum(axis=1) - 2.0 * features @ self._seen.T
        labels: NDArray[np.int64] = self._labels[distance.argmin(axis=1)]
        return labels


def _categories(chat: Chat, names: list[str], n_skills: int) -> dict[str, str]:
    """Return the category of names: ``n_skills`` at most, with the one of names left out."""
    messages = [
        {"role": "system", "content": _GROUP.format(n=n_skills)},
        {"role": "user", "content": "\n".join(names)},
    ]
    try:
        groups = dict(read_json(chat.ask(messages, as_json=True))["categories"])
        kept = [(str(name), str(g)) for g in list(groups)[:n_skills] for name in groups[g]]
    except (NoJsonError, KeyError, TypeError, ValueError):
        return {}
    if set(names) - {name for name, _ in kept}:
        first = [str(g) for g in list(groups)[: n_skills - 1]]
        kept = [(name, group) for name, group in kept if group in first]
    return dict(kept)
