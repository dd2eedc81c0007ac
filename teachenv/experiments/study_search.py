"""What a search over a teacher's settings found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from teachenv.experiments.cells import past_scores
from teachenv.experiments.study_status import study_status
from teachenv.experiments.study_store import StudyFolder


@dataclass(frozen=True)
class Sample:
    """Settings that were tried.

    Attributes:
        name: The teacher's name in the runs.
        settings: What was drawn.
        scores: Mean score over its cells, at every evaluation.
        status: "finished", "stopped" early, "failed", or what its cells are doing.
    """

    name: str
    settings: Mapping[str, Any]
    scores: list[float]
    status: str


def samples(folder: StudyFolder) -> list[Sample]:
    """Return the samples of a search, the best first: by how far they came, then by score."""
    search = folder.study.search
    if search is None:
        return []
    status = {cell.cell.name: cell.status for cell in study_status(folder).cells}
    found = []
    for settings, cells in zip(search.drawn, folder.study.samples(), strict=True):
        scores = past_scores([folder.runs / cell.name for cell in cells], search.score)
        own = {status[cell.name] for cell in cells}
        whole = next(s for s in ("failed", "stopped", *sorted(own)) if s in own)
        found.append(Sample(cells[0].name.split("/")[1], settings, scores, whole))
    return sorted(
        found,
        key=lambda s: (s.status != "failed", len(s.scores), s.scores[-1:]),
        reverse=True,
    )
