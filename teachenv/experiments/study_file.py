"""Study files: teachers x environments x students x seeds, as TOML, JSON or a mapping.

::

    teachers = ["alp-gmm", {id = "riac", args = {max_region_size = 100}, name = "riac-small"}]
    environments = ["teachenv/StumpTracks-v0"]
    students = ["sbx-ppo"]                    # default: the usual one for the environment
    seeds = 8                                 # 0 to 7; or a list
    baselines = ["uniform", "oracle"]         # added to the teachers; false refuses them
    steps = 5_000_000                         # this and the rest: any field of RunConfig

An environment may have fields of its own, and arguments of teachers that hold there only:
``{id = ..., steps = 100_000, teacher_args = {oracle = {harder = {length = 1}}}}``.
With ``[search]`` the settings of the one teacher are searched instead; see
:class:`teachenv.experiments.study.Search`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from teachenv.errors import UserError, unknown
from teachenv.experiments.checkpoint import MAX_JSON
from teachenv.experiments.study import SETTINGS, Part, Search, Study, StudyError, refuse

BASELINES = ("uniform", "oracle")
"""Teachers every comparison needs: one that knows nothing, and one that knows the way."""

N_SEEDS = 5
"""Usual seeds of a study; with fewer a comparison proves nothing."""

MAX_SEEDS = 10_000
MAX_CELLS = 100_000

SCORES = ("share_mastered", "mean_return")
"""What a search can maximise."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")


