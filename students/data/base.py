"""What a student of generated data is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.items import Items, Prediction
from teachenv.protocols import State

__all__ = ["DataStudent"]


@runtime_checkable
class DataStudent(Protocol):
    """A learner of items.

    Built as ``cls(format, *, seed, **hyper)``; equal seeds give equal students. One computation
    thread is used whatever the machine has, so that results do not depend on it. One that learns
    by gradient may count its steps in an attribute ``gradient_steps: int``, which never falls.
    """

    def train(
        self,
        items: Items,
        *,
        seed: int,
        epochs: int = 1,
        weights: NDArray[np.float32] | None = None,
        soft: NDArray[np.float32] | None = None,
    ) -> None:
        """Learn ``items.answers``.

        Args:
            items: At least one.
            seed: Order of the items and everything else random.
            epochs: Passes over the items.
            weights: Weight of every item's loss, float32 ``(n,)``; all one if not given.
            soft: Probabilities to learn instead of ``items.answers``, float32
                ``(n, n_answers)``; only where answers are classes.

        Raises:
            ValueError: if ``soft`` is given and answers are sequences.
        """

    def predict(self, items: Items) -> Prediction:
        """Answer the items; changes nothing."""

    def state_dict(self) -> State:
        """Return everything :meth:`train` and :meth:`predict` depend on, optimiser included."""

    def load_state_dict(self, state: State) -> None:
        """Become the student :meth:`state_dict` was taken from."""
