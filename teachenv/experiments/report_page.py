"""The page of a report, section by section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from teachenv.experiments import report_html as html
from teachenv.experiments.report_cells import Group
from teachenv.experiments.report_contents import Contents
from teachenv.experiments.report_pictures import Pictures
from teachenv.experiments.report_ran import (
    machines_sheet,
    settings_sheet,
    teachers_sheet,
    versions_sheet,
)
from teachenv.experiments.report_tables import (
    cost_sheet,
    metrics_sheet,
    signs_sheet,
    standings_sheet,
)
from teachenv.experiments.report_verdict import WORDS
from teachenv.experiments.verdict import Verdict

N_SENTENCES = 6
"""So many comparisons are listed; the others are folded away."""


def make_page(told: Contents, pictures: Pictures, animations: bool) -> str:
    """Return the page of a report.

    Args:
        told: What it tells.
        pictures: Draws it.
        animations: Whether to draw curricula moving.
    """
    parts = [
        *_summary(told),
        *(_verdict(told, told.judged.verdict, pictures) if told.judged.verdict else ()),
        *(part for group in told.groups for part in _group(told, group, pictures)),
        *(_profiles(pictures) if told.judged.verdict else ()),
        *_curricula(told, pictures, animations),
        *_cost(told),
        *_runs(told),
    ]
    return html.page(f"Report of {told.title}", parts, _data(told))


def _summary(told: Contents) -> Iterator[str]:
    judged = told.judged
    yield html.heading(f"Report of {told.title}", 1)
    yield html.paragraph(judged.sentence, "verdict")
    links = [(_anchor(group.name), group.name) for group in told.groups]
    links += [("profiles", "Profiles")] if judged.verdict else []
    yield html.contents([*links, ("curricula", "Curricula"), ("cost", "Cost"), ("runs", "Runs")])
    for note in (*(judged.notes if judged.verdict else ()), *told.notes):
        yield html.paragraph(note, "warn")
    missing = sum(len(study.unfinished) for study in told.studies)
    if missing:
        total = missing + sum(len(study.entries) for study in told.studies)
        text = f"{missing} of {total} cells have no result; they are listed at the end."
        yield html.paragraph(text, "warn")


def _verdict(told: Contents, verdict: Verdict, pictures: Pictures) -> Iterator[str]:
    yield html.row([pictures.standings(verdict), html.table(standings_sheet(told.judged))])
    yield html.paragraph(_basis(told, verdict), "note")
    sentences = [pair.sentence for pair in verdict.comparisons]
    if not sentences:
        return
    yield html.heading("Comparisons", 3)
    yield html.listed(sentences[:N_SENTENCES])
    if rest := sentences[N_SENTENCES:]:
        yield html.folded(f"{len(rest)} more", html.listed(rest))
    yield html.paragraph(
        "Probability that a run of the first ends above one of the second, with its 95 % interval; "
        "difference of the means, with its 95 % interval; p-value of a permutation test, after "
        "Holm's correction for all comparisons.",
        "note",
    )


def _basis(told: Contents, verdict: Verdict) -> str:
    where = "; ".join(
        f"{group.name} on {group.test_set} ({len(group.world.test_tasks[group.test_set])} tasks)"
        for group in told.groups
        if group.name in told.judged.groups
    )
    how = "seed by seed" if verdict.paired else "without pairing seeds"
    seeds = ", ".join(map(str, told.judged.seeds))
    return f"Judged by {WORDS[told.judged.score]}: {where}. Seeds {seeds}, compared {how}."


def _group(told: Contents, group: Group, pictures: Pictures) -> Iterator[str]:
    yield html.heading(group.name, 2, _anchor(group.name))
    for number, (test_set, tasks) in enumerate(group.world.test_tasks.items()):
        yield html.heading(f"Test set {test_set}, {len(tasks)} tasks", 3)
        sheet = metrics_sheet(group, told.teachers, test_set)
        first = group is told.groups[0] and number == 0
        yield html.table(sheet if first else replace(sheet, notes=""))
    if group.world.lessons:
        yield html.heading("Signs", 3)
        yield html.table(signs_sheet(group, told.teachers))
    if curves := pictures.curves(group):
        yield html.heading("Learning curves", 3)
        yield curves
    yield html.heading("Competence at the end", 3)
    yield pictures.competence(group)
    if group.world.space.dim == 2:
        lines = "Lines enclose tasks that at least half of the students master."
    else:
        lines = "Dashed: the score above which a task is mastered."
    yield html.paragraph(f"Mean score of every test task over seeds. {lines}", "note")


def _profiles(pictures: Pictures) -> Iterator[str]:
    yield html.heading("Performance profiles", 2, "profiles")
    yield pictures.profiles()


def _curricula(told: Contents, pictures: Pictures, animations: bool) -> Iterator[str]:
    yield html.heading("Curricula", 2, "curricula")
    yield html.paragraph("What each teacher taught, in the run of its first seed.", "note")
    for group in told.groups:
        yield html.heading(group.name, 3)
        yield from pictures.curricula(group, animations)


def _cost(told: Contents) -> Iterator[str]:
    yield html.heading("Cost", 2, "cost")
    for group in told.groups:
        yield html.heading(group.name, 3)
        sheet = cost_sheet(group, told.teachers)
        yield html.table(sheet if group is told.groups[-1] else replace(sheet, notes=""))


def _runs(told: Contents) -> Iterator[str]:
    yield html.heading("What ran", 2, "runs")
    yield html.table(settings_sheet(told.groups), words=True)
    yield html.heading("Teachers", 3)
    yield html.table(teachers_sheet(told.entries), words=True)
    yield html.heading("Machines", 3)
    yield html.table(machines_sheet(told.entries), words=True)
    yield html.heading("Versions", 3)
    yield html.table(versions_sheet(told.entries), words=True)
    missing = [cell for study in told.studies for cell in study.unfinished]
    yield html.heading("Cells without a result", 3)
    if missing:
        lines = (f"{cell.cell}: {cell.status}. {cell.reason}".strip() for cell in missing)
        yield html.listed(lines)
    else:
        yield html.paragraph("None: every cell finished and was evaluated.")
    folders = [
        f"{entry.study}: {Path(*folder.parts[-5:])}"
        for study in told.studies
        for entry, folder in zip(study.entries, study.folders, strict=True)
    ]
    yield html.folded(f"{len(folders)} run folders", html.listed(folders))


def _data(told: Contents) -> dict[str, object]:
    verdict = told.judged.verdict
    return {
        "title": told.title,
        "verdict": verdict.to_json() if verdict else None,
        "runs": [
            {
                **entry.metrics.to_json(),
                "study": entry.study,
                "teacher": entry.teacher,
                "environment": entry.environment,
                "teacher_args": dict(entry.teacher_args),
                "settings": dict(entry.settings),
                "versions": dict(entry.versions),
                "machines": list(entry.machines),
            }
            for entry in told.entries
        ],
    }


def _anchor(name: str) -> str:
    return "group-" + re.sub(r"[^\w-]+", "-", name)
