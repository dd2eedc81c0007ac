"""Teaching at a target success rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from teachenv.lesson import Reading, Syllabus
from teachers.data.base import Cells
from teachers.data.estimates import Unprobed
from teachers.data.signal import SignalTeacher
from teachers.values import number_problems

__all__ = ["TargetSuccess"]


class TargetSuccess(SignalTeacher):
    """``w = exp((1 - |accuracy - target|) / temperature)``: DARC's calibration reward, softened.

    DARC's questioner is rewarded with ``1 - |success rate - target|`` (targets 0.8, 0.5 and 0.2
    for easy, medium and hard) and its solver meets easy questions first. Here the targets take
    equal parts of the episode, in their order.

    Deviations: cells are chosen, not a generator trained; the student is not frozen.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
        targets: Success rates to aim at, one after another, each in [0, 1].
        temperature: The lower, the nearer to the target; positive.
    """

    id = "target-success"

    def __init__(
        self,
        syllabus: Syllabus,
        *,
        seed: int = 0,
        explore: float = 0.1,
        unprobed: Unprobed = "tracing",
        targets: Sequence[float] = (0.5,),
        temperature: float = 0.1,
    ) -> None:
        problems = number_problems(1e-12, np.inf, temperature=temperature)
        if isinstance(targets, str) or not isinstance(targets, Sequence) or not targets:
            problems.append(f"targets: expected a list of rates, got {targets!r:.80}")
        else:
            rates = {f"targets[{i}]": rate for i, rate in enumerate(targets)}
            problems += number_problems(0.0, 1.0, **rates)
        super().__init__(syllabus, seed=seed, explore=explore, unprobed=unprobed, problems=problems)
        self._targets, self._temperature = tuple(targets), temperature

    def _weights(self, reading: Reading) -> Cells:
        part = reading.step * len(self._targets) // self.syllabus.n_steps
        target = self._targets[min(part, len(self._targets) - 1)]
        off = np.abs(np.clip(reading.accuracy, 0.0, 1.0) - target)
        weights: Cells = np.exp((off.min() - off) / self._temperature)
        return weights
