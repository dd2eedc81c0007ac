"""Helping a student with some of its questions only: which ones?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.env import Level, TaskEnv
from teachenv.envs.datagen.intervention_student import MARKS, HintedDigits
from teachenv.errors import at_least
from teachenv.seeding import derive
from teachenv.space import Dim, TaskSpace

__all__ = ["InterventionBudget"]

Observation = dict[str, NDArray[np.float32]]
Action = np.int64 | int | NDArray[np.float32]

N_LATER = 300
"""Questions without help after the lesson on what was explained."""


class InterventionBudget(TaskEnv[Observation, Action]):
    """Help with a share of the questions (Saha, Hase and Bansal, NeurIPS 2023).

    A linear student that knows digits and the marks that hint at them answers noisy pictures,
    once without help and, where the teacher helps, again with the mark of the picture's pair of
    digits beside it. It has learnt some marks with a wrong meaning (``misread``), so that help
    may also turn a right answer wrong. After the last question it learns from those it was
    helped with and answers fresh ones without help.

    Task: ``budget``, the share of the questions it may be helped with, in [0.05, 0.5], and
    ``misread``, the number of marks with a wrong meaning, 0 to 4 of 5. The level seed fixes the
    student and the questions.

    Observation (float32): ``items``, of shape ``(batch_size * 16,)``, item after item: the
    student's ten probabilities before help, the level of noise in [0, 1], and which of the five
    marks would help, one-hot; ``budget``, share of the help left; ``left``, share of the
    questions left; ``help``, help left per question left, at most 1.

    Action: with ``batch_size`` 1, questions come one at a time: 1 to help, 0 not to, and help
    beyond the budget is not given. Else a priority for each question of the batch, in [-1, 1]:
    ``round(budget * batch_size)`` of the highest are helped, at least one (among equals the
    first).

    Reward: right answers gained less those lost by help, over the help the budget allows; with
    the last step also the change of accuracy on the fresh questions. Mastered: above 0.4.
    Truncated after ``n_items`` questions. ``info["feedback"]``: ``items`` of shape
    ``(batch_size, 16)`` and bool arrays ``helped``, ``before`` (right without help), ``after``
    (right with the help given); ``info["later_gain"]`` at the end.

    Args:
        n_items: Questions in an episode; a multiple of ``batch_size``.
        batch_size: Questions shown at a time.

    Raises:
        UserError: for a refused argument.
    """

    return_range = (-1.0, 1.0)
    mastery = 0.4
    harder = {"misread": 1}  # noqa: RUF012
    task_space = TaskSpace(
        [
            Dim("budget", 0.05, 0.5, default=0.2, meaning="share of questions with help"),
            Dim("misread", 0, MARKS - 1, default=2, kind="int", meaning="marks misunderstood"),
        ]
    )

    def __init__(self, n_items: int = 1000, batch_size: int = 50) -> None:
        self.n_items = at_least(1, "n_items", n_items)
        self.batch_size = at_least(1, "batch_size", batch_size)
        at_least(0, "n_items - batch_size", n_items - batch_size)
        self.n_items -= self.n_items % self.batch_size
        size = (self.batch_size * HintedDigits.n_features,)
        one = spaces.Box(0.0, 1.0, (1,), np.float32)
        items = spaces.Box(0.0, 1.0, size, np.float32)
        self.observation_space = spaces.Dict(
            {"items": items, "budget": one, "left": one, "help": one}
        )
        if self.batch_size == 1:
            self.action_space = spaces.Discrete(2)
        else:
            self.action_space = spaces.Box(-1.0, 1.0, (self.batch_size,), np.float32)
        self._class: HintedDigits | None = None
        HintedDigits(derive(0, "load"), 0)  # libraries draw global random numbers as they load

    @property
    def progress(self) -> float:
        """Share of the possible gain so far, in [0, 1]."""
        return min(1.0, max(0.0, self._episode_return))

    def _start(self, level: Level, options: Mapping[str, Any]) -> Observation:
        budget, misread = level.task
        rng = derive(level.level_seed, "intervention")
        self._class = HintedDigits(rng, int(misread))
        self._questions = self._class.questions("train", self.n_items, rng)
        self._later = self._class.questions("probe", N_LATER, rng)
        self._shown = self._class.features(self._questions)
        self._before, self._after = self._class.answers_right(self._questions)
        self._helped = np.zeros(self.n_items, dtype=np.bool_)
        if self.batch_size == 1:
            self._allowed = max(1, round(float(budget) * self.n_items))
        else:
            self._each = max(1, round(float(budget) * self.batch_size))
            self._allowed = self._each * (self.n_items // self.batch_size)
        self._t = 0
        self._feedback: dict[str, NDArray[Any]] = {}
        self._later_gain = 0.0
        return self._observe()

    def _advance(self, action: Action) -> tuple[Observation, float, bool, bool]:
        if self._class is None or self._t >= self.n_items:
            raise ResetNeeded("step: call reset first")
        now = slice(self._t, self._t + self.batch_size)
        helped = self._chosen(action)
        self._helped[now] = helped
        before, after = self._before[now], np.where(helped, self._after[now], self._before[now])
        self._feedback = {
            "items": self._shown[now],
            "helped": helped,
            "before": before.copy(),
            "after": after,
        }
        self._t += self.batch_size
        reward = float(after.sum() - before.sum()) / self._allowed
        done = self._t >= self.n_items
        if done:
            self._later_gain = self._class.learn(self._questions, self._helped, self._later)
            reward += self._later_gain
        return self._observe(), reward, False, done

    def _chosen(self, action: Action) -> NDArray[np.bool_]:
        """Return which questions of the batch an action helps with."""
        if self.batch_size == 1:
            left = self._allowed - int(self._helped.sum())
            return np.array([bool(int(action)) and left > 0])
        order = np.argsort(-np.asarray(action, dtype=np.float64), kind="stable")
        chosen = np.zeros(self.batch_size, dtype=np.bool_)
        chosen[order[: self._each]] = True
        return chosen

    def _observe(self) -> Observation:
        items = np.zeros((self.batch_size, HintedDigits.n_features), dtype=np.float32)
        if self._t < self.n_items:
            items = self._shown[self._t : self._t + self.batch_size]
        left, help_left = self.n_items - self._t, self._allowed - self._helped.sum()
        shares = {
            "budget": help_left / self._allowed,
            "left": left / self.n_items,
            "help": min(1.0, help_left / max(1, left)),
        }
        rest = {name: np.array([share], dtype=np.float32) for name, share in shares.items()}
        return {"items": items.reshape(-1).copy(), **rest}

    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "feedback": self._feedback, "later_gain": self._later_gain}
