"""Questions and answers as text for language models, and back."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.items import Format
from teachenv.llm import Chat, NoJsonError, read_json

__all__ = ["ANSWER", "ask_each", "read_answer", "written"]

ANSWER = (
    'You answer questions. Reply with a JSON object {"answers": [...]} that holds one text per '
    "question, in order, and nothing else."
)
"""What a model is told that answers questions."""


def ask_each(
    chat: Chat, system: str, questions: Sequence[str], key: str, before: Sequence[str] = ()
) -> list[str]:
    """Put questions to a model in one request.

    Args:
        chat: The model.
        system: What it is told; to reply with a JSON object of one list.
        questions: The questions.
        key: Name of the list.
        before: Lines before the questions.

    Returns:
        One text per question; empty ones where the reply lacks them.
    """
    lines = [f"Question {number}: {text}" for number, text in enumerate(questions, 1)]
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": "\n".join([*before, *lines])},
    ]
    try:
        texts = [str(text) for text in read_json(chat.ask(messages, as_json=True))[key]]
    except (NoJsonError, KeyError, TypeError):
        texts = []
    return [*texts, *[""] * len(questions)][: len(questions)]


def written(format: Format, tokens: NDArray[np.int16]) -> str:
    """Return tokens (a class: shape ``()``) as text; words are set apart, digits are not.

    Where a space is a word of the vocabulary, nothing is added.
    """
    words = [format.vocabulary[token] for token in np.atleast_1d(tokens) if token > 0]
    if " " in format.vocabulary:
        return "".join(words)
    return "".join(word if len(word) == 1 else f" {word} " for word in words).strip()


def read_answer(format: Format, text: str) -> NDArray[np.int16] | None:
    """Return the answer a text stands for, int16 of the shape of one answer.

    The longest words are read first; spaces are left out unless they are words. ``None`` if the
    text is no answer: it holds other words, too many, or none.
    """
    left = text if " " in format.vocabulary else "".join(text.split())
    found: list[int] = []
    while left:
        fitting = (pair for pair in _words(format.vocabulary) if left.startswith(pair[1]))
        token, word = next(fitting, (0, ""))
        if not token:
            return None
        found.append(token)
        left = left[len(word) :]
    if format.answer == "class":
        return np.array(found[0], dtype=np.int16) if len(found) == 1 else None
    if not 1 <= len(found) <= format.answer_width:
        return None
    answer = np.zeros(format.answer_width, dtype=np.int16)
    answer[: len(found)] = found
    return answer


@functools.cache
def _words(vocabulary: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """Return tokens and their words, the longest first; without spaces unless " " is a word."""
    bare = vocabulary if " " in vocabulary else [word.replace(" ", "") for word in vocabulary]
    words = [(token, word) for token, word in enumerate(bare) if word]
    return tuple(sorted(words, key=lambda pair: -len(pair[1])))
