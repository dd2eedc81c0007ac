"""Mastery learning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from teachenv.lesson import Reading, Syllabus
from teachers.data.base import Cells
from teachers.data.estimates import Unprobed
from teachers.data.signal import SignalTeacher
from teachers.values import number_problems

__all__ = ["Mastery"]


class Mastery(SignalTeacher):
    """The next cell of every skill once those before it are mastered (Bloom, 1968).

    A cell is *next* if it is not mastered while all easier levels of its skill and all of its
    known prerequisites are. Next cells share the samples evenly, but for ``review``, which goes
    evenly to mastered cells. A skill that cannot be learnt holds its share for ever.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
        mastered: Accuracy from which a cell counts as mastered, in [0, 1]. 0.8 is Bloom's usual
            bar.
        review: Share for mastered cells, in [0, 1].
    """

    id = "mastery"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.0,
        unprobed: Unprobed = "tracing",
        mastered: float = 0.8,
        review: float = 0.2,
    ) -> None:
        super().__init__(
            syllabus,
            seed=seed,
            explore=explore,
            unprobed=unprobed,
            problems=number_problems(0.0, 1.0, mastered=mastered, review=review),
        )
        self._mastered, self._review = mastered, review

    def _weights(self, reading: Reading) -> Cells:
        known = reading.accuracy >= self._mastered
        following = next_cells(known, self.syllabus)
        if not following.any():
            return np.ones(self.syllabus.shape)
        share = self._review if known.any() else 0.0
        review = known / max(int(known.sum()), 1)
        weights: Cells = (1.0 - share) * following / following.sum() + share * review
        return weights


def next_cells(known: NDArray[np.bool_], syllabus: Syllabus) -> NDArray[np.bool_]:
    """Return the cells that are not known while everything before them is.

    Args:
        known: Which cells are, shape ``(n_skills, n_levels)``.
        syllabus: Its prerequisites count where there are any.
    """
    easier = np.cumprod(known, axis=1).astype(np.bool_)
    reached = np.ones_like(known)
    reached[:, 1:] = easier[:, :-1]
    if syllabus.prerequisites is not None:
        missing = syllabus.prerequisites & ~known.reshape(-1)
        reached &= ~missing.any(axis=1).reshape(known.shape)
    following: NDArray[np.bool_] = reached & ~known
    return following
