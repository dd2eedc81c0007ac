"""The tables of a report that tell what ran: settings, teachers, machines, versions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from teachenv.experiments.report_cells import Entry, Group
from teachenv.experiments.report_tables import Sheet, without_dashes

_MACHINE = {
    "cpu": "CPU",
    "cores": "cores",
    "memory": "memory",
    "system": "system",
    "python": "Python",
    "gpu": "GPU used",
}


def settings_sheet(groups: Sequence[Group]) -> Sheet:
    """Return the settings of every group, a row for each that occurs."""
    all_settings = [group.entries[0].settings for group in groups]
    names = dict.fromkeys(name for settings in all_settings for name in settings)
    rows = tuple(
        (name, *(_short(settings.get(name)) for settings in all_settings)) for name in names
    )
    return Sheet(("", *(group.name for group in groups)), rows)


def teachers_sheet(entries: Sequence[Entry]) -> Sheet:
    """Return every teacher's id and hyper-parameters, where they were given."""
    where: dict[tuple[str, str, str], dict[str, None]] = {}
    for run in entries:
        kind = run.teacher, run.metrics.teacher, _short(dict(run.teacher_args))
        where.setdefault(kind, {})[run.environment] = None
    rows = ((name, id_, ", ".join(there), given) for (name, id_, given), there in where.items())
    return Sheet(("teacher", "id", "environments", "given"), tuple(rows))


def machines_sheet(entries: Sequence[Entry]) -> Sheet:
    """Return where runs were played, one row for every machine that occurs."""
    rows = []
    for one, runs in _by_kind((one, run) for run in entries for one in run.machines or ({},)):
        partly = sum(len(run.machines) > 1 for run in runs)
        said = _runs_of(runs) + (f", {partly} of them in part" if partly else "")
        known = one or {"cpu": "not recorded"}
        rows.append((said, *(str(known.get(name, "-")) for name in _MACHINE)))
    return without_dashes(("", *_MACHINE.values()), rows)


def versions_sheet(entries: Sequence[Entry]) -> Sheet:
    """Return the versions of all runs, one column for every set of them that occurs."""
    columns = _by_kind((run.versions, run) for run in entries)
    names = dict.fromkeys(name for versions, _ in columns for name in versions)
    heads = [_runs_of(runs) for _, runs in columns]
    rows = tuple(
        (name, *(str(versions.get(name, "-")) for versions, _ in columns)) for name in names
    )
    return Sheet(("", *heads), rows)


def _by_kind(
    told: Iterable[tuple[Mapping[str, Any], Entry]],
) -> list[tuple[Mapping[str, Any], list[Entry]]]:
    """Return every different mapping once, in the order it came, with the runs it came with."""
    kinds: dict[str, tuple[Mapping[str, Any], list[Entry]]] = {}
    for one, run in told:
        kinds.setdefault(json.dumps(one, sort_keys=True), (one, []))[1].append(run)
    return list(kinds.values())


def _runs_of(runs: Sequence[Entry]) -> str:
    studies = ", ".join(sorted({run.study for run in runs}))
    return f"{len(runs)} run{'s' * (len(runs) != 1)} of {studies}"


def _short(value: object) -> str:
    """Return a setting as text; nothing at all is a dash."""
    if isinstance(value, Mapping):
        named = (f"{name} = {_short(value[name])}" for name in sorted(value))
        return ", ".join(named) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(_short, value)) or "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value)
