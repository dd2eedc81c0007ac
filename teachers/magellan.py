"""MAGELLAN: learning progress as the change of a learned estimate of competence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, UnitPoint
from teachers.candidates import Candidates
from teachers.networks import require_torch
from teachers.recent import Recent
from teachers.signal import IN_UNIT, Signal, signal_of, signal_problems
from teachers.values import number_problems, refuse, whole_problems

Floats = NDArray[np.float64]


class Magellan(BaseTeacher):
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
        super().__init__(space, seed=seed)
        whole = {"window": window, "update_every": update_every, "n_candidates": n_candidates}
        problems = [
            *signal_problems(signal, IN_UNIT),
            *number_problems(0.0, 1.0, explore=explore),
            *whole_problems(1, delay=delay, **whole, n_steps=n_steps, hidden=hidden),
            *number_problems(1e-9, math.inf, learning_rate=learning_rate),
        ]
        if not problems and update_every > window:
            problems.append(f"expected update_every <= window, got {update_every} and {window}")
        refuse(self.id, problems)
        require_torch(self.id)
        from teachers.networks.competence import Competence

        self._signal, self._explore = signal, float(explore)
        self._update_every, self._n_steps = update_every, n_steps
        self._competence = Competence(space.dim, hidden, float(learning_rate), self._rng)
        self._past = np.zeros((delay, len(self._competence.weights())))
        self._recent = Recent(space.dim, window)
        self._candidates = Candidates(space, n_candidates)
        self._until = update_every
        self._n_trainings = 0

    def _sample(self) -> tuple[UnitPoint, str]:
        if not self._candidates.ready:
            return self._rng.random(self.space.dim), "no progress"
        if self._rng.random() < self._explore:
            return self._rng.random(self.space.dim), "explore"
        return self._candidates.sample(self._rng), "progress"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self._recent.add(point, signal_of(outcome, self._signal))
        self._until -= 1
        if self._until == 0:
            self._until = self._update_every
            self._train()

    def _train(self) -> None:
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
        if not self._candidates.ready:
            return {"candidates": None, "n_trainings": self._n_trainings}
        points = self._candidates.points.copy()
        return {
            "candidates": {
                "points": points,
                "weights": self._candidates.weights.copy(),
                "competence": self._competence.predict(points),
            },
            "n_trainings": self._n_trainings,
        }

    def _state(self) -> State:
        return {
            "competence": self._competence.state_dict(),
            "past": self._past,
            "recent": self._recent.state_dict(),
            "candidates": self._candidates.state_dict(),
            "until": self._until,
            "n_trainings": self._n_trainings,
        }

    def _load_state(self, state: State) -> None:
        past, until, n_trainings = state["past"], int(state["until"]), int(state["n_trainings"])
        if past.shape != self._past.shape:
            raise ValueError(f"past: expected {self._past.shape}, got {past.shape}")
        self._competence.load_state_dict(state["competence"])
        self._recent.load_state_dict(state["recent"])
        self._candidates.load_state_dict(state["candidates"])
        self._past, self._until, self._n_trainings = past, until, n_trainings
