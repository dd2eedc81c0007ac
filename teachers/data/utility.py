"""Whom to help: by two models of the student, by its confidence, or at random."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.seeding import derive
from teachers.data.utility_model import fit_logistic, sigmoid
from teachers.values import number_problems, refuse, whole_problems

__all__ = ["Helper", "LeastConfident", "RandomHelp", "Utility"]

Floats = NDArray[np.float64]
Observation = Mapping[str, NDArray[Any]]

N_FEATURES = 16
"""Columns of an item, see :class:`teachenv.envs.datagen.intervention.InterventionBudget`."""

N_CLASSES = 10
"""The first of them are the student's probabilities of the classes."""


class Helper(ABC):
    """Helps with the questions it gives the highest scores (``InterventionBudget-v0``).

    In batches the scores become priorities. One question at a time it helps where the score is
    above the quantile, among the last ``MEMORY`` scores, that uses the help left up evenly.

    Args:
        seed: Whole number in [0, 2**63].
    """

    MEMORY = 200

    def __init__(self, *, seed: int = 0) -> None:
        self._rng = derive(seed, "data teacher")
        self._recent: list[float] = []

    @abstractmethod
    def scores(self, items: Floats) -> Floats:
        """Return how much each item, a row of ``(n, N_FEATURES)``, is worth helping with."""

    def tell(self, info: Mapping[str, Any]) -> None:  # noqa: B027  (most learn nothing)
        """Take the ``info`` of a step; its "feedback" says who was right."""

    def act(self, observation: Observation) -> Floats | int:
        """Return 0 or 1 for a single question, priorities in [-1, 1] for a batch."""
        items = observation["items"].reshape(-1, N_FEATURES).astype(np.float64)
        scores = self.scores(items)
        if len(items) == 1:
            return self._decide(float(scores[0]), float(observation["help"][0]))
        order = np.argsort(np.argsort(scores, kind="stable"), kind="stable")
        ranks: Floats = 2.0 * order / (len(order) - 1) - 1.0
        return ranks

    def _decide(self, score: float, share: float) -> int:
        """Return whether a score is among the ``share`` highest of the last."""
        self._recent = [*self._recent[1 - self.MEMORY :], score]
        return int(score >= np.quantile(self._recent, 1.0 - share))


class RandomHelp(Helper):
    """Helps at random."""

    def scores(self, items: Floats) -> Floats:
        """Return random numbers."""
        return self._rng.random(len(items))


class LeastConfident(Helper):
    """Helps where the student's largest probability is smallest."""

    def scores(self, items: Floats) -> Floats:
        """Return 1 less the student's confidence."""
        doubt: Floats = 1.0 - items[:, :N_CLASSES].max(axis=1)
        return doubt


class Utility(Helper):
    """Expected utility of help by two mental models (Saha, Hase and Bansal, NeurIPS 2023).

    ``u = P(right | help) - P(right | no help)``: the question is worth helping with in that
    order. In the paper a language model predicts both from a few examples; here each is a
    logistic regression, fitted on what was seen of the student so far: every question without
    help, and those that were helped with. The features are the item's, the student's confidence
    and the products of the two.

    Args:
        seed: Whole number in [0, 2**63].
        explore: Share of the questions that are scored at random, in [0, 1]: without any the
            second model would learn of its own choices only. Before ``warmup`` all are.
        warmup: Helped questions before the models are used.
        memory: Questions each model is fitted on, the latest.

    Raises:
        ValueError: for a value outside these ranges.
    """

    _sign = 1.0

    def __init__(
        self, *, seed: int = 0, explore: float = 0.05, warmup: int = 20, memory: int = 2000
    ) -> None:
        super().__init__(seed=seed)
        problems = whole_problems(warmup=warmup, memory=memory)
        refuse("utility", [*number_problems(0.0, 1.0, explore=explore), *problems])
        self._explore, self._warmup, self._memory = explore, warmup, memory
        self._alone: list[tuple[Floats, bool]] = []
        self._aided: list[tuple[Floats, bool]] = []
        self._models: tuple[Floats, Floats] | None = None

    def scores(self, items: Floats) -> Floats:
        """Return the expected utility of help; random numbers above it where exploring."""
        lot = self._rng.random((2, len(items)))
        chance: Floats = lot[0]
        if len(self._aided) < self._warmup:
            return chance
        if self._models is None:
            self._models = _fit(self._alone), _fit(self._aided)
        x = _described(items)
        alone, aided = sigmoid(x @ self._models[0]), sigmoid(x @ self._models[1])
        gain = self._sign * (aided - alone)
        scores: Floats = np.where(lot[1] < self._explore, 1.0 + chance, gain)
        return scores

    def tell(self, info: Mapping[str, Any]) -> None:
        """Remember who was right, with and without help."""
        feedback = info["feedback"]
        items = _described(feedback["items"].astype(np.float64))
        helped = feedback["helped"]
        self._alone += zip(items, feedback["before"].tolist(), strict=True)
        self._aided += zip(items[helped], feedback["after"][helped].tolist(), strict=True)
        del self._alone[: -self._memory], self._aided[: -self._memory]
        self._models = None


def _fit(seen: list[tuple[Floats, bool]]) -> Floats:
    rows, right = zip(*seen, strict=True)
    return fit_logistic(np.stack(rows), np.array(right))


def _described(items: Floats) -> Floats:
    confidence = items[:, :N_CLASSES].max(axis=1, keepdims=True)
    return np.concatenate(
        [np.ones_like(confidence), items, confidence, items[:, N_CLASSES:] * confidence], axis=1
    )
