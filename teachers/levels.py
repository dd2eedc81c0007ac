"""Levels worth replaying: a bounded buffer of tasks with level seeds, scored and dated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import Task


class Level(NamedTuple):
    """A task and the level seed that with it fixes an episode's level."""

    task: Task
    level_seed: int


class LevelBuffer:
    """Up to ``capacity`` levels with a score and the time each was last sent out.

    The probability of replaying level ``i`` is
    ``(1 - staleness) * P_S(i) + staleness * P_C(i)`` (Jiang et al., ICML 2021, "Prioritized
    Level Replay", equations 1 to 3). ``P_S`` is in proportion to
    ``(1 / rank_i) ** (1 / temperature)``, with rank 1 for the highest score, equal scores in
    the order of their slots; ``P_C`` is in proportion to the time since the level was last
    sent out, and even where no time has passed for any.

    Args:
        dim: Parameters of a task.
        capacity: Levels held. Memory is about ``capacity * (8 * dim + 200)`` bytes.
        temperature: Of the ranks, positive; small values stick to the best.
        staleness: Weight of the time, in [0, 1].
    """

    def __init__(self, dim: int, capacity: int, temperature: float, staleness: float) -> None:
        self.capacity = capacity
        self._staleness = staleness
        self._tasks = np.zeros((capacity, dim))
        self._seeds = np.zeros(capacity, dtype=np.int64)
        self._scores = np.zeros(capacity)
        self._dates = np.zeros(capacity)
        self._slots: dict[tuple[bytes, int], int] = {}
        # Logarithms, as small temperatures leave the doubles.
        by_rank = np.exp(-np.log(np.arange(1, capacity + 1)) / temperature)
        self._by_rank, self._totals = by_rank, np.cumsum(by_rank)
        self._ranked: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def tasks(self) -> NDArray[np.float64]:
        """Tasks, shape ``(n, dim)``, in the environment's units."""
        return self._tasks[: len(self)]

    @property
    def seeds(self) -> NDArray[np.int64]:
        """Level seeds, shape ``(n,)``."""
        return self._seeds[: len(self)]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Scores, shape ``(n,)``."""
        return self._scores[: len(self)]

    @property
    def dates(self) -> NDArray[np.float64]:
        """When each level was last sent out, shape ``(n,)``."""
        return self._dates[: len(self)]

    def level(self, slot: int) -> Level:
        """Return the level in a slot."""
        return Level(self._tasks[slot].copy(), int(self._seeds[slot]))

    def slot(self, level: Level) -> int | None:
        """Return where a level is, bit for bit; ``None`` if it is not here."""
        return self._slots.get(_key(level))

    def weights(self, now: float) -> NDArray[np.float64]:
        """Return the probability of replaying each level at a time, shape ``(n,)``."""
        n = len(self)
        if self._ranked is None:
            order = np.argsort(-self.scores, kind="stable")
            self._ranked = np.empty(n)
            self._ranked[order] = self._by_rank[:n] / self._totals[n - 1]
        ages = now - self.dates
        total = float(ages.sum())
        stale = ages / total if total > 0.0 else 1.0 / n
        return np.asarray((1.0 - self._staleness) * self._ranked + self._staleness * stale)

    def sent(self, slot: int, now: float) -> None:
        """Note that a level is sent out now."""
        self._dates[slot] = now

    def put(self, level: Level, score: float, date: float, now: float) -> int | None:
        """Score a level, and take it in if it is new.

        A full buffer gives up the level that is least likely to be replayed, unless its score is
        above the new level's.

        Args:
            level: The level.
            score: Its new score; an old one is replaced.
            date: When it was sent out; a later date stays.
            now: The time, at which replay probabilities are compared.

        Returns:
            Its slot; ``None`` if it was not taken in.
        """
        slot = self.slot(level)
        if slot is None:
            slot = len(self)
            if slot == self.capacity:
                slot = int(np.argmin(self.weights(now)))
                if self._scores[slot] > score:
                    return None
                del self._slots[_key(self.level(slot))]
            self._slots[_key(level)] = slot
            self._tasks[slot], self._seeds[slot] = level
            self._dates[slot] = date
        self._dates[slot] = max(date, self._dates[slot])
        self._scores[slot] = score
        self._ranked = None
        return slot

    def state_dict(self) -> State:
        """Return the levels in the order of their slots."""
        return {
            "tasks": self.tasks,
            "seeds": self.seeds,
            "scores": self.scores,
            "dates": self.dates,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            ValueError: if the levels do not fit the tasks or the capacity.
        """
        tasks, n = state["tasks"], len(state["tasks"])
        if tasks.ndim != 2 or tasks.shape[1] != self._tasks.shape[1] or n > self.capacity:
            raise ValueError(
                f"levels: expected tasks of shape (at most {self.capacity}, "
                f"{self._tasks.shape[1]}), got {tasks.shape}"
            )
        self._tasks[:n], self._seeds[:n] = tasks, state["seeds"]
        self._scores[:n], self._dates[:n] = state["scores"], state["dates"]
        self._slots = {_key(self.level(slot)): slot for slot in range(n)}
        self._ranked = None


def _key(level: Level) -> tuple[bytes, int]:
    return np.asarray(level.task).tobytes(), level.level_seed
