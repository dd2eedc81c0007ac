"""ProCuRL: tasks the student solves about half of the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from teachenv.space import TaskSpace
from teachers.kernel import kernel_means
from teachers.pool import PoolTeacher
from teachers.signal import Signal, signal_problems
from teachers.values import number_problems


class ProCurl(PoolTeacher):
    """Proximal curriculum (Tzannetos, Gomes Ribeiro, Kamalaruban and Singla, TMLR 2023).

    A task is drawn with a probability in proportion to ``exp(beta * p * (p_best - p))``, p
    being the student's probability of success and p_best the best possible one, taken as 1: a
    softmax over how much is both known and still to be learnt. With "value_start" p is the
    value of the first state, scaled by the least and greatest of the window (the paper's
    ProCuRL-val); with "score" or "success" it is estimated from what was played.

    Deviations: the paper has a pool of given tasks and asks the student for its value of each.
    Here p is estimated at ``n_candidates`` fresh uniform tasks, every ``update_every`` outcomes,
    by a kernel mean over the last ``window`` outcomes; until the first estimate tasks are
    uniform.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score", "success" or "value_start" (which the student must send).
        beta: How sharply tasks of middling success are preferred, at least 0 (the paper
            tunes it per environment).
        window: Outcomes the estimate sees; memory is ``16 * window * (dim + 1)`` bytes.
        update_every: Outcomes between two estimates, at most ``window``.
        n_candidates: Tasks to draw from between two estimates.
        bandwidth: Standard deviation of the kernel along one parameter, as a share of its
            range; the kernel's is this times the square root of the number of parameters.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "procurl"
    reasons = ("bootstrap", "proximal")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "val": {"signal": "value_start", "beta": 20.0},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        beta: float = 20.0,
        window: int = 500,
        update_every: int = 50,
        n_candidates: int = 500,
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
                *number_problems(0.0, math.inf, beta=beta),
                *number_problems(1e-6, math.inf, bandwidth=bandwidth),
            ],
        )
        self._beta, self._bandwidth = float(beta), float(bandwidth) * math.sqrt(space.dim)

    def _renew(self) -> None:
        points, values = self._candidates.draw(self._rng), self._recent.values
        if self._signal == "value_start":
            low, high = values.min(), values.max()
            values = (values - low) / (high - low) if high > low else np.zeros_like(values)
        p = kernel_means(self._recent.points, values, points, self._bandwidth)
        preference = self._beta * p * (1.0 - p)
        self._candidates.weigh(points, np.exp(preference - preference.max()))
