"""Sampling for learnability: levels that are sometimes solved and sometimes not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Pick
from teachers.signal import IN_UNIT, Signal, signal_of, signal_problems
from teachers.values import number_problems, refuse, whole_problems


class Sfl(BaseTeacher):
    """Sampling for learnability (Rutherford et al., NeurIPS 2024, algorithms 1 and 2).

    At first and after every ``period`` trials to train on, ``n_levels`` random levels are
    played ``n_attempts`` times each without training (``train=False``), and the ``keep`` levels
    with the largest learnability ``p (1 - p)`` are kept, ``p`` being the share of attempts that
    succeeded. Trials to train on are one of these, all equally likely, with probability
    ``replay_rate``, and otherwise new random levels.

    Deviations: every level has the same number of attempts, where the paper plays a fixed
    number of steps; the defaults are small, as attempts cost steps here (a third of the trials
    by default; the paper scores 5000 or 25000 levels and does not count them). Attempts that
    are lost are left out; while some are still being played, the levels are ranked by those
    that ended. ``p`` can be the mean score instead of the success rate.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        n_levels: Random levels scored at a time, at least 1.
        n_attempts: Trials of each, at least 1.
        keep: Levels kept, from 1 to ``n_levels``.
        period: Trials to train on between two scorings, at least 1.
        replay_rate: Share of them that are kept levels, in [0, 1].
        signal: What ``p`` is the mean of: "success" or "score".

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "sfl"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "jaxnav": {"n_levels": 5000, "keep": 100, "replay_rate": 0.5},
        "minigrid": {"n_levels": 25000, "keep": 1000, "replay_rate": 0.5},
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        n_levels: int = 100,
        n_attempts: int = 5,
        keep: int = 20,
        period: int = 1000,
        replay_rate: float = 0.5,
        signal: Signal = "success",
    ) -> None:
        super().__init__(space, seed=seed)
        counts = {"n_levels": n_levels, "n_attempts": n_attempts, "keep": keep, "period": period}
        problems = whole_problems(1, **counts)
        if not problems and keep > n_levels:
            problems.append(f"keep: expected at most n_levels={n_levels}, got {keep}")
        problems += number_problems(0.0, 1.0, replay_rate=replay_rate)
        refuse(self.id, [*problems, *signal_problems(signal, IN_UNIT)])
        self._n_attempts, self._keep, self._period = n_attempts, keep, period
        self._replay_rate, self._signal = replay_rate, signal
        # The levels being scored: tasks (once issued), level seeds, attempts that ended and
        # the sum of their results.
        self._tasks = np.zeros((n_levels, space.dim))
        self._seeds = np.zeros(n_levels, dtype=np.int64)
        self._ended = np.zeros(n_levels, dtype=np.int64)
        self._sums = np.zeros(n_levels)
        self._n_issued = 0
        self._n_trained = 0
        self._n_scorings = 1
        # The levels kept, best first, and their learnability.
        self._kept_tasks = np.zeros((0, space.dim))
        self._kept_seeds = np.zeros(0, dtype=np.int64)
        self._kept_scores = np.zeros(0)

    def _sample(self) -> Pick:
        if self._scored and self._n_trained == self._period:
            self._n_issued = self._n_trained = 0
            self._n_scorings += 1
            self._ended[:], self._sums[:] = 0, 0.0
        if not self._scored:
            return self._attempt()
        self._n_trained += 1
        n = len(self._kept_tasks)
        if n and self._rng.random() < self._replay_rate:
            i = int(self._rng.integers(n))
            task, reason = self._kept_tasks[i].copy(), f"learnability {self._kept_scores[i]:.3g}"
            return Pick(task, reason, int(self._kept_seeds[i]), task=task)
        return Pick(self._rng.random(self.space.dim), "random level", self._new_level_seed())

    @property
    def _scored(self) -> bool:
        """Whether all attempts have been issued."""
        return self._n_issued == len(self._tasks) * self._n_attempts

    def _attempt(self) -> Pick:
        i = self._n_issued % len(self._tasks)
        if self._n_issued < len(self._tasks):
            self._tasks[i] = self.space.sample(self._rng)
            self._seeds[i] = self._new_level_seed()
        self._n_issued += 1
        if self._scored:
            self._rank()
        task, note = self._tasks[i].copy(), [self._n_scorings, i]
        return Pick(task, "scoring", int(self._seeds[i]), False, task, note)

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        if pick.train or pick.note[0] != self._n_scorings:
            return
        i = pick.note[1]
        self._ended[i] += 1
        self._sums[i] += signal_of(outcome, self._signal)
        if self._scored:
            self._rank()

    def _rank(self) -> None:
        ended = np.flatnonzero(self._ended)
        if not len(ended):
            return
        p = self._sums[ended] / self._ended[ended]
        scores = p * (1.0 - p)
        best = np.argsort(-scores, kind="stable")[: self._keep]
        self._kept_tasks = self._tasks[ended[best]]
        self._kept_seeds = self._seeds[ended[best]]
        self._kept_scores = scores[best]

    def _describe(self) -> dict[str, Any]:
        tasks = self._kept_tasks
        return {
            "levels": {
                "tasks": tasks.copy(),
                "level_seeds": self._kept_seeds.copy(),
                "scores": self._kept_scores.copy(),
            },
            "n_scorings": self._n_scorings,
        }

    def _state(self) -> State:
        return {
            "tasks": self._tasks,
            "seeds": self._seeds,
            "ended": self._ended,
            "sums": self._sums,
            "kept_tasks": self._kept_tasks,
            "kept_seeds": self._kept_seeds,
            "kept_scores": self._kept_scores,
            "n_issued": self._n_issued,
            "n_trained": self._n_trained,
            "n_scorings": self._n_scorings,
        }

    def _load_state(self, state: State) -> None:
        if state["tasks"].shape != self._tasks.shape:
            raise ValueError(
                f"load_state_dict: expected levels of shape {self._tasks.shape}, got "
                f"{state['tasks'].shape}; build the teacher with the same n_levels"
            )
        arrays = ("tasks", "seeds", "ended", "sums", "kept_tasks", "kept_seeds", "kept_scores")
        counts = ("n_issued", "n_trained", "n_scorings")
        loaded = {name: state[name] for name in arrays} | {n: int(state[n]) for n in counts}
        for name, value in loaded.items():
            setattr(self, f"_{name}", value)
