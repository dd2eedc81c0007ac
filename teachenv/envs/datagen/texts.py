"""Tokens as text for language models, and back."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.items import Format

__all__ = ["read_answer", "written"]


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
