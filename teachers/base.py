"""What every teacher has in common: the ledger of trials, validation, randomness and state."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State, Status, Trial
from teachenv.seeding import derive
from teachenv.space import TaskSpace

UnitPoint = NDArray[np.float64]
"""A point of the unit cube, float64 of shape ``(dim,)``, values in [0, 1]."""

MAX_OUTSTANDING = 100_000
"""Trials a teacher keeps waiting; beyond it the oldest are given up as lost."""

STATUSES: tuple[str, ...] = get_args(Status)


class TeacherWarning(UserWarning):
    """A teacher had to fall back to something simpler; said once per teacher."""


class BaseTeacher(ABC):
    """A teacher that lives in the unit cube.

    A method implements :meth:`_sample` and :meth:`_update`, and where it remembers something
    :meth:`_describe`, :meth:`_state` and :meth:`_load_state`. This class numbers the trials,
    matches each outcome with the task it belongs to, refuses bad calls before anything
    changes, and counts failed and lost trials without showing them to the method.

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
    """

    id: ClassVar[str]
    needs: frozenset[str] = frozenset()

    def __init__(self, space: TaskSpace, *, seed: int = 0) -> None:
        if not isinstance(space, TaskSpace):
            raise TypeError(
                f"space: expected a TaskSpace (env.unwrapped.task_space), got {space!r:.80}"
            )
        self.space = space
        self._rng = derive(seed, "teacher")
        self._counts = {"asked": 0, "ok": 0, "failed": 0, "lost": 0}
        self._outstanding: dict[int, NDArray[np.float64]] = {}

    # -- what a method implements ----------------------------------------------------------

    @abstractmethod
    def _sample(self) -> tuple[UnitPoint, str]:
        """Pick a point of the unit cube and say why; draw only from ``self._rng``."""

    @abstractmethod
    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        """Learn from the validated outcome (status "ok") of the task at ``point``."""

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

    # -- ask and tell ----------------------------------------------------------------------

    def ask(self) -> Trial:
        """Issue the next trial; never waits for outcomes."""
        point, reason = self._sample()
        if point.shape != (self.space.dim,) or not np.isfinite(point).all():
            raise RuntimeError(
                f"{type(self).__name__}._sample: expected {self.space.dim} finite numbers, "
                f"got {point!r}; this is a bug of the teacher"
            )
        task = self.space.from_unit(point)
        number = self._counts["asked"]
        if len(self._outstanding) >= MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]
            self._counts["lost"] += 1
        self._counts["asked"] += 1
        self._outstanding[number] = task.copy()
        return Trial(number, task, reason)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        """Take the outcome of an issued trial, once per trial, in any order.

        A refused call changes nothing. Outcomes with status "failed" or "lost" are counted and
        never change what is sampled.

        Raises:
            ValueError: if the trial is not outstanding, its task is not the one issued, or the
                outcome holds a value out of range, not finite or missing.
            TypeError: for values of the wrong type.
        """
        task = self._issued(trial)
        check_outcome(outcome, self.needs)
        del self._outstanding[int(trial.id)]
        self._counts[outcome.status] += 1
        if outcome.status == "ok":
            self._update(self.space.to_unit(task), outcome)

    def _issued(self, trial: Trial) -> NDArray[np.float64]:
        if not isinstance(trial, Trial):
            raise TypeError(f"tell: expected the Trial that ask() returned, got {trial!r:.80}")
        number = trial.id
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise TypeError(f"tell: trial ids are whole numbers, got {number!r:.80}")
        task = self._outstanding.get(int(number))
        if task is None:
            issued = 0 <= number < self._counts["asked"]
            why = "already told, or given up" if issued else "never issued by this teacher"
            raise ValueError(f"tell: trial {number} is not outstanding ({why})")
        if not np.array_equal(trial.task, task):
            raise ValueError(
                f"tell: trial {number} was issued with task {task.tolist()}, "
                f"got {np.asarray(trial.task).tolist()}; return trials unchanged"
            )
        return task

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
        tasks = np.array(list(self._outstanding.values()), dtype=np.float64)
        state: State = {
            "teacher": self.id,
            "space": self.space.to_json(),
            "counts": self._counts,
            "rng": self._rng.bit_generator.state,
            "outstanding": {
                "ids": np.array(list(self._outstanding), dtype=np.int64),
                "tasks": tasks.reshape(-1, self.space.dim),
            },
            "method": self._state(),
        }
        return _copy(state)

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
        state = _copy(state)
        try:
            counts = {key: int(state["counts"][key]) for key in self._counts}
            bits = np.random.PCG64()
            bits.state = state["rng"]
            waiting = state["outstanding"]
            outstanding = {
                int(number): task
                for number, task in zip(waiting["ids"], waiting["tasks"], strict=True)
            }
            self._load_state(state["method"])
        except KeyError as error:
            raise ValueError(f"load_state_dict: {error} is missing from the state") from None
        self._counts, self._outstanding = counts, outstanding
        self._rng = np.random.Generator(bits)


def check_outcome(outcome: Outcome, needs: frozenset[str]) -> None:
    """Refuse an outcome that a teacher could not learn from.

    Raises:
        TypeError: for values of the wrong type.
        ValueError: for values out of range, not finite or missing; the message names the field.
    """
    if not isinstance(outcome, Outcome):
        raise TypeError(f"tell: expected an Outcome, got {outcome!r:.80}")
    status = outcome.status
    if not isinstance(status, str):
        raise TypeError(f"status: expected one of {STATUSES}, got {status!r:.80}")
    if status not in STATUSES:
        raise ValueError(f"status: expected one of {STATUSES}, got {status!r:.80}")
    if not 0.0 <= finite_number("score", outcome.score) <= 1.0:
        raise ValueError(f"score: expected a number in [0, 1], got {outcome.score}")
    finite_number("episode_return", outcome.episode_return)
    length = outcome.episode_length
    if isinstance(length, bool) or not isinstance(length, int | np.integer):
        raise TypeError(f"episode_length: expected a whole number, got {length!r:.80}")
    shortest = 1 if status == "ok" else 0
    if length < shortest:
        raise ValueError(f"episode_length: expected at least {shortest} ({status!r}), got {length}")
    if not isinstance(outcome.success, bool | np.bool_):
        raise TypeError(f"success: expected True or False, got {outcome.success!r:.80}")
    if not isinstance(outcome.signals, Mapping):
        raise TypeError(f"signals: expected a mapping, got {outcome.signals!r:.80}")
    if status == "ok":
        missing = sorted(needs - set(outcome.signals))
        if missing:
            raise ValueError(f"signals: {missing} missing; this teacher needs {sorted(needs)}")
        for name in needs:
            finite_number(f"signal {name!r}", outcome.signals[name])


def finite_number(name: str, value: Any) -> float:
    """Return ``value`` as a float.

    Raises:
        TypeError: if it is not a number; the message begins with ``name``.
        ValueError: if it is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{name}: expected a number, got {value!r:.80}")
    if not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    return float(value)


def _copy(state: State) -> State:
    """Return a state with every container and array copied."""
    return {key: _copy_value(value) for key, value in state.items()}


def _copy_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _copy(dict(value))
    if isinstance(value, list):
        return [_copy_value(item) for item in value]
    return value.copy() if isinstance(value, np.ndarray) else value
