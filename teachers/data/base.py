"""What every data teacher has in common: the order of calls, validation, randomness, state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.lesson import DataPlan, Lesson, Reading, Rehearsal, Syllabus
from teachenv.protocols import State
from teachenv.seeding import derive
from teachers.base import copy_state
from teachers.values import number_problems, refuse

__all__ = ["Cells", "DataTeacher", "WeightTeacher"]

Cells = NDArray[np.float64]
"""One number per cell: float64, shape ``(n_skills, n_levels)``."""

CHANNELS = frozenset({"cells", "rehearsal", "trees"})
"""Needs that are no privileged maps."""

MAPS = ("accuracy", "delta", "loss", "confidence", "data_share", "last_alloc", "visible")


class DataTeacher(ABC):
    """A teacher that plans training data, lesson by lesson.

    Calls come in the order ``begin (plan tell)*``, again for every student. A method implements
    :meth:`_plan` and, where it remembers something, :meth:`_begin`, :meth:`_learn`,
    :meth:`_describe`, :meth:`_state` and :meth:`_load_state`. This class refuses bad calls before
    anything changes.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63]; same class, syllabus, seed and calls give the same
            plans, bit for bit.

    Raises:
        TypeError: if ``syllabus`` is not a syllabus.
        ValueError: for a bad seed.

    Attributes:
        id: The name under which :func:`teachers.data.make` knows the class.
        needs: What it must be given besides readings: "learnable" (in ``Reading.privileged``),
            "rehearsal" (to :meth:`begin`), "trees" (in ``Reading.trees``), "cells" (an
            environment that tells the accuracy of cells at all).
        observes: Length of the ``Reading.observation`` it goes by; 0 if it goes by none.
    """

    id: ClassVar[str]
    needs: frozenset[str] = frozenset()
    observes: int = 0

    def __init__(self, syllabus: Syllabus, *, seed: int = 0) -> None:
        if not isinstance(syllabus, Syllabus):
            raise TypeError(
                f"syllabus: expected a Syllabus (env.unwrapped.syllabus), got {syllabus!r:.80}"
            )
        self.syllabus = syllabus
        self._rng = derive(seed, "data teacher")
        self._counts = {"students": 0, "lessons": 0}
        self._planned: DataPlan | None = None
        self._rehearse: Rehearsal | None = None

    # -- what a method implements ----------------------------------------------------------

    @abstractmethod
    def _plan(self, reading: Reading) -> DataPlan:
        """Plan the next lesson. Draw only from ``self._rng``."""

    def _begin(self) -> None:  # noqa: B027  (most keep nothing of a student)
        """Forget what belongs to the last student."""

    def _learn(self, lesson: Lesson) -> None:  # noqa: B027  (many learn nothing)
        """Learn from what came of the plan."""

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

    # -- the calls -------------------------------------------------------------------------

    def begin(self, rehearse: Rehearsal | None = None) -> None:
        """Meet a new student.

        Args:
            rehearse: Tries plans on a copy of the student; for teachers that need "rehearsal".

        Raises:
            ValueError: if it is needed and not given.
        """
        if "rehearsal" in self.needs and rehearse is None:
            raise ValueError(f"begin: {self.id} needs a rehearsal (env.unwrapped.rehearse)")
        self._rehearse = rehearse
        self._planned = None
        self._counts["students"] += 1
        self._begin()

    def plan(self, reading: Reading) -> DataPlan:
        """Plan a lesson of ``syllabus.n_samples`` samples, or moves of every skill's tree.

        An earlier plan that was not taught is dropped.

        Raises:
            ValueError: before :meth:`begin`, or for a reading that is not of the syllabus, not
                finite, or without what the teacher needs.
        """
        if not self._counts["students"]:
            raise ValueError("plan: call begin() first")
        check_reading("plan", reading, self.syllabus, self.needs)
        if self.observes and np.shape(reading.observation) != (self.observes,):
            raise ValueError(
                f"plan: observation: expected {self.observes} numbers (env.unwrapped.reading has "
                f"what its environment shows), got {np.size(reading.observation)}"
            )
        self._planned = self._plan(reading)
        return self._planned

    def tell(self, lesson: Lesson) -> None:
        """Take what came of the plan, once.

        Raises:
            ValueError: if the lesson is not of the last plan, or not of the syllabus.
        """
        if self._planned is None or lesson.plan != self._planned:
            raise ValueError("tell: expected the lesson of the last plan, once")
        check_reading("tell", lesson.reading, self.syllabus, frozenset())
        if np.shape(lesson.taught) != self.syllabus.shape or np.min(lesson.taught) < 0:
            raise ValueError(f"tell: taught: expected counts of shape {self.syllabus.shape}")
        if not np.isfinite(lesson.reward):
            raise ValueError(f"tell: reward: expected a finite number, got {lesson.reward}")
        self._planned = None
        self._counts["lessons"] += 1
        self._learn(lesson)

    def describe(self) -> dict[str, Any]:
        """Return what the teacher believes.

        Returns:
            ``teacher`` (id), ``n_students``, ``n_lessons``, and what the method adds; JSON values
            and arrays.
        """
        counts = {f"n_{name}": count for name, count in self._counts.items()}
        return {"teacher": self.id, **counts, **self._describe()}

    def state_dict(self) -> State:
        """Return everything the future depends on: nested dicts of JSON values and arrays."""
        return copy_state(
            {
                "teacher": self.id,
                "syllabus": _identity(self.syllabus),
                "counts": self._counts,
                "planned": None if self._planned is None else self._planned.to_json(),
                "rng": self._rng.bit_generator.state,
                "method": self._state(),
            }
        )

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`; the rehearsal stays the one given to :meth:`begin`.

        Raises:
            ValueError: if the state belongs to another teacher or syllabus, or is incomplete.
        """
        own = {"teacher": self.id, "syllabus": _identity(self.syllabus)}
        for key, value in own.items():
            if state.get(key) != value:
                raise ValueError(
                    f"load_state_dict: the state has {key} {state.get(key)!r}, this is {value!r}"
                )
        state = copy_state(state)
        try:
            counts = {key: int(state["counts"][key]) for key in self._counts}
            planned = state["planned"]
            plan = None if planned is None else DataPlan.from_json(planned, self.syllabus)
            bits = np.random.PCG64()
            bits.state = state["rng"]
            self._load_state(state["method"])
        except KeyError as error:
            raise ValueError(f"load_state_dict: {error} is missing from the state") from None
        self._counts, self._rng = counts, np.random.Generator(bits)
        self._planned = plan


