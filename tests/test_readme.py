"""What the README and the guide show runs as written, as a reader would paste it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from students.data import DATA_STUDENTS
from teachenv.envs import ENVS
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.datagen.domain import BARE_DOMAINS, DOMAINS
from teachers import TEACHERS
from teachers.data import DATA_TEACHERS, games

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("README.md", 3),
        ("docs/guide.md", 2),
        ("docs/environments.md", 2),
        ("docs/data-generation.md", 6),
    ],
)
def test_python_snippets_run(page: str, least: int) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert len(blocks) >= least
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", "\n".join(blocks)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/environments.md"])
def test_pictures_exist(page: str) -> None:
    paths = re.findall(r"!\[.*?\]\((.*?)\)", (ROOT / page).read_text())
    assert paths
    assert all(((ROOT / page).parent / path).stat().st_size > 10_000 for path in paths)


def test_commands_run(tmp_path: Path) -> None:
    """The run block of the README, with fewer steps."""
    block = next(b for b in re.findall(r"```bash\n(.*?)```", README, re.S) if "teachenv run" in b)
    lines = block.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if line.strip()]
    names = [command[1] for command in commands]
    assert names == ["run", "resume", "evaluate", "list"]
    run = commands[0]
    run[run.index("--steps") + 1] = "4000"
    run += ["--student-arg", "n_steps=64", "--eval-every", "0"]
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "teachenv", *(a for a in command[1:] if a != "--video")],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    assert (tmp_path / "runs" / "first" / "episodes.jsonl").exists()


def test_the_example_of_the_module_docstring_runs() -> None:
    import doctest

    import teachenv.space
    import teachenv.wrap

    for module in (teachenv.space, teachenv.wrap):
        result = doctest.testmod(module, extraglobs=dict(vars(teachenv)), verbose=False)
        assert result.attempted > 0
        assert result.failed == 0


def test_every_environment_and_teacher_has_its_place_in_the_documentation() -> None:
    environments = (ROOT / "docs/environments.md").read_text()
    assert [name for name in ENVS if name.split("/")[-1] not in environments] == []
    assert [name for name in BODIES if f"`{name}`" not in environments] == []
    page = (ROOT / "docs/teachers.md").read_text()
    assert [name for name in TEACHERS if f"`{name}`" not in page] == []
    page = (ROOT / "docs/data-generation.md").read_text()
    parts = (DATA_TEACHERS, DATA_STUDENTS, DOMAINS, BARE_DOMAINS, *games.GAMES.values())
    assert [name for table in parts for name in table if f"`{name}`" not in page] == []
