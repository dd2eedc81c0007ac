"""Which cells are taught, probed, or only tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachenv.errors import UserError
from teachenv.seeding import derive

__all__ = ["cells_mask", "check_held_out", "probed_cells"]

Mask = NDArray[np.bool_]


def cells_mask(cells: Sequence[Sequence[int]], shape: tuple[int, int]) -> Mask:
    """Return where the cells are, given as ``(skill, level)`` indices."""
    mask = np.zeros(shape, dtype=np.bool_)
    for skill, level in cells:
        mask[skill, level] = True
    return mask


def check_held_out(held_out: Mask, kinds: NDArray[np.str_], target: Mask) -> None:
    """Refuse cells to hold out that cannot be taught anyway, or that are needed.

    Raises:
        UserError: if there is one, or if nothing is left to teach.
    """
    for wrong, what in ((kinds != "taught", "that cannot be taught anyway"), (target, "to aim at")):
        if (held_out & wrong).any():
            cell = tuple(np.argwhere(held_out & wrong)[0].tolist())
            raise UserError(f"held_out: {cell} is a cell {what}; name others")
    if not ((kinds == "taught") & ~held_out).any():
        raise UserError("held_out: nothing is left to teach; name fewer cells")


def probed_cells(kinds: NDArray[np.str_], held_out: Mask, share: float, seed: int) -> Mask:
    """Return the cells that are probed in an episode, one that can be taught among them.

    Args:
        kinds: What each cell is.
        held_out: Cells that never are probed.
        share: Share of the others that are.
        seed: Of the episode.
    """
    taught = (kinds == "taught") & ~held_out
    order = derive(seed, "probed").permutation(taught.size)
    order = order[~held_out.reshape(-1)[order]]
    first = order[np.argmax(taught.reshape(-1)[order])]
    chosen = [first, *order[order != first]][: max(1, round(share * len(order)))]
    probed = np.zeros(taught.size, dtype=np.bool_)
    probed[chosen] = True
    return probed.reshape(taught.shape)
