"""SPGL: the self-paced Gaussian step in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.space import TaskSpace
from teachers.gaussian import Gaussian
from teachers.self_paced import Batch, SelfPaced
from teachers.signal import Signal

Floats = NDArray[np.float64]

N_BISECTIONS = 40

LEAST_PRECISION = 1e-9


class Spgl(SelfPaced):
    """Self-paced Gaussian curriculum (Sahraei Ardakani and Song, 2026: a closed-form SPDL).

    As :class:`teachers.spdl.Spdl`, but the step is solved and not searched for. With the value
    of tasks modelled as a quadratic around the current Gaussian p_old, the Gaussian that
    maximises ``E_p[v] - alpha * KL(p || target) - eta * KL(p || p_old)`` has, in coordinates
    where p_old is standard normal and the target is ``N(m, T)``,

        precision ``P = (eta + alpha T^-1 - B) / (eta + alpha)`` and
        mean ``P^-1 (alpha T^-1 m + b) / (eta + alpha)``,

    with ``b = mean(v z)`` and ``B = mean(v (z z^T - 1))``. The least eta, found by bisection, is
    taken for which P is positive definite and ``KL(p || p_old) <= max_kl``.

    Deviations: the paper announces a closed-form update; the formulas above were derived for
    the same objective and may differ from its own in detail. Further see
    :class:`teachers.spdl.Spdl`.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "value_start" (the student must send it), "score" or "success".
        start: An easy task, ``{name: value}``: the mean of the first Gaussian.
        start_std: Its standard deviation, as a share of each range.
        target_std: Standard deviation of the target, whose mean is the middle of the space.
        update_every: Outcomes between two steps, at least 2.
        offset: Outcomes before the first step.
        alpha_offset: Steps in which the target has no pull.
        zeta: Pull of the target relative to performance, at least 0.
        max_kl: Largest divergence of a step, above 0.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "spgl"

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

    def _step(self, batch: Batch, alpha: float) -> Gaussian | None:
        old, target = self._gaussian, self._target
        ratio = np.linalg.solve(target.factor, old.factor)
        pull = -ratio.T @ target.whiten(old.mean[None])[0]
        slope, bend = batch.slope + alpha * pull, batch.bend - alpha * (ratio.T @ ratio)
        high = max(alpha, float(np.abs(slope).max()), float(np.abs(bend).max()))
        if not high > 0.0:
            return None
        low, limit = 0.0, 1e12 * high
        while (found := maximiser(slope, bend, alpha, high, self._max_kl)) is None:
            low, high = high, 2.0 * high
            if high > limit:
                return None
        for _ in range(N_BISECTIONS):
            middle = (low + high) / 2.0
            better = maximiser(slope, bend, alpha, middle, self._max_kl)
            low, high = (low, middle) if better is not None else (middle, high)
            found = found if better is None else better
        spread = old.factor @ found[1]
        return Gaussian.floored(old.mean + old.factor @ found[0], spread @ spread.T)


def maximiser(
    slope: Floats, bend: Floats, alpha: float, eta: float, max_kl: float
) -> tuple[Floats, Floats] | None:
    """Return the best Gaussian for one ``eta``, where p_old is standard normal.

    Args:
        slope: ``b + alpha T^-1 m``, shape ``(dim,)``.
        bend: ``B - alpha T^-1``, shape ``(dim, dim)``.
        alpha: Pull of the target.
        eta: Price of the divergence from p_old.
        max_kl: Largest divergence.

    Returns:
        Its mean, and a root of its covariance; ``None`` if its precision is not positive
        definite or the divergence too large.
    """
    total = alpha + eta
    if not total > 0.0:
        return None
    values, vectors = np.linalg.eigh((eta * np.eye(len(slope)) - bend) / total)
    if values[0] <= LEAST_PRECISION:
        return None
    mean = vectors @ ((vectors.T @ slope) / (total * values))
    kl = float((1.0 / values + np.log(values) - 1.0).sum() + mean @ mean) / 2.0
    return (mean, vectors / np.sqrt(values)) if kl <= max_kl else None
