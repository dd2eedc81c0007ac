"""CURROT: particles moved to the target by optimal transport, where the student is good enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, UnitPoint
from teachers.kernel import kernel_means
from teachers.mixture import one_thread
from teachers.recent import Recent
from teachers.signal import Signal, signal_needs, signal_of, signal_problems
from teachers.success_buffer import SuccessBuffer, assignment
from teachers.values import number_problems, refuse, whole_problems

Floats = NDArray[np.float64]

JITTER = 1e-3
"""Half the width of the noise added to a particle when it is played."""

N_BALL = 50
N_LINE = 10
"""Places tried for each particle: in the half ball towards its target, and on the way to it."""

MIN_MOVE = 1e-9


class Currot(BaseTeacher):
    """Curriculum by constrained optimal transport (Klink et al., ICML 2022).

    In the sampling form of Klink, D'Eramo, Peters and Pajarinen, TPAMI 2024.

    ``n_particles`` tasks stand for the curriculum; a random one is played. Every
    ``update_every`` outcomes performance is estimated by a kernel mean over a buffer of
    successes and one of failures. Particles below ``threshold`` return to successful tasks.
    Then each is assigned a task of the uniform target such that the total squared distance is
    least, and goes to the place nearest to it, within ``epsilon``, where the estimate is above
    ``threshold`` - or to the best place, where there is none. Until the median of the success
    buffer reaches the threshold, successful tasks are sought with noise.

    Without ``start`` the particles start uniformly.

    Deviations: 50 places of the half ball are tried instead of 100; noise that leaves the cube
    is clipped and not drawn anew; scores stand for returns.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score", "success" or "value_start" (which the student must send).
        threshold: Performance that counts as good enough. 0.66 is the 180 of returns in
            [-150, 350] used on the walkers; 0.5 is half of the best.
        epsilon: Farthest move of a particle along one parameter, as a share of its range; the
            radius is this times the square root of the number of parameters.
        n_particles: Particles, and size of both buffers, at least 2.
        update_every: Outcomes between two moves.
        start: An easy task, ``{name: value}``, around which all particles start.
        start_std: Their standard deviation around it, as a share of each range.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "currot"
    knowledge: ClassVar[Knowledge] = "thresholds"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teachmyagent": {"threshold": 0.66},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        threshold: float = 0.5,
        epsilon: float = 0.05,
        n_particles: int = 100,
        update_every: int = 50,
        start: Mapping[str, Any] | None = None,
        start_std: float = 0.1,
    ) -> None:
        super().__init__(space, seed=seed)
        refuse(
            self.id,
            [
                *signal_problems(signal),
                *number_problems(-math.inf, math.inf, threshold=threshold),
                *number_problems(1e-6, 1.0, epsilon=epsilon),
                *whole_problems(2, n_particles=n_particles),
                *whole_problems(1, update_every=update_every),
                *number_problems(0.0, 10.0, start_std=start_std),
            ],
        )
        self.needs = signal_needs(signal)
        self._signal, self._threshold, self._n = signal, float(threshold), n_particles
        self._radius = float(epsilon) * math.sqrt(space.dim)
        self._particles = self._rng.random((n_particles, space.dim))
        if start is not None:
            centre = space.to_unit(space.task(start))
            noise = float(start_std) * self._rng.standard_normal(self._particles.shape)
            self._particles = np.clip(centre + noise, 0.0, 1.0)
        self._recent = Recent(space.dim, update_every)
        self._failures = Recent(space.dim, n_particles)
        self._successes = SuccessBuffer(
            space.dim, n_particles, self._threshold, 0.005 * self._radius
        )
        self._n_moves = 0

    def _sample(self) -> tuple[UnitPoint, str]:
        i = int(self._rng.integers(self._n))
        noise = JITTER * (2.0 * self._rng.random(self.space.dim) - 1.0)
        return np.clip(self._particles[i] + noise, 0.0, 1.0), f"particle {i}"

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        self._recent.add(point, signal_of(outcome, self._signal))
        if len(self._recent) == self._recent.window:
            with one_thread():
                self._move()
            self._recent.clear()
            self._n_moves += 1

    def _move(self) -> None:
        points, values = self._recent.points.copy(), self._recent.values.copy()
        target = self._rng.random((self._n, self.space.dim))
        failed = self._successes.add(points, values, target)
        for point, value in zip(points[failed], values[failed], strict=True):
            self._failures.add(point, value)
        start, good = self._started(self._successes.sample(self._rng))
        target = target[assignment(start, target)]
        places = self._places(start, target, good)
        flat = places.reshape(-1, self.space.dim)
        values = self._performance(flat).reshape(places.shape[:2])
        distances = np.linalg.norm(places - target[:, None], axis=2)
        allowed = values > self._threshold
        nearest = np.where(allowed, distances, np.inf).argmin(axis=1)
        chosen = np.where(allowed.any(axis=1), nearest, values.argmax(axis=1))
        self._particles = places[np.arange(self._n), chosen]

    def _performance(self, points: Floats) -> Floats:
        buffer = self._successes
        known = np.concatenate([self._failures.points, buffer.points])
        values = np.concatenate([self._failures.values, buffer.scores])
        return kernel_means(known, values, points, 0.3 * self._radius)

    def _started(self, successes: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the particles, those below the threshold at successful tasks; and which are not.

        Which are not: below the threshold even there.
        """
        start = self._particles.copy()
        good = self._performance(start) >= self._threshold
        if not good.all():
            start[~good] = successes[assignment(start, successes)[~good]]
            good[~good] = self._performance(start[~good]) >= self._threshold
        return start, good

    def _places(self, start: Floats, target: Floats, good: NDArray[np.bool_]) -> Floats:
        """Return places to go to, shape ``(n_particles, N_BALL + N_LINE, dim)``.

        In the half ball towards the target for particles above the threshold, in the whole ball
        for the others, and on the line to the target for all.
        """
        way = target - start
        length = np.maximum(np.linalg.norm(way, axis=1), MIN_MOVE)
        towards = way / length[:, None]
        reach = np.minimum(self._radius, length)[:, None, None]
        ball = self._rng.standard_normal((N_BALL, self.space.dim))
        ball /= np.maximum(np.linalg.norm(ball, axis=1, keepdims=True), MIN_MOVE)
        ball *= self._rng.random((N_BALL, 1)) ** (1.0 / self.space.dim)
        along = np.minimum(ball @ towards.T, 0.0).T * good[:, None]
        mirrored = ball[None] - 2.0 * along[..., None] * towards[:, None]
        line = np.linspace(0.0, 1.0, N_LINE + 1)[1:, None] * towards[:, None]
        moves = np.concatenate([mirrored, line], axis=1)
        places: Floats = np.clip(start[:, None] + reach * moves, 0.0, 1.0)
        return places

    def _describe(self) -> dict[str, Any]:
        return {
            "particles": self._particles.copy(),
            "n_moves": self._n_moves,
            "n_successes": len(self._successes.scores),
            "threshold_reached": self._successes.reached,
        }

    def _state(self) -> State:
        return {
            "particles": self._particles,
            "recent": self._recent.state_dict(),
            "failures": self._failures.state_dict(),
            "successes": self._successes.state_dict(),
            "n_moves": self._n_moves,
        }

    def _load_state(self, state: State) -> None:
        particles, n_moves = state["particles"], int(state["n_moves"])
        if particles.shape != self._particles.shape:
            raise ValueError(f"particles: expected {self._particles.shape}, got {particles.shape}")
        self._recent.load_state_dict(state["recent"])
        self._failures.load_state_dict(state["failures"])
        self._successes.load_state_dict(state["successes"])
        self._particles, self._n_moves = particles, n_moves
