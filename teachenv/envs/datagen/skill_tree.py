"""Teaching by skill trees: the agent grows subskills and shifts samples among them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.envs.datagen.base_env import DataGenEnv, Observation
from teachenv.envs.datagen.trees import PROPOSERS, Trees, level_bands
from teachenv.errors import at_least, one_of
from teachenv.lesson import DataPlan

__all__ = ["MOVES", "SkillTree"]

MOVES = ("wait", "explore 1", "explore 2", "exploit weakest", "exploit all", "reset")
"""What "simple" actions do to a tree."""

_UNIT = ("exists", "alloc", "data", "train_acc", "train_known")


class SkillTree(DataGenEnv[NDArray[Any]]):
    """DataEnvGym's Skill-Tree (Khan et al., ICLR 2025) with spaces, one budget and a reward.

    Every skill has a tree of up to M subskills, bands of adjacent levels. An allocation says how
    many samples a lesson has for each subskill, and stays until it is changed; the trees share
    the lesson, too large allocations are scaled down. (In the original each tree has a budget of
    its own, and no reward sums over trees.)

    Observation (float32): ``skill_acc`` (S,); ``exists``, ``alloc`` (share of a lesson),
    ``data`` (share of the samples so far at its levels), ``train_acc`` (accuracy on training
    data) and ``train_known`` (whether there were any), each (S, M) in [0, 1]; ``last_reward``
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
        n_slots: Subskills of a tree at most, M; 0 for all bands of levels.
        block: Samples a new subskill gets; 0 for a sixth of a lesson, shared by all skills.
        proposer: Which subskill is added next: "list" or "errors"; see
            :class:`teachenv.envs.datagen.trees.Trees`.
        settings: The rest.
    """

    def __init__(
        self,
        domain: str = "digits",
        *,
        action_mode: str = "simple",
        n_slots: int = 6,
        block: int = 0,
        proposer: Literal["list", "errors"] = "list",
        **settings: Any,
    ) -> None:
        super().__init__(domain, **settings)
        self.action_mode = one_of("action_mode", action_mode, ("simple", "full"))
        one_of("proposer", proposer, PROPOSERS)
        n_skills, n_levels = self.syllabus.shape
        bands = level_bands(n_levels, at_least(0, "n_slots", n_slots))
        n_samples = self.syllabus.n_samples
        self._bands, self._proposer = bands, proposer
        self._block = at_least(0, "block", block) or max(1, n_samples // n_skills)
        trees = n_skills, len(bands)
        self.action_space = spaces.MultiDiscrete([len(MOVES)] * n_skills)
        if action_mode == "full":
            self.action_space = spaces.Box(-1.0, 1.0, (n_skills * (1 + len(bands)),), np.float32)
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

    @property
    def trees(self) -> Trees:
        """The trees of the running episode."""
        return self._trees

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which moves of "simple" do something, bool of shape ``(n_skills * 6,)``.

        The form maskable PPO asks for; waiting always is allowed.
        """
        trees, masks = self._trees, np.ones((len(self.syllabus.skills), len(MOVES)), np.bool_)
        free = (~trees.exists).sum(axis=1)
        masks[:, 1], masks[:, 2] = free >= 1, free >= 2
        masks[:, 3:5] = trees.exists.any(axis=1, keepdims=True)
        masks[:, 5] = trees.alloc.any(axis=1)
        return masks.reshape(-1)

    # -- hooks -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        n_skills = len(self.syllabus.skills)
        limit = self.syllabus.n_samples
        self._trees = Trees(
            n_skills, self._bands, block=self._block, limit=limit, proposer=self._proposer
        )
        self._tried = np.zeros((2, *self.syllabus.shape))
        self._accuracy, self._gain = self._skill_accuracy(), np.zeros(n_skills)

    def _decode(self, action: NDArray[Any]) -> DataPlan:
        self._trees.begin_step()
        if self.action_mode == "simple":
            for skill, move in enumerate(action):
                self._move(skill, int(move))
        else:
            entries = np.clip(action, -1.0, 1.0).reshape(len(self.syllabus.skills), -1)
            for skill, row in enumerate(entries.astype(np.float64)):
                if row[0] > 0.0:
                    self._trees.explore(skill, 1, self.reading.accuracy)
                else:
                    change = np.round(row[1:] * self._block).astype(np.int64)
                    self._trees.exploit(skill, change)
        left = min(self.syllabus.n_samples, self.budget - self._spent)
        return DataPlan.of_counts(self._trees.counts(left))

    def _move(self, skill: int, move: int) -> None:
        trees, accuracy = self._trees, self.reading.accuracy
        if move in (1, 2):
            trees.explore(skill, move, accuracy)
        elif move == 3 and trees.exists[skill].any():
            trees.exploit_weakest(skill, accuracy)
        elif move == 4:
            trees.exploit_all(skill)
        elif move == 5:
            trees.reset(skill)

    def _after_lesson(self) -> None:
        made = self.classroom.made
        if made is not None and made.items is not None:
            answers = self.classroom.student.predict(made.items).answers
            right = self.domain.grade(made.items, answers)
            count = self._view.count(made.items)
            self._tried += count, count * self._view.means(made.items, right)
        accuracy = self._skill_accuracy()
        self._gain, self._accuracy = accuracy - self._accuracy, accuracy

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
        info["full"] = self._trees.full
        return info

    def _observation(self) -> Observation:
        trees, reading = self._trees, self.reading
        band = trees.bands.T.astype(np.float64)
        tried, right = (total @ band for total in self._tried)
        observation = {
            "skill_acc": self._accuracy,
            "exists": trees.exists,
            "alloc": trees.alloc / self.syllabus.n_samples,
            "data": reading.data_share @ band,
            "train_acc": right / np.maximum(tried, 1.0),
            "train_known": tried > 0,
            "last_reward": self._gain,
            "last_action": trees.last / (1.0 + trees.last),
            "budget_left": np.array([reading.budget_left]),
            "step": np.array([reading.step / self.syllabus.n_steps]),
        }
        return {name: value.astype(np.float32) for name, value in observation.items()}
