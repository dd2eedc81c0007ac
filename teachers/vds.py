"""VDS: tasks about whose value an ensemble disagrees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from teachenv.space import TaskSpace
from teachers.ensemble import bootstrapped_means
from teachers.pool import PoolTeacher
from teachers.signal import Signal, signal_problems
from teachers.values import number_problems, whole_problems


class Vds(PoolTeacher):
    """Value disagreement sampling (Zhang, Abbeel and Pinto, NeurIPS 2020).

    Of ``n_candidates`` uniform tasks one is drawn in proportion to the standard deviation of
    their values over an ensemble of value functions: those the student masters and those out
    of its reach are agreed on, the frontier is not.

    Deviations: the paper trains three Q networks on the student's transitions. A teacher sees
    no transitions: every ``update_every`` outcomes the ensemble is fitted to the last
    ``window`` (task, signal) pairs, as kernel means of bootstrapped data
    (:func:`teachers.ensemble.bootstrapped_means`). While all values are equal there is no
    disagreement and tasks are uniform.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score", "success" or "value_start" (which the student must send).
        n_models: Members of the ensemble, at least 2; 3 as published.
        window: Outcomes the ensemble sees; memory is ``16 * window * (dim + 1)`` bytes.
        update_every: Outcomes between two fits, at most ``window``.
        n_candidates: Tasks to draw from between two fits; 1000 as published.
        bandwidth: Standard deviation of the kernel along one parameter, as a share of its
            range; the kernel's is this times the square root of the number of parameters.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "vds"
    reasons = ("no disagreement", "disagreement")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"n_models": 3, "n_candidates": 1000, "signal": "value_start"},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        n_models: int = 3,
        window: int = 500,
        update_every: int = 50,
        n_candidates: int = 1000,
        bandwidth: float = 0.03,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            signal=signal,
            window=window,
            update_every=update_every,
            n_candidates=n_candidates,
            problems=[
                *signal_problems(signal),
                *whole_problems(2, n_models=n_models),
                *number_problems(1e-6, math.inf, bandwidth=bandwidth),
            ],
        )
        self._n_models, self._bandwidth = n_models, float(bandwidth) * math.sqrt(space.dim)

    def _renew(self) -> None:
        points, values = self._candidates.draw(self._rng), self._recent.values
        spread = np.zeros(len(points))
        if values.max() > values.min():
            known = self._recent.points
            spread = bootstrapped_means(
                known, values, points, self._bandwidth, self._n_models, self._rng
            ).std(axis=0)
        self._candidates.weigh(points, spread)
