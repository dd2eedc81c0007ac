"""Actions of the data-generation environments: how each becomes a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.errors import at_least
from teachenv.lesson import Cells, DataPlan, PlanItem, Reading, Syllabus
from teachenv.trees import MOVES, Move

__all__ = ["ACTION_MODES", "DECODERS", "Decoder", "decoder", "rounded", "signal_maps"]

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
        args: What it was made with besides the syllabus.
    """

    space: spaces.Space[Any]
    args: Mapping[str, int]

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        """Return the plan an action asks for.

        Args:
            action: An element of ``space``; boxes are clipped.
            reading: What the agent has seen.
            n: Samples of the lesson at most.
            rng: Randomness of the counts.
        """


class _Plain:
    """A mode that nothing can be chosen of."""

    args: ClassVar[Mapping[str, int]] = {}


class Alloc(_Plain):
    """One number per cell: softmax, a floor, and counts drawn from it."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space = spaces.Box(-1.0, 1.0, (syllabus.n_cells,), np.float32)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        logits = TEMPERATURE * np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        return DataPlan.of_counts(_drawn(logits, n, rng).reshape(self._shape))


class Cell(_Plain):
    """One cell gets the whole lesson; cells are numbered skill by skill."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space: spaces.Space[Any] = spaces.Discrete(syllabus.n_cells)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        counts = np.zeros(self._shape, dtype=np.int64)
        counts.reshape(-1)[int(action)] = n
        return DataPlan.of_counts(counts)


class Point(_Plain):
    """A point of the task space (skill, level), scaled to [-1, 1], gets the whole lesson."""

    def __init__(self, syllabus: Syllabus) -> None:
        self._tasks = syllabus.task_space
        self.space = spaces.Box(-1.0, 1.0, (self._tasks.dim,), np.float32)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        unit = (np.asarray(action, dtype=np.float64) + 1.0) / 2.0
        skill, level = self._tasks.from_unit(unit).astype(np.int64)
        counts = np.zeros(self._shape, dtype=np.int64)
        counts[skill, level] = n
        return DataPlan.of_counts(counts)


class Shares(_Plain):
    """A whole number per cell: so many times an even share, scaled down to the lesson."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space = spaces.MultiDiscrete([SHARES] * syllabus.n_cells)
        self._shape = syllabus.shape

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        wanted = np.asarray(action, dtype=np.float64) * n / len(action)
        return DataPlan.of_counts(rounded(wanted, n).reshape(self._shape))


class Mix(_Plain):
    """A weight per signal map; the same few numbers whatever the number of cells.

    The maps are those of :func:`signal_maps`.
    """

    def __init__(self, syllabus: Syllabus) -> None:
        n_maps = 4 if syllabus.prerequisites is None else 5
        self.space = spaces.Box(-1.0, 1.0, (n_maps,), np.float32)
        self._syllabus = syllabus

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        weights = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        maps = signal_maps(reading, self._syllabus.prerequisites)
        logits = SHARPNESS * np.tensordot(weights, maps, axes=1)
        counts = _drawn(logits.reshape(-1), n, rng)
        return DataPlan.of_counts(counts.reshape(self._syllabus.shape))


class Moves(_Plain):
    """One of the named moves per skill tree."""

    def __init__(self, syllabus: Syllabus) -> None:
        self.space = spaces.MultiDiscrete([len(MOVES)] * len(syllabus.skills))

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        return DataPlan((), moves=tuple(MOVES[int(move)] for move in action))


class Changes:
    """Per skill tree: add a subskill where the first entry is above 0; else the others change.

    Args:
        syllabus: What there is to teach.
        n_slots: Subskills of a tree at most.
        block: Samples by which an entry of 1 changes the allocation of a subskill.
    """

    def __init__(self, syllabus: Syllabus, *, n_slots: int, block: int) -> None:
        at_least(1, "n_slots", n_slots)
        at_least(1, "block", block)
        self.args = {"n_slots": n_slots, "block": block}
        self._shape = len(syllabus.skills), 1 + n_slots
        self._block, self._limit = block, syllabus.n_samples
        self.space = spaces.Box(-1.0, 1.0, (self._shape[0] * self._shape[1],), np.float32)

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        entries = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0).reshape(self._shape)
        change = np.clip(np.round(entries[:, 1:] * self._block), -self._limit, self._limit)
        moves: list[Move] = [tuple(row) for row in change.astype(np.int64).tolist()]
        for skill in np.flatnonzero(entries[:, 0] > 0.0).tolist():
            moves[skill] = "explore 1"
        return DataPlan((), moves=tuple(moves))


class Orders:
    """Per slot a skill, a level and an amount: so many equal parts of a slot's share.

    Args:
        syllabus: What there is to teach.
        n_slots: Orders in an action; they share the lesson.
        n_amounts: Amounts of an order, none among them; at least 2.
    """

    def __init__(self, syllabus: Syllabus, *, n_slots: int, n_amounts: int) -> None:
        at_least(1, "n_slots", n_slots)
        at_least(2, "n_amounts", n_amounts)
        self.args = {"n_slots": n_slots, "n_amounts": n_amounts}
        self.space = spaces.MultiDiscrete([*syllabus.shape, n_amounts] * n_slots)

    def __call__(self, action: Any, reading: Reading, n: int, rng: np.random.Generator) -> DataPlan:
        whole, left, items = n / self.args["n_slots"], n, []
        for skill, level, amount in np.asarray(action).reshape(-1, 3).tolist():
            count = round(whole * amount / (self.args["n_amounts"] - 1))
            count = min(max(count, int(amount > 0)), left)
            items.append(PlanItem(skill, level, count))
            left -= count
        return DataPlan(tuple(item for item in items if item.count))


ACTION_MODES: dict[str, type] = {
    "alloc": Alloc,
    "cell": Cell,
    "point": Point,
    "counts": Shares,
    "mix": Mix,
}
"""Action mode of the skill lists -> its decoder."""

DECODERS: dict[str, type] = {**ACTION_MODES, "simple": Moves, "full": Changes, "orders": Orders}
"""Action mode -> its decoder; those of the skill trees and of Open-Ended ("orders") as well."""


def decoder(mode: str, syllabus: Syllabus, **args: int) -> Decoder:
    """Return the decoder of an action mode.

    Args:
        mode: One of :data:`DECODERS`.
        syllabus: What there is to teach.
        args: See the decoder.
    """
    made: Decoder = DECODERS[mode](syllabus, **args)
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
