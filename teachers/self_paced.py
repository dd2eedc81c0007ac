"""What self-paced teachers share: a Gaussian that goes from where the student is good to all tasks.

Klink, D'Eramo, Peters and Pajarinen, "Self-Paced Deep Reinforcement Learning", NeurIPS 2020.
"""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, TeacherWarning, UnitPoint
from teachers.gaussian import MIN_VARIANCE, Gaussian
from teachers.mixture import one_thread
from teachers.recent import Recent
from teachers.signal import Signal, signal_needs, signal_of, signal_problems
from teachers.values import number_problems, refuse, whole_problems

Floats = NDArray[np.float64]

MAX_ALPHA = 1e5


@dataclass(frozen=True)
class Batch:
    """What a step is computed from, in coordinates where the Gaussian is standard normal.

    Attributes:
        points: Unit points, shape ``(n, dim)``.
        values: Values less their mean, shape ``(n,)``.
        slope: ``mean(value * z)``, shape ``(dim,)``: the natural gradient for the mean.
        bend: ``mean(value * (z z^T - 1))``, shape ``(dim, dim)``: that for the covariance.
    """

    points: Floats
    values: Floats
    slope: Floats
    bend: Floats

    @classmethod
    def of(cls, gaussian: Gaussian, points: Floats, values: Floats) -> Batch:
        """Return the batch of tasks drawn from ``gaussian`` and their values."""
        # Rounding must not look like a difference: a step has the full length, however small it is.
        differ = float(np.ptp(values)) > 0.0
        centred = values - values.mean() if differ else np.zeros_like(values)
        white = gaussian.whiten(points)
        bend = (white * centred[:, None]).T @ white / len(values)  # the 1 falls out: mean is 0
        return cls(points, centred, centred @ white / len(values), (bend + bend.T) / 2.0)

    def gain(self, old: Gaussian, new: Gaussian) -> float:
        """Return the importance-weighted estimate of how much the mean value grows."""
        ratios = np.exp(np.minimum(new.log_density(self.points) - old.log_density(self.points), 50))
        return float(ratios @ self.values) / len(self.values)


class SelfPaced(BaseTeacher):
    """A Gaussian over tasks, moved every ``update_every`` outcomes by :meth:`_step`.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: What a task is worth.
        start: An easy task, ``{name: value}``; the mean of the first Gaussian. Left out:
            a random task.
        start_std: Standard deviation of the first Gaussian, as a share of each range.
        target_std: That of the target, whose mean is the middle of the task space.
        update_every: Outcomes between two steps.
        offset: Outcomes before the first step; until then the Gaussian stays.
        alpha_offset: Steps in which the target has no pull.
        zeta: Pull of the target, relative to the student's performance.
        max_kl: Largest Kullback-Leibler divergence of a step.
    """

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int,
        signal: Signal,
        start: Mapping[str, Any] | None,
        start_std: float,
        target_std: float,
        update_every: int,
        offset: int,
        alpha_offset: int,
        zeta: float,
        max_kl: float,
    ) -> None:
        super().__init__(space, seed=seed)
        stds = {"start_std": start_std, "target_std": target_std}
        refuse(
            self.id,
            [
                *signal_problems(signal),
                *number_problems(math.sqrt(MIN_VARIANCE), 10.0, **stds),
                *whole_problems(2, update_every=update_every),
                *whole_problems(0, offset=offset, alpha_offset=alpha_offset),
                *number_problems(0.0, math.inf, zeta=zeta),
                *number_problems(1e-9, math.inf, max_kl=max_kl),
            ],
        )
        self.needs = signal_needs(signal)
        self._signal, self._update_every, self._offset = signal, update_every, offset
        self._alpha_offset, self._zeta, self._max_kl = alpha_offset, float(zeta), float(max_kl)
        mean = self._rng.random(space.dim)
        if start is not None:
            mean = space.to_unit(space.task(start))
        one = np.eye(space.dim)
        self._gaussian = Gaussian(mean, float(start_std) ** 2 * one)
        self._target = Gaussian(np.full(space.dim, 0.5), float(target_std) ** 2 * one)
        self._recent = Recent(space.dim, update_every)
        self._left = offset
        self._n_steps = self._n_failed_steps = 0
        self._alpha = 0.0

    @abstractmethod
    def _step(self, batch: Batch, alpha: float) -> Gaussian | None:
        """Return the next Gaussian, ``None`` if there is no way to go."""

    def _sample(self) -> tuple[UnitPoint, str]:
        return self._gaussian.sample(self._rng), f"Gaussian {self._n_steps}"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self._recent.add(point, signal_of(outcome, self._signal))
        self._left = max(0, self._left - 1)
        if len(self._recent) == self._update_every and not self._left:
            self._move()
            self._recent.clear()

    def _move(self) -> None:
        """Take a step; alpha grows with performance and falls with the distance to the target."""
        points, values = self._recent.points, self._recent.values
        with one_thread():
            alpha = 0.0
            if self._n_steps >= self._alpha_offset:
                distance = max(self._gaussian.kl(self._target), 1e-12)
                alpha = min(self._zeta * max(0.0, float(values.mean())) / distance, MAX_ALPHA)
            found = None
            try:
                found = self._step(Batch.of(self._gaussian, points, values), alpha)
            except np.linalg.LinAlgError:
                self._failed()
        self._alpha = alpha
        self._n_steps += 1
        self._gaussian = self._gaussian if found is None else found

    def _failed(self) -> None:
        if self._n_failed_steps == 0:
            warnings.warn(
                f"{self.id}: a step met a singular matrix; the Gaussian stays as it is",
                TeacherWarning,
                stacklevel=6,
            )
        self._n_failed_steps += 1

    def _describe(self) -> dict[str, Any]:
        return {
            "signal": self._signal,
            "mixture": {
                "means": self._gaussian.mean[None].copy(),
                "covariances": self._gaussian.covariance[None].copy(),
                "weights": np.ones(1),
            },
            "target": {
                "mean": self._target.mean.copy(),
                "covariance": self._target.covariance.copy(),
            },
            "kl_to_target": self._gaussian.kl(self._target),
            "alpha": self._alpha,
            "n_steps": self._n_steps,
            "n_failed_steps": self._n_failed_steps,
        }

    def _state(self) -> State:
        return {
            "mean": self._gaussian.mean,
            "covariance": self._gaussian.covariance,
            "recent": self._recent.state_dict(),
            "left": self._left,
            "alpha": self._alpha,
            "n_steps": self._n_steps,
            "n_failed_steps": self._n_failed_steps,
        }

    def _load_state(self, state: State) -> None:
        gaussian = Gaussian(state["mean"], state["covariance"])
        left, alpha = int(state["left"]), float(state["alpha"])
        counts = int(state["n_steps"]), int(state["n_failed_steps"])
        self._recent.load_state_dict(state["recent"])
        self._gaussian, self._left, self._alpha = gaussian, left, alpha
        self._n_steps, self._n_failed_steps = counts