class WeightTeacher(DataTeacher):
    """A teacher that gives every cell a weight and draws the samples in proportion.

    ``p(c) = (1 - explore) * w(c) / sum of w + explore / n_cells``; where all weights are 0 every
    cell is equally likely. Counts are one multinomial draw of ``n_samples``.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
    """

    def __init__(self, syllabus: Syllabus, *, seed: int = 0, explore: float = 0.1) -> None:
        super().__init__(syllabus, seed=seed)
        refuse(self.id, number_problems(0.0, 1.0, explore=explore))
        self._explore = explore
        self._shares = np.full(syllabus.shape, 1.0 / syllabus.n_cells)

    @abstractmethod
    def _weights(self, reading: Reading) -> Cells:
        """Return the weight of every cell: finite, at least 0."""

    def _plan(self, reading: Reading) -> DataPlan:
        weights = self._weights(reading)
        even = np.full(self.syllabus.shape, 1.0 / self.syllabus.n_cells)
        total = weights.sum()
        shares = weights / total if total > 0.0 else even
        self._shares = (1.0 - self._explore) * shares + self._explore * even
        counts = self._rng.multinomial(self.syllabus.n_samples, self._shares.reshape(-1))
        return DataPlan.of_counts(counts.reshape(self.syllabus.shape), self.id)

    def _describe(self) -> dict[str, Any]:
        return {"shares": self._shares}

    def _state(self) -> State:
        return {"shares": self._shares}

    def _load_state(self, state: State) -> None:
        self._shares = state["shares"]


def check_reading(call: str, reading: Reading, syllabus: Syllabus, needs: frozenset[str]) -> None:
    """Refuse a reading that a teacher could not plan by.

    Raises:
        ValueError: naming the first map that is of another shape, not finite or missing.
    """
    maps = {name: getattr(reading, name) for name in MAPS}
    if "trees" in needs and len(reading.trees) != len(syllabus.skills):
        raise ValueError(
            f"{call}: trees: expected {len(syllabus.skills)}, one per skill, got "
            f"{len(reading.trees)}; DataGenSkillTree environments have them"
        )
    for name in sorted(needs - CHANNELS):
        if name not in reading.privileged:
            raise ValueError(f"{call}: the reading holds no privileged map {name!r}")
        maps[name] = reading.privileged[name]
    for name, values in maps.items():
        if np.shape(values) != syllabus.shape:
            raise ValueError(
                f"{call}: {name}: expected shape {syllabus.shape}, got {np.shape(values)}"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"{call}: {name}: expected finite numbers, got {values!r:.200}")


def _identity(syllabus: Syllabus) -> dict[str, Any]:
    return {
        "skills": list(syllabus.skills),
        "n_levels": syllabus.n_levels,
        "n_steps": syllabus.n_steps,
        "n_samples": syllabus.n_samples,
    }
