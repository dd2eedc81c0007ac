"""DORAEMON: as many kinds of task as the student can take."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, Pick, TeacherWarning
from teachers.betas import Betas
from teachers.mixture import one_thread
from teachers.signal import IN_UNIT, Signal, signal_of, signal_problems
from teachers.values import number_problems, refuse, whole_problems

Floats = NDArray[np.float64]
Gradient = Callable[[Betas], tuple[float, Floats]]

SLACK = 1e-3
"""By how much a solution may break a constraint."""

LEAST = 1.0
"""Least parameter of a Beta distribution: none has its mass at both ends."""


class Doraemon(BaseTeacher):
    """Domain randomisation via entropy maximisation (Tiboni et al., ICLR 2024).

    Tasks come from independent Beta distributions. Every ``update_every`` outcomes the
    distribution of largest entropy is sought under which the student still succeeds with
    probability ``alpha``, within a Kullback-Leibler divergence of ``max_kl`` of the current
    one. Success under another distribution is estimated by importance sampling. If the current
    distribution is too hard, the most successful one within ``max_kl`` is sought first; only if
    that one is easy enough, entropy is raised from there.

    With ``start`` it starts narrow around it, as published, and widens. Without one it
    starts with every task equally likely, the best there is if the student succeeds; where it
    does not, the second rule leads to where it does.

    Deviations: solved by SLSQP over the logarithms of the parameters instead of trust-constr
    over sigmoids; importance weights are relative to the distribution a task was really drawn
    from, however late its outcome comes; "score" may stand for success; the number of outcomes
    between two updates is fixed. Where the solver fails the distribution stays;
    ``n_failed_updates`` in :meth:`describe` counts this and a :class:`TeacherWarning` says it
    once.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score" or "success" (as published).
        alpha: Wanted mean of the signal, in (0, 1); 0.5 as published.
        max_kl: Largest divergence of an update, above 0.
        update_every: Outcomes between two updates, at least 2.
        start: An easy task, ``{name: value}``; the mode of the first distribution.
        concentration: Sum of the two parameters of each first Beta distribution, at least 2;
            200 as published. Without ``start`` it is not looked at.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "doraemon"
    knowledge: ClassVar[Knowledge] = "thresholds"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"signal": "success", "alpha": 0.5, "concentration": 200.0},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        alpha: float = 0.5,
        max_kl: float = 0.5,
        update_every: int = 100,
        start: Mapping[str, Any] | None = None,
        concentration: float = 200.0,
    ) -> None:
        super().__init__(space, seed=seed)
        refuse(
            self.id,
            [
                *signal_problems(signal, IN_UNIT),
                *number_problems(1e-6, 1.0 - 1e-6, alpha=alpha),
                *number_problems(1e-9, math.inf, max_kl=max_kl),
                *whole_problems(2, update_every=update_every),
                *number_problems(2.0, 1e6, concentration=concentration),
            ],
        )
        self._signal, self._alpha, self._max_kl = signal, float(alpha), float(max_kl)
        self._update_every = update_every
        self._greatest = float(concentration) + 2.0
        self._betas = Betas(np.full(space.dim, LEAST), np.full(space.dim, LEAST))
        if start is not None:
            mode = space.to_unit(space.task(start))
            spare = float(concentration) - 2.0
            self._betas = Betas(1.0 + mode * spare, 1.0 + (1.0 - mode) * spare)
        self._rows = np.zeros((update_every, space.dim + 2))  # point, log density, signal
        self._n_rows = self._n_updates = self._n_failed_updates = 0
        self._rate = 0.0

    def _sample(self) -> Pick:
        point = self._betas.sample(self._rng)
        known = self.space.to_unit(self.space.from_unit(point))[None]
        note = float(self._betas.log_density(known)[0])
        return Pick(point, f"Betas {self._n_updates}", note=note)

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        value = signal_of(outcome, self._signal)
        self._rows[self._n_rows] = [*pick.point, pick.note, value]
        self._n_rows += 1
        if self._n_rows == self._update_every:
            self._n_rows = 0
            self._n_updates += 1
            self._rate = float(self._rows[:, -1].mean())
            with one_thread(), np.errstate(all="ignore"):
                self._betas = self._next()

    # -- the optimisation problem ----------------------------------------------------------

    def _next(self) -> Betas:
        start = self._betas
        if self._success(start)[0] < self._alpha:
            easiest = self._solved(start, self._success, [])
            if easiest is None:
                return self._failed()
            if self._success(easiest)[0] < self._alpha - SLACK:
                return easiest
            start = easiest
        found = self._solved(start, _entropy, [(self._success, self._alpha)])
        return self._failed() if found is None else found

    def _success(self, betas: Betas) -> tuple[float, Floats]:
        """Return the importance-weighted success under ``betas`` and its gradient."""
        points = self._rows[:, :-2]
        ratios = np.exp(np.minimum(betas.log_density(points) - self._rows[:, -2], 50.0))
        parts = ratios * self._rows[:, -1] / self._update_every
        gradient = np.tensordot(parts, betas.log_density_gradient(points), axes=1)
        return float(parts.sum()), np.asarray(gradient)

    def _near(self, betas: Betas) -> tuple[float, Floats]:
        return -self._betas.kl(betas), -self._betas.kl_gradient(betas)

    def _solved(
        self, start: Betas, objective: Gradient, least: list[tuple[Gradient, float]]
    ) -> Betas | None:
        """Maximise ``objective`` with the others at ``least``, near the current Betas."""
        from scipy.optimize import minimize

        limits: list[tuple[Gradient, float]] = [*least, (self._near, -self._max_kl)]
        constraints: Any = [
            {
                "type": "ineq",
                "fun": lambda x, f=f, limit=limit: f(_betas(x))[0] - limit,
                "jac": lambda x, f=f: _chain(f(_betas(x))[1], x),
            }
            for f, limit in limits
        ]
        first = np.log(np.concatenate([start.a, start.b]))

        def cost(x: Floats) -> float:
            return -objective(_betas(x))[0]

        def slope(x: Floats) -> Floats:
            return -_chain(objective(_betas(x))[1], x)

        result: Any = minimize(
            cost,
            first,
            jac=slope,
            method="SLSQP",
            bounds=[(math.log(LEAST), math.log(self._greatest))] * len(first),
            constraints=constraints,
            options={"maxiter": 50, "ftol": 1e-6},
        )
        if not np.isfinite(result.x).all():
            return None
        found = _betas(np.clip(result.x, math.log(LEAST), math.log(self._greatest)))
        kept = all(f(found)[0] >= limit - SLACK for f, limit in limits)
        return found if kept and objective(found)[0] >= objective(start)[0] - SLACK else None

    def _failed(self) -> Betas:
        if self._n_failed_updates == 0:
            warnings.warn(
                "doraemon: the solver found no distribution that keeps the constraints; the "
                "distribution stays as it is",
                TeacherWarning,
                stacklevel=5,
            )
        self._n_failed_updates += 1
        return self._betas

    # -- looking in, saving, loading -------------------------------------------------------

    def _describe(self) -> dict[str, Any]:
        return {
            "betas": {"a": self._betas.a.copy(), "b": self._betas.b.copy()},
            "mixture": {
                "means": self._betas.means[None],
                "covariances": np.diag(self._betas.variances)[None],
                "weights": np.ones(1),
            },
            "entropy": self._betas.entropy(),
            "success": self._rate,
            "n_updates": self._n_updates,
            "n_failed_updates": self._n_failed_updates,
        }

    def _state(self) -> State:
        return {
            "a": self._betas.a,
            "b": self._betas.b,
            "rows": self._rows[: self._n_rows],
            "success": self._rate,
            "n_updates": self._n_updates,
            "n_failed_updates": self._n_failed_updates,
        }

    def _load_state(self, state: State) -> None:
        betas, rows = Betas(state["a"], state["b"]), state["rows"]
        if rows.ndim != 2 or rows.shape[1] != self._rows.shape[1] or len(rows) > len(self._rows):
            raise ValueError(f"rows: expected at most {self._rows.shape}, got {rows.shape}")
        counts = int(state["n_updates"]), int(state["n_failed_updates"])
        self._rate = float(state["success"])
        self._betas, self._n_rows = betas, len(rows)
        self._rows[: len(rows)] = rows
        self._n_updates, self._n_failed_updates = counts


def _entropy(betas: Betas) -> tuple[float, Floats]:
    return betas.entropy(), betas.entropy_gradient()


def _betas(x: Floats) -> Betas:
    a, b = np.exp(x).reshape(2, -1)
    return Betas(a, b)


def _chain(gradient: Floats, x: Floats) -> Floats:
    """Return a gradient with respect to the logarithms of the parameters."""
    return gradient.ravel() * np.exp(x)
