"""What all data-generation environments share: an episode of lessons, driven by plans."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from teachenv.envs.datagen.actions import Decoder
from teachenv.envs.datagen.classmates import Classmates
from teachenv.envs.datagen.classroom import Classroom, Scores
from teachenv.envs.datagen.coverage import cells_mask, probed_cells
from teachenv.envs.datagen.domain import variants_of
from teachenv.envs.datagen.iterates import BestIterate
from teachenv.envs.datagen.newcomers import Newcomers
from teachenv.envs.datagen.plans import accept
from teachenv.envs.datagen.readings import ReadingMaker
from teachenv.envs.datagen.rewards import Rewards
from teachenv.envs.datagen.settings import Settings
from teachenv.envs.datagen.skills import view_of
from teachenv.envs.datagen.split import Part
from teachenv.errors import UserError, at_least, refuse_unknown
from teachenv.lesson import Cells, DataPlan, Syllabus
from teachenv.seeding import derive

__all__ = ["MASTERED", "DataGenEnv", "Observation"]

ActType = TypeVar("ActType")
Observation = dict[str, NDArray[Any]]
StepResult = tuple[Observation, float, bool, bool, dict[str, Any]]

MASTERED = 0.9
"""Accuracy above which a cell counts as mastered."""

_RESET_OPTIONS = {"profile": "the setting", "student": 0}


class DataGenEnv(gym.Env[Observation, ActType]):
    """The agent is a teacher: every step it plans training data, and a real student learns them.

    Every action becomes a :class:`teachenv.lesson.DataPlan`; :meth:`step_plan` takes one from
    teachers that speak in plans themselves. The reward is what the student's accuracy gained on
    probe questions, which never are training questions; with the reward mode "delta" the
    undiscounted return, divided by ``reward_scale``, is the total gain exactly.

    An episode is truncated after ``n_steps`` lessons or when the budget is spent, and terminates
    at ``target_metric`` if there is one. ``reset`` always starts with a student of the profile;
    the whole episode is fixed by ``reset(seed=...)`` and the actions. Options of ``reset``:
    "profile" (a name, or names of the known skills) and "student" (a whole number: another
    student of the same profile).

    A plan's items may be malformed: a skill, level or variant that does not exist, a count below
    0, more samples than a lesson may have. They are left out (or cut), counted in
    ``info["malformed"]``, and cost the budget their samples, at least one. A plan of a whole
    lesson for which the budget is too small is no fault: all its counts are scaled down. What is
    asked of cells that are held out goes to the plan's other items; alone it is malformed.

    ``info`` carries ``report`` (JSON values for people and language models), ``metric``,
    ``n_asked`` (questions behind it), ``taught`` (samples trained on per cell), ``spent``
    (samples the lesson cost), ``accepted`` (share of them that the engine's checks let through),
    ``malformed``, and ``n_tests`` (how often the hidden test was looked at; what came of it never
    is there).

    Args:
        domain: One of :data:`teachenv.envs.datagen.domain.DOMAINS`.
        settings: The fields of :class:`teachenv.envs.datagen.settings.Settings`.

    Attributes:
        syllabus: What there is to teach.
        variants: Names of every skill's variants, by which an item's option "variant" asks for
            questions of one; none of skills that were found.
        held_out: Cells that are tested only, bool of the shape of ``domain.kinds``.
        provides: What teachers may name in ``needs``.
        plan: That of the last lesson, in samples also where it was given as moves.
        task_space: The cells as tasks.
        return_range: Of a cell's accuracy, which is what runs record of a cell.
        mastery: Accuracy above which a cell counts as mastered.

    Raises:
        UserError: for an unknown or refused setting.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  as Gymnasium has it
    provides = frozenset({"learnable", "rehearsal"})
    return_range = (0.0, 1.0)
    mastery = MASTERED

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

    # -- episodes ------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode with a new student; see the class for the options.

        Raises:
            UserError: for an unknown option, profile or skill.
        """
        options = options or {}
        refuse_unknown("reset option", options, _RESET_OPTIONS)
        super().reset(seed=seed)
        episode_seed = int(self.np_random.integers(2**62))
        profile = options.get("profile") or self.settings.profile
        base = self._newcomers.base(episode_seed, profile, options.get("student"))
        self._seed, share = episode_seed, self.settings.visible_share
        probed = probed_cells(self.domain.kinds, self.held_out, share, self._seed)
        scores = self.classroom.begin(self._seed, base.state, base.items, probed)
        newcomer = functools.partial(self._newcomers.base, profile=profile, number=None)
        self._classmates = Classmates(self.classroom, newcomer, episode_seed, probed)
        self._spent, self._over = 0, False
        self._rewards.begin(scores, probed)
        best = self.settings.iterate == "best"
        self._best = BestIterate(self._rewards.metric, self.classroom) if best else None
        self.reading = self._readings.begin(scores, self._seed)
        self._begin()
        return self._shown(), self._info(0, 0)

    def step(self, action: ActType) -> StepResult:
        """Give the lesson an action asks for; see :meth:`gymnasium.Env.step`."""
        return self.step_plan(self._decode(action))

    def step_plan(self, plan: DataPlan) -> StepResult:
        """Give a lesson.

        Args:
            plan: Samples of the cells of :attr:`syllabus`, or moves where there are trees.

        Returns:
            What :meth:`step` returns.

        Raises:
            UserError: for moves that are none, or where there are no trees; nothing is changed.
            gymnasium.error.ResetNeeded: if no episode is running.
        """
        if self._over:
            raise ResetNeeded("step: the episode is over or none was started; call reset()")
        plan = self._sampled(plan)
        accepted, cost, malformed = self._accept(plan)
        self.plan = plan
        before, step = self.classroom.last, self.classroom.step
        generated = self._generated(accepted, step)
        _, after = self.classroom.teach(generated)
        self._classmates.hear(generated)
        self._spent += cost
        if self._best is not None:
            self._best.offer(self.classroom)
        target = self.settings.target_metric
        terminated = bool(target) and self._rewards.metric(after) >= target
        truncated = step + 1 >= self.settings.n_steps or self._spent >= self.budget
        self._over = terminated or truncated
        made = self.classroom.made
        self.reading = self._readings.after(
            after,
            asked=accepted.counts(self.syllabus.shape),
            taught=self._view.count(made.items if made else None),
            budget_left=1.0 - self._spent / self.budget,
        )
        share = cost / self.budget
        gold = generated.counts(self.domain.kinds.shape)
        reward = self._rewards.of_lesson(before, after, gold, share, self._over)
        self._after_lesson()
        info = self._info(cost, malformed)
        scaled = reward * self.settings.reward_scale
        return self._shown(), scaled, terminated, truncated, info

    def _accept(self, plan: DataPlan) -> tuple[DataPlan, int, int]:
        """Return what is taught of a plan, what it costs, and its malformed items."""
        left = min(self.syllabus.n_samples, self.budget - self._spent)
        return accept(plan, self.syllabus, self.variants, left, self.held_out)

    def _generated(self, plan: DataPlan, step: int) -> DataPlan:
        """Return the plan in the domain's own cells."""
        if self._view.shares is None:
            return plan
        rng, counts = derive(self._seed, "mixture", step), plan.counts(self.syllabus.shape)
        return DataPlan.of_counts(self._view.generated(counts, rng))

    # -- what teachers may ask besides -----------------------------------------------------------

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

    def rehearse(self, plans: Iterable[DataPlan], students: int = 1) -> list[Cells]:
        """Try plans on a copy of the student; see :class:`teachenv.lesson.Rehearsal`.

        The samples are counted in ``classroom.n_rehearsed``, not in the budget.

        Raises:
            UserError: for no student.
            gymnasium.error.ResetNeeded: if no episode is running.
        """
        if self._over:
            raise ResetNeeded("rehearse: the episode is over or none was started; call reset()")
        at_least(1, "students", students)
        generated = [self._generated(self._accept(p)[0], self.classroom.step) for p in plans]
        tried = self._classmates.rehearsals(generated, students)
        changes = [[self._view.change(last, s) for s in after] for last, after in tried]
        return [np.mean(of_plan, axis=0) for of_plan in zip(*changes, strict=True)]

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

    # -- for the variants --------------------------------------------------------------------------

    def _shown(self) -> Observation:
        """Return what the agent sees; the reading holds it as well."""
        observation = self._observation()
        flat = np.asarray(gym.spaces.flatten(self.observation_space, observation), np.float32)
        flat.setflags(write=False)
        self.reading = dataclasses.replace(self.reading, observation=flat)
        return observation

    def _info(self, spent: int, malformed: int) -> dict[str, Any]:
        return {
            "report": dict(self.reading.report),
            "metric": self._rewards.metric(self.classroom.last),
            "n_asked": self._rewards.n_asked(self.classroom.last),
            "taught": self._readings.taught,
            "spent": spent,
            "accepted": self.classroom.made.accepted if self.classroom.made else 1.0,
            "malformed": malformed,
            "n_tests": self.classroom.n_tests,
        }

    def _begin(self) -> None:
        """Start a variant's own part of an episode, before its first observation."""

    def _after_lesson(self) -> None:
        """Follow a lesson, before its observation."""

    def _sampled(self, plan: DataPlan) -> DataPlan:
        """Return a plan with samples for its moves, if there are trees to do them."""
        return plan

    decoder: Decoder
    """What becomes of actions."""

    def _decode(self, action: ActType) -> DataPlan:
        """Return the plan an action asks for."""
        left = min(self.syllabus.n_samples, self.budget - self._spent)
        rng = derive(self._seed, "action", self.reading.step)
        return self.decoder(action, self.reading, left, rng)

    def _observation(self) -> Observation:
        """Return what the agent sees."""
        raise NotImplementedError
