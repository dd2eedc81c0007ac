"""Skill trees: one tree per skill, whose subskills are variants and bands of levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.actions import rounded
from teachenv.trees import Move, SubskillReading, TreeReading

if TYPE_CHECKING:
    from teachenv.envs.datagen.proposers import Proposer, Variants

__all__ = ["Seen", "Subskill", "Trees", "subskills"]


class Subskill(NamedTuple):
    """Some questions of a skill.

    Attributes:
        variant: 0 for all, v for the v-th variant of the skill.
        first: The lowest level.
        last: The highest.
    """

    variant: int
    first: int
    last: int

    @property
    def where(self) -> tuple[slice, int]:
        """Its place in arrays of shape ``(n_levels, n_variants + 1)``."""
        return slice(self.first, self.last + 1), self.variant


def subskills(n_levels: int, n_variants: int) -> list[Subskill]:
    """Return all subskills of a skill: narrow bands first, then whole ones, then easy ones."""
    found = [
        Subskill(variant, first, first + width)
        for width in range(n_levels)
        for variant in range(1 + n_variants)
        for first in range(n_levels - width)
    ]
    return found


class Seen(NamedTuple):
    """Answers by skill, level and variant: float64 ``(n_skills, n_levels, n_variants + 1)``.

    Attributes:
        asked: How many; variant 0 counts all.
        right: How many were right.
    """

    asked: NDArray[np.float64]
    right: NDArray[np.float64]

    def share(self, skill: int, subskill: Subskill) -> float | None:
        """Return the share of right answers, ``None`` if there was no question."""
        asked = self.asked[skill][subskill.where].sum()
        return float(self.right[skill][subskill.where].sum() / asked) if asked > 0 else None

    def known(self, skill: int, subskill: Subskill) -> float | None:
        """Return the share of right answers: of the band if no question was of the variant."""
        own = self.share(skill, subskill)
        return self.share(skill, subskill._replace(variant=0)) if own is None else own

    def accuracy(self, skill: int, subskill: Subskill) -> float:
        """Return :meth:`known`, 1 for ``None``: what is not asked shows no errors."""
        known = self.known(skill, subskill)
        return 1.0 if known is None else known


class Trees:
    """Which subskills exist and how many samples a lesson has for each.

    Args:
        n_levels: Levels of every skill.
        variants: Names of each skill's variants; a tree per skill.
        n_slots: Subskills of a tree at most; 0 for all there are.
        block: Samples a new subskill gets, and by which allocations are changed.
        limit: Samples of a subskill at most.
        proposer: Says which subskills are next.

    Attributes:
        slots: The subskills of every tree, in the order they were added.
        sizes: How many subskills each tree can have, int64 ``(n_skills,)``; the largest is the
            number of slots M.
        alloc: Samples wanted per slot, int64 ``(n_skills, M)``.
        last: What was done to each tree since :meth:`begin_step`: subskills added, allocation
            added and taken away (in blocks), float64 ``(n_skills, 3)``.
        full: Trees that were to explore but had nothing to add, bool ``(n_skills,)``.
    """

    def __init__(
        self,
        n_levels: int,
        variants: Variants,
        *,
        n_slots: int,
        block: int,
        limit: int,
        proposer: Proposer,
    ) -> None:
        self._block, self._limit, self._proposer = block, limit, proposer
        self._variants, n_variants = variants, [len(names) for names in variants]
        known = np.array([len(subskills(n_levels, n)) for n in n_variants])
        self.sizes = np.minimum(known, n_slots or known.max())
        self.slots: list[list[Subskill]] = [[] for _ in n_variants]
        self.alloc = np.zeros((len(self.sizes), self.sizes.max()), dtype=np.int64)
        self._shape = len(n_variants), n_levels, 1 + max(n_variants)
        self.begin_step()

    @property
    def exists(self) -> NDArray[np.bool_]:
        """Which slots hold a subskill, bool ``(n_skills, M)``."""
        held = np.array([len(slots) for slots in self.slots])
        exists: NDArray[np.bool_] = np.arange(self.alloc.shape[1]) < held[:, None]
        return exists

    @property
    def free(self) -> NDArray[np.int64]:
        """How many subskills each tree can still add, int64 ``(n_skills,)``."""
        free: NDArray[np.int64] = self.sizes - self.exists.sum(axis=1)
        return free

    def begin_step(self) -> None:
        """Forget what was done last."""
        self.last = np.zeros((len(self.slots), 3))
        self.full = np.zeros(len(self.slots), dtype=np.bool_)

    def readings(
        self, probe: Seen, tried: Seen, accuracy: NDArray[np.float64], delta: NDArray[np.float64]
    ) -> tuple[TreeReading, ...]:
        """Return the trees as a teacher sees them.

        Args:
            probe: The probe's answers.
            tried: Answers to all samples so far, when they were taught.
            accuracy: Of each skill, ``(n_skills,)``.
            delta: Its change.
        """
        taught, free = tried.asked[:, :, 0].sum(axis=1), self.free.tolist()
        found = []
        for skill, slots in enumerate(self.slots):
            subskills = tuple(
                SubskillReading(
                    *each,
                    alloc=int(alloc),
                    taught=int(tried.asked[skill][each.where].sum()),
                    train_accuracy=tried.share(skill, each),
                    accuracy=probe.known(skill, each),
                )
                for each, alloc in zip(slots, self.alloc[skill], strict=False)
            )
            values = float(accuracy[skill]), float(delta[skill]), int(taught[skill])
            last = tuple(self.last[skill].tolist())
            found.append(TreeReading(self._variants[skill], subskills, free[skill], *values, last))
        return tuple(found)

    def move(self, skill: int, move: Move, seen: Seen) -> None:
        """Do to a tree what a plan says.

        Args:
            skill: The tree.
            move: See :data:`teachenv.trees.Move`; not more numbers than there are slots.
            seen: The probe's answers.
        """
        if isinstance(move, tuple):
            change = np.zeros(self.alloc.shape[1], dtype=np.int64)
            change[: len(move)] = move
            self.exploit(skill, change)
        elif move.startswith("explore"):
            self.explore(skill, int(move[-1]), seen)
        elif move == "exploit weakest" and self.slots[skill]:
            self.exploit_weakest(skill, seen)
        elif move == "exploit all":
            self.exploit_all(skill)
        elif move == "reset":
            self.reset(skill)

    def explore(self, skill: int, n: int, seen: Seen) -> None:
        """Add up to ``n`` subskills with one block each; a full tree is left as it is.

        Args:
            skill: The tree.
            n: How many.
            seen: The probe's answers.
        """
        slots, n = self.slots[skill], min(n, int(self.free[skill]))
        added = self._proposer(skill, n, slots, seen)[:n] if n else []
        self.full[skill] = not added
        self.alloc[skill, len(slots) : len(slots) + len(added)] = min(self._block, self._limit)
        slots += added
        self.last[skill, 0] += len(added)

    def exploit(self, skill: int, change: NDArray[np.int64]) -> None:
        """Change the allocation of the subskills that exist, by so many samples each."""
        before = self.alloc[skill]
        after = np.clip(before + change, 0, self._limit) * self.exists[skill]
        moved = (after - before) / self._block
        self.last[skill, 1:] += moved[moved > 0].sum(), -moved[moved < 0].sum()
        self.alloc[skill] = after

    def exploit_weakest(self, skill: int, seen: Seen) -> None:
        """Give a block more to the subskill with most errors on the probe."""
        change = np.zeros(self.alloc.shape[1], dtype=np.int64)
        change[np.argmin([seen.accuracy(skill, each) for each in self.slots[skill]])] = self._block
        self.exploit(skill, change)

    def exploit_all(self, skill: int) -> None:
        """Give a block more to a tree, spread evenly over its subskills."""
        exists = self.exists[skill]
        change = rounded(exists * (self._block / max(1, exists.sum())), self._block)
        self.exploit(skill, change)

    def reset(self, skill: int) -> None:
        """Take all samples away from a tree; its subskills stay."""
        self.exploit(skill, -self.alloc[skill])

    def counts(self, n: int) -> NDArray[np.int64]:
        """Return the samples of a lesson: the allocations, scaled down to ``n``.

        All trees share the lesson; a subskill's samples are spread evenly over its levels.

        Returns:
            Int64 by skill, level and variant, ``(n_skills, n_levels, n_variants + 1)``; variant
            0 is any.
        """
        wanted = np.zeros(self._shape)
        for skill, slots in enumerate(self.slots):
            for each, samples in zip(slots, self.alloc[skill], strict=False):
                wanted[skill][each.where] += samples / (1 + each.last - each.first)
        return rounded(wanted, n)
