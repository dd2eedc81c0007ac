"""Teaching several functions at once, with and without communication among the learners."""

from __future__ import annotations

import numpy as np

from teachenv.envs.datagen.functional import GRID, Floats, TeachFunctions, draw_waves
from teachenv.errors import at_least
from teachenv.space import Dim

__all__ = ["FunctionalTeachingMulti"]

_RELATED = Dim("related", 0.0, 1.0, default=0.5, meaning="share of a target that all have")


class FunctionalTeachingMulti(TeachFunctions):
    """Several learners, one stream of examples (Zhang et al., NeurIPS 2023: MINT).

    As :class:`teachenv.envs.datagen.functional.FunctionalTeaching`, with a function for each
    learner: an example tells every learner the value of its own target at the same ``x``. With
    ``communication`` the learners ``f`` first become ``A f``, linear combinations of each other.
    ``A`` is the one that brings them nearest to their targets in the mean square, as only the
    teacher can know who tells it to them.

    Task: besides ``width`` and ``waves``, ``related`` in [0, 1], the share of a target's variance
    that all targets have in common: 1 for equal targets.

    Observation: ``error`` and ``target`` have shape ``(n_learners * pool_size,)``, learner after
    learner. Reward: drop of the mean squared error, averaged over learners. Terminated when
    every learner is below ``tolerance``.

    Args:
        n_learners: Learners, at least 2.
        communication: Whether learners are combined before every example but the first.
        pool_size: See ``FunctionalTeaching``, as for the rest.
        action_mode: See there.
        noise: See there.
        rate: See there.
        tolerance: See there.
        n_steps: See there.

    Raises:
        UserError: for a refused argument.
    """

    def __init__(
        self,
        n_learners: int = 3,
        communication: bool = False,
        pool_size: int = GRID,
        action_mode: str = "index",
        noise: float = 0.0,
        rate: float = 0.5,
        tolerance: float = 0.02,
        n_steps: int = 200,
    ) -> None:
        super().__init__(
            at_least(2, "n_learners", n_learners),
            (_RELATED,),
            communication,
            pool_size=pool_size,
            action_mode=action_mode,
            noise=noise,
            rate=rate,
            tolerance=tolerance,
            n_steps=n_steps,
        )

    def _draw(self, rng: np.random.Generator, waves: int, rest: list[float]) -> Floats:
        (related,) = rest
        shared = draw_waves(rng, waves)
        own = np.stack([draw_waves(rng, waves) for _ in range(self.n_learners)])
        targets = np.sqrt(related) * shared + np.sqrt(1.0 - related) * own
        unit: Floats = targets / np.sqrt(np.mean(targets**2, axis=1, keepdims=True))
        return unit
