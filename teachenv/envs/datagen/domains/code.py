"""Writing programs: what to do with some lists, step by step, becomes one Python expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.domains.code_programs import (
    ARGUMENTS,
    LISTS,
    MAX_ARGUMENT,
    MAX_STEPS,
    OPERATIONS,
    PYTHON,
    Step,
    canonical,
    expression,
    outputs,
)
from teachenv.envs.datagen.items import Format, Items, content_keys
from teachenv.errors import at_least

__all__ = ["Code"]

_NAMES = tuple(OPERATIONS)
_NONE = "-"
_TRIES = 20


class Code:
    """Write the program. A skill is an operation that occurs in it, a level the number of steps.

    A question names two lists to join and one to four different steps to take then, each with
    its argument: ``join c h  sort -  add 3``. The answer is a Python expression:
    ``[v + 3 for v in sorted(c + h)]``. It is graded by running it on hidden inputs (tier 1 of
    :mod:`teachenv.envs.datagen.sandbox`), so every equivalent program is right. Questions that
    differ only in the order of steps that commute, or of lists that are sorted first, count as
    one content.

    Args:
        n_noise: Further skills whose right answer is a random program.
        n_known: Further skills whose answer is the name of the first list.
    """

    id = "code"
    n_levels = MAX_STEPS
    student = "transformer"

    def __init__(self, *, n_noise: int = 0, n_known: int = 0) -> None:
        noise = [f"noise {n}" for n in range(at_least(0, "n_noise", n_noise))]
        known = [f"known {n}" for n in range(at_least(0, "n_known", n_known))]
        self.skills = (*_NAMES, *noise, *known)
        kinds = ["taught"] * len(_NAMES) + ["noise"] * n_noise + ["known"] * n_known
        self.kinds = np.repeat(np.array(kinds)[:, None], self.n_levels, axis=1)
        vocabulary = ("", *PYTHON, *LISTS, _NONE, *_NAMES, "join", *noise, *known)
        longest = sorted(_NAMES, key=lambda name: -len(OPERATIONS[name]))[:MAX_STEPS]
        width = len(expression(("a", "a"), [(name, 1) for name in longest])) + 1
        fields = {"tokens": (3 + 2 * MAX_STEPS,)}
        self.format = Format(fields, "tokens", len(vocabulary), width, vocabulary, free=True)
        self.feature_names = (*(f"has {name}" for name in _NAMES), "steps", "mean argument")
        self.usual: Mapping[str, Any] = {"n_steps": 24, "n_samples": 1000, "probe_size": 10}
        self._number = {word: number for number, word in enumerate(vocabulary)}

    @property
    def prerequisites(self) -> NDArray[np.bool_]:
        """Every number of steps needs the one before, operation by operation."""
        cells = np.arange(self.kinds.size).reshape(self.kinds.shape)[: len(_NAMES)]
        needs = np.zeros((self.kinds.size, self.kinds.size), dtype=np.bool_)
        needs[cells[:, 1:], cells[:, :-1]] = True
        return needs

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw items of a cell; see :class:`teachenv.envs.datagen.domain.Domain`."""
        kind = self.kinds[skill, level]
        marker = "join" if kind == "taught" else self.skills[skill]
        operation = skill if kind == "taught" else None
        asked = [_draw_program(operation, level + 1, rng) for _ in range(n)]
        keys = content_keys(f"{marker} {_content(*program)}".encode() for program in asked)
        kept = np.flatnonzero(keep(keys))
        questions = np.zeros((len(kept), *self.format.fields["tokens"]), dtype=np.int16)
        truth = np.zeros((len(kept), self.format.answer_width), dtype=np.int16)
        for row, index in enumerate(kept):
            names, steps = asked[index]
            words = [marker, *names]
            for name, argument in steps:
                words += [name, str(argument) if argument else _NONE]
            self._write(questions[row], words)
            if kind == "noise":
                names, steps = _draw_program(None, level + 1, rng)
            self._write(truth[row], [names[0]] if kind == "known" else expression(names, steps))
        skills, levels = (np.full(len(kept), number, dtype=np.int16) for number in (skill, level))
        return Items({"tokens": questions}, truth, truth, skills, levels, keys[kept])

    def grade(self, items: Items, answers: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return which programs give what the right one gives on all hidden inputs."""
        right: NDArray[np.bool_] = (answers == items.truth).all(axis=1)
        for row in np.flatnonzero(~right):
            given = outputs(self.show(answers[row]))
            right[row] = given is not None and given == outputs(self.show(items.truth[row]))
        return right

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return programs with as many other steps."""
        return self._spoil(items, lambda steps: _draw_program(None, len(steps), rng)[1])

    def wrong_steps(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return programs in which one step, or its argument, is another."""
        return self._spoil(items, lambda steps: _alter(steps, rng))

    def _spoil(self, items: Items, change: Callable[[list[Step]], list[Step]]) -> NDArray[np.int16]:
        """Return programs with changed steps that do something else."""
        wrong = np.zeros_like(items.truth)
        for row, words in enumerate(items.inputs["tokens"]):
            names, steps = self._read(words)
            right = outputs(self.show(items.truth[row]))
            for _ in range(_TRIES):
                program = expression(names, change(steps))
                if outputs(" ".join(program)) != right:
                    break
            else:
                program = expression(names, [])
            self._write(wrong[row], program)
        return wrong

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return which operations a question names, the number of steps and the arguments."""
        features = np.zeros((len(items), len(self.feature_names)), dtype=np.float32)
        for row, words in enumerate(items.inputs["tokens"]):
            _, steps = self._read(words)
            features[row, [_NAMES.index(name) for name, _ in steps]] = 1.0
            features[row, -2] = len(steps) / MAX_STEPS
            features[row, -1] = sum(k for _, k in steps) / len(steps) / MAX_ARGUMENT
        return features

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return the steps and the program."""
        question = self.show(items.inputs["tokens"][index])
        return {"question": question, "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return the source."""
        return " ".join(self.format.vocabulary[number] for number in answer.tolist() if number)

    def _write(self, row: NDArray[np.int16], words: Sequence[str]) -> None:
        row[: len(words)] = [self._number[word] for word in words]

    def _read(self, tokens: NDArray[np.int16]) -> tuple[tuple[str, str], list[Step]]:
        _, first, second, *words = (self.format.vocabulary[t] for t in tokens.tolist())
        pairs = zip(words[::2], words[1::2], strict=True)
        steps = [(name, 0 if k == _NONE else int(k)) for name, k in pairs if name]
        return (first, second), steps


def _content(names: tuple[str, str], steps: list[Step]) -> str:
    """Return what is equal for questions of equal content."""
    order = canonical(steps)
    joined = sorted(names) if order[0][0] == "sort" else names
    return f"{' '.join(joined)} {order}"


def _draw_program(
    operation: int | None, n_steps: int, rng: np.random.Generator
) -> tuple[tuple[str, str], list[Step]]:
    """Draw two lists and different steps, with one operation among them if it is named."""
    order = rng.permutation(len(_NAMES))
    chosen = order[:n_steps]
    if operation is not None and operation not in chosen:
        chosen[rng.integers(n_steps)] = operation
    steps = [_step(_NAMES[number], rng) for number in chosen]
    first, second = rng.integers(0, len(LISTS), 2)
    return (LISTS[first], LISTS[second]), steps


def _alter(steps: list[Step], rng: np.random.Generator) -> list[Step]:
    """Change one step: its argument if it has one, else what it does."""
    place = int(rng.integers(len(steps)))
    name = steps[place][0]
    if name not in ARGUMENTS:
        taken = {step for step, _ in steps}
        name = str(rng.choice([other for other in _NAMES if other not in taken]))
    return [*steps[:place], _step(name, rng), *steps[place + 1 :]]


def _step(name: str, rng: np.random.Generator) -> Step:
    values = ARGUMENTS.get(name, range(1))
    return name, int(rng.integers(values.start, values.stop))
