"""Signals about an episode computed from a value function; no learning library needed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import State
from teachenv.space import Task

SIGNALS = frozenset(
    {"positive_value_loss", "value_l1", "max_monte_carlo", "value_mean", "value_start"}
)
"""Names of what :meth:`EpisodeSignals.finish` returns."""

MAX_LEVELS = 4096
"""Levels whose best return is remembered; the ones not played for longest are forgotten."""

_KEY_BYTES = 16


def level_key(task: Task, level_seed: int | None) -> bytes:
    """Return a 16-byte name of a level: a digest of its task and level seed."""
    seed = b"" if level_seed is None else str(int(level_seed)).encode()
    digest = hashlib.blake2b(seed, digest_size=_KEY_BYTES)
    digest.update(np.ascontiguousarray(task, dtype="<f8").tobytes())
    return digest.digest()


@dataclass
class _Sums:
    steps: int
    positive_advantage: float
    absolute_advantage: float
    value: float
    value_start: float
    discounted_return: float


class EpisodeSignals:
    """Adds up an episode's pieces, whatever rollouts they came in, and names the result.

    Sums are kept, not means, so that an episode cut into pieces gives the same signals as one
    in a single piece. Everything is in raw reward units: a student that normalises rewards
    multiplies advantages and values by its reward scale first.

    Signals of an episode of ``T`` steps:

    * ``positive_value_loss``: ``sum_t max(A_t, 0) / T`` with ``A_t`` the generalised advantage
      (Jiang et al. 2021, "Replay-Guided Adversarial Environment Design", section 5.1).
    * ``value_l1``: ``sum_t |A_t| / T`` (Jiang et al. 2021, "Prioritized Level Replay", table 1).
    * ``max_monte_carlo``: best return ever seen on the level, this episode included, minus
      ``sum_t V(s_t) / T`` (same source). Deviation: the return is the discounted one, as ``V``
      estimates that. With dense rewards and long episodes the undiscounted return lies far
      above any ``V`` and would call mastered levels the most regretted.
    * ``value_mean``: ``sum_t V(s_t) / T``; ``value_start``: ``V(s_0)``.

    Values are those of the weights that played the episode, before the update.

    Args:
        gamma: Discount of the values.
        max_levels: How many levels' best returns are remembered (least recently played go).
    """

    def __init__(self, gamma: float, max_levels: int = MAX_LEVELS) -> None:
        self._gamma = gamma
        self._max_levels = max_levels
        self._best: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[int, _Sums] = {}

    def add(
        self,
        trial_id: int,
        advantages: NDArray[Any],
        values: NDArray[Any],
        rewards: NDArray[Any],
    ) -> None:
        """Add the next piece of a trial's episode.

        Args:
            trial_id: The trial.
            advantages: Generalised advantages, not standardised, shape ``(n,)``.
            values: State values, shape ``(n,)``.
            rewards: Rewards, shape ``(n,)``.

        Raises:
            ValueError: if the shapes differ or are not one-dimensional.
        """
        gae, value, reward = (
            np.asarray(piece, dtype=np.float64) for piece in (advantages, values, rewards)
        )
        if gae.ndim != 1 or not gae.shape == value.shape == reward.shape:
            raise ValueError(
                "EpisodeSignals.add: expected three arrays of one shape (n,), "
                f"got {gae.shape}, {value.shape} and {reward.shape}"
            )
        if not gae.size:
            return
        sums = self._running.get(trial_id)
        if sums is None:
            sums = self._running[trial_id] = _Sums(0, 0.0, 0.0, 0.0, float(value[0]), 0.0)
        discounts = self._gamma ** np.arange(sums.steps, sums.steps + gae.size)
        sums.discounted_return += float(discounts @ reward)
        sums.steps += gae.size
        sums.positive_advantage += float(np.maximum(gae, 0.0).sum())
        sums.absolute_advantage += float(np.abs(gae).sum())
        sums.value += float(value.sum())

    def finish(self, trial_id: int, level: bytes) -> dict[str, float]:
        """Return the signals of an episode that has ended, and forget its pieces.

        Args:
            trial_id: The trial.
            level: Name of its level, from :func:`level_key`.

        Raises:
            KeyError: if no piece of the trial was added.
        """
        if trial_id not in self._running:
            raise KeyError(f"EpisodeSignals.finish: no steps of trial {trial_id} were added")
        sums = self._running.pop(trial_id)
        best = max(self._best.pop(level, -np.inf), sums.discounted_return)
        self._best[level] = best
        if len(self._best) > self._max_levels:
            self._best.popitem(last=False)
        mean = sums.value / sums.steps
        return {
            "positive_value_loss": sums.positive_advantage / sums.steps,
            "value_l1": sums.absolute_advantage / sums.steps,
            "max_monte_carlo": best - mean,
            "value_mean": mean,
            "value_start": sums.value_start,
        }

    def drop(self, trial_id: int) -> None:
        """Forget the pieces of a trial that will not be finished."""
        self._running.pop(trial_id, None)

    def clear(self) -> None:
        """Forget the pieces of all unfinished trials; best returns stay."""
        self._running.clear()

    def state_dict(self) -> State:
        """Return the best returns and the pieces of unfinished trials.

        Returns:
            ``levels``: uint8 of shape ``(n, 16)``; ``best``: float64 of shape ``(n,)``; least
            recently played first. ``running``: ids, int64 ``(m,)``; ``sums``: float64 ``(m, 6)``.
        """
        keys = np.frombuffer(b"".join(self._best), dtype=np.uint8)
        return {
            "levels": keys.reshape(-1, _KEY_BYTES).copy(),
            "best": np.array(list(self._best.values()), dtype=np.float64),
            "running": np.array(list(self._running), dtype=np.int64),
            "sums": np.array(
                [astuple(sums) for sums in self._running.values()], dtype=np.float64
            ).reshape(-1, 6),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        levels = np.asarray(state["levels"], dtype=np.uint8)
        best = np.asarray(state["best"], dtype=np.float64).tolist()
        self._best = OrderedDict(
            (row.tobytes(), value) for row, value in zip(levels, best, strict=True)
        )
        self._running = {
            int(trial_id): _Sums(int(row[0]), *row[1:])
            for trial_id, row in zip(
                state.get("running", ()), np.asarray(state.get("sums", ())).tolist(), strict=True
            )
        }
