"""Readings: what a teacher sees of its student, from the answers to a probe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.classroom import Scores
from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.skills import SkillView
from teachenv.lesson import Cells, Reading
from teachenv.seeding import derive

__all__ = ["ReadingMaker"]

N_ERRORS = 5
"""Wrong answers shown in a report."""


class ReadingMaker:
    """Makes the readings of an episode, one after the other.

    Args:
        domain: Shows questions and answers.
        view: The skills the teacher is told of.
        hidden: Tell nothing by cell: all of them count as never probed.
    """

    def __init__(self, domain: Domain, view: SkillView, *, hidden: bool = False) -> None:
        self._domain, self._view, self._hidden = domain, view, hidden

    def begin(self, scores: Scores, seed: int) -> Reading:
        """Return the first reading of an episode; ``seed`` chooses the errors to show."""
        self._seed, self._step = seed, 0
        self._total = np.zeros(self._view.shape, dtype=np.int64)
        self.taught = self._total
        """Samples of the last lesson per told cell, int64."""
        self._before: tuple[Cells, Cells] | None = None
        nothing = np.zeros(self._view.shape)
        return self._make(scores, nothing, 1.0)

    def after(
        self,
        scores: Scores,
        *,
        asked: NDArray[np.int64],
        taught: NDArray[np.int64],
        budget_left: float,
    ) -> Reading:
        """Return the reading after a lesson.

        Args:
            scores: The probe after it.
            asked: Samples the plan asked for per told cell.
            taught: Samples really trained on.
            budget_left: Share of the budget.
        """
        self._step += 1
        self._total = self._total + taught
        self.taught = taught
        return self._make(scores, asked / max(1, asked.sum()), budget_left)

    def _make(self, scores: Scores, last_alloc: Cells, budget_left: float) -> Reading:
        view, items = self._view, scores.items
        prediction = scores.prediction
        values = (scores.right, prediction.loss, prediction.confidence)
        accuracy, loss, confidence = (view.means(items, v) for v in values)
        visible = (view.count(items) > 0).astype(np.float64)
        if self._hidden:
            accuracy, loss, confidence, visible = (np.zeros(view.shape) for _ in range(4))
        before, seen = self._before or (accuracy, visible)
        self._before = accuracy, visible
        arrays = {
            "accuracy": accuracy,
            "delta": (accuracy - before) * seen * visible,
            "loss": loss,
            "confidence": confidence,
            "data_share": self._total / max(1, self._total.sum()),
            "last_alloc": last_alloc,
            "visible": visible,
        }
        for array in arrays.values():
            array.setflags(write=False)
        report = self._report(scores, arrays, budget_left)
        return Reading(**arrays, step=self._step, budget_left=budget_left, report=report)

    def _report(self, scores: Scores, arrays: dict[str, Cells], left: float) -> dict[str, Any]:
        report: dict[str, Any] = {
            "step": self._step,
            "budget_left": round(left, 4),
            "accuracy": round(float(scores.right.mean()), 4),
            "errors": self._errors(scores),
        }
        if not self._hidden:
            report["skills"] = list(self._view.names)
            report["accuracy_by_level"] = arrays["accuracy"].round(3).tolist()
            report["visible"] = arrays["visible"].astype(int).tolist()
        return report

    def _errors(self, scores: Scores) -> list[dict[str, str]]:
        wrong = np.flatnonzero(~scores.right)
        chosen = derive(self._seed, "errors", self._step).permutation(wrong)[:N_ERRORS]
        shown = []
        for index in chosen.tolist():
            answered = self._domain.show(scores.prediction.answers[index])
            shown.append({**self._domain.text(scores.items, index), "answered": answered})
        return shown
