"""Which items may train, which are probed, and which nobody sees: decided by their content."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain, Varied
from teachenv.envs.datagen.items import Items

__all__ = ["PARTS", "Part", "draw", "part_of"]

Part = Literal["train", "probe", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

_BOUNDS = np.array([80, 85, 90])  # of the hash in hundredths

MAX_BATCH = 100_000
MAX_ROUNDS = 200
"""Batches drawn in search of items of one part before the cell counts as having none."""


def part_of(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the part of every item, an index into :data:`PARTS`, from its content hash.

    80 hundredths train, 5 are probed (observation and reward), 5 validate (choice of a
    checkpoint), 10 test. Seeds play no part, so no two of them share an item whoever drew it.
    """
    return np.searchsorted(_BOUNDS, (keys % np.uint64(100)).astype(np.int64), side="right")


def draw(
    domain: Domain,
    skill: int,
    level: int,
    n: int,
    part: Part,
    rng: np.random.Generator,
    variant: int | None = None,
) -> Items:
    """Draw items of one cell that belong to one part.

    Args:
        domain: Where they come from.
        skill: Index of the skill.
        level: Index of the level.
        n: How many, at least 1; items may repeat where a cell has few.
        part: The part.
        rng: Its randomness.
        variant: Index of the skill's variant, see :class:`teachenv.envs.datagen.domain.Varied`;
            ``None`` for any.

    Raises:
        ValueError: if the cell seems to have no item of that part.
    """
    found: list[Items] = []
    wanted, n_found, n_drawn = PARTS.index(part), 0, 0
    for _ in range(MAX_ROUNDS):
        # as many as it should take by the share kept so far; domains that draw only what may be
        # kept need no second batch
        share = (n_found + 1) / (n_drawn + 1)
        count = min(max(8, int((n - n_found) / share * 1.1)), MAX_BATCH) if found else n
        items = domain.draw(skill, level, count, rng, lambda keys: part_of(keys) == wanted)
        if variant is not None:
            assert isinstance(domain, Varied)
            items = items.take(domain.variant(items) == variant)
        found.append(items)
        n_found, n_drawn = n_found + len(items), n_drawn + count
        if n_found >= n:
            return (Items.concat(found) if len(found) > 1 else items).take(slice(n))
    raise ValueError(
        f"{domain.skills[skill]}, level {level}: {n_found} of {n} items of the part {part!r} "
        f"found in {MAX_ROUNDS} batches; the cell has too few different items"
    )
