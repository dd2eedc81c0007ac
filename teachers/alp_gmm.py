"""ALP-GMM: sample where the absolute learning progress is high, by a Gaussian mixture."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, TeacherWarning, UnitPoint
from teachers.mixture import CRITERIA, Criterion, Mixture, fit_best
from teachers.nearest import NearestProgress


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of ALP-GMM.

    Attributes:
        fit_rate: Outcomes between two fits, outcomes a fit sees, and length of the bootstrap.
        min_k: Smallest number of components tried.
        max_k: Largest number of components tried (inclusive).
        random_task_ratio: Share of tasks drawn uniformly after the bootstrap, in [0, 1].
        criterion: Chooses the number of components: "aic", "bic" or "aicc".
        window: Outcomes in which the nearest earlier task is looked for, at least ``fit_rate``.
    """

    fit_rate: int = 250
    min_k: int = 2
    max_k: int = 10
    random_task_ratio: float = 0.2
    criterion: Criterion = "aic"
    window: int = 20_000

    def __post_init__(self) -> None:
        whole = {"fit_rate": self.fit_rate, "min_k": self.min_k, "max_k": self.max_k}
        problems = [
            f"{name}: expected a whole number of at least 1, got {value!r}"
            for name, value in {**whole, "window": self.window}.items()
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1
        ]
        if not problems and not self.min_k <= self.max_k <= self.fit_rate <= self.window:
            problems.append(
                "expected min_k <= max_k <= fit_rate <= window, got "
                f"{self.min_k}, {self.max_k}, {self.fit_rate}, {self.window}"
            )
        ratio = self.random_task_ratio
        number = isinstance(ratio, int | float | np.floating) and not isinstance(ratio, bool)
        if not number or not 0.0 <= ratio <= 1.0:
            problems.append(f"random_task_ratio: expected a number in [0, 1], got {ratio!r}")
        if self.criterion not in CRITERIA:
            problems.append(f"criterion: expected one of {CRITERIA}, got {self.criterion!r}")
        if problems:
            raise ValueError("alp-gmm: " + "; ".join(problems))


PRESETS: dict[str, Settings] = {
    "teachdeeprl": Settings(fit_rate=250, min_k=2, max_k=10, random_task_ratio=0.2),
    "teachmyagent": Settings(fit_rate=150, min_k=2, max_k=9, random_task_ratio=0.05),
}
"""Published hyper-parameters: Portelas et al. (CoRL 2019), and the benchmark runs of
TeachMyAgent (Romac et al., ICML 2021)."""


class AlpGmm(BaseTeacher):
    """ALP-GMM (Portelas, Colas, Hofmann and Oudeyer, CoRL 2019, algorithm 1).

    The absolute learning progress (ALP) of a task is the difference between its score and the
    score of the nearest task played before. Every ``fit_rate`` outcomes, Gaussian mixtures are
    fitted to the last ``fit_rate`` vectors (task, ALP), and an information criterion chooses
    among them. Tasks are then drawn from a component chosen in proportion to its mean ALP,
    save for a share of uniform ones.

    Deviations from the published code: tasks live in the unit cube and scores in [0, 1], so
    that no parameter and no return scale dominates distances; the nearest task is searched in
    the last ``window`` outcomes, the latest of equally near ones is taken; each fit gets a
    fresh seed (the original starts every fit from the same); ``max_k`` is inclusive; "aicc"
    counts the ALP dimension. Where all tasks or all ALP of a window are equal, or no fit
    succeeds, tasks are drawn uniformly until the next fit; ``n_failed_fits`` in
    :meth:`describe` counts this and a :class:`TeacherWarning` says it once.

    Cost at the full default window (2 to 12 dimensions): about 0.1 to 0.2 ms for ask and tell,
    and one fit of about 0.1 s every ``fit_rate`` outcomes.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        preset: A name of :data:`PRESETS`; what is left ``None`` below is taken from it.
        fit_rate: See :class:`Settings`, as for the rest.
        min_k: See there.
        max_k: See there.
        random_task_ratio: See there.
        criterion: See there.
        window: See there.

    Raises:
        ValueError: for an unknown preset or values out of range, all named at once.
    """

    id = "alp-gmm"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        preset: str = "teachdeeprl",
        fit_rate: int | None = None,
        min_k: int | None = None,
        max_k: int | None = None,
        random_task_ratio: float | None = None,
        criterion: Criterion | None = None,
        window: int | None = None,
    ) -> None:
        super().__init__(space, seed=seed)
        if preset not in PRESETS:
            raise ValueError(f"alp-gmm: preset: expected one of {list(PRESETS)}, got {preset!r}")
        given = {
            "fit_rate": fit_rate,
            "min_k": min_k,
            "max_k": max_k,
            "random_task_ratio": random_task_ratio,
            "criterion": criterion,
            "window": window,
        }
        chosen: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        self.settings = replace(PRESETS[preset], **chosen)
        self._progress = NearestProgress(space.dim, self.settings.window)
        self._mixture: Mixture | None = None
        self._n_updates = 0
        self._n_fits = 0
        self._n_failed_fits = 0

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
        self._progress.add(point, float(outcome.score))
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
                f"alp-gmm: no mixture could be fitted to the last {self.settings.fit_rate} "
                "outcomes (their tasks or their learning progress may all be equal); tasks are "
                "drawn uniformly until a fit succeeds",
                TeacherWarning,
                stacklevel=4,
            )
        self._n_failed_fits += 1

    def _fitted(self) -> Mixture | None:
        settings = self.settings
        points, alp = self._progress.last(settings.fit_rate)
        if np.ptp(alp) == 0.0 or not np.ptp(points, axis=0).any():
            return None
        components = range(settings.min_k, settings.max_k + 1)
        vectors = np.column_stack([points, alp])
        found = fit_best(vectors, components, settings.criterion, self._rng)
        if found is None:
            return None
        means, covariances = found
        try:
            return Mixture(means[:, :-1], covariances[:, :-1, :-1], np.maximum(means[:, -1], 0.0))
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
                "alp": mixture.interest.copy(),
            },
            "n_fits": self._n_fits,
            "n_failed_fits": self._n_failed_fits,
        }

    def _state(self) -> State:
        mixture = self._mixture
        return {
            "history": self._progress.state_dict(),
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
        self._progress.load_state_dict(state["history"])
        self._mixture = loaded
        self._n_updates, self._n_fits, self._n_failed_fits = counts
