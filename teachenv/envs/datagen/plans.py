"""What of a plan can be taught, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from teachenv.envs.datagen.actions import rounded
from teachenv.lesson import DataPlan, PlanItem, Syllabus

__all__ = ["accept"]


def accept(
    plan: DataPlan, syllabus: Syllabus, variants: Sequence[tuple[str, ...]], left: int
) -> tuple[DataPlan, int, int]:
    """Cut a plan to what exists and to what is left.

    Items of no cell or variant are left out and cost their samples, at least one; items beyond
    what is left are cut. A plan of a whole lesson that is too large only for what is left is
    scaled down.

    Args:
        plan: What is asked for.
        syllabus: What there is to teach.
        variants: Names of each skill's variants.
        left: Samples that may still be given in this lesson.

    Returns:
        What is taught, what it costs in samples, and how many items were malformed.
    """

    def exists(item: PlanItem) -> bool:
        n_skills, n_levels = syllabus.shape
        if not (0 <= item.skill < n_skills and 0 <= item.level < n_levels and item.count >= 0):
            return False
        return item.options.get("variant", "") in ("", *variants[item.skill])

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
