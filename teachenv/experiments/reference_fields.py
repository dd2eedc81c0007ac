"""What a run of a reference holds: others may have written it, so it is checked when read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from teachenv.experiments.rows import KINDS, is_number, of_another_kind

__all__ = ["BUDGET", "SIGNS", "TEST_SET", "wrong_fields"]

MAX_DEPTH = 32
"""Levels of settings within settings."""


def _json(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether a JSON value can be written and shown: finite numbers, Unicode, not too deep."""
    if type(value) in (list, dict):
        parts = [*value, *value.values()] if type(value) is dict else value
        return depth > 0 and all(_json(part, depth - 1) for part in parts)
    if type(value) is str:
        return not re.search("[\ud800-\udfff]", value)
    return value is None or type(value) is bool or is_number(value)


def _name(value: Any) -> bool:
    return (
        type(value) is str
        and re.fullmatch(r"[\w./=-]+", value) is not None
        and len(value.encode()) <= 200
    )


def _share(value: Any) -> bool:
    return is_number(value) and -1e-9 <= value <= 1 + 1e-9  # entropies are rounded


def _texts(value: Any) -> bool:
    return type(value) is dict and set(map(type, value.values())) <= {str} and _json(value)


def _steps(value: Any) -> bool:
    kinds = type(value) is list and value and all(map(KINDS["a whole number"], value))
    return bool(kinds) and all(a < b for a, b in itertools.pairwise(value))


MORE_KINDS: Mapping[str, Callable[[Any], bool]] = {
    **KINDS,
    "a name": _name,
    "text": lambda value: type(value) is str and _json(value),
    "fields": lambda value: type(value) is dict,
    "fields, if any": lambda value: value is None or type(value) is dict,
    "settings": lambda value: type(value) is dict and _json(value),
    "texts by name": _texts,
    "a list of texts by name, if any": lambda value: (
        value is None or (type(value) is list and all(map(_texts, value)))
    ),
    "lists of finite numbers by name": lambda value: (
        type(value) is dict and all(map(KINDS["finite numbers"], value.values()))
    ),
    "a whole number, if any": lambda value: value is None or KINDS["a whole number"](value),
    "increasing whole numbers": _steps,
    "a share": _share,
    "a share, if any": lambda value: value is None or _share(value),
    "shares": lambda value: type(value) is list and all(map(_share, value)),
    "seconds": lambda value: is_number(value) and value >= 0,
    "seconds, if any": lambda value: value is None or (is_number(value) and value >= 0),
}
ENTRY = {
    **dict.fromkeys(("study", "teacher", "environment", "student"), "a name"),
    "seed": "a whole number",
    **dict.fromkeys(("teacher_args", "settings"), "settings"),
    "versions": "texts by name",
    "metrics": "fields",
    "returns": "lists of finite numbers by name",
    "learn_s": "seconds",
    "machines": "a list of texts by name, if any",
}
METRICS = {
    **dict.fromkeys(("env", "teacher", "student"), "text"),
    "seed": "a whole number",
    "complete": "true or false",
    **dict.fromkeys(("budget", "sampled", "test_sets"), "fields"),
    "signs": "fields, if any",
}
BUDGET = {
    **dict.fromkeys(("steps", "untaught_steps"), "a whole number"),
    "gradient_steps": "a whole number, if any",
    "wall_s": "seconds",
    **dict.fromkeys(("cpu_s", "teacher_s", "teacher_us"), "seconds, if any"),
}
SAMPLED = {"n_trials": "a whole number", "coverage": "a share", "entropy": "a share"}
TEST_SET = {
    "hash": "text",
    "curve": "fields",
    "mean_return": "a finite number",
    **dict.fromkeys(("share_mastered", "mean_score", "worst_tenth"), "a share"),
    **dict.fromkeys(("area_mastered", "area_score", "forgetting"), "a share, if any"),
    "steps_to_threshold": "a whole number, if any",
}
CURVE = {
    "steps": "increasing whole numbers",
    "mean_return": "finite numbers",
    **dict.fromkeys(("share_mastered", "mean_score"), "shares"),
}
SIGNS = {
    **dict.fromkeys(("lost_unprobed", "lost_probed", "majority"), "a finite number, if any"),
    **dict.fromkeys(("held_out_before", "held_out"), "a finite number, if any"),
    "accepted": "a share, if any",
    **dict.fromkeys(("n_watched", "n_hacked"), "a whole number"),
    "n_hacked_probe": "a whole number, if any",
}


def wrong_fields(run: Any) -> Iterator[str]:
    """Yield what is wrong with a run; only the first can be relied on, others may follow from it.

    Args:
        run: A JSON value.
    """
    if type(run) is not dict:
        yield f"expected fields, got {run!r:.80}"
    yield from _wrong("", run, ENTRY)
    metrics = run["metrics"]
    yield from _wrong("metrics.", metrics, METRICS)
    yield from _wrong("metrics.budget.", metrics["budget"], BUDGET)
    yield from _wrong("metrics.sampled.", metrics["sampled"], SAMPLED)
    if (signs := metrics.get("signs")) is not None:
        yield from _wrong("metrics.signs.", signs, SIGNS)
        if signs.get("n_hacked_probe") is not None and not signs["n_watched"]:
            yield "metrics.signs.n_hacked_probe: expected none, since n_watched is 0"
    for name, found in metrics["test_sets"].items():
        yield from _wrong_test_set(f"metrics.test_sets[{name!r:.80}]", found)
    hashes = {name: found["hash"] for name, found in metrics["test_sets"].items()}
    if run["settings"].get("test_sets") != hashes:
        yield f"settings.test_sets: expected those of the metrics, {list(hashes)!r:.80}"
    if set(run["returns"]) != set(hashes):
        yield f"returns: expected those of {list(hashes)!r:.80}, got {list(run['returns'])!r:.80}"


def _wrong_test_set(where: str, found: Any) -> Iterator[str]:
    if type(found) is not dict:
        yield f"{where}: expected fields, got {found!r:.80}"
    yield from _wrong(f"{where}.", found, TEST_SET)
    curve = found["curve"]
    yield from _wrong(f"{where}.curve.", curve, CURVE)
    lengths = {name: len(values) for name, values in curve.items()}
    if len(set(lengths.values())) > 1:
        yield f"{where}.curve: expected lists of one length, got {lengths}"


def _wrong(where: str, row: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[str]:
    for wrong in of_another_kind(row, fields, MORE_KINDS):
        yield where + wrong
    for name in set(row) - set(fields):
        yield f"{where}{name!r:.80}: unknown field"
