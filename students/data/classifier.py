"""What students that answer with classes share: answers from probabilities, and their state."""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from teachenv.envs.datagen.items import Format, Items, Prediction
from teachenv.errors import UserError
from teachenv.protocols import State

__all__ = ["Classifier", "n_features_of", "one_core"]


class Classifier(ABC):
    """A student that gives every class a probability: the shortest way to one of your own.

    A subclass is built as ``cls(format, *, seed, **hyper)``, names in :attr:`state` what it
    learns, and implements :meth:`train` and :meth:`probabilities`.
    """

    state: ClassVar[tuple[str, ...]] = ()
    """Names of the attributes that :meth:`train` changes: arrays and numbers."""

    @abstractmethod
    def train(
        self,
        items: Items,
        *,
        seed: int,
        epochs: int = 1,
        weights: NDArray[np.float32] | None = None,
        soft: NDArray[np.float32] | None = None,
    ) -> None:
        """Learn; see :meth:`students.data.base.DataStudent.train`."""

    @abstractmethod
    def probabilities(self, items: Items) -> NDArray[np.floating[Any]]:
        """Return the probability of every class for every item, ``(n, n_answers)``."""

    def predict(self, items: Items) -> Prediction:
        """Answer with the likeliest class; changes nothing."""
        probabilities, rows = self.probabilities(items), np.arange(len(items))
        answers = probabilities.argmax(axis=1).astype(np.int16)
        given = np.maximum(probabilities[rows, items.answers], 1e-12)
        return Prediction(
            answers,
            probabilities[rows, answers].astype(np.float32),
            -np.log(given).astype(np.float32),
            probabilities.astype(np.float32),
        )

    def state_dict(self) -> State:
        """Return copies of what :attr:`state` names; numbers of NumPy as Python's."""
        found = {name: getattr(self, name) for name in self.state}
        return {
            name: value.item() if isinstance(value, np.generic) else copy.copy(value)
            for name, value in found.items()
        }

    def load_state_dict(self, state: State) -> None:
        """Become the student :meth:`state_dict` was taken from."""
        for name in self.state:
            setattr(self, name, copy.copy(state[name]))


def n_features_of(format: Format, student: str) -> int:
    """Return the length of an item's "features".

    Raises:
        UserError: for a format without them, or whose answers are no classes.
    """
    if format.answer != "class" or "features" not in format.fields:
        raise UserError(f"student {student}: expected items with features and classes as answers")
    (n_features,) = format.fields["features"]
    return n_features


def one_core() -> AbstractContextManager[Any]:
    """Return a context in which libraries compute in one thread."""
    limit: AbstractContextManager[Any] = _threads().limit(limits=1)
    return limit


@functools.cache
def _threads() -> ThreadpoolController:
    """Return what limits threads; finding the libraries takes longer than a lesson."""
    return ThreadpoolController()
