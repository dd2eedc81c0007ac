from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner
from worlds import POLE

import students
import teachers
from students.data import DATA_STUDENTS
from teachenv import cli
from teachenv.envs import ENVS
from teachenv.errors import UserError
from teachenv.experiments import catalogue, checkpoint
from teachenv.experiments.testsets import TEST_SETS
from teachers.data import DATA_TEACHERS
from teachers.data.games import GAMES

RUN = ["run", "--env", POLE, "--teacher", "uniform", "--steps", "512", "--round-steps", "256"]
RUN += [f"--student-arg={a}" for a in ("n_envs=4", "n_steps=64", "batch_size=64", "n_epochs=1")]


def call(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    output = call(*RUN, "--out", str(folder))
    assert "grid-v1" in output
    return folder


def test_help_names_every_command() -> None:
    output = call("--help")
    for command in ("run", "resume", "evaluate", "plot", "list", "check"):
        assert command in output
        assert "Usage" in call(command, "--help")


def test_plot_writes_pictures(run: Path) -> None:
    lines = call("plot", str(run), "--animate", "gif").replace("\n", "")
    for name in ("curriculum.png", "competence.png", "progress.png"):
        assert name in lines
        assert (run / "plots" / name).stat().st_size > 5000
    assert list((run / "plots").glob("*.gif"))


def test_evaluate_plays_test_sets_and_tasks_and_renders(run: Path) -> None:
    assert "of 100 tasks mastered" in call("evaluate", str(run)).replace("\n", " ")
    output = call("evaluate", str(run), "--task", "length=1.5,force=8", "--video")
    assert "'length': 1.5" in output
    videos = list((run / "videos").iterdir())
    assert len(videos) == 1
    assert videos[0].stat().st_size > 1000


def test_the_list_imports_no_learner_and_names_what_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = students.STUDENTS["sbx-ppo"]
    monkeypatch.delitem(sys.modules, path.partition(":")[0], raising=False)
    assert catalogue._first_line(path).startswith("Proximal policy optimisation")
    assert path.partition(":")[0] not in sys.modules
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sbx" else find(name)
    )
    assert catalogue._first_line(path) == "(not installed: sbx)"


def test_list_shows_what_there_is(run: Path) -> None:
    output = call("list")
    tables = (ENVS, teachers.TEACHERS, DATA_TEACHERS, *GAMES.values(), students.STUDENTS)
    for name in (name for table in (*tables, DATA_STUDENTS, TEST_SETS) for name in table):
        assert f" {name} " in output  # whole, though the terminal is narrow
    assert "finished" in call("list", str(run.parent))


def test_check_tells_good_from_unknown() -> None:
    assert "uniform: ok" in call("check", "uniform")
    told = call("check", POLE)
    assert f"{POLE}: ok" in told
    assert re.search(r"[1-9][0-9,]+ steps/s", told)
    with pytest.raises(UserError, match="did you mean 'uniform'"):
        call("check", "unifrom")


GLOBAL = """
import numpy as np
from teachers.uniform import Uniform

class Global(Uniform):
    def __init__(self, space, *, seed=0, reach=1.0):
        super().__init__(space, seed=seed)
        self.reach = reach

    def _sample(self):
        return self.reach * np.random.random(self.space.dim), "drawn"
"""


def test_check_says_what_a_teacher_of_your_own_breaks(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(GLOBAL)
    command = [sys.executable, "-m", "teachenv", "check", "--teacher", "own:Global"]
    done = subprocess.run(
        [*command, "--teacher-arg", "reach=0.5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    first, *findings = done.stdout.splitlines()
    assert first == "own:Global:"
    assert any(line.startswith("  error global-rng-used: ") for line in findings)


def test_check_passes_a_good_teacher_of_your_own() -> None:
    path = "teachers.riac:Riac"
    assert (
        call("check", "--teacher", path, "--teacher-arg", "max_region_size=20") == f"{path}: ok\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--env", "x", "--teacher", "y", "--out", "o"], "unknown teacher 'y'"),
        (["resume", "nowhere"], "no such folder"),
        (["plot", "nowhere"], "no such folder"),
        (["evaluate", "nowhere"], "no such folder"),
        (["list", "nowhere"], "no such folder"),
        (["check", "nomod:x"], "No module named 'nomod'"),
        (["check", "--teacher", "nomod:x"], "nomod:x: No module named 'nomod'"),
        (["check", "--teacher", "toys:Recorder", "--teacher-arg", "x=1"], "argument 'x'"),
        ([*RUN, "--out", "o", "--teacher-arg", "rubbish"], "expected NAME=VALUE"),
        ([*RUN, "--out", "o", "--env-arg", "max_episode_steps=x"], "env: cannot make"),
        ([*RUN, "--out", "o", "--student-arg", "learning_rate=x"], "learning_rate"),
        ([*RUN, "--out", "/dev/null/o"], "/dev/null/o: cannot be made"),
        ([*RUN, "--out", "/dev/null"], "/dev/null exists; nothing is overwritten"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "teachenv", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o").exists()


def test_paths_are_printed_whole_and_quoted(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / ("a [red] folder " + 100 * "x"))
    assert f"pictures: teachenv plot '{folder}'" in call("resume", str(folder))


@pytest.mark.parametrize("command", ["resume", "evaluate"])
def test_a_checkpoint_of_another_network_is_refused_in_one_line(
    command: str, run: Path, tmp_path: Path
) -> None:
    """Its hashes hold: whoever can write a checkpoint can write these."""
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    for number in checkpoint.numbers(folder / "checkpoints"):
        state = checkpoint.load_checkpoint(folder / "checkpoints" / f"{number:08d}")
        checkpoint.save_checkpoint(tmp_path / "other", number, narrowed(state))
    shutil.rmtree(folder / "checkpoints")
    (tmp_path / "other").rename(folder / "checkpoints")
    more = ["--steps", "1024"] if command == "resume" else []
    done = subprocess.run(
        [sys.executable, "-m", "teachenv", command, str(folder), *more],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert "the checkpoint does not fit" in done.stderr
    assert "Traceback" not in done.stderr


def narrowed(value: Any) -> Any:
    """Cut a column off every matrix of a state."""
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return value[:, :-1]
    if isinstance(value, dict):
        return {key: narrowed(item) for key, item in value.items()}
    return [narrowed(item) for item in value] if isinstance(value, list) else value
