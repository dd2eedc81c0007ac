"""SPDL: a Gaussian of tasks, pulled to the target as fast as the student improves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.space import TaskSpace
from teachers.gaussian import Gaussian
from teachers.self_paced import Batch, SelfPaced
from teachers.signal import Signal
from teachers.values import flag_problems, refuse

N_TRIES = 10


class Spdl(SelfPaced):
    """Self-paced deep reinforcement learning (Klink et al., NeurIPS 2020, algorithm 1).

    Tasks are drawn from a Gaussian p. Every ``update_every`` outcomes it takes one natural
    gradient step on ``mean(p(c) / p_old(c) * v(c)) - alpha * KL(p || target)`` with
    ``KL(p_old || p) <= max_kl``, where v is the student's value of the first state and
    ``alpha = zeta * performance / KL(p || target)``, 0 for the first ``alpha_offset`` steps: the
    Gaussian goes to where the student is good, and to the target as fast as its performance
    allows. A step is shortened up to ten times until it keeps the limit and improves the objective.

    Without ``start`` it starts at a random task; if nothing is learnt there it stays
    there, as published.

    Deviations from the authors' code (as used in TeachMyAgent, Romac et al. 2021): the natural
    gradient of a Gaussian is taken exactly and not by ten conjugate gradient iterations with
    damping; values are those at the time of play, and are centred (the expectation is the
    same, and equal values move nothing); performance is the mean of the same signal; updates
    are counted in outcomes, not in steps; a step must keep the limit and improve, and one that
    is too long is cut to the limit (``accept_either``: halved until it does one of the two);
    variances stay above 1e-6; outcomes of tasks drawn before the last step count as drawn after it;
    the optional lower bound on the standard deviation is left out.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "value_start" as published (the student must send it), "score" or "success".
        start: An easy task, ``{name: value}``: the mean of the first Gaussian.
        start_std: Its standard deviation, as a share of each range.
        target_std: Standard deviation of the target, whose mean is the middle of the space.
        update_every: Outcomes between two steps, at least 2.
        offset: Outcomes before the first step.
        alpha_offset: Steps in which the target has no pull.
        zeta: Pull of the target relative to performance, at least 0.
        max_kl: Largest divergence of a step, above 0.
        accept_either: Parity: accept a step that keeps 1.5 times the limit or improves.

    Raises:
        ValueError: for values out of range.
    """

    id = "spdl"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # 200,000 and 50,000 steps, at 500 steps an episode.
        "teachmyagent": {
            "offset": 400,
            "update_every": 100,
            "alpha_offset": 10,
            "zeta": 0.25,
            "max_kl": 0.1,
            "accept_either": True,
        }
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "value_start",
        start: Mapping[str, Any] | None = None,
        start_std: float = 0.1,
        target_std: float = 0.25,
        update_every: int = 100,
        offset: int = 0,
        alpha_offset: int = 10,
        zeta: float = 0.25,
        max_kl: float = 0.1,
        accept_either: bool = False,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            signal=signal,
            start=start,
            start_std=start_std,
            target_std=target_std,
            update_every=update_every,
            offset=offset,
            alpha_offset=alpha_offset,
            zeta=zeta,
            max_kl=max_kl,
        )
        refuse(self.id, flag_problems(accept_either=accept_either))
        self._accept_either = accept_either

    def _step(self, batch: Batch, alpha: float) -> Gaussian | None:
        old, target = self._gaussian, self._target
        spread = np.linalg.solve(target.factor, old.factor)
        pull = spread.T @ target.whiten(old.mean[None])[0]
        slope = batch.slope - alpha * pull
        bend = batch.bend - alpha * (spread.T @ spread - np.eye(len(slope)))
        twice_kl = slope @ slope + 0.5 * (bend * bend).sum()  # of a step of length 1
        if not twice_kl > 0.0:
            return None
        length = math.sqrt(2.0 * self._max_kl / twice_kl)
        before = -alpha * old.kl(target)
        for _ in range(N_TRIES):
            new = _moved(old, length * slope, length * bend)
            kl = old.kl(new)
            better = batch.gain(old, new) - alpha * new.kl(target) > before
            if self._accept_either:
                accepted = kl <= 1.5 * self._max_kl or better
            else:
                accepted = kl <= self._max_kl and better
            if accepted:
                return new
            too_far = kl > self._max_kl and not self._accept_either
            length *= 0.99 * math.sqrt(self._max_kl / kl) if too_far else 0.5
        return None


def _moved(old: Gaussian, slope: NDArray[np.float64], bend: NDArray[np.float64]) -> Gaussian:
    """Return the Gaussian a step away; its covariance moves along the matrix exponential."""
    values, vectors = np.linalg.eigh(bend)
    root = old.factor @ (vectors * np.exp(np.clip(values, -20.0, 20.0) / 2.0))
    return Gaussian.floored(old.mean + old.factor @ slope, root @ root.T)
