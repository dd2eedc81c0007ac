from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ledger
import pytest
from bars import Bar
from worlds import POLE

from teachenv.broker import Broker
from teachenv.errors import UserError
from teachenv.experiments import loop, task_loop
from teachenv.experiments.checkpoint import newest_checkpoint, save_checkpoint
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.files import StoreError, read_rows
from teachenv.experiments.store import RunFolder, read_run, read_status

SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 64, "batch_size": 64, "n_epochs": 2}


def config(**change: Any) -> RunConfig:
    fields: dict[str, Any] = {
        "env": POLE,
        "teacher": "alp-gmm",
        "teacher_args": {"fit_rate": 30},
        "student_args": SMALL,
        "steps": 2560,
        "round_steps": 512,
        "eval_every": 3,
        "test_sets": ("grid-v1",),
        **change,
    }
    return RunConfig(**fields)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a run folder, less what the clock says."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]
    return {
        str(path.relative_to(folder)): hashlib.sha256(timeless(path)).hexdigest() for path in files
    }


def timeless(path: Path) -> bytes:
    """The bytes of a file, without seconds, what depends on their digits, and where it ran."""
    if path.name == "times.jsonl":
        clock = {"learn_s", "total_s", "cpu_s", "steps_per_s", "teacher_s", "machine"}
        rows = [{k: v for k, v in row.items() if k not in clock} for row in read_rows(path)]
        return json.dumps(rows).encode()
    if path.name == "state.json":
        state = json.loads(path.read_text())
        del state["offsets"]["times.jsonl"]
        return json.dumps(state).encode()
    if path.name == "manifest.json":
        manifest = json.loads(path.read_text())
        del manifest["files"]["state.json"]
        return json.dumps(manifest).encode()
    return path.read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "undisturbed"
    loop.start(config(), folder)
    return folder


