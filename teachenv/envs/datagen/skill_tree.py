"""Teaching by skill trees: the agent grows subskills and shifts samples among them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.envs.datagen.base_env import DataGenEnv, Observation
from teachenv.envs.datagen.domain import Varied
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.proposers import PROPOSERS, ByErrors, InOrder, LlmProposer, Proposer
from teachenv.envs.datagen.trees import Seen, Trees
from teachenv.errors import at_least, one_of
from teachenv.lesson import DataPlan, PlanItem

__all__ = ["MOVES", "SkillTree"]

MOVES = ("wait", "explore 1", "explore 2", "exploit weakest", "exploit all", "reset")
"""What "simple" actions do to a tree."""

_UNIT = ("exists", "first", "last", "variant", "alloc", "data", "train_acc", "train_known")


class SkillTree(DataGenEnv[NDArray[Any]]):
    """DataEnvGym's Skill-Tree (Khan et al., ICLR 2025) with spaces, one budget and a reward.

    Every skill has a tree of up to M subskills: bands of adjacent levels, of all its questions or
    of a variant (:class:`teachenv.envs.datagen.domain.Varied`). An allocation says how many
    samples a lesson has for each subskill, and stays until it is changed; the trees share the
    lesson, too large allocations are scaled down. (In the original each tree has a budget of its
    own, and no reward sums over trees.)

    Observation (float32): ``skill_acc`` (S,); ``exists``, ``first`` and ``last`` (its levels, 0
    the easiest, 1 the hardest), ``variant`` (0 for all, else its number over the most a skill
    has), ``alloc`` (share of a lesson), ``data`` (share of the samples so far that belong to
    it), ``train_acc`` (accuracy on these when they were taught) and ``train_known`` (whether
    there were any), each (S, M) in [0, 1] and 0 where there is no subskill; ``last_reward``
    (S,) in [-1, 1], the change of ``skill_acc``; ``last_action`` (S, 3) in [0, 1], subskills
    added and blocks given and taken, x / (1 + x); ``budget_left`` and ``step`` (1,).

    Action, by ``action_mode``:

    - "simple": MultiDiscrete([6] * S), one of :data:`MOVES` per tree; :meth:`action_masks` and
      ``info["action_mask"]`` tell which do something.
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
        trees = self._new_trees().alloc.shape
        self.action_space = spaces.MultiDiscrete([len(MOVES)] * n_skills)
        if action_mode == "full":
            self.action_space = spaces.Box(-1.0, 1.0, (n_skills * (1 + trees[1]),), np.float32)
        self.observation_space = spaces.Dict(
            {
                "skill_acc": spaces.Box(0.0, 1.0, (n_skills,), np.float32),
                **{name: spaces.Box(0.0, 1.0, trees, np.float32) for name in _UNIT},
                "last_reward": spaces.Box(-1.0, 1.0, (n_skills,), np.float32),
                "last_action": spaces.Box(0.0, 1.0, (n_skills, 3), np.float32),
                "budget_left": spaces.Box(0.0, 1.0, (1,), np.float32),
                "step": spaces.Box(0.0, 1.0, (1,), np.float32),
            }
        )

    def _make_proposer(self, name: str) -> Proposer:
        if name == "llm":
            return LlmProposer(self.syllabus, self.variants, self.settings.chat())
        kind = InOrder if name == "list" else ByErrors
        return kind(self.syllabus.n_levels, self.variants)

    def _new_trees(self) -> Trees:
        return Trees(
            self.syllabus.n_levels,
            self._n_variants,
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

    def _decode(self, action: NDArray[Any]) -> DataPlan:
        if self.action_mode == "simple":
            for skill, move in enumerate(action):
                self._move(skill, int(move))
        else:
            entries = np.clip(action, -1.0, 1.0).reshape(len(self.syllabus.skills), -1)
            for skill, row in enumerate(entries.astype(np.float64)):
                if row[0] > 0.0:
                    self._trees.explore(skill, 1, self._probe)
                else:
                    change = np.round(row[1:] * self._block).astype(np.int64)
                    self._trees.exploit(skill, change)
        counts = self._trees.counts(min(self.syllabus.n_samples, self.budget - self._spent))
        items = []
        for skill, level, number in np.argwhere(counts > 0).tolist():
            names = self.variants[skill]
            options = {"variant": names[number - 1]} if number else {}
            items.append(PlanItem(skill, level, int(counts[skill, level, number]), options))
        return DataPlan(tuple(items))

    def _move(self, skill: int, move: int) -> None:
        trees = self._trees
        if move in (1, 2):
            trees.explore(skill, move, self._probe)
        elif move == 3 and trees.slots[skill]:
            trees.exploit_weakest(skill, self._probe)
        elif move == 4:
            trees.exploit_all(skill)
        elif move == 5:
            trees.reset(skill)

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
        """Keep what is seen from now on: the probe, and what was done to the trees before it."""
        last = self.classroom.last
        self._probe = self._seen(last.items, last.right)
        self._done, self._full = self._trees.last, self._trees.full
        self._trees.begin_step()

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
        trees, reading = self._trees, self.reading
        tried, right = (trees.sums(part) for part in self._tried)
        slots = np.zeros((3, *trees.alloc.shape))
        for skill, held in enumerate(trees.slots):
            slots[:, skill, : len(held)] = np.array(held).reshape(-1, 3).T
        variant, first, last = slots
        hardest = max(1, self.syllabus.n_levels - 1)
        observation = {
            "skill_acc": self._accuracy,
            "exists": trees.exists,
            "first": first / hardest,
            "last": last / hardest,
            "variant": variant / max(1, *self._n_variants),
            "alloc": trees.alloc / self.syllabus.n_samples,
            "data": tried / max(1.0, self._tried.asked[:, :, 0].sum()),
            "train_acc": right / np.maximum(tried, 1.0),
            "train_known": tried > 0,
            "last_reward": self._gain,
            "last_action": self._done / (1.0 + self._done),
            "budget_left": np.array([reading.budget_left]),
            "step": np.array([reading.step / self.syllabus.n_steps]),
        }
        return {name: value.astype(np.float32) for name, value in observation.items()}
