"""ALP-GMM: sample where the absolute learning progress is high, by a Gaussian mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from teachenv.protocols import State
from teachenv.space import TaskSpace
from teachers.base import UnitPoint
from teachers.gmm import TEACHDEEPRL, Floats, MixtureTeacher, Settings
from teachers.mixture import Criterion
from teachers.nearest import NearestProgress
from teachers.values import refuse, whole_problems


class AlpGmm(MixtureTeacher):
    """ALP-GMM (Portelas, Colas, Hofmann and Oudeyer, CoRL 2019, algorithm 1).

    The absolute learning progress (ALP) of a task is the difference between its score and the
    score of the nearest task played before. Every ``fit_rate`` outcomes, Gaussian mixtures are
    fitted to the last ``fit_rate`` vectors (task, ALP), and an information criterion chooses
    among them. Tasks are then drawn from a component chosen in proportion to its mean ALP,
    save for a share of uniform ones.

    Deviations from the published code: tasks live in the unit cube and scores in [0, 1], so
    that no parameter and no return scale dominates distances; the nearest task is searched in
    the last ``window`` outcomes, the latest of equally near ones is taken; each fit gets a
    fresh seed (the original starts every fit from the same); ``max_k`` is inclusive (the
    original left it out when it was given on the command line, hence 9 in "teachmyagent");
    "aicc" counts the ALP dimension. Where all tasks or all ALP of a window are equal, or no fit
    succeeds, tasks are drawn uniformly until the next fit; ``n_failed_fits`` in
    :meth:`describe` counts this and a :class:`TeacherWarning` says it once.

    Cost at the full default window (2 to 12 dimensions): about 0.1 to 0.2 ms for ask and tell,
    and one fit of about 0.04 s every ``fit_rate`` outcomes.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        fit_rate: See :class:`teachers.gmm.Settings`, as for the rest.
        min_k: See there.
        max_k: See there.
        random_task_ratio: See there.
        criterion: See there.
        raw_returns: See there.
        window: Outcomes in which the nearest earlier task is looked for, at least ``fit_rate``.

    Raises:
        ValueError: for values out of range.
    """

    id = "alp-gmm"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teachdeeprl": TEACHDEEPRL,
        "teachmyagent": {
            **TEACHDEEPRL,
            "fit_rate": 150,
            "max_k": 9,
            "random_task_ratio": 0.05,
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
        window: int = 20_000,
    ) -> None:
        settings = Settings(fit_rate, min_k, max_k, random_task_ratio, criterion, raw_returns)
        super().__init__(space, settings, seed=seed)
        refuse(self.id, whole_problems(fit_rate, window=window))
        self._progress = NearestProgress(space.dim, window)

    def _remember(self, point: UnitPoint, value: float) -> None:
        self._progress.add(point, value)

    def _vectors(self) -> Floats | None:
        points, alp = self._progress.last(self.settings.fit_rate)
        return None if np.ptp(alp) == 0.0 else np.column_stack([points, alp])

    def _interest(self, means: Floats, covariances: Floats) -> Floats:
        return np.maximum(means[:, -1], 0.0)

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "n_window": self._progress.window}

    def _state(self) -> State:
        return {**super()._state(), "history": self._progress.state_dict()}

    def _load_state(self, state: State) -> None:
        self._progress.load_state_dict(state["history"])
        super()._load_state(state)