class StopAt:
    """A watcher that interrupts the run when it has taken so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def steps(self, broker: Broker) -> None:
        if broker.step >= self.step:
            raise KeyboardInterrupt

    def evaluated(self, row: dict[str, Any]) -> None: ...


def test_a_run_leaves_a_complete_folder(undisturbed: Path) -> None:
    run = read_run(undisturbed)
    assert run.status["status"] == "finished"
    assert run.status["step"] == 2560
    ids = sorted(row["trial"] for row in run.episodes)
    assert ids == list(range(len(ids)))
    assert {row["status"] for row in run.episodes} == {"ok", "lost"}
    assert [row["round"] for row in run.teacher] == [0, 1, 2, 3, 4]
    assert [row["round"] for row in run.evals] == [2, 4]
    assert all(len(row["returns"]) == 100 for row in run.evals)
    assert any(row["describe"]["mixture"] for row in run.teacher)
    wanted = {
        "trial", "task", "reason", "score", "episode_return", "episode_length", "success",
        "status", "round", "step",
    }  # fmt: skip
    assert all(wanted <= set(row) for row in run.episodes)
    taught = [row for row in run.episodes if row["reason"].startswith("component")]
    assert taught


def test_the_same_configuration_gives_the_same_bytes_in_fresh_processes(
    undisturbed: Path, tmp_path: Path, bar: Bar
) -> None:
    worlds = [{"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}]
    folders = [tmp_path / str(i) for i in range(len(worlds))]
    started = [run_in_process(*pair) for pair in zip(folders, worlds, strict=True)]
    assert [process.wait(600) for process in started] == [0] * len(worlds)
    different = sum(digests(folder) != digests(undisturbed) for folder in folders)
    assert different == 0
    bar("D7", processes=len(folders), different_folders=different)


def test_another_seed_gives_other_bytes(undisturbed: Path, tmp_path: Path, bar: Bar) -> None:
    """Negative control: the comparison of folders is not blind to any of the files."""
    loop.start(config(seed=1), tmp_path / "run")
    one, other = digests(undisturbed), digests(tmp_path / "run")
    same = {name for name in one if one[name] == other[name]}
    assert same == {"status.json", "test_sets.json"}
    bar("D7", f"another seed changes {len(one) - len(same)} of {len(one)} files")


@pytest.mark.parametrize("stops", [(1, 700), (700, 1500), (2300, 2400)])
def test_an_interrupted_run_resumes_to_the_same_bytes(
    stops: tuple[int, int], undisturbed: Path, tmp_path: Path, bar: Bar
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(), folder, StopAt(stops[0]))
    assert read_status(folder)["status"] == "interrupted"
    with pytest.raises(KeyboardInterrupt):
        loop.resume(folder, StopAt(stops[1]))
    loop.resume(folder)
    different = digests(folder) != digests(undisturbed)
    assert not different
    bar("R3", runs_interrupted_twice=1, different=different)
    bar("S8", **ledger.check_run(folder))


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_in_the_same_bytes(
    undisturbed: Path, tmp_path: Path, bar: Bar
) -> None:
    folder = tmp_path / "killed"
    rng = random.Random(1)
    kills = 0
    process = run_in_process(folder)
    while True:
        try:  # the longer it takes, the longer it may run: slow machines finish as well
            process.wait(1 + rng.random() * (1 + kills))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        if folder.exists() and read_status(folder)["status"] == "finished":
            break
        process = run_in_process(folder, resume=(folder / "config.json").exists())
    assert kills >= 2
    assert digests(folder) == digests(undisturbed)
    bar("S2", kills_of_training_runs=kills)
    bar("S8", **ledger.check_run(folder))


def test_sigterm_ends_a_run_as_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = run_in_process(folder, steps=10_000_000)
    until = time.monotonic() + 60
    while not (folder / "times.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert read_status(folder)["status"] == "running"
    with pytest.raises(StoreError, match=f"process {process.pid} is running it"):
        loop.resume(folder)
    process.send_signal(signal.SIGTERM)
    # a shell shows 130 for both; python -m dies of the signal if it came inside exec(text)
    assert process.wait(60) in (130, -signal.SIGINT)
    assert read_status(folder)["status"] == "interrupted"


def test_extending_a_run_equals_a_longer_run_when_rounds_align(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    loop.start(config(steps=1536), folder)
    loop.resume(folder, steps=2560)
    assert digests(folder) == digests(undisturbed)
    with pytest.raises(UserError, match="can only grow"):
        loop.resume(folder, steps=100)


def test_a_damaged_newest_checkpoint_is_skipped_and_said(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(), folder, StopAt(1700))
    newest = max((folder / "checkpoints").iterdir())
    (newest / "arrays.npz").write_bytes(b"torn")
    skipped = loop.resume(folder)
    assert len(skipped) == 1
    assert "arrays.npz does not match its hash" in skipped[0]
    assert digests(folder) == digests(undisturbed)


def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(undisturbed, tmp_path / "run"))
    shutil.rmtree(folder / "checkpoints")
    before = (folder / "episodes.jsonl").read_bytes()
    with pytest.raises(StoreError, match=r"rounds were played, but checkpoints/ is gone or empty"):
        loop.resume(folder)
    assert (folder / "episodes.jsonl").read_bytes() == before


@pytest.mark.parametrize("part", ["student", "teacher", "broker"])
def test_resuming_without_a_part_of_the_state_is_noticed(
    part: str, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control: a checkpoint that lost a part must not give the same bytes."""
    bar("R3", f"without the {part} it differs")
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(), folder, StopAt(1700))
    load = task_loop.RunLoop.load_state_dict

    def forgetful(self: task_loop.RunLoop, state: dict[str, Any]) -> None:
        fresh = {"broker": self.broker, "teacher": self.teacher, "student": self.student}
        load(self, {**state, part: fresh[part].state_dict()})

    monkeypatch.setattr(task_loop.RunLoop, "load_state_dict", forgetful)
    try:
        loop.resume(folder)
    except ValueError:
        return  # told so, even better
    assert digests(folder) != digests(undisturbed)


