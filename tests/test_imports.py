"""Who may import whom, and what ``import teachenv`` may cost."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("teachenv", "teachers", "students")
LEARNING = ("torch", "ray", "stable_baselines3", "jax", "sbx")
HEAVY = (*LEARNING, "matplotlib", "sklearn", "Box2D", "pygame", "moviepy")
RAY_ONLY = ("teachenv.experiments.study_trial", "teachenv.experiments.study_tune")
MAX_IMPORT_S = 1.5
COMMAND_LINE = tuple(
    f"teachenv.{path.stem}" for path in sorted((ROOT / "teachenv").glob("cli*.py"))
)


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path, module: str) -> Iterator[tuple[str, bool]]:
    """Yield every imported name and whether the import runs when the module is imported."""
    tree = ast.parse(path.read_text())
    late: set[ast.AST] = set()
    for node in ast.walk(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or typing_only:
            late.update(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in late
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import; write it out"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node not in late


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden(module: str, name: str, at_import: bool) -> bool:
    """Whether ``module`` may not import ``name``; the table of the design."""
    top = within(module, "teachenv.experiments", "teachenv.__main__", *COMMAND_LINE)
    if within(name, "teachenv.experiments", *COMMAND_LINE) and not top:
        return True
    if within(module, "teachenv"):
        if module in RAY_ONLY and within(name, "ray", *RAY_ONLY):
            return False
        if at_import and within(name, "sklearn", *LEARNING, *RAY_ONLY):
            return True
        if top:
            return False
        if within(name, "students"):
            return at_import or not within(module, "teachenv.envs.datagen")
        return within(name, "teachers") or (at_import and within(name, "matplotlib"))
    if within(module, "teachers"):
        if within(name, "teachenv"):
            allowed = ("space", "protocols", "seeding", "findings", "errors", "lesson", "llm")
            if within(module, "teachers.networks"):
                allowed += ("one_thread",)
            if within(module, "teachers.data"):
                allowed += (
                    "trees",
                    "archives",
                    "envs.datagen.actions",
                    "envs.datagen.observations",
                )
            if module == "teachers.data.pretender":
                allowed += ("envs.datagen.proposers", "envs.datagen.trees")
            return not within(name, *(f"teachenv.{part}" for part in allowed))
        if within(name, "scipy", "sklearn"):
            return at_import and within(name, "sklearn")
        if within(name, "torch"):
            return not within(module, "teachers.networks")
        known = (*sys.stdlib_module_names, "numpy", "threadpoolctl", "teachers")
        return not within(name, *known)
    if within(name, "teachers"):
        return True
    if within(name, *LEARNING):
        light = module in ("students", "students.check")
        return at_import and light
    return False


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_obey_the_table(package: str) -> None:
    found = [
        f"{module} imports {name}"
        for module, path in modules(package)
        for name, at_import in imports(path, module)
        if forbidden(module, name, at_import)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("module", "name", "at_import", "expected"),
    [
        ("teachenv.broker", "teachers.make", True, True),
        ("teachenv.broker", "teachers.make", False, True),
        ("teachenv.experiments.loop", "teachers.make", True, False),
        ("teachenv.wrap", "teachenv.experiments.loop", True, True),
        ("teachenv.wrap", "torch", True, True),
        ("teachenv.experiments.study_tune", "ray.tune", True, False),
        ("teachenv.experiments.study_tune", "torch", True, True),
        ("teachenv.experiments.compare", "teachenv.experiments.study_tune", True, True),
        ("teachenv.experiments.compare", "teachenv.experiments.study_tune", False, False),
        ("teachenv.envs.datagen.env", "students.data.make", False, False),
        ("teachenv.envs.datagen.env", "students.data.make", True, True),
        ("teachers.riac", "teachenv.broker.Broker", True, True),
        ("teachers.riac", "teachenv.space.TaskSpace", True, False),
        ("teachers.riac", "students.make", False, True),
        ("teachers.riac", "gymnasium", True, True),
        ("teachers.alp_gmm", "sklearn.mixture", True, True),
        ("teachers.alp_gmm", "sklearn.mixture", False, False),
        ("teachers.goal_gan", "torch", False, True),
        ("teachers.networks.gan", "torch", True, False),
        ("students.sb3", "torch", True, False),
        ("students", "torch", True, True),
        ("students.sb3", "teachers.make", False, True),
        ("students.sb3", "teachenv.experiments.loop", False, True),
    ],
)
def test_the_table_means_what_it_says(
    module: str, name: str, at_import: bool, expected: bool
) -> None:
    assert forbidden(module, name, at_import) is expected


def test_importing_the_packages_is_light_and_quick() -> None:
    code = (
        "import time; start = time.perf_counter()\n"
        "import teachenv, teachers, students\n"
        "took = time.perf_counter() - start\n"
        "import json, sys; print(json.dumps([took, sorted(sys.modules)]))"
    )
    times = []
    for _ in range(3):
        told = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        took, loaded = json.loads(told.stdout)
        assert [name for name in HEAVY if name in loaded] == []
        times.append(took)
        if took < MAX_IMPORT_S:
            break
    assert min(times) < MAX_IMPORT_S
