"""What a report judges by: which runs count, and what may be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from teachenv.errors import UserError
from teachenv.experiments.report_cells import Entry, Group
from teachenv.experiments.statistics import Table, paired_tables
from teachenv.experiments.verdict import Verdict, judge

Score = Literal["share_mastered", "mean_score"]
WORDS: dict[Score, str] = {"share_mastered": "share mastered", "mean_score": "mean score"}


@dataclass(frozen=True)
class Judged:
    """The verdict and what it rests on.

    Attributes:
        score: What was compared, at the end of training on the first test set.
        verdict: ``None`` if nothing could be compared.
        tables: Teacher -> scores, shape ``(n_groups, n_seeds)``.
        groups: Names of the groups judged.
        seeds: The seeds judged: those every teacher finished everywhere.
        notes: What was left out, and why.
    """

    score: Score
    verdict: Verdict | None
    tables: dict[str, Table]
    groups: tuple[str, ...]
    seeds: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The report in a sentence or two."""
        if self.verdict is None:
            return "Nothing to judge: " + " ".join(self.notes)
        return self.verdict.headline


def judge_groups(
    groups: Sequence[Group],
    teachers: Sequence[str],
    own: Sequence[str],
    score: Score,
    n_studies: int,
) -> Judged:
    """Judge teachers over all groups.

    Groups that some study does not have are left out, then teachers that lack one of the rest,
    then seeds that some teacher did not finish. A single teacher of a study's own, among others
    from earlier, is compared with each of them; otherwise all are with all.

    Args:
        groups: The groups.
        teachers: All teachers.
        own: Those that are not results from earlier.
        score: What to compare.
        n_studies: Studies that the groups are of.
    """
    notes = []
    shared = [group for group in groups if _n_studies(group, own) == n_studies]
    if len(shared) < len(groups):
        names = ", ".join(group.name for group in groups if group not in shared)
        notes.append(f"Not judged, since the studies do not both have it: {names}.")
    whole = [name for name in teachers if all(group.of(name) for group in shared)]
    if len(whole) < len(teachers):
        names = ", ".join(name for name in teachers if name not in whole)
        notes.append(f"Not judged, since they lack finished runs: {names}.")
    if not shared or not whole:
        notes = notes or ["no run is finished yet."]
        return Judged(score, None, {}, (), (), tuple(notes))
    scores = {
        name: {
            group.name: {run.seed: final(run, group.test_set, score) for run in group.of(name)}
            for group in shared
        }
        for name in whole
    }
    named = tuple(group.name for group in shared)
    try:
        tables, seeds = paired_tables(scores)
    except UserError as error:
        return Judged(score, None, {}, named, (), (*notes, f"{error}."))
    found = {run.seed for group in shared for run in group.entries}
    if len(found) > len(seeds):
        missed = ", ".join(map(str, sorted(found - set(seeds))))
        notes.append(f"Not judged, since some teacher did not finish them: seeds {missed}.")
    mine = [name for name in own if name in whole]
    about = mine[0] if len(mine) == 1 and len(whole) > 1 else None
    verdict = judge(tables, about=about)
    return Judged(score, verdict, tables, named, tuple(seeds), tuple(notes))


def final(entry: Entry, test_set: str, score: Score) -> float:
    """Return a run's score at its end."""
    found = entry.metrics.test_sets[test_set]
    return found.share_mastered if score == "share_mastered" else found.mean_score


def _n_studies(group: Group, own: Sequence[str]) -> int:
    return len({entry.study for entry in group.entries if entry.teacher in own})