def test_torn_last_lines_are_cut_on_resume(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(), folder, StopAt(1700))
    with (folder / "episodes.jsonl").open("a") as file:
        file.write('{"trial": 9999, "torn')
    assert read_rows(folder / "episodes.jsonl")[-1]["trial"] != 9999
    loop.resume(folder)
    assert digests(folder) == digests(undisturbed)


def test_nothing_is_overwritten_and_refused_runs_leave_nothing(
    undisturbed: Path, tmp_path: Path
) -> None:
    before = digests(undisturbed)
    with pytest.raises(StoreError, match="nothing is overwritten"):
        loop.start(config(), undisturbed)
    assert digests(undisturbed) == before
    for bad in (
        {"teacher_args": {"fit_rates": 3}},
        {"student_args": {"learning_rat": 3}},
        {"test_sets": ("stump-50-v1",)},
    ):
        with pytest.raises(UserError):
            loop.start(config(**bad), tmp_path / "refused")
        assert not (tmp_path / "refused").exists()


def test_bad_teacher_and_student_arguments_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loop.start(
            config(teacher_args={"fit_rates": 3}, student_args={"learning_rat": 3}),
            tmp_path / "refused",
        )
    assert "fit_rate" in str(caught.value)
    assert "learning_rate" in str(caught.value)


def test_foreign_and_half_made_folders_are_refused(tmp_path: Path, undisturbed: Path) -> None:
    with pytest.raises(StoreError, match="no such folder"):
        read_run(tmp_path / "none")
    with pytest.raises(StoreError, match="not a run folder"):
        read_run(tmp_path)
    other = tmp_path / "foreign"
    other.mkdir()
    for text, message in (
        ("{}", "format None"),
        ('{"format": 99}', "format 99"),
        ("[1]", "format None"),
        ("{", "not readable as JSON"),
        ('{"format": 1}', "not a run's"),
    ):
        (other / "config.json").write_text(text)
        with pytest.raises(StoreError, match=message):
            read_run(other)
        with pytest.raises(StoreError):
            loop.resume(other)
    header = json.loads((undisturbed / "config.json").read_text())
    header["config"]["teacher"] = "os:system"
    (other / "config.json").write_text(json.dumps(header))
    with pytest.raises(StoreError, match="unknown teacher 'os:system'"):
        read_run(other)


def test_a_torn_inner_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with pytest.raises(StoreError, match="line 2"):
        read_rows(path)


def test_one_process_at_a_time(undisturbed: Path) -> None:
    first = RunFolder.open(undisturbed)
    with pytest.raises(StoreError, match="is running it"):
        RunFolder.open(undisturbed)
    first.close()
    RunFolder.open(undisturbed).close()


def test_the_state_holds_no_pickle(undisturbed: Path) -> None:
    _, state, _ = newest_checkpoint(undisturbed / "checkpoints")
    parts = {"broker", "teacher", "student"}
    assert set(state) == {"config", "round", "offsets", "generation", *parts}
    names = {path.name for path in max((undisturbed / "checkpoints").iterdir()).iterdir()}
    assert names == {"state.json", "arrays.npz", "manifest.json"}


