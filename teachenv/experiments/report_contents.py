"""All that a report tells, gathered from study folders."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachenv.errors import UserError
from teachenv.experiments.report_cells import Entry, Group, StudyRuns, groups, read_study
from teachenv.experiments.report_reference import fitting, read_reference
from teachenv.experiments.report_verdict import Judged, Score, judge_groups


@dataclass(frozen=True)
class Contents:
    """All that a report tells.

    Attributes:
        title: What it is about.
        studies: The studies.
        entries: Their finished runs, then those from earlier.
        teachers: All teachers, in order.
        groups: Runs that compare.
        judged: The verdict.
        notes: What to know about results from earlier.
    """

    title: str
    studies: tuple[StudyRuns, ...]
    entries: tuple[Entry, ...]
    teachers: tuple[str, ...]
    groups: tuple[Group, ...]
    judged: Judged
    notes: tuple[str, ...]

    def first_run(self, group: Group, teacher: str) -> Path | None:
        """Return the run folder of a teacher's first seed; ``None`` for results from earlier."""
        ours = [
            (entry.seed, folder)
            for study in self.studies
            for entry, folder in zip(study.entries, study.folders, strict=True)
            if entry.teacher == teacher and entry.key == group.entries[0].key
        ]
        return min(ours)[1] if ours else None


def read_contents(
    paths: Sequence[Path], reference: Path | None = None, score: Score = "share_mastered"
) -> Contents:
    """Read what a report tells.

    Args:
        paths: One or two study folders.
        reference: A folder with results from earlier.
        score: What teachers are judged by.

    Raises:
        UserError: if a folder is not a study, is damaged, or nothing in it has finished.
    """
    if not 1 <= len(paths) <= 2:
        raise UserError(f"report: expected one study or two, got {len(paths)}")
    names = _names(paths)
    prefixes = [f"{name}/" if len(paths) > 1 else "" for name in names]
    studies = tuple(map(read_study, paths, names, prefixes))
    entries = [entry for study in studies for entry in study.entries]
    if not entries:
        raise UserError(
            f"{paths[0]}: no run has finished yet, or none was evaluated; see: "
            f"teachenv status {paths[0]}"
        )
    own = list(itertools.chain.from_iterable(study.teachers for study in studies))
    earlier = read_reference(reference) if reference is not None else []
    kept, notes = fitting(earlier, entries, own)
    found = groups(studies, kept)
    teachers = (*own, *dict.fromkeys(entry.teacher for entry in kept))
    judged = judge_groups(found, teachers, own, score, len(studies))
    return Contents(
        " and ".join(names),
        studies,
        (*entries, *kept),
        teachers,
        tuple(found),
        judged,
        tuple(notes),
    )


def _names(paths: Sequence[Path]) -> list[str]:
    names = [re.sub(r"[^\w.=-]+", "-", path.absolute().name) for path in paths]
    if len(set(names)) < len(names):
        names = [f"{name}-{number}" for number, name in enumerate(names, start=1)]
    return names
