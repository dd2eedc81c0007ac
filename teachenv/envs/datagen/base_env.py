"""What all data-generation environments share: an episode of lessons, driven by plans."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from teachenv.envs.datagen.actions import Decoder
from teachenv.envs.datagen.classmates import Classmates
from teachenv.envs.datagen.coverage import probed_cells
from teachenv.envs.datagen.iterates import BestIterate
from teachenv.envs.datagen.plans import accept
from teachenv.envs.datagen.student_env import ActType, Observation, StudentEnv
from teachenv.errors import at_least, refuse_unknown
from teachenv.lesson import Cells, DataPlan
from teachenv.seeding import derive

__all__ = ["DataGenEnv", "Observation"]

StepResult = tuple[Observation, float, bool, bool, dict[str, Any]]

_RESET_OPTIONS = {"profile": "the setting", "student": 0}


class DataGenEnv(StudentEnv[ActType]):
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
        self._require_running("step")
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
        self._require_running("step")
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

    def _require_running(self, call: str) -> None:
        if self._over:
            raise ResetNeeded(f"{call}: the episode is over or none was started; call reset()")

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

    def rehearse(self, plans: Iterable[DataPlan], students: int = 1) -> list[Cells]:
        """Try plans on a copy of the student; see :class:`teachenv.lesson.Rehearsal`.

        The samples are counted in ``classroom.n_rehearsed``, not in the budget.

        Raises:
            UserError: for no student.
            gymnasium.error.ResetNeeded: if no episode is running.
        """
        self._require_running("rehearse")
        at_least(1, "students", students)
        generated = [self._generated(self._accept(p)[0], self.classroom.step) for p in plans]
        tried = self._classmates.rehearsals(generated, students)
        changes = [[self._view.change(last, s) for s in after] for last, after in tried]
        return [np.mean(of_plan, axis=0) for of_plan in zip(*changes, strict=True)]

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
