"""The code that classes are made of, as a hash."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import secrets
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

__all__ = ["source_hash"]


@functools.cache
def source_hash(*classes: type) -> str:
    """Return a hash of the modules of classes and of all they import, at any depth.

    Only modules of the classes' own top-level packages count; of a package that is imported
    itself, all files. A class typed in at a prompt has no source; it is told from all others of
    other processes.
    """
    found: dict[str, str] = {}
    for cls in classes:
        module = inspect.getmodule(cls)
        try:
            found[cls.__module__] = inspect.getsource(module)  # type: ignore[arg-type]
        except (OSError, TypeError):
            return secrets.token_hex(16)
    ours = {name.partition(".")[0] for name in found}
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        for other in _imported(name, found[name], ours):
            text = None if other in found else _text(other)
            if text is not None:
                found[other] = text
                waiting.append(other)
    texts = (found[name] for name in sorted(found))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _imported(name: str, text: str, ours: set[str]) -> Iterator[str]:
    """Yield the modules of our packages that a module imports, wherever in it."""
    spec = _spec(name)
    package = (spec and spec.parent) or name.rpartition(".")[0]  # a package is its own
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.partition(".")[0] in ours)
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (parent, node.module)))
            if module.partition(".")[0] in ours:
                inside = [f"{module}.{alias.name}" for alias in node.names]
                yield from inside
                if not all(map(_text, inside)):  # something of the module itself
                    yield module


def _text(name: str) -> str | None:
    """Return the source of a module, of all of a package's; ``None`` if there is none."""
    spec = _spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    folders = spec.submodule_search_locations
    files = [Path(spec.origin)] if folders is None else sorted(Path(folders[0]).glob("*.py"))
    return "\n".join(file.read_text() for file in files)


def _spec(name: str) -> ModuleSpec | None:
    """Return where a module is, without importing the packages it is in."""
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec
