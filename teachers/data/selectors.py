"""Which items of a pool a weak teacher shall label: one rule a class."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from teachenv.lesson import PoolView, Selection
from teachenv.seeding import derive

__all__ = ["Selector"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]


class Selector(ABC):
    """Chooses items to label.

    Args:
        seed: Whole number in [0, 2**63].
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._rng = derive(seed, "data teacher")

    @abstractmethod
    def select(self, view: PoolView, n: int) -> Selection:
        """Return ``n`` items that are not taken yet, or all that are left if these are fewer."""

    def _best(self, view: PoolView, scores: Floats, n: int) -> Index:
        """Return the free items with the highest scores; equals in random order."""
        free = np.flatnonzero(~view.taken)
        order = np.lexsort((self._rng.random(len(free)), -scores[free]))
        return free[order[:n]]


class RandomSelector(Selector):
    """Items at random."""

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        return Selection(self._best(view, np.zeros(len(view.taken)), n))


class RandomDistillation(RandomSelector):
    """Random items, and half of the loss against the mentor's probabilities.

    ``(1 - alpha) CE + alpha KL`` with ``alpha = 0.5`` and temperature 1: the baseline that
    cleverer selection has to beat (Ben-Baruch et al., 2024: distilling the knowledge in data
    pruning).
    """

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        return Selection(super().select(view, n).index, soft=0.5)


class Confident(Selector):
    """Where the mentor is most confident."""

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        return Selection(self._best(view, view.mentor.max(axis=1), n))


class Uncertain(Selector):
    """Where the student is least confident."""

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        return Selection(self._best(view, 1.0 - view.student.max(axis=1), n))


class Margin(Selector):
    """Where the student's two likeliest answers are closest."""

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        return Selection(self._best(view, margin_gain(view.student), n))


class Llkd(Selector):
    """Both signals at once (Learning with Less, LLKD, 2024).

    Kept are items whose mentor is surer than the mean of its class, and whose student is less
    sure than that: ``c(x) > mean c`` and ``u(x) > mean u`` over the free items to which the
    mentor gives the same label, ``c`` its confidence and ``u`` 1 less the student's. ``n`` of them
    are drawn; where there are fewer, the rest by ``c u``. Losses are weighted by ``c u``, with a
    mean of 1. The paper, too, sets thresholds per class and anew at every stage; that they are
    means is ours.
    """

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        sure, unsure = view.mentor.max(axis=1), 1.0 - view.student.max(axis=1)
        label, kept = view.mentor.argmax(axis=1), np.zeros(len(sure), dtype=np.bool_)
        for each in np.unique(label[~view.taken]):
            same = (label == each) & ~view.taken
            kept |= same & (sure > sure[same].mean()) & (unsure > unsure[same].mean())
        both = sure * unsure
        scores = np.where(kept, 1.0 + both.max(), both)
        index = self._best(view, scores, n)
        weights = both[index] + 1e-12
        return Selection(index, weights / weights.mean())


class Rad(Selector):
    """Robust active distillation (Baykal et al., ICLR 2023).

    Of a pool the mentor may have ``m = error_rate`` of its answers wrong, where it hurts most.
    With gains ``g = 1 - margin``, sorted, ``H_k`` the sum of the ``1 / g`` of the ``k`` largest
    and ``k`` maximising ``(k - 2 m) / H_k``, these ``k`` are drawn with ``q ~ 1 / g``: no item is
    worth more to an adversary than another. Defends against errors placed like that, not against
    uniform ones.

    Args:
        seed: Whole number in [0, 2**63].
        error_rate: Share of wrong answers to defend against, in [0, 0.5).
    """

    def __init__(self, *, seed: int = 0, error_rate: float = 0.25) -> None:
        super().__init__(seed=seed)
        if not 0.0 <= error_rate < 0.5:
            raise ValueError(f"error_rate: expected a share in [0, 0.5), got {error_rate!r}")
        self._error_rate = error_rate

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        free = np.flatnonzero(~view.taken)
        q = robust_distribution(margin_gain(view.student)[free], self._error_rate * len(view.taken))
        size = min(n, len(free))
        if np.count_nonzero(q) < size:
            q = q + 1e-9
        return Selection(self._rng.choice(free, size, replace=False, p=q / q.sum()))


class ProbabilityCoreSet(Selector):
    """Items that cover the space of the student's probabilities (PCoreSet, 2025).

    Greedy k-centre: next the item farthest, by its probability vector, from all that are taken.
    """

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        points, free = view.student, ~view.taken
        chosen: list[int] = []
        if free.all():
            chosen.append(int(self._rng.integers(len(points))))
        centres = points[chosen] if chosen else points[view.taken]
        gaps = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).min(axis=1)
        gaps[view.taken] = -1.0
        gaps[chosen] = -1.0  # and stays so
        while len(chosen) < min(n, int(free.sum())):
            chosen.append(int(gaps.argmax()))
            gaps = np.minimum(gaps, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
            gaps[chosen[-1]] = -1.0
        return Selection(np.array(chosen, dtype=np.int64))


class CurriculumLabelling(Selector):
    """The most confident first, class by class (Cascante-Bonilla et al., AAAI 2021).

    Confidence is the mentor's. The paper takes the most confident percentile of all items, which
    starves classes; here every class that the mentor answers has the same number of items.
    """

    def select(self, view: PoolView, n: int) -> Selection:
        """See :meth:`Selector.select`."""
        sure, label = view.mentor.max(axis=1), view.mentor.argmax(axis=1)
        order = self._best(view, sure, len(sure))
        place = np.zeros(len(sure))
        for each in np.unique(label):
            same = order[label[order] == each]
            place[same] = np.arange(len(same))
        return Selection(self._best(view, -place, n))


def margin_gain(probabilities: Floats) -> Floats:
    """Return 1 less the difference of the two largest probabilities, shape ``(n,)``."""
    two = np.sort(probabilities, axis=1)[:, -2:]
    gain: Floats = 1.0 - (two[:, 1] - two[:, 0])
    return gain


def robust_distribution(gains: Floats, n_wrong: float) -> Floats:
    """Return the distribution over items that is best against ``n_wrong`` wrong answers.

    It maximises the least of ``sum q g (1 - 2 wrong)`` over where the wrong answers are, among
    those that equalise ``q g`` on the ``k`` largest gains: see :class:`Rad`.
    """
    order = np.argsort(-gains, kind="stable")
    inverse = 1.0 / np.maximum(gains[order], 1e-9)
    k = np.arange(1, len(gains) + 1)
    best = int(np.argmax((k - 2.0 * n_wrong) / np.cumsum(inverse))) + 1
    q = np.zeros(len(gains))
    q[order[:best]] = inverse[:best] / inverse[:best].sum()
    return q
