"""The commands that judge the code: they can say no."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from bars import Bar

FOLDER = Path(__file__).parents[1] / "benchmarks"


def command(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_the_guard_finds_what_is_slower_or_above_its_limit(bar: Bar) -> None:
    guard = command("guard")
    record = json.loads(guard.RECORD.read_text())
    assert set(guard.LIMITS_US) <= set(record)
    assert not guard.too_slow(90.0, 100.0, 1.4)
    assert guard.too_slow(110.0, 100.0, 1.0)
    assert guard.too_slow(90.0, 100.0, 1.6)
    assert guard.too_slow(90.0, None, 1.6)
    bar("L5", medians_on_record=len(record), limits=len(guard.LIMITS_US))


SOURCE = '''
"""Text."""
LIMIT: int = 3

def f(x: int = 0) -> int:
    """Text."""
    if x < LIMIT and not x == 1:
        raise ValueError("never 5")
    return x + 1
'''


def test_mutants_change_one_thing_each_and_leave_words_alone() -> None:
    score = command("mutation_score")
    found = score.mutants(SOURCE)
    sources = {score.changed(SOURCE, mutant) for mutant in found}
    assert len(sources) == len(found) == 12
    good = ast.unparse(ast.parse(SOURCE))
    for source in sources:
        ast.parse(source)
        changed = [a for a, b in zip(source.splitlines(), good.splitlines(), strict=True) if a != b]
        assert len(changed) == 1
        assert "Text" in source
        assert "never 5" in source
    assert len(score.drawn(SOURCE, 5, seed=0)) == 5


def test_mutants_of_tests_that_look_at_nothing_survive(tmp_path: Path) -> None:
    score = command("mutation_score")
    (tmp_path / "module.py").write_text(SOURCE)
    (tmp_path / "test_f.py").write_text("import module\ndef test_f(): assert module.f(5) == 6\n")
    (tmp_path / "test_0.py").write_text("import module\ndef test_0(): module.LIMIT\n")
    mutant = next(m for m in score.mutants(SOURCE) if "returns None" in m.what)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        careful, careless = (
            score.killed_by(mutant, score.Module("module.py", (test,)), tmp_path)
            for test in ("test_f.py", "test_0.py")
        )
    assert careful.endswith("test_f")
    assert careless == ""
