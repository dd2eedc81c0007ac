"""Estimates of what a student can do in cells that are never probed."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from teachenv.lesson import Reading, Syllabus
from teachenv.protocols import State
from teachers.data.base import Cells

__all__ = ["ESTIMATES", "Average", "Estimate", "Tracing", "Unprobed", "make_estimate"]

Unprobed = Literal["tracing", "average", "recurrent"]
ESTIMATES: tuple[Unprobed, ...] = get_args(Unprobed)
"""How unprobed cells are filled: :class:`Tracing`, :class:`Average`,
:class:`teachers.networks.tracing.Recurrent`."""

MIN_LEFT = 0.01
"""Least share of a cell that counts as not learnt yet, so that logarithms stay finite."""


class Estimate(Protocol):
    """Follows one student after another."""

    @property
    def accuracy(self) -> Cells:
        """Expected accuracy of every cell now, in [0, 1]."""

    def begin(self) -> None:
        """Forget the student; what was learnt of students in general stays."""

    def observe(self, taught: NDArray[np.int64], reading: Reading) -> None:
        """Take the samples taught per cell since the last reading, and the reading after them.

        The first reading of a student comes with zeros.
        """

    def state_dict(self) -> State:
        """Return everything :attr:`accuracy` and its future depend on."""

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""


def make_estimate(kind: Unprobed, syllabus: Syllabus, rng: np.random.Generator) -> Estimate:
    """Make an estimate; "recurrent" needs torch.

    Raises:
        UserError: if it is not installed.
    """
    if kind == "average":
        return Average(syllabus)
    if kind == "tracing":
        return Tracing(syllabus)
    from teachers.networks import require_torch

    require_torch("unprobed='recurrent'")
    from teachers.networks.tracing import Recurrent

    return Recurrent(syllabus, rng)


class Average:
    """Probed cells: a running average of their accuracy. Others: the mean of their level.

    The mean is over the level's probed cells; over all probed cells where the level has none.

    Args:
        syllabus: The cells.
        rate: Weight of the newest reading, in (0, 1].
    """

    def __init__(self, syllabus: Syllabus, rate: float = 0.5) -> None:
        self._rate = rate
        self._started = False
        self.accuracy: Cells = np.full(syllabus.shape, 0.5)

    def begin(self) -> None:
        """Forget the student."""
        self._started = False
        self.accuracy = np.full_like(self.accuracy, 0.5)

    def observe(self, taught: NDArray[np.int64], reading: Reading) -> None:
        """Take a reading; what was taught plays no part."""
        probed = reading.visible > 0.0
        rate = self._rate if self._started else 1.0
        seen = self.accuracy + rate * (reading.accuracy - self.accuracy)
        self._started = True
        self.accuracy = np.where(probed, seen, level_means(seen, probed))

    def state_dict(self) -> State:
        """Return the averages."""
        return {"accuracy": self.accuracy, "started": self._started}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self.accuracy, self._started = state["accuracy"], bool(state["started"])


class Tracing:
    """Bayesian knowledge tracing (Corbett & Anderson, 1994), one chain per cell.

    A cell is learnt or not; a sample of it makes it learnt with a chance of ``1 - exp(-rate)``.
    Questions are answered right with ``1 - slip`` if it is learnt and with ``guess`` if not. A
    probe is taken as ``strength`` questions. Cells that are never probed start like the probed
    ones of their level (on average; like all probed ones where the level has none) and move by
    what they are taught alone.

    Deviation: ``rate`` is not fitted beforehand; it is the number of chains that became learnt in
    probed cells over the samples these were taught, over all students so far.

    Args:
        syllabus: The cells.
        slip: Chance of a wrong answer where it is learnt, in (0, 0.5).
        guess: Chance of a right answer where it is not, in (0, 0.5).
        strength: Questions that a probe of a cell counts as, positive.
    """

    def __init__(
        self,
        syllabus: Syllabus,
        slip: float = 0.05,
        guess: float = 0.05,
        strength: float = 5.0,
    ) -> None:
        self._slip, self._guess, self._strength = slip, guess, strength
        self._learnt: Cells = np.full(syllabus.shape, 0.5)
        self._started = False
        self._became, self._samples = 1.0, 10.0 * syllabus.n_samples / syllabus.n_cells

    @property
    def rate(self) -> float:
        """Chains learnt per sample, by what was seen of probed cells."""
        return self._became / self._samples

    @property
    def accuracy(self) -> Cells:
        """Expected accuracy of every cell."""
        expected: Cells = self._guess + (1.0 - self._slip - self._guess) * self._learnt
        return expected

    def begin(self) -> None:
        """Forget the student; ``rate`` stays."""
        self._learnt = np.full_like(self._learnt, 0.5)
        self._started = False

    def observe(self, taught: NDArray[np.int64], reading: Reading) -> None:
        """Move on by what was taught, then learn from the probe."""
        probed = reading.visible > 0.0
        before = self._learnt
        moved = 1.0 - (1.0 - before) * np.exp(-self.rate * taught)
        seen = self._posterior(moved, reading.accuracy)
        if self._started:
            self._learn_rate(before[probed], seen[probed], taught[probed])
            self._learnt = np.where(probed, seen, moved)
        else:
            self._learnt = np.where(probed, seen, level_means(seen, probed))
        self._started = True

    def _posterior(self, prior: Cells, accuracy: Cells) -> Cells:
        """Return the chance of being learnt after ``strength`` questions; Bayes' rule."""
        right = np.clip(accuracy, 0.0, 1.0) * self._strength
        wrong = self._strength - right
        odds = right * np.log((1.0 - self._slip) / self._guess)
        odds -= wrong * np.log((1.0 - self._guess) / self._slip)
        prior = np.clip(prior, MIN_LEFT, 1.0 - MIN_LEFT)
        posterior: Cells = 1.0 / (1.0 + np.exp(-odds) * (1.0 - prior) / prior)
        return posterior

    def _learn_rate(self, before: Cells, after: Cells, taught: NDArray[np.int64]) -> None:
        """Count what became learnt of what was not, and the samples that were given to it."""
        self._became += float(np.maximum(after - before, 0.0).sum())
        self._samples += float(((1.0 - before) * taught).sum())

    def state_dict(self) -> State:
        """Return the chains and the counts behind ``rate``."""
        return {
            "learnt": self._learnt,
            "started": self._started,
            "counts": [self._became, self._samples],
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self._learnt, self._started = state["learnt"], bool(state["started"])
        self._became, self._samples = (float(value) for value in state["counts"])


def level_means(values: Cells, probed: NDArray[np.bool_]) -> Cells:
    """Return, for every cell, the mean of the probed cells of its level.

    Where a level has none: of all probed cells; 0.5 if there are none at all.
    """
    n_probed = probed.sum(axis=0)
    overall = values[probed].mean() if probed.any() else 0.5
    sums = np.where(probed, values, 0.0).sum(axis=0)
    means = np.where(n_probed > 0, sums / np.maximum(n_probed, 1), overall)
    return np.broadcast_to(means, values.shape).astype(np.float64)
