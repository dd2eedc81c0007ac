"""Readings as arrays for agents: the observations of the skill-list environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from teachenv.lesson import Reading, Syllabus

__all__ = ["MAX_LOSS", "observation_space", "observe"]

MAX_LOSS = 10.0
"""Losses are cut here in observations, in nats."""

_SHARES = ("accuracy", "confidence", "data_share", "last_alloc", "visible")


def observation_space(syllabus: Syllabus) -> spaces.Dict:
    """Return the space of :func:`observe`."""
    cells = syllabus.shape
    boxes: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(0.0, 1.0, cells, np.float32) for name in _SHARES
    }
    boxes["delta"] = spaces.Box(-1.0, 1.0, cells, np.float32)
    boxes["loss"] = spaces.Box(0.0, MAX_LOSS, cells, np.float32)
    boxes |= {name: spaces.Box(0.0, 1.0, (1,), np.float32) for name in ("budget_left", "step")}
    return spaces.Dict(boxes)


def observe(reading: Reading, syllabus: Syllabus) -> dict[str, NDArray[np.float32]]:
    """Return a reading as float32 arrays.

    S skills by L levels: ``accuracy``, ``confidence``, ``data_share``, ``last_alloc`` and
    ``visible`` in [0, 1], ``delta`` in [-1, 1], ``loss`` in [0, ``MAX_LOSS``] nats, each of shape
    ``(S, L)``; ``budget_left`` and ``step``, shares of the episode, shape ``(1,)``.
    """
    cells = {name: getattr(reading, name) for name in (*_SHARES, "delta")}
    cells["loss"] = np.minimum(reading.loss, MAX_LOSS)
    cells["budget_left"] = np.array([reading.budget_left])
    cells["step"] = np.array([reading.step / syllabus.n_steps])
    return {name: value.astype(np.float32) for name, value in cells.items()}
