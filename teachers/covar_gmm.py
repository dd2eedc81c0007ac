"""Covar-GMM: sample where scores rise with time, by a Gaussian mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.base import UnitPoint
from teachers.gmm import TEACHDEEPRL, Floats, MixtureTeacher, Settings
from teachers.mixture import Criterion
from teachers.values import flag_problems, refuse


class CovarGmm(MixtureTeacher):
    """Covar-GMM (Moulin-Frier, Nguyen and Oudeyer, 2014).

    In the form of Portelas et al. (CoRL 2019, section 4): every ``fit_rate`` outcomes, Gaussian
    mixtures are fitted to the vectors (task, time, score) of the last ``fit_rate`` outcomes,
    where time runs from 0 to 1 within them, and an information criterion chooses among them.
    Tasks are then drawn from a component chosen in proportion to the covariance of time and score
    if positive (how fast the student gets better there), save for a share of uniform ones.

    Deviations from the published code: unit cube and scores in [0, 1]; each fit gets a fresh
    seed (the original starts every fit from the same); ``max_k`` is inclusive (the original
    left it out when it was given on the command line, hence 14 in "teachmyagent"). Time is the
    order in which outcomes arrive. Where all tasks or all scores are equal, or no fit succeeds,
    tasks are drawn uniformly until the next fit.

    Cost (2 to 12 dimensions): about 0.04 ms for ask and tell, one fit of about 0.04 s every
    ``fit_rate`` outcomes.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        fit_rate: See :class:`teachers.gmm.Settings`, as for the rest.
        min_k: See there.
        max_k: See there.
        random_task_ratio: See there.
        criterion: See there.
        raw_returns: See there.
        absolute: Take the size of the covariance: getting worse is of interest, too.

    Raises:
        ValueError: for values out of range.
    """

    id = "covar-gmm"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teachdeeprl": TEACHDEEPRL,
        "teachmyagent": {
            **TEACHDEEPRL,
            "fit_rate": 150,
            "max_k": 14,
            "random_task_ratio": 0.1,
            "raw_returns": True,
        },
    }
    """Published hyper-parameters: of the paper and its code, which are the defaults, and of the
    benchmark runs of TeachMyAgent (Romac et al., ICML 2021)."""

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        fit_rate: int = 250,
        min_k: int = 2,
        max_k: int = 10,
        random_task_ratio: float = 0.2,
        criterion: Criterion = "aic",
        raw_returns: bool = False,
        absolute: bool = False,
    ) -> None:
        settings = Settings(fit_rate, min_k, max_k, random_task_ratio, criterion, raw_returns)
        super().__init__(space, settings, seed=seed)
        refuse(self.id, flag_problems(absolute=absolute))
        self._absolute = absolute
        self._batch = np.zeros((fit_rate, space.dim + 2))
        """Vectors (unit point, time, score) since the last fit; filled from the top."""
        self._batch[:, -2] = np.arange(fit_rate) / fit_rate

    def _remember(self, point: UnitPoint, value: float) -> None:
        row = self._batch[self._n_updates % self.settings.fit_rate]
        row[:-2], row[-1] = point, value

    def _vectors(self) -> Floats | None:
        return None if np.ptp(self._batch[:, -1]) == 0.0 else self._batch

    def _interest(self, means: Floats, covariances: Floats) -> Floats:
        covariance = covariances[:, -2, -1]
        return np.abs(covariance) if self._absolute else np.maximum(covariance, 0.0)

    def _state(self) -> State:
        return {**super()._state(), "batch": self._batch}

    def _load_state(self, state: State) -> None:
        batch = cast(Floats, state["batch"])
        if batch.shape != self._batch.shape:
            raise ValueError(
                f"covar-gmm: expected a batch of shape {self._batch.shape}, got {batch.shape}"
            )
        super()._load_state(state)
        self._batch = batch
