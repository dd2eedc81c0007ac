"""What the teachers that sample from a Gaussian mixture share: when to fit, what to draw."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, TeacherWarning, UnitPoint
from teachers.mixture import CRITERIA, Criterion, Mixture, fit_best
from teachers.values import flag_problems, number_problems, refuse, whole_problems

Floats = NDArray[np.float64]

TEACHDEEPRL: Mapping[str, Any] = {
    "fit_rate": 250,
    "min_k": 2,
    "max_k": 10,
    "random_task_ratio": 0.2,
    "criterion": "aic",
}
"""Portelas et al. (CoRL 2019) and the code they published."""


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a mixture teacher.

    Attributes:
        fit_rate: Outcomes between two fits, outcomes a fit sees, and length of the bootstrap.
        min_k: Smallest number of components tried.
        max_k: Largest number of components tried (inclusive).
        random_task_ratio: Share of tasks drawn uniformly after the bootstrap, in [0, 1].
        criterion: Chooses the number of components: "aic", "bic" or "aicc".
        raw_returns: Parity flag: learn from episode returns as they come instead of scores, as
            the benchmark runs of TeachMyAgent did. Fits start from clusters, which the larger
            numbers then decide.
    """

    fit_rate: int
    min_k: int
    max_k: int
    random_task_ratio: float
    criterion: Criterion
    raw_returns: bool

    def problems(self) -> list[str]:
        """Return what is wrong with the values."""
        found = whole_problems(fit_rate=self.fit_rate, min_k=self.min_k, max_k=self.max_k)
        if not found and not self.min_k <= self.max_k <= self.fit_rate:
            shown = f"{self.min_k}, {self.max_k}, {self.fit_rate}"
            found.append(f"expected min_k <= max_k <= fit_rate, got {shown}")
        found += number_problems(0.0, 1.0, random_task_ratio=self.random_task_ratio)
        if self.criterion not in CRITERIA:
            found.append(f"criterion: expected one of {CRITERIA}, got {self.criterion!r}")
        return found + flag_problems(raw_returns=self.raw_returns)


class MixtureTeacher(BaseTeacher):
    """Fits a mixture every ``fit_rate`` outcomes and draws tasks from it.

    A method implements :meth:`_remember`, :meth:`_vectors` and :meth:`_interest`.

    Where no fit succeeds, tasks are drawn uniformly until the next; ``n_failed_fits`` in
    :meth:`describe` counts this and a :class:`TeacherWarning` says it once.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        settings: The hyper-parameters.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    def __init__(self, space: TaskSpace, settings: Settings, *, seed: int) -> None:
        super().__init__(space, seed=seed)
        refuse(self.id, settings.problems())
        self.settings = settings
        self._mixture: Mixture | None = None
        self._n_updates = 0
        self._n_fits = 0
        self._n_failed_fits = 0

    @abstractmethod
    def _remember(self, point: UnitPoint, value: float) -> None:
        """Store the score (or return) of a task."""

    @abstractmethod
    def _vectors(self) -> Floats | None:
        """Return what to fit: the last ``fit_rate`` unit points with further coordinates.

        Shape ``(fit_rate, dim + extra)``; ``None`` if nothing can be learnt from them.
        """

    @abstractmethod
    def _interest(self, means: Floats, covariances: Floats) -> Floats:
        """Return how much each component is worth, shape ``(k,)``, at least 0."""

    def _sample(self) -> tuple[UnitPoint, str]:
        if self._n_updates < self.settings.fit_rate:
            return self._rng.random(self.space.dim), "bootstrap"
        if self._mixture is None:
            return self._rng.random(self.space.dim), "no mixture"
        if self._rng.random() < self.settings.random_task_ratio:
            return self._rng.random(self.space.dim), "explore"
        point, component = self._mixture.sample(self._rng)
        return point, f"component {component}"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        raw = self.settings.raw_returns
        self._remember(point, float(outcome.episode_return if raw else outcome.score))
        self._n_updates += 1
        if self._n_updates % self.settings.fit_rate == 0:
            self._fit()

    def _fit(self) -> None:
        self._mixture = self._fitted()
        if self._mixture is not None:
            self._n_fits += 1
            return
        if self._n_failed_fits == 0:
            warnings.warn(
                f"{self.id}: no mixture could be fitted to the last {self.settings.fit_rate} "
                "outcomes (their tasks or what was learnt from them may all be equal); tasks are "
                "drawn uniformly until a fit succeeds",
                TeacherWarning,
                stacklevel=5,
            )
        self._n_failed_fits += 1

    def _fitted(self) -> Mixture | None:
        settings, dim = self.settings, self.space.dim
        vectors = self._vectors()
        if vectors is None or not np.ptp(vectors[:, :dim], axis=0).any():
            return None
        components = range(settings.min_k, settings.max_k + 1)
        found = fit_best(vectors, components, settings.criterion, self._rng)
        if found is None:
            return None
        means, covariances = found
        interest = self._interest(means, covariances)
        try:
            return Mixture(means[:, :dim], covariances[:, :dim, :dim], interest)
        except np.linalg.LinAlgError:
            return None

    def _describe(self) -> dict[str, Any]:
        mixture = self._mixture
        return {
            "settings": asdict(self.settings),
            "mixture": None
            if mixture is None
            else {
                "means": mixture.means.copy(),
                "covariances": mixture.covariances.copy(),
                "weights": mixture.weights.copy(),
                "interest": mixture.interest.copy(),
            },
            "n_fits": self._n_fits,
            "n_failed_fits": self._n_failed_fits,
        }

    def _state(self) -> State:
        mixture = self._mixture
        return {
            "mixture": None
            if mixture is None
            else {
                "means": mixture.means,
                "covariances": mixture.covariances,
                "interest": mixture.interest,
            },
            "n_updates": self._n_updates,
            "n_fits": self._n_fits,
            "n_failed_fits": self._n_failed_fits,
        }

    def _load_state(self, state: State) -> None:
        mixture = state["mixture"]
        loaded = None if mixture is None else Mixture(**mixture)
        counts = [int(state[name]) for name in ("n_updates", "n_fits", "n_failed_fits")]
        self._mixture = loaded
        self._n_updates, self._n_fits, self._n_failed_fits = counts
