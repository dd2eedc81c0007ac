"""Teaching functions: a learner in a kernel's space, moved by one example a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.env import Level, TaskEnv
from teachenv.errors import UserError, at_least, one_of
from teachenv.seeding import derive
from teachenv.space import Dim, TaskSpace

__all__ = ["BOUND", "GRID", "FunctionalTeaching", "TeachFunctions"]

Floats = NDArray[np.float64]
Observation = dict[str, NDArray[np.float32]]
Action = np.int64 | int | NDArray[np.float32]

GRID = 400
"""Points, evenly spaced in [0, 1], on which functions live and errors are measured."""

BOUND = 20.0
"""Observations are cut to [-BOUND, BOUND]; targets have a mean square of 1."""

_WIDTH = Dim("width", 0.02, 0.05, default=0.05, meaning="of the learner's Gaussian kernel")
_WAVES = Dim("waves", 1, 4, default=4, kind="int", meaning="most waves of a target")


class TeachFunctions(TaskEnv[Observation, Action]):
    """What the worlds of one and of several learners share; see :class:`FunctionalTeaching`.

    Args:
        n_learners: Functions taught at once, all by the same examples.
        extra: Further parameters of tasks.
        communication: Whether learners are mixed before every example.
        pool_size: See :class:`FunctionalTeaching`, as for the rest.
        action_mode: See there.
        noise: See there.
        rate: See there.
        tolerance: See there.
        n_steps: See there.
    """

    return_range = (0.0, 1.0)
    harder = {"width": -1, "waves": 1}  # noqa: RUF012

    def __init__(
        self,
        n_learners: int,
        extra: tuple[Dim, ...],
        communication: bool,
        *,
        pool_size: int,
        action_mode: str,
        noise: float,
        rate: float,
        tolerance: float,
        n_steps: int,
    ) -> None:
        if GRID % at_least(2, "pool_size", pool_size):
            raise UserError(f"pool_size: expected a divisor of {GRID}, got {pool_size}")
        if noise < 0.0 or not 0.0 < rate <= 1.0 or not 0.0 < tolerance < 1.0:
            raise UserError(
                "expected noise >= 0, rate in (0, 1] and tolerance in (0, 1), got "
                f"{noise!r}, {rate!r} and {tolerance!r}"
            )
        self.n_learners = at_least(1, "n_learners", n_learners)
        self.communication = communication
        self.action_mode = one_of("action_mode", action_mode, ("index", "coordinate"))
        self.noise, self.rate, self.tolerance = noise, rate, tolerance
        self.n_steps = at_least(1, "n_steps", n_steps)
        self.mastery = 1.0 - tolerance
        self.task_space = TaskSpace([_WIDTH, _WAVES, *extra])
        self.pool = np.arange(GRID // pool_size // 2, GRID, GRID // pool_size)
        """Grid points that examples may be taken from."""
        if action_mode == "index":
            self.action_space = spaces.Discrete(pool_size)
        else:
            self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        shape = (n_learners * pool_size,)
        self.observation_space = spaces.Dict(
            {
                "error": spaces.Box(-BOUND, BOUND, shape, np.float32),
                "target": spaces.Box(-BOUND, BOUND, shape, np.float32),
                "left": spaces.Box(0.0, 1.0, (1,), np.float32),
            }
        )
        self._width = 0.0
        self.values: Floats | None = None
        """What the learners say now, shape ``(n_learners, GRID)``; ``None`` before a reset."""

    @property
    def progress(self) -> float:
        """Share of the first mean squared error that is gone, in [0, 1]."""
        return min(1.0, max(0.0, 1.0 - self._mse))

    def _start(self, level: Level, options: Mapping[str, Any]) -> Observation:
        width, waves, *rest = level.task.tolist()
        if width != self._width:
            x = (np.arange(GRID) + 0.5) / GRID
            self._kernel = np.exp(-((x[:, None] - x) ** 2) / (2.0 * width**2))
            self._width = width
        rng = derive(level.level_seed, "functions")
        self.targets = self._draw(rng, int(waves), rest)
        self._seen_targets = self._shown(self.targets)
        self.values = np.zeros_like(self.targets)
        self._noise_rng = derive(level.level_seed, "noise")
        self._t, self._mse = 0, float(np.mean(self.targets**2))
        return self._observe(self.targets)

    def _draw(self, rng: np.random.Generator, waves: int, rest: list[float]) -> Floats:
        """Return targets, shape ``(n_learners, GRID)``, each with a mean square of 1."""
        raise NotImplementedError

    def _advance(self, action: Action) -> tuple[Observation, float, bool, bool]:
        if self.values is None:
            raise ResetNeeded("step: call reset first")
        if self.communication and self._t > 0:
            self.values = _mixed(self.values, self.targets)
        at = self._grid_point(action)
        error = self.targets - self.values
        self.values = self.values + self.rate * np.outer(error[:, at], self._kernel[at])
        error = self.targets - self.values
        each = np.einsum("ij,ij->i", error, error) / GRID
        before, self._mse = self._mse, float(each.mean())
        self._t += 1
        done = bool(each.max() < self.tolerance)
        late = not done and self._t >= self.n_steps
        return self._observe(error), before - self._mse, done, late

    def _grid_point(self, action: Action) -> int:
        """Return the grid index of the example that an action names."""
        if self.action_mode == "index":
            return int(self.pool[int(action)])
        (coordinate,) = np.asarray(action, dtype=np.float64).reshape(1)
        where = min(1.0, max(0.0, (float(coordinate) + 1.0) / 2.0))
        return int(self.pool[min(int(where * len(self.pool)), len(self.pool) - 1)])

    def _observe(self, error: Floats) -> Observation:
        if self.noise > 0.0:
            error = error - self._noise_rng.normal(0.0, self.noise, error.shape)
        left = np.array([1.0 - self._t / self.n_steps], dtype=np.float32)
        return {"error": self._shown(error), "target": self._seen_targets, "left": left}

    def _shown(self, functions: Floats) -> NDArray[np.float32]:
        shown = functions[:, self.pool].astype(np.float32).reshape(-1)
        return np.clip(shown, -BOUND, BOUND, out=shown)


def draw_waves(rng: np.random.Generator, waves: int) -> Floats:
    """Draw a function on the grid: sines and cosines of 1 to ``waves`` periods, mean square 1."""
    x = (np.arange(GRID) + 0.5) / GRID
    angles = 2.0 * np.pi * np.outer(np.arange(1, waves + 1), x)
    sines, cosines = rng.standard_normal((2, waves))
    function = sines @ np.sin(angles) + cosines @ np.cos(angles)
    unit: Floats = function / np.sqrt(np.mean(function**2))
    return unit


def _mixed(values: Floats, targets: Floats) -> Floats:
    """Return ``A values`` for the matrix ``A`` that comes nearest to ``targets``."""
    mixture, *_ = np.linalg.lstsq(values.T, targets.T, rcond=1e-6)
    return mixture.T @ values


class FunctionalTeaching(TeachFunctions):
    """One learner, one function (Zhang, Cao, Liu, Tsang and Kwok, ICML 2023: NIMT).

    The learner is a function on [0, 1] and learns by functional gradient descent on the squared
    loss: taught the value of the target ``g`` at ``x`` it becomes
    ``f + rate (g(x) - f(x)) K(x, .)`` with a Gaussian kernel ``K``. It starts at zero. A world
    with a known strong teacher, :class:`teachers.data.functional.GreedyTeaching`, for testing
    teachers that learn; a step takes microseconds.

    Task: ``width`` of the kernel in [0.02, 0.05], in lengths of the domain, and ``waves``, the
    most periods of the target, 1 to 4. Within these every target is learnt; with kernels wider
    than a quarter of a period neither teacher reaches the tolerance in 2,000 steps (the problem
    is ill-conditioned), so tasks leave them out. The level seed draws the target.

    Observation (float32, cut to [-20, 20]): ``error``, target minus learner, and ``target`` at
    the pool's points, each of shape ``(pool_size,)``; ``left``, share of the steps left. Action:
    the index of an example in the pool ("index") or where to take it, [-1, 1] for the domain
    ("coordinate").

    Reward: drop of the mean squared error on 400 points; the targets' mean square is 1, so the
    return is the share of the error that is gone. Terminated below ``tolerance``, which is
    mastery; truncated after ``n_steps``.

    Args:
        pool_size: Examples to choose from, evenly spaced; a divisor of 400.
        action_mode: "index" or "coordinate".
        noise: Standard deviation of what the teacher sees of the learner, at every point and
            step; 0: it knows everything.
        rate: Learning rate, in (0, 1].
        tolerance: Mean squared error to reach, in (0, 1).
        n_steps: Examples in an episode.

    Raises:
        UserError: for a refused argument.
    """

    def __init__(
        self,
        pool_size: int = GRID,
        action_mode: str = "index",
        noise: float = 0.0,
        rate: float = 0.5,
        tolerance: float = 0.02,
        n_steps: int = 200,
    ) -> None:
        super().__init__(
            1,
            (),
            False,
            pool_size=pool_size,
            action_mode=action_mode,
            noise=noise,
            rate=rate,
            tolerance=tolerance,
            n_steps=n_steps,
        )

    def _draw(self, rng: np.random.Generator, waves: int, rest: list[float]) -> Floats:
        return draw_waves(rng, waves)[None]
