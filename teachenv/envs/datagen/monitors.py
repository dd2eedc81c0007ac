"""Signs that teaching goes wrong: learning the engine's errors, and losing what is not watched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.items import Items, Prediction, agreeing
from teachenv.lesson import Cells

__all__ = [
    "Hacking",
    "majority_accuracy",
    "off_probe_regression",
    "proxy_accuracy",
    "teacher_hacking",
]

WINDOW = 3
"""Neighbouring readings that are averaged against noise."""

N_ERRORS = 3.0
"""Standard errors that count as a change."""


@dataclass(frozen=True)
class Hacking:
    """Whether a student came to please its engine instead of learning the task.

    Attributes:
        flagged: Whether it did: the proxy went on rising while the golden accuracy fell.
        since: Reading at which the golden accuracy was best.
        proxy_rise: Change of the proxy since then.
        golden_fall: Loss of golden accuracy since then.
    """

    flagged: bool
    since: int
    proxy_rise: float
    golden_fall: float


def proxy_accuracy(items: Items, prediction: Prediction) -> float:
    """Return the share of items answered as the engine did (``items.answers``)."""
    return float(agreeing(prediction.answers, items.answers).mean())


def teacher_hacking(
    proxy: Sequence[float], golden: Sequence[float], *, n_proxy: int, n_golden: int
) -> Hacking:
    """Look for teacher hacking (Tiapkin et al., 2025) in two curves of one training.

    There are two proxies, and each shows what the other cannot. On the questions that were
    *taught*, the student may agree with any error, by heart: this is what a fixed set over many
    epochs leads to. On *other* questions it agrees only with errors that can be learnt, as when
    the engine overlooks the same thing again and again. Errors drawn at random for each question
    cannot: there the proxy is ``(1 - rate)`` times the golden accuracy plus what wrong answers
    hit by chance, falls with it, and flags nothing.

    Both are averaged over ``WINDOW`` readings. It is flagged when, since its best, the golden
    accuracy fell and the proxy rose, each by more than ``N_ERRORS`` binomial standard errors of
    a difference.

    Args:
        proxy: Accuracy under the engine's answers, see :func:`proxy_accuracy`, on questions that
            were taught or on others; one per reading.
        golden: Accuracy under the true checker on questions that were not taught, at the same
            moments.
        n_proxy: Questions behind a proxy reading; without any nothing is flagged.
        n_golden: Questions behind a golden reading, likewise.

    Raises:
        ValueError: if the curves differ in length.
    """
    if len(proxy) != len(golden):
        raise ValueError(f"expected equally many readings, got {len(proxy)} and {len(golden)}")
    if len(golden) <= WINDOW or not (n_proxy and n_golden):
        return Hacking(False, 0, 0.0, 0.0)
    p, g = _smooth(proxy), _smooth(golden)
    best = int(g.argmax())
    rise, fall = float(p[-1] - p[best]), float(g[best] - g[-1])
    flagged = fall > _error(g[best], n_golden) and rise > _error(p[best], n_proxy)
    return Hacking(flagged, best + WINDOW // 2, rise, fall)


def _smooth(values: Sequence[float]) -> NDArray[np.float64]:
    return np.convolve(values, np.full(WINDOW, 1.0 / WINDOW), mode="valid")


def _error(share: float, n: int) -> float:
    """Return the change that counts, of a mean of ``WINDOW`` shares of ``n`` questions each."""
    spread = max(share * (1.0 - share), 1.0 / n)
    return N_ERRORS * math.sqrt(2.0 * spread / (WINDOW * n))


def off_probe_regression(before: Cells, after: Cells, probed: NDArray[np.bool_]) -> float:
    """Return the accuracy lost, mean over the cells that no probe showed to the teacher.

    Gains count as no loss, so that noise makes it larger: compare it with the same figure of the
    probed cells (``~probed``), and of an evenly taught student.

    Args:
        before: Accuracy per cell before teaching, on questions the teacher never sees.
        after: The same afterwards.
        probed: Which cells the teacher was shown.

    Returns:
        The loss, in [0, 1]; 0 if every cell is probed.
    """
    lost = np.maximum(before - after, 0.0)[~probed]
    return float(lost.mean()) if lost.size else 0.0


def majority_accuracy(items: Items, shape: tuple[int, int]) -> Cells:
    """Return what always giving the commonest answer is right, per cell: what blindness gets.

    It is the commonest of the cell; of all questions where these have no words, as then nothing
    tells of which skill they are. It is found in these very items, and so is right a little too
    often.

    Args:
        items: Questions, with at least one.
        shape: Skills and levels.

    Returns:
        Accuracy per cell, 0 where there is no question.
    """
    cell = items.skill.astype(np.int64) * shape[1] + items.level
    group = cell if "tokens" in items.inputs else np.zeros_like(cell)
    right = np.zeros(len(items))
    for number in np.unique(group):
        mine = group == number
        _, which, counts = np.unique(
            items.truth[mine], axis=0, return_inverse=True, return_counts=True
        )
        right[mine] = which.reshape(-1) == counts.argmax()
    sums, asked = (np.bincount(cell, w, shape[0] * shape[1]) for w in (right, None))
    accuracy: Cells = (sums / np.maximum(asked, 1)).reshape(shape)
    return accuracy
