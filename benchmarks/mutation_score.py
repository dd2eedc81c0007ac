"""Mutation score: which small changes of a module do its tests notice? Markdown.

    python benchmarks/mutation_score.py [base store broker] [--n 20] [--seed 0]

A mutant is the module with one comparison, operator, condition, number, statement or returned
value changed; ``--n`` of them are drawn, evenly over its lines. Each is written into a copy of
the packages and the module's own tests run there, until one fails ("killed"). Messages of errors,
docstrings and annotations are left alone. A survivor either shows a gap in the tests or changes
nothing that can be seen.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 900.0
FORK = multiprocessing.get_context("fork")
LIBRARIES = ("numpy", "scipy.optimize", "gymnasium", "hypothesis", "torch", "stable_baselines3")
"""Loaded once, as that takes longer than most tests."""


@dataclass(frozen=True)
class Module:
    """A module and the tests that should notice changes of it."""

    path: str
    tests: tuple[str, ...]


MODULES = {
    "base": Module(
        "teachers/base.py",
        (
            "tests/test_teachers_base.py",
            "tests/test_teachers_contract.py -k uniform or messages or lost or state_of",
        ),
    ),
    "store": Module("teachenv/experiments/store.py", ("tests/test_store.py",)),
    "broker": Module(
        "teachenv/broker.py", ("tests/test_broker.py", "tests/test_times.py -k the_broker_counts")
    ),
}

COMPARED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.LShift: ast.RShift,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A changed module.

    Attributes:
        line: Where it was changed.
        what: How.
        number: Which of the nodes that may be changed.
        kind: Which of its changes.
    """

    line: int
    what: str
    number: int
    kind: int


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module, in order of its lines."""
    found = []
    for number, node in enumerate(_nodes(ast.parse(source))):
        before = ast.unparse(node).splitlines()[0][:70] if _changes(node) else ""
        for kind, (what, _) in enumerate(_changes(node)):
            line = getattr(node, "lineno", 0)
            found.append(Mutant(line, f"{what}: `{before}`", number, kind))
    return sorted(found, key=lambda mutant: mutant.line)


def changed(source: str, mutant: Mutant) -> str:
    """Return the source of a mutant."""
    tree = ast.parse(source)
    _, change = _changes(_nodes(tree)[mutant.number])[mutant.kind]
    change()
    return ast.unparse(tree)


def _nodes(tree: ast.AST) -> list[ast.AST]:
    left_alone = _left_alone(tree)
    return [node for node in ast.walk(tree) if node not in left_alone]


def _left_alone(tree: ast.AST) -> set[ast.AST]:
    """Return docstrings, annotations, imports, decorators and messages of errors."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr):
            parts = [node]
        elif isinstance(node, ast.AnnAssign | ast.arg):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns, *node.decorator_list]
        elif isinstance(node, ast.ClassDef):
            parts = [*node.decorator_list]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts = [node]
        for part in parts:
            found.update(ast.walk(part) if part is not None else ())
    return found


def _changes(node: ast.AST) -> list[tuple[str, Callable[[], None]]]:
    """Return what can be done to a node: a word for it, and a function that does it."""
    found: list[tuple[str, Callable[[], None]]] = []
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        found.append(("compared the other way", lambda: _set_op(node)))
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in OPERATED:
        found.append(("other operator", lambda: setattr(node, "op", OPERATED[type(node.op)]())))
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        found += [
            (f"condition {value}", lambda v=value: setattr(node, "test", ast.Constant(v)))
            for value in (True, False)
            if not (isinstance(node, ast.While) and value)
        ]
    elif isinstance(node, ast.Constant) and type(node.value) in (int, bool):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        found.append(("other number", lambda: setattr(node, "value", value)))
    elif isinstance(node, ast.Return) and node.value is not None:
        found.append(("returns None", lambda: setattr(node, "value", ast.Constant(None))))
    elif isinstance(node, ast.Expr | ast.AugAssign | ast.Delete):
        found.append(("left out", lambda: _leave_out(node)))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        found.append(("not left out", lambda: setattr(node, "op", ast.UAdd())))
    return found


def _set_op(node: ast.Compare) -> None:
    node.ops[0] = COMPARED[type(node.ops[0])]()


def _leave_out(node: ast.AST) -> None:
    node.__class__ = ast.Pass  # type: ignore[assignment]
    node._fields = ()


def drawn(source: str, n: int, seed: int) -> list[Mutant]:
    """Return ``n`` mutants spread evenly over the module."""
    every = mutants(source)
    start = random.Random(seed).random()
    places = [int((i + start) * len(every) / n) for i in range(min(n, len(every)))]
    return [every[place] for place in dict.fromkeys(places)]


def killed_by(mutant: Mutant, module: Module, tree: Path) -> str:
    """Return the test that notices a mutant, "" if none does."""
    path = tree / module.path
    good = path.read_text()
    path.write_text(changed(good, mutant))
    try:
        return failing(module, tree)
    finally:
        path.write_text(good)


def failing(module: Module, tree: Path) -> str:
    """Return the first test of a module that fails, "" if none does."""
    for tests in module.tests:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = FORK.Process(target=_run, args=(tests, tree, theirs))
        process.start()
        process.join(TIMEOUT_S)
        if process.is_alive():
            process.kill()
            return "a test that hangs"
        if process.exitcode != 0:
            return str(ours.recv()) if ours.poll() else "a test that crashes"
    return ""


class FirstFailure:
    """A plugin of pytest that tells which test failed first."""

    def __init__(self, told: Connection) -> None:
        self._told = told

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._told.send(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._told.send(report.nodeid or "collecting")


def _run(tests: str, tree: Path, told: Connection) -> None:
    """Run tests in a fork, which has the libraries loaded and nothing of ours."""
    os.chdir(tree)
    # No editable installation may be imported instead of the copy.
    sys.meta_path = [finder for finder in sys.meta_path if isinstance(finder, type)]
    with open(os.devnull, "w") as silence:
        os.dup2(silence.fileno(), 1)
        os.dup2(silence.fileno(), 2)
    file, _, chosen = tests.partition(" -k ")
    options = ["-x", "-p", "no:cacheprovider", "-m", "not slow and not ray"]
    options += ["-k", chosen] if chosen else []
    code = pytest.main([file, *options], plugins=[FirstFailure(told)])
    os._exit(int(code))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=list(MODULES))
    parser.add_argument("--n", type=int, default=20, help="mutants of each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at-least", type=float, default=0.85, help="share killed to end with 0")
    given = parser.parse_args()
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("teachenv", "teachers", "students", "tests", "fuzz"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        shares = [report(MODULES[name], tree, given.n, given.seed) for name in given.modules]
    raise SystemExit(min(shares) < given.at_least)


def report(module: Module, tree: Path, n: int, seed: int) -> float:
    """Print what became of the mutants of a module; returns the share that was killed."""
    source = (tree / module.path).read_text()
    broken = failing(module, tree)
    if broken:
        raise SystemExit(f"{module.path}: {broken} fails without a change")
    chosen, n_killed = drawn(source, n, seed), 0
    for mutant in chosen:
        by = killed_by(mutant, module, tree)
        n_killed += bool(by)
        print(f"- line {mutant.line}, {mutant.what}: {by or '**survived**'}", flush=True)
    share = n_killed / len(chosen)
    total = len(mutants(source))
    print(
        f"\n{module.path}: killed {n_killed} of {len(chosen)} ({share:.0%}), drawn from {total}\n"
    )
    return share


if __name__ == "__main__":
    main()
