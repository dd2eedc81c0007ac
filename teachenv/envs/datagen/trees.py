"""Skill trees: one tree per skill, whose subskills are bands of levels that get samples."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.actions import rounded
from teachenv.lesson import Cells

__all__ = ["PROPOSERS", "Trees", "level_bands"]

PROPOSERS = ("list", "errors")


def level_bands(n_levels: int, n_slots: int) -> NDArray[np.bool_]:
    """Return the bands of levels that subskills stand for, the narrow and easy ones first.

    Args:
        n_levels: Levels of a skill.
        n_slots: How many bands at most; 0 for all.

    Returns:
        Bool of shape ``(n_bands, n_levels)``.
    """
    bands = np.zeros((0, n_levels), dtype=np.bool_)
    for width in range(1, n_levels + 1):
        for first in range(n_levels - width + 1):
            levels = np.arange(n_levels)
            bands = np.vstack([bands, (levels >= first) & (levels < first + width)])
    return bands[: n_slots or None]


class Trees:
    """Which subskills exist and how many samples a lesson has for each.

    Args:
        n_skills: Trees.
        bands: Levels of the subskills, the same for every tree: see :func:`level_bands`.
        block: Samples a new subskill gets, and by which allocations are changed.
        limit: Samples of a subskill at most.
        proposer: Which subskill is next: "list", in the order of ``bands``; "errors", the one
            with most errors on the probe.

    Attributes:
        exists: Bool of shape ``(n_skills, n_bands)``.
        alloc: Samples wanted per subskill, int64 of the same shape.
        last: What was done last to each tree: subskills added, allocation added and taken away
            (in blocks), float64 ``(n_skills, 3)``.
        full: Trees that were to explore but had nothing left to add, bool ``(n_skills,)``.
    """

    def __init__(
        self,
        n_skills: int,
        bands: NDArray[np.bool_],
        *,
        block: int,
        limit: int,
        proposer: Literal["list", "errors"] = "list",
    ) -> None:
        self.bands, self._block, self._limit, self._proposer = bands, block, limit, proposer
        self.exists = np.zeros((n_skills, len(bands)), dtype=np.bool_)
        self.alloc = np.zeros((n_skills, len(bands)), dtype=np.int64)
        self.begin_step()

    def begin_step(self) -> None:
        """Forget what was done last."""
        n_skills = len(self.exists)
        self.last = np.zeros((n_skills, 3))
        self.full = np.zeros(n_skills, dtype=np.bool_)

    def of_bands(self, cells: Cells) -> Cells:
        """Return the mean over the levels of each subskill, from values per cell."""
        share = self.bands / self.bands.sum(axis=1, keepdims=True)
        mean: Cells = cells @ share.T
        return mean

    def explore(self, skill: int, n: int, accuracy: Cells) -> None:
        """Add up to ``n`` subskills with one block each; a full tree is left as it is.

        Args:
            skill: The tree.
            n: How many.
            accuracy: On the probe, per cell.
        """
        free = np.flatnonzero(~self.exists[skill])
        if self._proposer == "errors":
            free = free[np.argsort(self.of_bands(accuracy)[skill, free], kind="stable")]
        added = free[:n]
        self.full[skill] = len(added) == 0
        self.exists[skill, added] = True
        self.alloc[skill, added] = min(self._block, self._limit)
        self.last[skill, 0] += len(added)

    def exploit(self, skill: int, change: NDArray[np.int64]) -> None:
        """Change the allocation of the subskills that exist, by so many samples each."""
        before = self.alloc[skill]
        after = np.clip(before + change, 0, self._limit) * self.exists[skill]
        moved = (after - before) / self._block
        self.last[skill, 1:] += moved[moved > 0].sum(), -moved[moved < 0].sum()
        self.alloc[skill] = after

    def exploit_weakest(self, skill: int, accuracy: Cells) -> None:
        """Give a block more to the subskill with most errors on the probe."""
        known = np.where(self.exists[skill], self.of_bands(accuracy)[skill], np.inf)
        change = np.zeros(len(self.bands), dtype=np.int64)
        change[known.argmin()] = self._block
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
        """Return the samples of a lesson per cell: the allocations, scaled down to ``n``.

        All trees share the lesson; a subskill's samples are spread evenly over its levels.
        """
        share = self.bands / self.bands.sum(axis=1, keepdims=True)
        return rounded(self.alloc @ share, n)