def load_study(path: Path) -> Study:
    """Read a study file: TOML (Python 3.11 and later) or JSON.

    Raises:
        StudyError: if it cannot be read, or listing everything that is wrong with it.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise StudyError(f"{path}: larger than {MAX_JSON >> 20} MiB; not a study")
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not readable: {error}") from None
    try:
        row = _parse_toml(path, text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise StudyError(f"{path}: not readable as {kind}: {error}") from None
    return read_study(row)


def read_study(row: Mapping[str, Any], *, check_env: bool = True) -> Study:
    """Check a study given as a mapping; see above for its form.

    Args:
        row: The study.
        check_env: Whether the environments must be registered here.

    Raises:
        StudyError: listing everything that is wrong with it, one problem a line.
    """
    if not isinstance(row, Mapping):
        raise StudyError(f"expected a mapping (teachers = ..., environments = ...), got {row!r}")
    known = ("teachers", "environments", "students", "seeds", "baselines", "search", *SETTINGS)
    problems = [unknown("field", str(name), known) for name in row if name not in known]
    parts = {
        kind: tuple(_parts(kind, row.get(kind, default), problems))
        for kind, default in (("teachers", []), ("environments", []), ("students", ["auto"]))
    }
    search = _search(row["search"], problems) if row.get("search") is not None else None
    if search is None:
        parts["teachers"] += tuple(_baselines(row.get("baselines", True), parts, problems))
    elif len(parts["teachers"]) != 1:
        problems.append(f"search: expected one teacher, got {len(parts['teachers'])}")
    names = {part.name for part in parts["teachers"]}
    for part in parts["environments"]:
        extra = [unknown("teacher", name, names) for name in part.teacher_args if name not in names]
        problems += [f"environments: {part.id}: teacher_args: {text}" for text in extra]
    for kind, found in parts.items():
        if kind in row and not found and not problems:
            problems.append(f"{kind}: expected at least one")
        elif kind not in row and not found:
            problems.append(f"{kind}: missing")
        problems += _twice(kind, found)
    seeds = tuple(_seeds(row.get("seeds", N_SEEDS), problems))
    settings = {name: row[name] for name in SETTINGS if name in row}
    if search is not None and settings.get("eval_every") == 0:
        problems.append("eval_every: a search lives on evaluations; expected 1 or more, got 0")
    n_cells = len(seeds) * math.prod(len(found) for found in parts.values())
    if n_cells > MAX_CELLS:
        problems.append(f"expected at most {MAX_CELLS:,} cells, got {n_cells:,}")
    refuse(problems)
    study = Study(**parts, seeds=seeds, settings=settings, search=search)
    if search is None or search.drawn:
        study.cells(check_env=check_env)
    return study


def _parse_toml(path: Path, text: str) -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:
        raise StudyError(
            f"{path}: TOML needs Python 3.11 or later; write the study as JSON"
        ) from None
    return tomllib.loads(text)


def _parts(kind: str, given: Any, problems: list[str]) -> Iterator[Part]:
    if not isinstance(given, list | tuple):
        problems.append(f"{kind}: expected a list of ids, got {given!r}")
        return
    own = ("teacher_args", *SETTINGS) if kind == "environments" else ()
    allowed = ("id", "name", "args", *own)
    for entry in given:
        row = {"id": entry} if isinstance(entry, str) else entry
        if not isinstance(row, Mapping) or not isinstance(row.get("id"), str):
            problems.append(f'{kind}: expected an id or {{id = "...", args = {{}}}}, got {entry!r}')
            continue
        extra = [unknown("field", str(name), allowed) for name in row if name not in allowed]
        problems += [f"{kind}: {row['id']}: {text}" for text in extra]
        name = row.get("name") or re.split("[/:]", row["id"])[-1]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(f"{kind}: {row['id']}: names are letters, digits, ._=-; got {name!r}")
            continue
        args: Any = row.get("args", {})
        there: Any = row.get("teacher_args", {})
        if not isinstance(args, Mapping):
            problems.append(f"{kind}: {row['id']}: args: expected {{name: value}}, got {args!r}")
            continue
        if not _is_nested(there):
            problems.append(
                f"{kind}: {row['id']}: teacher_args: expected {{teacher = {{name = value}}}}, "
                f"got {there!r}"
            )
            continue
        settings = {key: row[key] for key in SETTINGS if key in row}
        yield Part(row["id"], name, dict(args), settings, dict(there))


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values())


def _baselines(
    given: Any, parts: Mapping[str, tuple[Part, ...]], problems: list[str]
) -> Iterator[Part]:
    wanted = BASELINES if given is True else () if given is False else given
    if not isinstance(wanted, list | tuple) or not set(map(str, wanted)) <= set(BASELINES):
        problems.append(f"baselines: expected true, false or some of {BASELINES}, got {given!r}")
        return
    there = {part.id for part in parts["teachers"]}
    yield from (Part(id, id) for id in wanted if id not in there)


def _twice(kind: str, parts: Iterable[Part]) -> Iterator[str]:
    names = [part.name for part in parts]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f'{kind}: {names.count(name)} are called "{name}"; give them names (name = "...")'


def _seeds(given: Any, problems: list[str]) -> Iterator[int]:
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MAX_SEEDS:
        yield from range(given)
        return
    whole = isinstance(given, list | tuple) and all(type(seed) is int for seed in given)
    if not whole or not given or len(set(given)) < len(given):
        problems.append(f"seeds: expected how many, or a list of different ones, got {given!r}")
        return
    yield from given


def _search(given: Any, problems: list[str]) -> Search | None:
    known = [f.name for f in dataclasses.fields(Search)]
    if not isinstance(given, Mapping) or not isinstance(given.get("space"), Mapping):
        problems.append(f"search: expected {{space = {{setting = ...}}}}, got {given!r}")
        return None
    before = len(problems)
    problems += [f"search: {unknown('field', str(k), known)}" for k in given if k not in known]
    for name, low in (("samples", 1), ("grace", 1), ("reduction", 2)):
        value = given.get(name, low)
        if type(value) is not int or value < low:
            problems.append(f"search: {name}: expected a whole number >= {low}, got {value!r}")
    if given.get("score", SCORES[0]) not in SCORES:
        problems.append(f"search: {unknown('score', str(given['score']), SCORES)}")
    drawn = given.get("drawn", ())
    if not isinstance(drawn, list | tuple) or not all(isinstance(d, Mapping) for d in drawn):
        problems.append(f"search: drawn: expected a list of {{setting = value}}, got {drawn!r}")
    if not given["space"]:
        problems.append("search: space: expected at least one setting")
    for name, values in given["space"].items():
        if not _domain_is_good(values):
            problems.append(
                f"search: space: {name}: expected a list of values, or {{low, high, log}} with "
                f"low < high (and 0 < low if log), got {values!r}"
            )
    if len(problems) > before:
        return None
    return Search(**{**given, "drawn": tuple(drawn)})


def _domain_is_good(values: Any) -> bool:
    if isinstance(values, list | tuple):
        return len(values) > 0
    if not isinstance(values, Mapping) or not set(values) <= {"low", "high", "log"}:
        return False
    low, high, log = (values.get(name, False) for name in ("low", "high", "log"))
    if type(low) not in (int, float) or type(high) not in (int, float) or type(log) is not bool:
        return False
    return bool(low < high and (low > 0 or not log))
