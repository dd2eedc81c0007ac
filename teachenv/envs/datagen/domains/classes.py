"""What domains share whose answers are classes; and the shortest way to a domain of one's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.envs.datagen.domain import Keep
from teachenv.envs.datagen.items import Format, Items, content_keys

__all__ = ["ClassAnswers", "ClassDomain"]


class ClassAnswers(ABC):
    """Answers that are classes, right where they equal the truth, and show no working."""

    prerequisites: NDArray[np.bool_] | None = None

    def grade(self, items: Items, answers: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Return where the class is right."""
        right: NDArray[np.bool_] = answers == items.truth
        return right

    @abstractmethod
    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return another class for every item."""

    def wrong_steps(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """The same as :meth:`wrong`: answers show no working."""
        return self.wrong(items, rng)


class ClassDomain(ClassAnswers):
    """A domain of rows of features, each of some class.

    A subclass sets ``id``, ``skills``, ``n_levels``, ``n_features`` and ``n_answers`` (classes),
    where it likes ``usual`` settings, and implements :meth:`sample`. Rows with equal features are
    one content, so that they are all trained on or all asked about.

    Attributes:
        n_features: Length of a row; best within [0, 1].
        n_answers: Classes there are.
    """

    id: str
    skills: tuple[str, ...]
    n_levels: int
    n_features: int
    n_answers: int
    student = "sgd"
    usual: Mapping[str, Any] = MappingProxyType({})

    def __init__(self) -> None:
        self.kinds = np.full((len(self.skills), self.n_levels), "taught")
        self.format = Format({"features": (self.n_features,)}, "class", self.n_answers)
        self.feature_names = tuple(f"feature {n}" for n in range(self.n_features))

    @abstractmethod
    def sample(
        self, skill: int, level: int, n: int, rng: np.random.Generator
    ) -> tuple[ArrayLike, ArrayLike]:
        """Draw ``n`` rows of a cell: features ``(n, n_features)`` and classes ``(n,)``."""

    def draw(self, skill: int, level: int, n: int, rng: np.random.Generator, keep: Keep) -> Items:
        """Draw items of a cell; see :class:`teachenv.envs.datagen.domain.Domain`."""
        features, truth = self.sample(skill, level, n, rng)
        rows = np.asarray(features, dtype=np.float32)
        keys = content_keys(row.tobytes() for row in rows)
        right = np.asarray(truth, dtype=np.int16)
        where = np.full(n, skill, dtype=np.int16), np.full(n, level, dtype=np.int16)
        return Items({"features": rows}, right, right, *where, keys).take(keep(keys))

    def wrong(self, items: Items, rng: np.random.Generator) -> NDArray[np.int16]:
        """Return another class for every item."""
        step = rng.integers(1, self.n_answers, len(items)).astype(np.int16)
        return (items.truth + step) % np.int16(self.n_answers)

    def features(self, items: Items) -> NDArray[np.float32]:
        """Return the features, cut to [0, 1]."""
        features: NDArray[np.float32] = items.inputs["features"]
        return np.clip(features, 0.0, 1.0)

    def text(self, items: Items, index: int) -> dict[str, str]:
        """Return the features and the class."""
        row = ", ".join(f"{value:.3g}" for value in items.inputs["features"][index])
        return {"question": row, "answer": self.show(items.truth[index])}

    def show(self, answer: NDArray[np.int16]) -> str:
        """Return the number of the class."""
        return str(int(answer))
