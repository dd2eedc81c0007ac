"""Robust prioritized level replay: the student learns from replayed levels only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from teachers.plr import Plr


class RobustPlr(Plr):
    """Robust prioritized level replay, PLR-perp (Jiang et al., NeurIPS 2021, algorithm 2).

    As :class:`teachers.plr.Plr`, with its arguments and errors, but new levels are only scored:
    their trials carry ``train=False``, and the steps they cost count.
    """

    id = "robust-plr"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"bipedal": Plr.presets["bipedal"]}
    train_new = False
