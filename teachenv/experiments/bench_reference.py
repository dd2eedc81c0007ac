"""Results of the bench that are kept, and whether they still are those of the code at hand."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import teachers
from teachenv.errors import UserError
from teachenv.experiments.bench_play import World

SHIPPED = Path(__file__).with_name("bench_reference.json")
"""The results that come with the package; ``results.json`` of a run of the bench."""

_FORMAT = 1
_IGNORED = ("annotation", "returns", "type_comment", "type_ignores", "kind", "ctx")
_DRIVER = "teachenv.experiments.bench_play"
_ASIDE = {"teachenv.env", "teachenv.envs.toy.env", "teachenv.errors"}
"""Modules that have no part in it: Gymnasium's interface, and words of refusal."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What is kept of a teacher in a world.

    Attributes:
        fingerprint: Of the code that made it, see :func:`fingerprint`.
        shares: Share mastered, by seed from 0 on.
        us: Mean CPU time of ask and tell, in microseconds.
    """

    fingerprint: str
    shares: tuple[float, ...]
    us: float


def fingerprint(teacher: str, world: World) -> str:
    """Return a digest of everything that decides how a teacher fares in a world.

    It covers the world, and the code of teacher, student and driver with whatever they import
    from these packages: comments, docstrings, annotations and layout apart. Versions of other
    libraries are not covered.
    """
    described = {k: v for k, v in dataclasses.asdict(world).items() if k != "what"}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    modules = {"teachenv.stress", world.learner.partition(":")[0]}
    if teacher in teachers.TEACHERS:
        modules.add(teachers.TEACHERS[teacher].partition(":")[0])
    for name in sorted({_DRIVER}.union(*map(_closure, modules))):
        digest.update(f"{name} {_code(name)}".encode())
    return digest.hexdigest()[:16]


def load(path: Path) -> dict[tuple[str, str], Kept]:
    """Return kept results by teacher and world.

    Raises:
        UserError: if there is no such file, or it is not one of kept results.
    """
    try:
        found = json.loads(path.read_text())
        if found["format"] != _FORMAT:
            raise ValueError(f"format {found['format']!r} instead of {_FORMAT}")
        return {
            (teacher, world): Kept(row["fingerprint"], tuple(row["shares"]), float(row["us"]))
            for teacher, worlds in found["results"].items()
            for world, row in worlds.items()
        }
    except (
        AttributeError,
        KeyError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(f"{path}: not results of bench-teachers: {error!r}") from None


def save(path: Path, results: Mapping[tuple[str, str], Kept], about: Mapping[str, Any]) -> None:
    """Write results with what is to be known about them."""
    rows: dict[str, dict[str, Any]] = {}
    for (teacher, world), kept in sorted(results.items()):
        rows.setdefault(teacher, {})[world] = dataclasses.asdict(kept)
    text = json.dumps({"format": _FORMAT, "about": dict(about), "results": rows}, indent=1)
    path.write_text(text + "\n")


# -- code ------------------------------------------------------------------------------------


@cache
def _tree(module: str) -> ast.Module:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UserError(f"{module}: no such module")
    return ast.parse(Path(spec.origin).read_text())


@cache
def _code(module: str) -> str:
    return _plain(_tree(module))


def _plain(node: Any) -> str:
    """Return code as text that does not depend on layout, comments or the version of Python."""
    if isinstance(node, list):
        return "[" + ",".join(map(_plain, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = [item for item in value if not _is_text(item)]
        if name not in _IGNORED and value is not None and value != []:
            fields.append(f"{name}={_plain(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is a docstring, or text below a name."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _closure(module: str) -> frozenset[str]:
    """Return the modules of these packages that a module imports, itself included."""
    found: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= set(_imports(name)) - found - _ASIDE
    return frozenset(found)


@cache
def _imports(module: str) -> tuple[str, ...]:
    return tuple(_find_imports(module))


def _find_imports(module: str) -> Iterator[str]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            yield from _ours(name)


def _ours(name: str) -> Iterator[str]:
    """Yield the module that a dotted name is in, if it is one of ours.

    Whoever imports the table of teachers may make any of them.
    """
    package, _, _ = name.partition(".")
    if package not in ("teachenv", "teachers"):
        return
    parts = name.split(".")
    for n in range(len(parts), 1, -1):
        candidate = ".".join(parts[:n])
        try:
            found = importlib.util.find_spec(candidate)
        except ModuleNotFoundError:
            continue
        if found is not None:
            yield candidate
            return
    if package == "teachers":
        yield from (path.partition(":")[0] for path in teachers.TEACHERS.values())
