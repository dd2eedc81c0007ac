"""Several teachers at once or one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import teachers
from teachenv.protocols import Outcome, State, Task, Trial
from teachenv.seeding import derive_int
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Pick
from teachers.values import number_problems, whole_problems

KEYS = ("teacher", "share", "from", "until", "preset", "args")
DEFAULT = ({"teacher": "uniform"}, {"teacher": "alp-gmm"})


@dataclass(frozen=True)
class Part:
    """One teacher of a mix: asked in the trials [``first``, ``end``), in its share of them."""

    teacher: BaseTeacher
    share: float
    first: int
    end: float


class Mix(BaseTeacher):
    """Asks its parts by their shares; every outcome goes to the part that asked.

    A part is a mapping with

    * ``teacher``: its id; ``preset`` and ``args``: its hyper-parameters;
    * ``share``: how often it is asked, in relation to the others; 1 if left out;
    * ``from`` and ``until``: the trials (counted from 0) in which it is asked, from 0 to the
      end if left out. So a part with ``until`` warms up for one with ``from``.

    Signals that any part needs are needed of all outcomes. Of expert knowledge it takes what its
    parts take.

    Example:
        >>> parts = [{"teacher": "uniform", "until": 500},
        ...          {"teacher": "riac", "from": 500, "share": 0.9},
        ...          {"teacher": "oracle", "from": 500, "share": 0.1}]

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63]; the parts' seeds derive from it.
        parts: See above.
        mastery: Handed to parts that take it and do not say themselves.
        harder: Likewise.

    Raises:
        ValueError: for a bad part, naming it, or trials in which no part is asked.
    """

    id = "mix"

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        parts: Sequence[Mapping[str, Any]] = DEFAULT,
        mastery: float | None = None,
        harder: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(space, seed=seed)
        facts = {"mastery": mastery, "harder": harder}
        known = {name: value for name, value in facts.items() if value is not None}
        self._parts: list[Part] = []
        problems = []
        for i, row in enumerate(parts):
            try:
                self._parts.append(_part(space, row, derive_int(seed, "mix", i), known))
            except ValueError as error:
                problems.append(f"part {i + 1}: {error}")
        if not problems:
            problems = self._gaps()
        if problems:
            raise ValueError("mix: " + "; ".join(problems))
        self.needs = frozenset[str]().union(*(part.teacher.needs for part in self._parts))

    def _gaps(self) -> list[str]:
        """Return where no part is asked; it can only begin where one of them ends."""
        starts = [0, *(int(part.end) for part in self._parts if np.isfinite(part.end))]
        found = [number for number in starts if not self._shares(number).any()]
        return [f"no part is asked in trial {number}" for number in sorted(set(found))]

    def _shares(self, number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([p.share if p.first <= number < p.end else 0.0 for p in self._parts])

    def _sample(self) -> Pick:
        shares = self._shares(self._counts["asked"])
        i = int(self._rng.choice(len(shares), p=shares / shares.sum()))
        teacher = self._parts[i].teacher
        trial = teacher.ask()
        return Pick(
            self.space.to_unit(trial.task),
            f"{teacher.id}: {trial.reason}",
            trial.level_seed,
            trial.train,
            trial.task,
            note=[i, trial.id],
        )

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        self._pass_on(pick, outcome)

    def _drop(self, pick: Pick, outcome: Outcome) -> None:
        self._pass_on(pick, outcome)

    def _pass_on(self, pick: Pick, outcome: Outcome) -> None:
        i, number = pick.note
        task: Task = np.asarray(pick.task)
        trial = Trial(number, task, "", pick.level_seed, pick.train)
        self._parts[i].teacher.tell(trial, outcome)

    def _describe(self) -> dict[str, Any]:
        shares = self._shares(self._counts["asked"])
        parts = {
            f"{i} {part.teacher.id}": part.teacher.describe() for i, part in enumerate(self._parts)
        }
        return {"weights": shares / shares.sum(), "parts": parts}

    def _state(self) -> State:
        return {str(i): part.teacher.state_dict() for i, part in enumerate(self._parts)}

    def _load_state(self, state: State) -> None:
        for i, part in enumerate(self._parts):
            part.teacher.load_state_dict(state[str(i)])


def _part(space: TaskSpace, row: Any, seed: int, known: Mapping[str, Any]) -> Part:
    if not isinstance(row, Mapping) or "teacher" not in row:
        raise ValueError(f"expected a mapping with a teacher, got {row!r:.80}")
    strange = [key for key in row if key not in KEYS]
    share, first, until = row.get("share", 1.0), row.get("from", 0), row.get("until")
    args, preset = row.get("args", {}), row.get("preset")
    problems = [f"unknown {strange}; known: {', '.join(KEYS)}"] if strange else []
    problems += number_problems(0.0, np.inf, share=share)
    problems += whole_problems(0, **{"from": first})
    problems += whole_problems(0, until=until) if until is not None else []
    if not isinstance(args, Mapping):
        problems.append(f"args: expected {{name: value}}, got {args!r:.80}")
    if problems:
        raise ValueError("; ".join(problems))
    accepted = teachers.hyper_parameters(row["teacher"])
    said = {**(teachers.presets(row["teacher"]).get(preset, {}) if preset else {}), **args}
    filled = {name: known[name] for name in known if name in accepted and name not in said}
    teacher = teachers.make(row["teacher"], space, seed=seed, preset=preset, **args, **filled)
    return Part(teacher, float(share), int(first), np.inf if until is None else int(until))
