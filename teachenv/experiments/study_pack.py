"""Packs: cells that one process plays one after another, so that starting it pays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from teachenv.experiments.config import RunConfig
from teachenv.experiments.study import Cell

PACK_STEPS = 200_000
"""Cells are packed up to so many steps: seconds of work on native environments, else a minute."""


@dataclass(frozen=True)
class Pack:
    """Cells that one trial of Tune plays.

    Attributes:
        cells: The cells.
        runs: Folder of their run folders, on every machine.
        retries: How often a cell is continued after an exception.
        storage: URI of the mirror, if there is one.
        score: For a search: play the cells side by side and report this; otherwise one after
            another.
        stopped: The search has stopped these cells: only their scores are reported.
        threads: Threads that numeric libraries may use.
    """

    cells: Sequence[Cell]
    runs: str
    retries: int = 0
    storage: str | None = None
    score: str | None = None
    stopped: bool = False
    threads: int = 1

    def to_text(self) -> str:
        """Return it as JSON; Tune would look into anything but a text."""
        cells = [[cell.name, cell.kind, cell.config.to_json()] for cell in self.cells]
        return json.dumps({**vars(self), "cells": cells})

    @classmethod
    def from_text(cls, text: str) -> Pack:
        """Read :meth:`to_text` back."""
        row = json.loads(text)
        cells = [
            Cell(name, kind, RunConfig.from_json(config)) for name, kind, config in row["cells"]
        ]
        return cls(**{**row, "cells": cells})


def in_packs(cells: Sequence[Cell], at_once: int, size: int | None = None) -> Iterator[list[Cell]]:
    """Yield the cells in packs, in order; those of a pack need the same resources.

    Args:
        cells: The cells.
        at_once: Packs played at once; there are at least two for each, if there are cells.
        size: Cells of a pack; ``None``: up to ``PACK_STEPS``.
    """
    most = size or max(len(cells) // (2 * at_once), 1)
    for _, group in groupby(sorted(cells, key=n_runners), key=n_runners):
        pack: list[Cell] = []
        steps = 0
        for cell in group:
            steps += cell.config.steps
            if pack and (len(pack) == most or (size is None and steps > PACK_STEPS)):
                yield pack
                pack, steps = [], cell.config.steps
            pack.append(cell)
        yield pack


def n_runners(cell: Cell) -> int:
    """Return how many processes a cell starts beside its own."""
    given = cell.config.student_args.get("num_env_runners", 0)
    return given if isinstance(given, int) else 0
