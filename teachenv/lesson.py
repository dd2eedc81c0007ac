"""The words of data generation, for environments, teachers and students: types, no behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from teachenv.errors import UserError
from teachenv.space import Dim, TaskSpace
from teachenv.trees import Move, TreeReading, read_moves

__all__ = [
    "DataPlan",
    "GameTeacher",
    "Lesson",
    "PlanItem",
    "PoolView",
    "Reading",
    "Rehearsal",
    "Selection",
    "Syllabus",
]

Cells = NDArray[np.float64]
"""One number per cell: float64, shape ``(n_skills, n_levels)``."""


@dataclass(frozen=True)
class Syllabus:
    """What there is to teach in an episode, and how much of it.

    Attributes:
        skills: Names of the skills a plan may ask for.
        n_levels: Levels of every skill, from the easiest; a *cell* is a skill at a level.
        n_steps: Plans in an episode.
        n_samples: Training samples a plan may ask for.
        prerequisites: Cells to master before a cell can be learnt, bool of shape
            ``(n_cells, n_cells)``, row needs column; ``None``: nothing is known of any.
    """

    skills: tuple[str, ...]
    n_levels: int
    n_steps: int
    n_samples: int
    prerequisites: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """``(n_skills, n_levels)``."""
        return len(self.skills), self.n_levels

    @property
    def n_cells(self) -> int:
        """Skills times levels."""
        return len(self.skills) * self.n_levels

    @property
    def task_space(self) -> TaskSpace:
        """The cells as tasks: a choice of skill and a whole level."""
        return TaskSpace(
            [
                Dim("skill", kind="choice", choices=self.skills, meaning="what is taught"),
                Dim("level", 0, self.n_levels - 1, kind="int", meaning="how hard it is"),
            ]
        )


@dataclass(frozen=True, slots=True)
class PlanItem:
    """Some training samples of one cell.

    Attributes:
        skill: Index of the skill.
        level: Index of the level, 0 the easiest.
        count: Samples, at least 0.
        options: What a domain understands besides, such as "variant", the name of a variant of
            the skill; JSON values.
    """

    skill: int
    level: int
    count: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataPlan:
    """The training data one lesson shall have.

    Every teacher speaks in plans: an action of an RL agent, an arm of a bandit, a point of
    ALP-GMM, the JSON of a language model and a list made by hand all become one.

    Attributes:
        items: What is asked for; cells may repeat.
        reason: Why, for people.
        moves: Instead of items, what is done to the skill trees, one move per skill; the trees
            say then what samples there are. Only environments that have trees take them.

    Raises:
        UserError: if it has both items and moves.
    """

    items: tuple[PlanItem, ...]
    reason: str = ""
    moves: tuple[Move, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could be taken for two plans."""
        if self.items and self.moves:
            raise UserError("plan: expected items or moves, got both; moves bring their samples")

    @classmethod
    def of_counts(cls, counts: NDArray[np.integer[Any]], reason: str = "") -> DataPlan:
        """Return the plan with ``counts`` samples per cell, shape ``(n_skills, n_levels)``."""
        cells = np.argwhere(counts > 0)
        items = (PlanItem(int(s), int(v), int(counts[s, v])) for s, v in cells)
        return cls(tuple(items), reason)

    def counts(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Return the samples asked for per cell, int64 of the given shape."""
        counts = np.zeros(shape, dtype=np.int64)
        for item in self.items:
            counts[item.skill, item.level] += item.count
        return counts

    @property
    def total(self) -> int:
        """Samples in all."""
        return sum(item.count for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        rows = [
            {"skill": i.skill, "level": i.level, "count": i.count, "options": dict(i.options)}
            for i in self.items
        ]
        moves = [move if isinstance(move, str) else list(move) for move in self.moves]
        return {"items": rows, "reason": self.reason, **({"moves": moves} if moves else {})}

    @classmethod
    def from_json(cls, value: object, syllabus: Syllabus) -> DataPlan:
        """Read a plan; skills may be given by index or by name.

        Raises:
            UserError: naming every item or move that is not one, with what was expected.
        """
        told = value if isinstance(value, Mapping) else {}
        given = told.get("moves", [])
        moves = read_moves(given, len(syllabus.skills), syllabus.n_samples) if given != [] else ()
        rows = told.get("items", [] if moves else None)
        if not isinstance(rows, list):
            raise UserError(f'plan: expected {{"items": [...]}}, got {value!r:.80}')
        items, problems = [], []
        for index, row in enumerate(rows):
            try:
                items.append(_item(row, syllabus))
            except UserError as error:
                problems.append(f"plan: item {index}: {error}")
        if problems:
            raise UserError("\n".join(problems))
        return cls(tuple(items), str(told.get("reason", "")), moves)


def _item(row: object, syllabus: Syllabus) -> PlanItem:
    if not isinstance(row, Mapping):
        raise UserError(f"expected an object with skill, level and count, got {row!r:.80}")
    skill = row.get("skill")
    if isinstance(skill, str) and skill in syllabus.skills:
        skill = syllabus.skills.index(skill)
    skill = _whole("skill", skill, len(syllabus.skills) - 1, f"or one of {syllabus.skills}")
    level = _whole("level", row.get("level"), syllabus.n_levels - 1)
    count = _whole("count", row.get("count"), syllabus.n_samples)
    options = row.get("options", {})
    if not isinstance(options, Mapping):
        raise UserError(f"options: expected an object, got {options!r:.80}")
    return PlanItem(skill, level, count, dict(options))


def _whole(name: str, value: object, high: int, also: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
        expected = f"a whole number in [0, {high}] {also}".rstrip()
        raise UserError(f"{name}: expected {expected}, got {value!r:.80}")
    return value


@dataclass(frozen=True)
class Reading:
    """What a teacher sees of its student between two lessons; arrays are read-only.

    Attributes:
        accuracy: Share of right answers on the probe, per cell; 0 where never probed.
        delta: Change of ``accuracy`` since the reading before; 0 where either has none.
        loss: Mean loss per cell, in nats.
        confidence: Mean probability of the given answer, per cell.
        data_share: Share of all training samples so far, per cell.
        last_alloc: Share of the last plan's samples, per cell.
        visible: 1 where the cell is probed, 0 where it never is.
        step: Lessons given so far.
        budget_left: Share of the episode's training samples still to give, in [0, 1].
        report: For people and language models: names, examples of errors, as JSON values.
        privileged: What only teachers that name it in ``needs`` are given: "learnable", 1 where
            a cell can be learnt and is not known yet.
        trees: The skill trees, one per skill; none where the environment has none.
        observation: What an agent sees that acts in the environment, flattened.
    """

    accuracy: Cells
    delta: Cells
    loss: Cells
    confidence: Cells
    data_share: Cells
    last_alloc: Cells
    visible: Cells
    step: int
    budget_left: float
    report: Mapping[str, Any] = field(default_factory=dict)
    privileged: Mapping[str, Cells] = field(default_factory=dict)
    trees: tuple[TreeReading, ...] = ()
    observation: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True)
class Lesson:
    """What came of a plan.

    Attributes:
        plan: The plan.
        taught: Samples really trained on, per cell, int64.
        reading: The reading after it.
        reward: The environment's reward, unscaled.
        done: Whether the episode is over.
    """

    plan: DataPlan
    taught: NDArray[np.int64]
    reading: Reading
    reward: float
    done: bool


class Rehearsal(Protocol):
    """Plans tried on a copy of the student: the lesson is forgotten again, its cost is not.

    The copy is asked the questions of the probe that will follow the coming lesson: the same for
    all plans, and for the one that is given then. What looks best is therefore rewarded a little
    too well by that probe, never by the hidden test.
    """

    def __call__(self, plans: Iterable[DataPlan], students: int = 1) -> list[Cells]:
        """Return what each plan would change of the probe's accuracy, per cell.

        0 where a cell is not probed before or after. With more than one of ``students``, the mean
        over the student and others of its profile, who have had the same lessons with data of
        their own.
        """


class GameTeacher(Protocol):
    """Teaches step by step, as the agent of a Gymnasium environment that is a game of teaching."""

    def act(self, observation: Mapping[str, NDArray[Any]]) -> Any:
        """Return the next action."""

    def tell(self, info: Mapping[str, Any]) -> None:
        """Take the ``info`` of the step that followed."""


@dataclass(frozen=True)
class PoolView:
    """What a selector sees of a pool of items without labels; arrays have first length ``n``.

    Attributes:
        student: The student's probabilities of the classes, float64 ``(n, n_classes)``; even
            ones before it has learnt anything.
        mentor: Those of the weak teacher that gives the labels, of the same shape.
        taken: Which items have been labelled already, bool ``(n,)``.
    """

    student: NDArray[np.float64]
    mentor: NDArray[np.float64]
    taken: NDArray[np.bool_]


@dataclass(frozen=True)
class Selection:
    """Which items of a pool to label and learn next.

    Attributes:
        index: Positions in the pool; none of them taken, none twice.
        weights: Weight of each item's loss, positive; ``None`` for all one.
        soft: Share of an item's loss that is taken against the mentor's probabilities, the rest
            against its answer; in [0, 1].
    """

    index: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None
    soft: float = 0.0
