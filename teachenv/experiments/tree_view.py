"""The skill trees of a run folder, as pictures see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachenv.experiments.store import Run

__all__ = ["GrownSubskill", "GrownTree", "grown_trees"]


@dataclass(frozen=True)
class GrownSubskill:
    """A subskill of a tree at the end of an episode.

    Attributes:
        label: Its levels, and its variant if it is of one.
        added: Number of the lesson it was added in, from 1.
        alloc: Samples wanted for it in that lesson and each after it.
        taught: Samples that belong to it, of the whole episode.
        accuracy: On the last probe; ``None`` where it is not probed.
    """

    label: str
    added: int
    alloc: tuple[int, ...]
    taught: int
    accuracy: float | None


@dataclass(frozen=True)
class GrownTree:
    """The tree of a skill at the end of an episode.

    Attributes:
        skill: Its name.
        subskills: In the order they were added.
        taught: Samples of the skill, of the whole episode.
        accuracy: On the last probe, mean over the skill's probed levels.
    """

    skill: str
    subskills: tuple[GrownSubskill, ...]
    taught: int
    accuracy: float


def grown_trees(run: Run) -> tuple[GrownTree, ...]:
    """Return the trees of the last finished episode; none where nothing grew, or was kept."""
    last = len(run.times) - 1
    lessons = [row["trees"] for row in run.teacher if row["round"] == last and "trees" in row]
    if run.data is None or not lessons or not any(tree["subskills"] for tree in lessons[-1]):
        return ()
    told = zip(run.data["told_skills"], zip(*lessons, strict=True), strict=True)
    return tuple(_grown(skill, history) for skill, history in told)


def _grown(skill: str, history: Sequence[Mapping[str, Any]]) -> GrownTree:
    """Return a tree from what it was after each lesson."""
    end, subskills = history[-1], []
    for slot, row in enumerate(end["subskills"]):
        alloc = [t["subskills"][slot]["alloc"] for t in history if len(t["subskills"]) > slot]
        added = len(history) - len(alloc) + 1
        label = _label(row, end["variants"])
        subskills.append(
            GrownSubskill(label, added, tuple(alloc), int(row["taught"]), row["accuracy"])
        )
    return GrownTree(skill, tuple(subskills), int(end["taught"]), float(end["accuracy"]))


def _label(row: Mapping[str, Any], variants: Sequence[str]) -> str:
    first, last, variant = row["first"], row["last"], row["variant"]
    levels = f"level {first}" if first == last else f"levels {first}-{last}"
    return f"{levels}, {variants[variant - 1]}" if variant else levels
