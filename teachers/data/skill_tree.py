"""Growing skill trees where the student is weak, and filling them."""

from __future__ import annotations

from collections import Counter

from teachenv.lesson import DataPlan, Reading, Syllabus
from teachenv.trees import Move, TreeReading
from teachers.data.base import DataTeacher
from teachers.values import number_problems, refuse, whole_problems

__all__ = ["SkillTree"]

CLOSE = 1e-9
"""Accuracies are means, whose last digits depend on the order of summation."""


class SkillTree(DataTeacher):
    """Explores and exploits the trees of weak skills (DataEnvGym, Khan et al., ICLR 2025).

    As the paper's policy with state: a tree grows to a number of subskills and is filled then.
    Deviations: two subskills are added a lesson; what is filled is the subskill with most errors
    on the probe, not every one up to a limit of its own; a mastered skill gives its samples to
    the others, since trees share a lesson here. It does not draw: seeds change nothing.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63]; not used.
        mastered: Mean accuracy of a skill on the probe from which its tree gets no samples, in
            [0, 1].
        n_subskills: Subskills a tree is grown to; 0 for as many as there are levels.
    """

    id = "skill-tree"
    needs = frozenset({"trees"})

    def __init__(
        self, syllabus: Syllabus, *, seed: int = 0, mastered: float = 0.8, n_subskills: int = 0
    ) -> None:
        super().__init__(syllabus, seed=seed)
        problems = number_problems(0.0, 1.0, mastered=mastered)
        refuse(self.id, problems + whole_problems(0, n_subskills=n_subskills))
        self._mastered = mastered
        self._n_subskills = n_subskills or syllabus.n_levels

    def _plan(self, reading: Reading) -> DataPlan:
        moves = tuple(map(self._move, reading.trees))
        told = ", ".join(f"{move}: {n}" for move, n in Counter(moves).most_common())
        return DataPlan((), f"{self.id}: {told}", moves)

    def _move(self, tree: TreeReading) -> Move:
        if tree.accuracy >= self._mastered - CLOSE:
            return "reset" if any(each.alloc for each in tree.subskills) else "wait"
        missing = min(self._n_subskills - len(tree.subskills), tree.free)
        if missing > 0:
            return "explore 2" if missing > 1 else "explore 1"
        return "exploit weakest"
