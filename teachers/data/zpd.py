"""Zone of proximal development."""

from __future__ import annotations

import numpy as np

from teachenv.lesson import Reading
from teachers.data.base import Cells
from teachers.data.signal import SignalTeacher

__all__ = ["Zpd"]


class Zpd(SignalTeacher):
    """``w = p (1 - p)`` with the accuracy ``p``: what is neither known nor out of reach.

    The score of ProCuRL (Tzannetos et al., TMLR 2023) and SFL (Rutherford et al., NeurIPS 2024)
    at the grain of cells. It leaves alone what cannot be learnt, and what is far off.

    Args:
        syllabus: What there is to teach.
        seed: Whole number in [0, 2**63].
        explore: Share of the samples that is spread evenly, in [0, 1].
        unprobed: How unprobed cells are filled, one of :data:`teachers.data.estimates.ESTIMATES`.
    """

    id = "zpd"

    def _weights(self, reading: Reading) -> Cells:
        p = np.clip(reading.accuracy, 0.0, 1.0)
        return p * (1.0 - p)
