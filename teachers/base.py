"""What every teacher has in common: the ledger of trials, validation, randomness and state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State, Task, Trial
from teachenv.seeding import derive
from teachenv.space import TaskSpace
from teachers.values import check_outcome

UnitPoint = NDArray[np.float64]
"""A point of the unit cube, float64 of shape ``(dim,)``, values in [0, 1]."""

Knowledge = Literal["none", "thresholds", "initial distribution"]
"""What an expert must tell a method beforehand: nothing; returns or scores that count as good
or bad; where easy tasks are (Romac et al., ICML 2021, section 4)."""

MAX_OUTSTANDING = 100_000
"""Trials a teacher keeps waiting; beyond it the oldest are given up as lost."""

LEVEL_SEEDS = 2**31
"""Level seeds of teachers are whole numbers in [0, LEVEL_SEEDS)."""


class TeacherWarning(UserWarning):
    """A teacher had to fall back to something simpler; said once per teacher."""


@dataclass(frozen=True, slots=True)
class Pick:
    """What a method wants played next.

    Attributes:
        point: Where in the unit cube; clipped to it. In a pick that comes back it is the point
            of the task really issued: whole-number parameters in the middle of their bin.
        reason: Why ("explore", "replay score 0.42", ...).
        level_seed: With the task it fixes the level exactly, in [0, ``LEVEL_SEEDS``).
            ``None``: any level of that task will do.
        train: ``False`` asks the student to play without learning from it.
        task: The task in the environment's units, where it must be one issued before to the
            last bit; ``point`` is then not looked at. Always there in a pick that comes back.
        note: A JSON value that the method wants back with the outcome.
    """

    point: UnitPoint
    reason: str
    level_seed: int | None = None
    train: bool = True
    task: Task | None = None
    note: Any = None


class BaseTeacher(ABC):
    """A teacher that lives in the unit cube.

    A method implements :meth:`_sample` and :meth:`_update`, and where it remembers something
    :meth:`_describe`, :meth:`_state` and :meth:`_load_state`. A method that must know more of
    the trial than its point implements :meth:`_learn` instead of :meth:`_update`. This class
    numbers the trials, matches each outcome with the task it belongs to, refuses bad calls
    before anything changes, and counts failed and lost trials without showing them to the
    method.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63]; same class, space, seed and calls give the same
            trials, bit for bit.

    Raises:
        TypeError: if ``space`` is not a task space.
        ValueError: for a bad seed.

    Attributes:
        id: The name under which :func:`teachers.make` knows the class.
        needs: Signals that every outcome with status "ok" must carry.
        knowledge: What an expert must tell the method.
        presets: Published hyper-parameters by name; see :func:`teachers.make`.
    """

    id: ClassVar[str]
    needs: frozenset[str] = frozenset()
    knowledge: ClassVar[Knowledge] = "none"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, space: TaskSpace, *, seed: int = 0) -> None:
        if not isinstance(space, TaskSpace):
            raise TypeError(
                f"space: expected a TaskSpace (env.unwrapped.task_space), got {space!r:.80}"
            )
        self.space = space
        self._rng = derive(seed, "teacher")
        self._counts = {"asked": 0, "ok": 0, "failed": 0, "lost": 0}
        self._outstanding: dict[int, Pick] = {}

    # -- what a method implements ----------------------------------------------------------

    @abstractmethod
    def _sample(self) -> Pick | tuple[UnitPoint, str]:
        """Pick what to play, or a point of the unit cube and why.

        Draw only from ``self._rng``.
        """

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        """Learn from the validated outcome (status "ok") of what was picked."""
        self._update(pick.point, outcome)

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        """Learn from the validated outcome (status "ok") of the task at ``point``."""
        raise NotImplementedError(f"{type(self).__name__} needs _update or _learn")

    def _drop(self, pick: Pick, outcome: Outcome) -> None:  # noqa: B027  (most keep no books)
        """Forget about a pick whose trial failed or was lost; must not change what is sampled."""

    def _describe(self) -> dict[str, Any]:
        """Return what the method believes, as JSON values and arrays."""
        return {}

    def _state(self) -> State:
        """Return what the method remembers; arrays may be shared, the caller copies them."""
        return {}

    def _load_state(self, state: State) -> None:
        """Take over what :meth:`_state` returned; arrays belong to the method."""
        if state:
            raise ValueError(f"load_state_dict: {self.id} remembers nothing, got {list(state)}")

    def _new_level_seed(self) -> int:
        """Draw the seed of a new level."""
        return int(self._rng.integers(LEVEL_SEEDS))

    # -- ask and tell ----------------------------------------------------------------------

    def ask(self) -> Trial:
        """Issue the next trial; never waits for outcomes."""
        if len(self._outstanding) >= MAX_OUTSTANDING:
            oldest = self._outstanding.pop(next(iter(self._outstanding)))
            self._counts["lost"] += 1
            self._drop(oldest, Outcome.lost())
        found = self._sample()
        pick = found if isinstance(found, Pick) else Pick(*found)
        task = self._task(pick)
        number = self._counts["asked"]
        self._counts["asked"] += 1
        point = self.space.to_unit(task)
        self._outstanding[number] = replace(pick, point=point, task=task.copy())
        return Trial(number, task, pick.reason, pick.level_seed, pick.train)

    def _task(self, pick: Pick) -> Task:
        problem = ""
        if pick.task is not None:
            if not self.space.contains(pick.task):
                problem = f"expected a task of {self.space!r:.200}, got {pick.task!r}"
        elif pick.point.shape != (self.space.dim,) or not np.isfinite(pick.point).all():
            problem = f"expected {self.space.dim} finite numbers, got {pick.point!r}"
        if pick.level_seed is not None and not 0 <= pick.level_seed < LEVEL_SEEDS:
            problem = f"expected a level seed in [0, {LEVEL_SEEDS}), got {pick.level_seed!r}"
        if problem:
            raise RuntimeError(
                f"{type(self).__name__}._sample: {problem}; this is a bug of the teacher"
            )
        return self.space.from_unit(pick.point) if pick.task is None else self.space.task(pick.task)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take the outcome of an issued trial, once per trial, in any order.

        A refused call changes nothing. Outcomes with status "failed" or "lost" are counted and
        never change what is sampled.

        Raises:
            ValueError: if the trial is not outstanding or not as it was issued, or the outcome
                holds a value out of range, not finite or missing.
            TypeError: for values of the wrong type.
        """
        pick = self._issued(trial)
        check_outcome(outcome, self.needs)
        del self._outstanding[int(trial.id)]
        self._counts[outcome.status] += 1
        if outcome.status == "ok":
            self._learn(pick, outcome)
        else:
            self._drop(pick, outcome)

    def _issued(self, trial: Trial) -> Pick:
        if not isinstance(trial, Trial):
            raise TypeError(f"tell: expected the Trial that ask() returned, got {trial!r:.80}")
        number = trial.id
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"tell: trial ids are whole numbers, got {number!r:.80}")
        pick = self._outstanding.get(int(number))
        if pick is None:
            issued = 0 <= number < self._counts["asked"]
            why = "already told, or given up" if issued else "never issued by this teacher"
            raise ValueError(f"tell: trial {number} is not outstanding ({why})")
        if not np.array_equal(trial.task, np.asarray(pick.task)):
            raise ValueError(
                f"tell: trial {number} was issued with task {np.asarray(pick.task).tolist()}, "
                f"got {np.asarray(trial.task).tolist()}; return trials unchanged"
            )
        if trial.train != pick.train or pick.level_seed not in (None, trial.level_seed):
            raise ValueError(
                f"tell: trial {number} was issued with level_seed={pick.level_seed}, "
                f"train={pick.train}, got {trial.level_seed}, {trial.train}; "
                "return trials unchanged"
            )
        return pick

    # -- looking in, saving, loading -------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Return what the teacher currently believes.

        Returns:
            ``teacher`` (id), ``n_asked``, ``n_told`` (status "ok"), ``n_failed``, ``n_lost``,
            and what the method adds; JSON values and arrays.
        """
        counts = self._counts
        return {
            "teacher": self.id,
            "n_asked": counts["asked"],
            "n_told": counts["ok"],
            "n_failed": counts["failed"],
            "n_lost": counts["lost"],
            **self._describe(),
        }

    def state_dict(self) -> State:
        """Return everything the future depends on: nested dicts of JSON values and arrays."""
        state: State = {
            "teacher": self.id,
            "space": self.space.to_json(),
            "counts": self._counts,
            "rng": self._rng.bit_generator.state,
            "outstanding": _picks_state(self._outstanding, self.space.dim),
            "method": self._state(),
        }
        return copy_state(state)

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        The teacher must have been built with the same space and hyper-parameters.

        Raises:
            ValueError: if the state belongs to another teacher or space, or is incomplete.
        """
        own = {"teacher": self.id, "space": self.space.to_json()}
        for key, value in own.items():
            if state.get(key) != value:
                raise ValueError(
                    f"load_state_dict: the state has {key} {state.get(key)!r}, this is {value!r}"
                )
        state = copy_state(state)
        try:
            counts = {key: int(state["counts"][key]) for key in self._counts}
            bits = np.random.PCG64()
            bits.state = state["rng"]
            outstanding = _picks_from(state["outstanding"], self.space)
            self._load_state(state["method"])
        except KeyError as error:
            raise ValueError(f"load_state_dict: {error} is missing from the state") from None
        self._counts, self._outstanding = counts, outstanding
        self._rng = np.random.Generator(bits)


def _picks_state(picks: Mapping[int, Pick], dim: int) -> State:
    chosen = list(picks.values())
    seeds = [-1 if pick.level_seed is None else pick.level_seed for pick in chosen]
    return {
        "ids": np.array(list(picks), dtype=np.int64),
        "tasks": np.array([pick.task for pick in chosen], dtype=np.float64).reshape(-1, dim),
        "reasons": [pick.reason for pick in chosen],
        "level_seeds": np.array(seeds, dtype=np.int64),
        "train": np.array([pick.train for pick in chosen], dtype=np.bool_),
        "notes": [pick.note for pick in chosen],
    }


def _picks_from(state: State, space: TaskSpace) -> dict[int, Pick]:
    columns = [state[key] for key in ("ids", "tasks", "reasons", "level_seeds", "train", "notes")]
    return {
        int(number): Pick(
            space.to_unit(task), reason, int(seed) if seed >= 0 else None, bool(train), task, note
        )
        for number, task, reason, seed, train, note in zip(*columns, strict=True)
    }


def copy_state(state: State) -> State:
    """Return a state with every container and array copied."""
    return {key: _copy_value(value) for key, value in state.items()}


def _copy_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return copy_state(dict(value))
    if isinstance(value, list):
        return [_copy_value(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value
