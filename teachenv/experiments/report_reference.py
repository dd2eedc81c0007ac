"""Results kept from earlier, so that a new teacher is judged without playing the others again.

``reference.json`` holds the finished runs of a study: settings, versions, all figures with the
learning curves, and the final return of every test task. A few kilobytes per run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from teachenv.experiments.data_signs import Signs
from teachenv.experiments.files import StoreError, read_json, write_json
from teachenv.experiments.metrics import Budget, Curve, RunMetrics, Sampled, SetMetrics
from teachenv.experiments.reference_fields import BUDGET, SIGNS, TEST_SET, wrong_fields
from teachenv.experiments.report_cells import Entry

FORMAT = 1
_FILE = "reference.json"


def write_reference(folder: Path, entries: Iterable[Entry]) -> Path:
    """Write runs into a folder, for :func:`read_reference`."""
    rows = [dataclasses.asdict(entry) for entry in entries]
    write_json(folder / _FILE, {"format": FORMAT, "runs": rows})
    return folder / _FILE


def read_reference(folder: Path) -> list[Entry]:
    """Read the runs of a folder that :func:`write_reference` wrote to.

    Raises:
        StoreError: if there are none, or they are damaged; it names the first wrong field.
    """
    path = folder / _FILE
    if not path.exists():
        raise StoreError(
            f"{folder}: no {_FILE}; make one with: teachenv report STUDY --save-reference"
        )
    row = read_json(path)
    if not isinstance(row, dict) or row.get("format") != FORMAT:
        raise StoreError(f"{path}: this version reads references of format {FORMAT}")
    runs = row.get("runs")
    if not isinstance(runs, list):
        raise StoreError(f"{path}: runs: expected a list; the file is damaged")
    entries: dict[tuple[str, str, int], Entry] = {}
    for number, run in enumerate(runs, start=1):
        for wrong in wrong_fields(run):
            raise StoreError(f"{path}, run {number}: {wrong}; the file is damaged")
        entry = _entry(run)
        if entries.setdefault((entry.key, entry.teacher, entry.seed), entry) is not entry:
            raise StoreError(f"{path}, run {number}: seed: there is such a run already")
    return list(entries.values())


def fitting(
    kept: Sequence[Entry], entries: Sequence[Entry], teachers: Iterable[str]
) -> tuple[list[Entry], list[str]]:
    """Return the runs from earlier that compare with a study's, and why others do not.

    Args:
        kept: Runs from earlier.
        entries: The study's.
        teachers: The study's own, whose results from earlier are not used.

    Raises:
        StoreError: if a run from earlier has other numbers of test tasks than the study's.
    """
    ours, names = {entry.key: entry for entry in entries}, set(teachers)
    used = [entry for entry in kept if entry.teacher not in names and entry.key in ours]
    for entry in used:
        wanted, found = _n_tasks(ours[entry.key]), _n_tasks(entry)
        if found != wanted:
            raise StoreError(
                f"{_FILE}, {entry.teacher}, seed {entry.seed}: returns: expected as many as test "
                f"tasks, {wanted}, got {found}; the file is damaged"
            )
    reasons: dict[str, None] = {}
    for entry in kept:
        if entry.key in ours:
            continue
        near = [
            other
            for other in ours.values()
            if (other.environment, other.student) == (entry.environment, entry.student)
        ]
        where = f"{entry.environment}, {entry.student}"
        why = _difference(near[0], entry) if near else "not part of this study"
        reasons[f"Reference results for {where} are not used: {why}."] = None
    reasons.update(dict.fromkeys(_versions(used, entries)))
    return used, list(reasons)


def _difference(ours: Entry, theirs: Entry) -> str:
    names = [
        name
        for name in sorted({*ours.settings, *theirs.settings})
        if ours.settings.get(name) != theirs.settings.get(name)
    ]
    return "; ".join(
        f"{name} is {theirs.settings.get(name)!r} there and {ours.settings.get(name)!r} here"
        for name in names
    )


def _n_tasks(entry: Entry) -> dict[str, int]:
    return {name: len(values) for name, values in entry.returns.items()}


def _versions(used: Sequence[Entry], entries: Sequence[Entry]) -> list[str]:
    theirs = [entry.versions for entry in used]
    if not theirs or not entries or all(versions == entries[0].versions for versions in theirs):
        return []
    return ["Some reference results were made with other versions of libraries; see below."]


def _entry(row: Mapping[str, Any]) -> Entry:
    """Return a checked run; figures that may be missing are ``None``."""
    figures = dict(row["metrics"])
    figures["budget"] = Budget(**{**dict.fromkeys(BUDGET), **figures["budget"]})
    figures["sampled"] = Sampled(**figures["sampled"])
    figures["test_sets"] = {name: _set(mine) for name, mine in figures["test_sets"].items()}
    if figures.get("signs") is not None:
        figures["signs"] = Signs(**{**dict.fromkeys(SIGNS), **figures["signs"]})
    returns = {name: tuple(map(float, values)) for name, values in row["returns"].items()}
    machines = tuple(row.get("machines") or ())
    made = {"metrics": RunMetrics(**figures), "returns": returns, "machines": machines}
    return Entry(**{**row, **made})


def _set(row: Mapping[str, Any]) -> SetMetrics:
    curve = Curve(**{name: tuple(values) for name, values in row["curve"].items()})
    return SetMetrics(**{**dict.fromkeys(TEST_SET), **row, "curve": curve})
