"""Actions of the skill-list environments: how each becomes samples per cell."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.lesson import Cells, Reading, Syllabus

__all__ = ["ACTION_MODES", "Decoder", "decoder", "rounded", "signal_maps"]

Counts = NDArray[np.int64]

TEMPERATURE = 2.0
"""Factor of the entries of "alloc" before the softmax."""
SHARPNESS = 4.0
"""Factor of the weighted maps of "mix" before the softmax."""
FLOOR = 0.05
"""Share of a lesson that "alloc" and "mix" spread evenly."""
SHARES = 5
"""Values of an entry of "counts"."""


class Decoder(Protocol):
    """An action mode.

    Attributes:
        space: Its action space.
    """

    space: spaces.Space[Any]

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> Counts:
        """Return the samples per cell, int64 of the syllabus' shape.

        Args:
            action: An element of ``space``; boxes are clipped.
            reading: What the agent has seen.
            n: Samples of the lesson at most.
            rng: Randomness of the counts.
        """


class Alloc:
    """One number per cell: softmax, a floor, and counts drawn from it."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space = spaces.Box(-1.0, 1.0, (syllabus.n_cells,), np.float32)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> Counts:
        logits = TEMPERATURE * np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        return _drawn(logits, n, rng).reshape(self._shape)


class Cell:
    """One cell gets the whole lesson; cells are numbered skill by skill."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space: spaces.Space[Any] = spaces.Discrete(syllabus.n_cells)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> Counts:
        counts = np.zeros(self._shape, dtype=np.int64)
        counts.reshape(-1)[int(action)] = n
        return counts


class Point:
    """A point of the task space (skill, level), scaled to [-1, 1], gets the whole lesson."""

    def __init__(self, syllabus: Syllabus) -> None:
        self._tasks = syllabus.task_space
        self.space = spaces.Box(-1.0, 1.0, (self._tasks.dim,), np.float32)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> Counts:
        unit = (np.asarray(action, dtype=np.float64) + 1.0) / 2.0
        skill, level = self._tasks.from_unit(unit).astype(np.int64)
        counts = np.zeros(self._shape, dtype=np.int64)
        counts[skill, level] = n
        return counts


class Shares:
    """A whole number per cell: so many times an even share, scaled down to the lesson."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space = spaces.MultiDiscrete([SHARES] * syllabus.n_cells)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> Counts:
        wanted = np.asarray(action, dtype=np.float64) * n / len(action)
        return rounded(wanted, n).reshape(self._shape)


class Mix:
    """A weight per signal map; the same few numbers whatever the number of cells.

    The maps are those of :func:`signal_maps`.
    """

    def __init__(self, syllabus: Syllabus) -> None:
        n_maps = 4 if syllabus.prerequisites is None else 5
        self.space = spaces.Box(-1.0, 1.0, (n_maps,), np.float32)
        self._syllabus = syllabus

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> Counts:
        weights = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        maps = signal_maps(reading, self._syllabus.prerequisites)
        logits = SHARPNESS * np.tensordot(weights, maps, axes=1)
        return _drawn(logits.reshape(-1), n, rng).reshape(self._syllabus.shape)


ACTION_MODES: dict[str, type] = {
    "alloc": Alloc,
    "cell": Cell,
    "point": Point,
    "counts": Shares,
    "mix": Mix,
}
"""Action mode -> its decoder."""


def decoder(mode: str, syllabus: Syllabus) -> Decoder:
    """Return the decoder of an action mode, one of :data:`ACTION_MODES`."""
    made: Decoder = ACTION_MODES[mode](syllabus)
    return made


def signal_maps(reading: Reading, prerequisites: NDArray[np.bool_] | None) -> Cells:
    """Return the signals of "mix", each in [0, 1], float64 ``(4 or 5, n_skills, n_levels)``.

    Weakness ``1 - p``; absolute progress, its largest value scaled to 1; ``4 p (1 - p)``, the
    zone of proximal development; scarcity of data, likewise scaled; and, if prerequisites are
    known, the least accuracy among a cell's prerequisites (1 without any).
    """
    p, progress = reading.accuracy, np.abs(reading.delta)
    share = reading.data_share
    maps = [
        1.0 - p,
        progress / max(float(progress.max()), 1e-9),
        4.0 * p * (1.0 - p),
        1.0 - share / max(float(share.max()), 1e-9),
    ]
    if prerequisites is not None:
        least = np.where(prerequisites, p.reshape(-1), 1.0).min(axis=1)
        maps.append(least.reshape(p.shape))
    return np.stack(maps)


def rounded(wanted: NDArray[np.float64], n: int) -> Counts:
    """Return whole numbers near ``wanted`` (at least 0), scaled down to a sum of at most ``n``.

    Largest remainders are rounded up first; equal ones by position.
    """
    total = float(wanted.sum())
    if total > n:
        wanted, total = wanted * (n / total), float(n)
    counts = np.floor(wanted + 1e-9).astype(np.int64)
    left = min(n, round(total)) - int(counts.sum())
    order = np.argsort(counts - wanted, axis=None, kind="stable")
    counts.reshape(-1)[order[:left]] += 1
    return counts


def _drawn(logits: NDArray[np.float64], n: int, rng: np.random.Generator) -> Counts:
    weights = np.exp(logits - logits.max())
    shares = (1.0 - FLOOR) * weights / weights.sum() + FLOOR / len(weights)
    return rng.multinomial(n, shares)
