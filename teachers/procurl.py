"""ProCuRL: tasks the student solves about half of the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, UnitPoint
from teachers.candidates import Candidates
from teachers.kernel import kernel_means
from teachers.recent import Recent
from teachers.signal import Signal, signal_needs, signal_of, signal_problems
from teachers.values import number_problems, refuse, whole_problems


class ProCurl(BaseTeacher):
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
        super().__init__(space, seed=seed)
        whole = {"window": window, "update_every": update_every, "n_candidates": n_candidates}
        problems = [
            *signal_problems(signal),
            *number_problems(0.0, math.inf, beta=beta),
            *whole_problems(1, **whole),
            *number_problems(1e-6, math.inf, bandwidth=bandwidth),
        ]
        if not problems and update_every > window:
            problems.append(f"expected update_every <= window, got {update_every} and {window}")
        refuse(self.id, problems)
        self.needs = signal_needs(signal)
        self._signal, self._beta, self._update_every = signal, float(beta), update_every
        self._bandwidth = float(bandwidth) * math.sqrt(space.dim)
        self._recent = Recent(space.dim, window)
        self._candidates = Candidates(space, n_candidates)
        self._until = update_every

    def _sample(self) -> tuple[UnitPoint, str]:
        if not self._candidates.ready:
            return self._rng.random(self.space.dim), "bootstrap"
        return self._candidates.sample(self._rng), "proximal"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self._recent.add(point, signal_of(outcome, self._signal))
        self._until -= 1
        if self._until == 0:
            self._until = self._update_every
            self._estimate()

    def _estimate(self) -> None:
        points, values = self._candidates.draw(self._rng), self._recent.values
        if self._signal == "value_start":
            low, high = values.min(), values.max()
            values = (values - low) / (high - low) if high > low else np.zeros_like(values)
        p = kernel_means(self._recent.points, values, points, self._bandwidth)
        preference = self._beta * p * (1.0 - p)
        self._candidates.weigh(points, np.exp(preference - preference.max()))

    def _describe(self) -> dict[str, Any]:
        if not self._candidates.ready:
            return {"candidates": None}
        points, weights = self._candidates.points.copy(), self._candidates.weights.copy()
        return {"candidates": {"points": points, "weights": weights}}

    def _state(self) -> State:
        return {
            "recent": self._recent.state_dict(),
            "candidates": self._candidates.state_dict(),
            "until": self._until,
        }

    def _load_state(self, state: State) -> None:
        until = int(state["until"])
        self._recent.load_state_dict(state["recent"])
        self._candidates.load_state_dict(state["candidates"])
        self._until = until
