"""What a new student knows already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain
from teachenv.errors import UserError, unknown

__all__ = ["PROFILES", "known_cells"]

PROFILES = ("fresh", "warm", "random")


def known_cells(
    domain: Domain, profile: str | Sequence[str], warm_levels: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return the cells a student has been trained on before the first lesson.

    Cells that the domain calls "known" always are, those of noise never.

    Args:
        domain: The domain.
        profile: "fresh": nothing else; "warm": the easiest levels of every skill; "random": those
            of a random half of the skills (rounded down, at least one); or names of the skills.
        warm_levels: How many levels are easiest; 0 for the easier half.
        rng: Chooses the skills of "random".

    Returns:
        Bool of the shape of ``domain.kinds``.

    Raises:
        UserError: for an unknown profile or skill.
    """
    n_skills, n_levels = domain.kinds.shape
    taught = np.flatnonzero((domain.kinds == "taught").any(axis=1))
    if profile == "fresh":
        chosen = taught[:0]
    elif profile == "warm":
        chosen = taught
    elif profile == "random":
        chosen = rng.permutation(taught)[: max(1, len(taught) // 2)]
    elif isinstance(profile, str):
        raise UserError(unknown("profile", profile, PROFILES))
    else:
        strange = [str(name) for name in profile if name not in domain.skills]
        if strange:
            raise UserError("; ".join(unknown("skill", name, domain.skills) for name in strange))
        chosen = np.array([domain.skills.index(name) for name in profile], dtype=np.int64)
    easy = np.zeros((n_skills, n_levels), dtype=np.bool_)
    easy[chosen, : warm_levels or max(1, n_levels // 2)] = True
    known: NDArray[np.bool_] = (easy & (domain.kinds == "taught")) | (domain.kinds == "known")
    return known
