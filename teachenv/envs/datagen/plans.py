"""What of a plan can be taught, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.actions import rounded
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, PlanItem, Syllabus

__all__ = ["accept"]


def accept(
    plan: DataPlan,
    syllabus: Syllabus,
    variants: Sequence[tuple[str, ...]],
    left: int,
    held_out: NDArray[np.bool_],
) -> tuple[DataPlan, int, int]:
    """Cut a plan to what exists and to what is left.

    Items of no cell or variant are left out and cost their samples, at least one; items beyond
    what is left are cut. A plan of a whole lesson that is too large only for what is left is
    scaled down. Samples of cells that are held out go to the plan's other items that exist, in
    proportion; where there are none, they are malformed.

    Args:
        plan: What is asked for.
        syllabus: What there is to teach.
        variants: Names of each skill's variants.
        left: Samples that may still be given in this lesson.
        held_out: Cells that cannot be taught, bool of shape ``(n_skills, n_levels)``; of a
            domain's own skills only.

    Returns:
        What is taught, what it costs in samples, and how many items were malformed.

    Raises:
        UserError: if the plan has moves of skill trees that nobody turned into samples.
    """
    if plan.moves:
        raise UserError(
            "plan: moves grow skill trees, in lessons of a DataGenSkillTree environment; here "
            "expected items"
        )

    def is_cell(item: PlanItem) -> bool:
        n_skills, n_levels = syllabus.shape
        if not (0 <= item.skill < n_skills and 0 <= item.level < n_levels and item.count >= 0):
            return False
        return item.options.get("variant", "") in ("", *variants[item.skill])

    def withheld(item: PlanItem) -> bool:
        return bool(held_out.any()) and is_cell(item) and bool(held_out[item.skill, item.level])

    def exists(item: PlanItem) -> bool:
        return is_cell(item) and not withheld(item)

    plan = _moved(plan, list(map(withheld, plan.items)), list(map(exists, plan.items)))
    if left < plan.total <= syllabus.n_samples and all(map(exists, plan.items)):
        counts = rounded(np.array([float(item.count) for item in plan.items]), left)
        scaled = (replace(i, count=int(n)) for i, n in zip(plan.items, counts, strict=True))
        return DataPlan(tuple(scaled)), left, 0
    items, malformed, limit = [], 0, left
    for item in plan.items:
        wanted, there = int(item.count), exists(item)
        paid = min(left, wanted if there else max(1, wanted))
        if there:
            items.append(replace(item, count=paid))
        malformed += not there or paid < wanted
        left -= paid
    return DataPlan(tuple(items)), limit - left, malformed


def _moved(plan: DataPlan, withheld: list[bool], exists: list[bool]) -> DataPlan:
    """Return a plan whose withheld items' samples are given to those that exist."""
    counts = np.array([float(item.count) for item in plan.items])
    moved, there = counts[withheld].sum(), counts[exists].sum()
    if not moved or not there:
        return plan
    counts = rounded(counts * exists * (1.0 + moved / there), int(moved + there))
    items = (
        replace(item, count=int(n)) if fine else item
        for item, n, fine, out in zip(plan.items, counts, exists, withheld, strict=True)
        if not out
    )
    return DataPlan(tuple(items), plan.reason)
