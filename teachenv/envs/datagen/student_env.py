"""What data-generation environments are made of, and what may be asked of their student."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.envs.datagen.classroom import Classroom, Scores
from teachenv.envs.datagen.coverage import cells_mask
from teachenv.envs.datagen.domain import variants_of
from teachenv.envs.datagen.iterates import BestIterate
from teachenv.envs.datagen.newcomers import Newcomers
from teachenv.envs.datagen.readings import ReadingMaker
from teachenv.envs.datagen.rewards import Rewards
from teachenv.envs.datagen.settings import Settings
from teachenv.envs.datagen.skills import view_of
from teachenv.envs.datagen.split import Part
from teachenv.errors import UserError
from teachenv.lesson import Cells, Reading, Syllabus

__all__ = ["MASTERED", "Observation", "StudentEnv"]

ActType = TypeVar("ActType")
Observation = dict[str, NDArray[Any]]

MASTERED = 0.9
"""Accuracy above which a cell counts as mastered."""


class StudentEnv(gym.Env[Observation, ActType]):
    """A student, its domain and what a teacher may know of both; lessons change the student only.

    See :class:`teachenv.envs.datagen.base_env.DataGenEnv`, which gives the lessons.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  as Gymnasium has it
    provides = frozenset({"cells", "learnable", "rehearsal"})
    return_range = (0.0, 1.0)
    mastery = MASTERED

    reading: Reading
    """What a teacher sees; from the first reset on."""
    _best: BestIterate | None

    def __init__(self, domain: str = "digits", **settings: Any) -> None:
        self.domain, self.settings = Settings.read(domain, settings)
        self.render_mode = None
        s = self.settings
        self.budget = s.budget or s.n_steps * s.n_samples
        self._view = view_of(self.domain, s.finder(), s.n_skills)
        self.held_out = cells_mask(s.held_out, self.domain.kinds.shape)
        gold = s.skill_source == "gold"
        needs = self.domain.prerequisites if gold else None
        self.variants = variants_of(self.domain) if gold else ((),) * len(self._view.names)
        self.syllabus = Syllabus(
            self._view.names, self.domain.n_levels, s.n_steps, s.n_samples, needs
        )
        self.task_space = self.syllabus.task_space
        self._rewards = Rewards(s, self.domain.kinds)
        self._readings = ReadingMaker(self.domain, self._view)
        self._newcomers = Newcomers(self.domain, s)
        self._classroom: Classroom | None = None
        self._over = True

    def privileged(self) -> Mapping[str, Cells]:
        """Return what only teachers that need it are told.

        "learnable": 1 where a cell can be learnt and is not mastered yet by the last probe; of a
        told cell that mixes several, their share.

        Raises:
            gymnasium.error.ResetNeeded: before the first episode.
        """
        self._require_student()
        open_cells = (self.domain.kinds == "taught") & ~self.held_out
        locked = self.classroom.locked()
        if locked is not None:
            open_cells = open_cells & ~locked
        open_cells = open_cells & (self.classroom.last.accuracy <= MASTERED)
        return {"learnable": self._view.told(open_cells.astype(np.float64))}

    def evaluate(self, part: Part = "test", size: int = 0) -> Scores:
        """Question the student (see the setting ``iterate``); nobody learns from it.

        Args:
            part: "validation" (to choose among students) or "test" (to report; counted).
            size: Questions per cell; ``probe_size`` if 0.

        Returns:
            Scores per cell of the domain, whatever skills the teacher is told of.

        Raises:
            gymnasium.error.ResetNeeded: before the first episode.
        """
        self._require_student()
        if part not in ("validation", "test"):
            raise UserError(f'evaluate: expected "validation" or "test", got {part!r}')
        with self._best.in_place(self.classroom) if self._best else nullcontext():
            return self.classroom.ask(part, size)

    def proxy(self) -> float | None:
        """Return the metric as it would be if the engine's answers to the probe were right.

        ``None`` where the engine makes no errors that are taught, or none that can be known
        without asking a language model. See :func:`teachenv.envs.datagen.monitors.teacher_hacking`.
        """
        if not self.classroom.engine.errs or self.settings.engine != "own":
            return None
        scores = dataclasses.replace(self.classroom.last, accuracy=self.classroom.proxy())
        return self._rewards.metric(scores)

    @property
    def iterate(self) -> int:
        """Lessons of the student that :meth:`evaluate` questions."""
        return self._best.number if self._best else self.classroom.step

    def _require_student(self) -> None:
        if not hasattr(self, "reading"):
            raise ResetNeeded("there is no student yet; call reset()")

    @property
    def classroom(self) -> Classroom:
        """The student and what it is taught with; the student is made when first needed."""
        if self._classroom is None:
            s = self.settings
            self._classroom = Classroom(
                s.make_engine(self.domain),
                self._newcomers.untrained(0),
                train_mode=s.train_mode,
                epochs=s.epochs,
                probe_size=s.probe_size,
                fresh_probe=s.fresh_probe,
                locked_below=s.locked_below,
            )
        return self._classroom