def test_a_student_refused_at_the_start_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        loop.start(config(student_args={**SMALL, "learning_rate": "abc"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def copied(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


CHANGES: dict[str, Any] = {
    "env": "teachenv/CartPole-v0",
    "teacher": "uniform",
    "student": "sbx-ppo",
    "seed": 5,
    "env_args": {"render_mode": "rgb_array"},
    "teacher_args": {"fit_rate": 31},
    "student_args": {**SMALL, "n_envs": 8},
    "round_steps": 1024,
    "new_student_every": 1000,
    "eval_every": 2,
    "test_sets": ["grid-v1", "uniform-100-v1"],
    "max_failed": 11,
}


def test_a_changed_configuration_is_refused_with_the_difference(
    undisturbed: Path, tmp_path: Path, bar: Bar
) -> None:
    folder = copied(undisturbed, tmp_path)
    header = json.loads((folder / "config.json").read_text())
    assert set(header["config"]) == {*CHANGES, "steps", "on_env_error", "env_timeout_s"}
    refused = 0
    for name, value in CHANGES.items():
        changed = {**header, "config": {**header["config"], name: value}}
        (folder / "config.json").write_text(json.dumps(changed))
        before = contents(folder)
        with pytest.raises(UserError) as caught:
            loop.resume(folder)
        assert f"({name}: {header['config'][name]!r} -> {value!r})" in str(caught.value)
        assert contents(folder) == before
        refused += 1
    (folder / "config.json").write_text(json.dumps(header))  # the control: unchanged, it goes on
    loop.resume(folder, steps=header["config"]["steps"] + 1)
    assert read_status(folder)["step"] > header["config"]["steps"]
    bar("R5", fields_changed=len(CHANGES), refused=refused, extended=1)


def test_a_refused_or_interrupted_load_changes_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(undisturbed, tmp_path)
    before = contents(folder)
    for error in (ConfigError("refused"), KeyboardInterrupt()):

        def fails(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(task_loop, "make_student", fails)
        with pytest.raises(type(error)):
            loop.resume(folder, steps=9999)
        assert contents(folder) == before


def test_a_checkpoint_that_does_not_fit_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    folder = copied(undisturbed, tmp_path)
    _, state, _ = newest_checkpoint(folder / "checkpoints")
    save_checkpoint(folder / "checkpoints", 99, {**state, "broker": {}})
    before = contents(folder)
    with pytest.raises(UserError, match="the checkpoint does not fit"):
        loop.resume(folder)
    assert contents(folder) == before


@pytest.mark.parametrize(
    "text", ["", "[]", '{"status": "running"}', '{"status": 3}', None], ids=repr
)
def test_a_run_needs_no_status_to_be_resumed(
    text: str | None, undisturbed: Path, tmp_path: Path
) -> None:
    folder = copied(undisturbed, tmp_path)
    (folder / "status.json").unlink()
    if text is not None:
        (folder / "status.json").write_text(text)
    assert read_status(folder)["status"] == "interrupted"
    loop.resume(folder)
    assert read_status(folder) == read_status(undisturbed)


def test_links_in_a_run_folder_are_refused(undisturbed: Path, tmp_path: Path) -> None:
    folder = copied(undisturbed, tmp_path)
    precious = tmp_path / "precious"
    precious.write_bytes((folder / "episodes.jsonl").read_bytes() + b"mine\n")
    before = precious.read_bytes()
    (folder / "episodes.jsonl").unlink()
    (folder / "episodes.jsonl").symlink_to(precious)
    for call in (read_run, loop.resume):
        with pytest.raises(StoreError, match="links or devices"):
            call(folder)
    assert precious.read_bytes() == before


def test_oversized_and_deep_json_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    folder = copied(undisturbed, tmp_path)
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(StoreError, match="not readable as JSON"):
        read_run(folder)
    os.truncate(folder / "config.json", 1 << 30)
    with pytest.raises(StoreError, match="larger than"):
        read_run(folder)


def test_who_merely_looks_does_not_keep_a_run_from_starting(undisturbed: Path) -> None:
    with (undisturbed / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (lock, fcntl.LOCK_UN)).start()
        RunFolder.open(undisturbed).close()


def run_in_process(
    folder: Path, env: dict[str, str] | None = None, *, steps: int = 2560, resume: bool = False
) -> subprocess.Popen[bytes]:
    """Run the small configuration through the command line, in another process."""
    if resume:
        arguments = ["resume", str(folder)]
    else:
        arguments = ["run", "--env", POLE, "--teacher", "alp-gmm", "--out", str(folder)]
        arguments += ["--steps", str(steps), "--round-steps", "512", "--eval-every", "3"]
        arguments += ["--test-set", "grid-v1", "--teacher-arg", "fit_rate=30"]
        for name, value in SMALL.items():
            arguments += ["--student-arg", f"{name}={value}"]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "teachenv", *arguments],
        env={**os.environ, "PYTHONPATH": paths, **(env or {})},
        stdout=subprocess.DEVNULL,
    )
