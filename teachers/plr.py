"""Prioritized level replay: levels with high learning potential are played again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.arms import draw
from teachers.base import BaseTeacher, Pick, UnitPoint
from teachers.levels import Level, LevelBuffer
from teachers.values import number_problems, refuse, whole_problems


class Plr(BaseTeacher):
    """Prioritized level replay (Jiang, Grefenstette and Rocktaeschel, ICML 2021, algorithm 1).

    A level is a task with a level seed. Every trial is either a new random level, or, with
    probability ``min(share of the buffer that is filled, replay_rate)`` once that share is at
    least ``min_filled``, a level of the buffer, by the ranks of the scores and the time since
    it was last played (:class:`teachers.levels.LevelBuffer`). The score is a signal of the
    student, and the latest one counts. A new level enters when its outcome arrives.

    Deviations: replay is decided for each trial, not for a batch of environments; the date of
    a level is the trial that last played it, whether or not an outcome came back, so that lost
    trials change nothing.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        score: Signal that scores levels: "positive_value_loss", "value_l1" or
            "max_monte_carlo" of the students that have a value function.
        capacity: Levels held, at least 1.
        replay_rate: Largest probability of a replay, in [0, 1].
        min_filled: Share of the buffer that must be filled before the first replay, in [0, 1].
        temperature: Of the ranks, in [0.001, 1000].
        staleness: Weight of the time since a level was last played, in [0, 1].

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "plr"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "bipedal": {
            "score": "positive_value_loss",
            "capacity": 1000,
            "replay_rate": 0.5,
            "min_filled": 0.5,
            "temperature": 0.1,
            "staleness": 0.5,
        },
        "procgen": {"score": "value_l1", "temperature": 0.1, "staleness": 0.1},
    }

    train_new: ClassVar[bool] = True
    """Whether the student learns from new levels."""

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        score: str = "positive_value_loss",
        capacity: int = 1000,
        replay_rate: float = 0.5,
        min_filled: float = 0.5,
        temperature: float = 0.1,
        staleness: float = 0.5,
    ) -> None:
        super().__init__(space, seed=seed)
        named = isinstance(score, str) and bool(score)
        refuse(
            self.id,
            [
                *([] if named else [f"score: expected the name of a signal, got {score!r:.80}"]),
                *whole_problems(1, capacity=capacity),
                *number_problems(
                    0.0, 1.0, replay_rate=replay_rate, min_filled=min_filled, staleness=staleness
                ),
                *number_problems(0.001, 1000.0, temperature=temperature),
            ],
        )
        self.needs = frozenset({score})
        self.levels = LevelBuffer(space.dim, capacity, temperature, staleness)
        self._score, self._replay_rate, self._min_filled = score, replay_rate, min_filled
        self._n_replays = 0

    def _sample(self) -> Pick:
        filled = len(self.levels) / self.levels.capacity
        ready = filled > 0.0 and filled >= self._min_filled
        if ready and self._rng.random() < min(filled, self._replay_rate):
            return self._replay()
        return self._new()

    def _replay(self) -> Pick:
        slot = draw(self.levels.weights(self._now), self._rng)
        self.levels.sent(slot, self._now)
        self._n_replays += 1
        task, level_seed = self.levels.level(slot)
        reason = f"replay score {self.levels.scores[slot]:.3g}"
        return Pick(task, reason, level_seed, task=task, note=self._now)

    def _new(self) -> Pick:
        point, level_seed = self._new_point(), self._new_level_seed()
        return Pick(point, "new level", level_seed, self.train_new, note=self._now)

    def _new_point(self) -> UnitPoint:
        return self._rng.random(self.space.dim)

    @property
    def _now(self) -> int:
        return self._counts["asked"]

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        self.levels.put(
            level_of(pick), float(outcome.signals[self._score]), float(pick.note), self._now
        )

    def _describe(self) -> dict[str, Any]:
        levels = self.levels
        weights = {"weights": levels.weights(self._now)} if len(levels) else {}
        return {
            "levels": {
                "tasks": levels.tasks.copy(),
                "level_seeds": levels.seeds.copy(),
                "scores": levels.scores.copy(),
                "ages": self._now - levels.dates,
                **weights,
            },
            "n_replays": self._n_replays,
        }

    def _state(self) -> State:
        return {"levels": self.levels.state_dict(), "n_replays": self._n_replays}

    def _load_state(self, state: State) -> None:
        self.levels.load_state_dict(state["levels"])
        self._n_replays = int(state["n_replays"])


def level_of(pick: Pick) -> Level:
    """Return the level of a pick that came back."""
    assert pick.task is not None
    assert pick.level_seed is not None
    return Level(pick.task, pick.level_seed)
