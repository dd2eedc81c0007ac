"""Teaching by skill trees: the agent grows subskills and shifts samples among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.actions import decoder
from teachenv.envs.datagen.base_env import DataGenEnv, Observation
from teachenv.envs.datagen.domain import Varied
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.observations import observe_trees, tree_space
from teachenv.envs.datagen.proposers import PROPOSERS, ByErrors, InOrder, LlmProposer, Proposer
from teachenv.envs.datagen.trees import Seen, Trees
from teachenv.errors import UserError, at_least, one_of
from teachenv.lesson import DataPlan, PlanItem
from teachenv.trees import MOVES, read_moves

__all__ = ["SkillTree"]


class SkillTree(DataGenEnv[NDArray[Any]]):
    """DataEnvGym's Skill-Tree (Khan et al., ICLR 2025) with spaces, one budget and a reward.

    Every skill has a tree of up to M subskills: bands of adjacent levels, of all its questions or
    of a variant (:class:`teachenv.envs.datagen.domain.Varied`). An allocation says how many
    samples a lesson has for each subskill, and stays until it is changed; the trees share the
    lesson, too large allocations are scaled down. (In the original each tree has a budget of its
    own, and no reward sums over trees.) A plan may move the trees, too, see
    :attr:`teachenv.lesson.DataPlan.moves`; one of items passes them by.

    Observation (float32): ``skill_acc`` (S,); ``exists``, ``first`` and ``last`` (its levels, 0
    the easiest, 1 the hardest), ``variant`` (0 for all, else its number over the most a skill
    has), ``alloc`` (share of a lesson), ``data`` (share of the samples so far that belong to
    it), ``train_acc`` (accuracy on these when they were taught) and ``train_known`` (whether
    there were any), each (S, M) in [0, 1] and 0 where there is no subskill; ``last_reward``
    (S,) in [-1, 1], the change of ``skill_acc``; ``last_action`` (S, 3) in [0, 1], subskills
    added and blocks given and taken, x / (1 + x); ``budget_left`` and ``step`` (1,).

    Action, by ``action_mode``:

    - "simple": MultiDiscrete([6] * S), one of :data:`teachenv.trees.MOVES` per tree;
      :meth:`action_masks` and ``info["action_mask"]`` tell which do something.
    - "full": Box(-1, 1, (S * (1 + M),)): per tree, a first entry above 0 adds a subskill; else
      the others change the allocations by up to a block each.

    ``info`` also has ``reward_vector``, the change of accuracy per skill (float64), and ``full``,
    the trees that were to explore but could not (bool).

    Args:
        domain: See :class:`teachenv.envs.datagen.base_env.DataGenEnv`, also for ``settings``.
        action_mode: "simple" or "full".
        n_slots: Subskills of a tree at most, M; 0 for all there are.
        block: Samples a new subskill gets; 0 for a sixth of a lesson, shared by all skills.
        proposer: Which subskill is added next: "list", in order; "errors", that with most errors
            on the probe; "llm", what the language model of the setting ``llm`` proposes; see
            :mod:`teachenv.envs.datagen.proposers`.
        settings: The rest.
    """

    provides = DataGenEnv.provides | {"trees"}

    def __init__(
        self,
        domain: str = "digits",
        *,
        action_mode: str = "simple",
        n_slots: int = 6,
        block: int = 0,
        proposer: Literal["list", "errors", "llm"] = "list",
        **settings: Any,
    ) -> None:
        super().__init__(domain, **settings)
        self.action_mode = one_of("action_mode", action_mode, ("simple", "full"))
        self.proposer = self._make_proposer(one_of("proposer", proposer, PROPOSERS))
        n_skills, n_samples = len(self.syllabus.skills), self.syllabus.n_samples
        self._n_slots = at_least(0, "n_slots", n_slots)
        self._block = at_least(0, "block", block) or max(1, n_samples // n_skills)
        self._n_variants = [len(names) for names in self.variants]
        widest = self._new_trees().alloc.shape[1]
        args = {"n_slots": widest, "block": self._block} if action_mode == "full" else {}
        self.decoder = decoder(action_mode, self.syllabus, **args)
        self.action_space = self.decoder.space
        self.observation_space = tree_space(self.syllabus, widest)

    def _make_proposer(self, name: str) -> Proposer:
        if name == "llm":
            return LlmProposer(self.syllabus, self.variants, self.settings.chat())
        kind = InOrder if name == "list" else ByErrors
        return kind(self.syllabus.n_levels, self.variants)

    def _new_trees(self) -> Trees:
        return Trees(
            self.syllabus.n_levels,
            self.variants,
            n_slots=self._n_slots,
            block=self._block,
            limit=self.syllabus.n_samples,
            proposer=self.proposer,
        )

    @property
    def trees(self) -> Trees:
        """The trees of the running episode."""
        return self._trees

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which moves of "simple" do something, bool of shape ``(n_skills * 6,)``.

        The form maskable PPO asks for; waiting always is allowed.
        """
        trees, masks = self._trees, np.ones((len(self.syllabus.skills), len(MOVES)), np.bool_)
        masks[:, 1], masks[:, 2] = trees.free >= 1, trees.free >= 2
        masks[:, 3:5] = trees.exists.any(axis=1, keepdims=True)
        masks[:, 5] = trees.alloc.any(axis=1)
        return masks.reshape(-1)

    # -- hooks -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._trees = self._new_trees()
        self._tried = Seen(*np.zeros((2, *self._cells)))
        self._accuracy, self._gain = self._skill_accuracy(), np.zeros(len(self.syllabus.skills))
        self._note()

    def _sampled(self, plan: DataPlan) -> DataPlan:
        if not plan.moves:
            return plan
        n_samples, n_slots = self.syllabus.n_samples, self._trees.alloc.shape[1]
        moves = read_moves(plan.moves, len(self.syllabus.skills), n_samples)
        if any(isinstance(move, tuple) and len(move) > n_slots for move in moves):
            raise UserError(f"plan: moves: expected at most {n_slots} changes of a tree, its slots")
        for skill, move in enumerate(moves):
            self._trees.move(skill, move, self._probe)
        counts = self._trees.counts(min(n_samples, self.budget - self._spent))
        items = []
        for skill, level, number in np.argwhere(counts > 0).tolist():
            names = self.variants[skill]
            options = {"variant": names[number - 1]} if number else {}
            items.append(PlanItem(skill, level, int(counts[skill, level, number]), options))
        return DataPlan(tuple(items), plan.reason)

    def _after_lesson(self) -> None:
        made = self.classroom.made
        if made is not None and made.items is not None:
            answers = self.classroom.student.predict(made.items).answers
            seen = self._seen(made.items, self.domain.grade(made.items, answers))
            self._tried = Seen(*np.add(self._tried, seen))
        accuracy = self._skill_accuracy()
        self._gain, self._accuracy = accuracy - self._accuracy, accuracy
        self._note()

    def _note(self) -> None:
        """Keep what is seen from now on: the probe, and the trees with what was done to them."""
        last, trees = self.classroom.last, self._trees
        self._probe, self._full = self._seen(last.items, last.right), trees.full
        seen = trees.readings(self._probe, self._tried, self._accuracy, self._gain)
        report = {**self.reading.report, "trees": [tree.to_json() for tree in seen]}
        self.reading = replace(self.reading, trees=seen, report=report)
        trees.begin_step()

    @property
    def _cells(self) -> tuple[int, int, int]:
        return (*self.syllabus.shape, 1 + max(self._n_variants))

    def _seen(self, items: Items, right: NDArray[np.bool_]) -> Seen:
        """Return answers by told skill, level and variant."""
        skill, level = self._view.grouping.label(items), items.level.astype(np.int64)
        seen = Seen(*np.zeros((2, *self._cells)))

        def count(rows: NDArray[np.int64], number: NDArray[np.int64]) -> None:
            where = skill[rows], level[rows], number
            np.add.at(seen.asked, where, 1.0)
            np.add.at(seen.right, where, right[rows])

        count(np.arange(len(items)), np.zeros_like(skill))
        if any(self._n_variants):
            assert isinstance(self.domain, Varied)
            varied = np.flatnonzero(np.array(self._n_variants)[skill])
            count(varied, 1 + self.domain.variant(items)[varied])
        return seen

    def _skill_accuracy(self) -> NDArray[np.float64]:
        """Return the accuracy per skill over its probed levels, 0 where there are none."""
        visible = self.reading.visible
        sums = (self.reading.accuracy * visible).sum(axis=1)
        mean: NDArray[np.float64] = sums / np.maximum(visible.sum(axis=1), 1.0)
        return mean

    def _info(self, spent: int, malformed: int) -> dict[str, Any]:
        info = super()._info(spent, malformed)
        info["action_mask"] = self.action_masks()
        info["reward_vector"] = self._gain
        info["full"] = self._full
        return info

    def _observation(self) -> Observation:
        return observe_trees(self.reading, self.syllabus)
