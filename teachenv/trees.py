"""The words of skill trees, for environments and teachers: moves, and what is seen of a tree."""

from __future__ import annotations

from typing import Any, NamedTuple

from teachenv.errors import UserError, unknown

__all__ = ["MOVES", "Move", "SubskillReading", "TreeReading", "read_moves"]

MOVES = ("wait", "explore 1", "explore 2", "exploit weakest", "exploit all", "reset")
"""Names of moves: leave a tree as it is; add subskills; give a block of samples more to the
subskill with most errors on the probe, or spread over all; take all its samples away."""

Move = str | tuple[int, ...]
"""What is done to a tree: one of :data:`MOVES`, or by how many samples of a lesson the allocation
of each of its slots changes, in the order the subskills were added."""


class SubskillReading(NamedTuple):
    """A subskill as a teacher sees it.

    Attributes:
        variant: 0 for all questions of the skill, v for those of the tree's v-th variant.
        first: Its lowest level.
        last: Its highest.
        alloc: Samples a lesson has for it, before the trees' wishes are scaled down to a lesson.
        taught: Samples so far that belong to it, whatever they were made for.
        train_accuracy: Share of them answered right when they were taught; ``None`` without any.
        accuracy: Share of right answers on the probe, of its levels if no question was of the
            variant; ``None`` if none was asked.
    """

    variant: int
    first: int
    last: int
    alloc: int
    taught: int
    train_accuracy: float | None
    accuracy: float | None


class TreeReading(NamedTuple):
    """The tree of a skill as a teacher sees it.

    Attributes:
        variants: Names of the skill's variants.
        subskills: In the order they were added.
        free: How many can still be added.
        accuracy: Mean accuracy on the probed levels of the skill, 0 without any.
        delta: Its change by the last lesson.
        taught: Samples of the skill so far.
        last: Subskills the last plan added, and blocks of samples it gave and took.
    """

    variants: tuple[str, ...]
    subskills: tuple[SubskillReading, ...]
    free: int
    accuracy: float
    delta: float
    taught: int
    last: tuple[float, float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the tree as JSON values: its attributes by name, lists for tuples."""
        subskills = [each._asdict() for each in self.subskills]
        lists = {"variants": list(self.variants), "last": list(self.last)}
        return {**self._asdict(), **lists, "subskills": subskills}


def read_moves(value: object, n_skills: int, n_samples: int) -> tuple[Move, ...]:
    """Return moves, one per skill; lists become tuples.

    Args:
        value: What may be moves.
        n_skills: Skills there are.
        n_samples: Samples of a lesson, by which an allocation changes at most.

    Raises:
        UserError: naming every one that is none, with what was expected.
    """
    if not isinstance(value, list | tuple) or len(value) != n_skills:
        raise UserError(f"plan: moves: expected {n_skills}, one per skill, got {value!r:.80}")
    moves, problems = [], []
    for index, move in enumerate(value):
        if isinstance(move, str):
            problem = "" if move in MOVES else unknown("move", move, MOVES)
        elif isinstance(move, list | tuple):
            whole = all(type(n) is int and abs(n) <= n_samples for n in move)
            wanted = f"expected whole numbers in [-{n_samples}, {n_samples}]"
            problem = "" if whole else f"{wanted}, got {move!r:.80}"
            move = tuple(move)
        else:
            problem = f"expected one of {MOVES} or a list of whole numbers, got {move!r:.80}"
        if problem:
            problems.append(f"plan: move {index}: {problem}")
        moves.append(move)
    if problems:
        raise UserError("\n".join(problems))
    return tuple(moves)
