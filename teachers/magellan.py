"""MAGELLAN: learning progress as the change of a learned estimate of competence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.base import UnitPoint
from teachers.networks import require_torch
from teachers.pool import PoolTeacher
from teachers.signal import IN_UNIT, Signal, signal_problems
from teachers.values import number_problems, whole_problems


class Magellan(PoolTeacher):
    """Learned competence and its progress (after Gaven et al., ICML 2025, "MAGELLAN").

    A network predicts from a task how well the student does there, and is trained on the last
    ``window`` outcomes. A task's absolute learning progress is the difference between what the
    network says now and what it said ``delay`` trainings ago; tasks are drawn in proportion to
    it, save for a share of uniform ones. What is learnt about a task thus counts for tasks like
    it, and for tasks never played. While all outcomes of the window are equal tasks are uniform.

    Deviations: the paper predicts from a language model's embedding of a text goal, here from
    the task's place in the unit cube; sizes and step sizes are therefore our own. The share of
    uniform tasks is constant. Progress is measured at ``n_candidates`` uniform tasks, drawn anew
    at every training.

    Needs torch.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score" or "success" (as published).
        explore: Share of uniform tasks, in [0, 1].
        delay: Trainings between the two predictions that are compared.
        window: Outcomes the network is trained on; memory is ``16 * window * (dim + 1)`` bytes.
        update_every: Outcomes between two trainings, at most ``window``.
        n_steps: Batches of 128 in a training.
        n_candidates: Tasks to draw from between two trainings.
        hidden: Units of each of the two hidden layers.
        learning_rate: Step size of Adam, above 0.

    Raises:
        ValueError: for values out of range, all named at once.
        UserError: without torch.
    """

    id = "magellan"
    reasons = ("no progress", "progress")

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        explore: float = 0.2,
        delay: int = 10,
        window: int = 1000,
        update_every: int = 50,
        n_steps: int = 20,
        n_candidates: int = 500,
        hidden: int = 64,
        learning_rate: float = 3e-3,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            signal=signal,
            window=window,
            update_every=update_every,
            n_candidates=n_candidates,
            problems=[
                *signal_problems(signal, IN_UNIT),
                *number_problems(0.0, 1.0, explore=explore),
                *whole_problems(1, delay=delay, n_steps=n_steps, hidden=hidden),
                *number_problems(1e-9, math.inf, learning_rate=learning_rate),
            ],
        )
        require_torch(self.id)
        from teachers.networks.competence import Competence

        self._explore, self._n_steps = float(explore), n_steps
        self._competence = Competence(space.dim, hidden, float(learning_rate), self._rng)
        self._past = np.zeros((delay, len(self._competence.weights())))
        self._n_trainings = 0

    def _sample(self) -> tuple[UnitPoint, str]:
        if self._candidates.ready and self._rng.random() < self._explore:
            return self._rng.random(self.space.dim), "explore"
        return super()._sample()

    def _renew(self) -> None:
        values = self._recent.values
        self._competence.train(self._recent.points, values, self._n_steps, self._rng)
        points, progress = self._candidates.draw(self._rng), np.zeros(self._candidates.n)
        delay = len(self._past)
        if self._n_trainings > 0 and values.max() > values.min():
            oldest = max(0, self._n_trainings - delay) % delay
            then = self._competence.predict_with(self._past[oldest], points)
            progress = np.abs(self._competence.predict(points) - then)
        self._candidates.weigh(points, progress)
        self._past[self._n_trainings % delay] = self._competence.weights()
        self._n_trainings += 1

    def _describe(self) -> dict[str, Any]:
        described = super()._describe()
        if self._candidates.ready:
            competence = self._competence.predict(self._candidates.points)
            described["candidates"]["competence"] = competence
        return {**described, "n_trainings": self._n_trainings}

    def _state(self) -> State:
        return {
            **super()._state(),
            "competence": self._competence.state_dict(),
            "past": self._past,
            "n_trainings": self._n_trainings,
        }

    def _load_state(self, state: State) -> None:
        past, n_trainings = state["past"], int(state["n_trainings"])
        if past.shape != self._past.shape:
            raise ValueError(f"past: expected {self._past.shape}, got {past.shape}")
        super()._load_state(state)
        self._competence.load_state_dict(state["competence"])
        self._past, self._n_trainings = past, n_trainings
