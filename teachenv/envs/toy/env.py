"""Analytic students behind Gymnasium's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.env import Level, TaskEnv
from teachenv.envs.toy.learner import MASTERY, Learner
from teachenv.errors import UserError
from teachenv.protocols import State

Floats = NDArray[np.float32]


class LearnerEnv(TaskEnv[Floats, int]):
    """An analytic student as an environment: whoever plays an episode, *it* is who learns.

    An episode has one step, and only one action: play the task. The reward is the score. What the
    student learnt lives on across episodes: ``reset(options={"task": ...})`` without a seed is the
    next episode of the same student, **``reset(seed=...)`` begins with a new one**, as everything
    has to follow from the seed. ``reset(options={"train": False})`` plays without learning.

    Such a world is for ask and tell, one episode after the other (``teachenv bench-teachers``
    drives the same students without Gymnasium). In a training run it makes no sense: every lane
    would hold a student of its own, and each round a new one.

    Observation (float32 in [0, 1], one number per parameter): the task, in the unit cube. Every
    ``info`` also carries ``mastered_share``, in [0, 1].

    Args:
        learner: The student.

    Attributes:
        learner: The student.
    """

    metadata = {"render_modes": []}  # noqa: RUF012
    return_range = (0.0, 1.0)
    mastery = MASTERY
    reset_options = frozenset({"train"})

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.task_space = learner.task_space
        self.harder = learner.harder
        self.action_space = spaces.Discrete(1)
        self.observation_space = spaces.Box(0.0, 1.0, (self.task_space.dim,), np.float32)
        self._train = True
        self._played = False

    @property
    def mastered_share(self) -> float:
        """Share in [0, 1] of what there is to master that the student masters now."""
        return self.learner.mastered_share

    @property
    def progress(self) -> float:
        """1 once the episode has been played."""
        return float(self._played)

    def state_dict(self) -> State:
        """Return the student's state, as JSON values."""
        return self.learner.state_dict()

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict` with the next reset that has no seed.

        Raises:
            ValueError: if the state does not fit.
        """
        self.learner.load_state_dict(state)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start an episode, with a new student if there is a seed; see the class."""
        observation, info = super().reset(seed=seed, options=options)
        if seed is not None:
            self.learner.restart(seed)
            info = self._info()
        return observation, info

    def _check_options(self, options: Mapping[str, Any]) -> None:
        if not isinstance(options.get("train", True), bool | np.bool_):
            raise UserError(f"train: expected True or False, got {options['train']!r}")

    def _start(self, level: Level, options: Mapping[str, Any]) -> Floats:
        self._train = bool(options.get("train", True))
        self._played = False
        return self._observe()

    def _advance(self, action: int) -> tuple[Floats, float, bool, bool]:
        score, _ = self.learner.play(self.task, self._train)
        self._played = True
        return self._observe(), score, True, False

    def _observe(self) -> Floats:
        return self.task_space.to_unit(self.task).astype(np.float32)

    def _info(self) -> dict[str, Any]:
        return {**super()._info(), "mastered_share": self.mastered_share}
