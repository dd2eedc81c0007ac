"""How runs end: without a Ray they need, and with nothing left of them, however they end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bars import Bar
from ledger import check_run
from studies import small_study, wait_for
from trapped import conduct, marked, processes, run_arguments, set_trap
from worlds import POLE

from teachenv.experiments import loop
from teachenv.experiments.store import read_status

# -- Ray that does not come ----------------------------------------------------------------

NO_RAY = "import sys; sys.modules['ray'] = None"
SLOW_RAY = """
import ray._private.node
def slow(*_, **__): raise Exception("The current node timed out during startup.")
ray._private.node.Node.__init__ = slow
"""
SMALL_STORE = "import os; os.environ['RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES'] = '1000000'"
RUN = f"from teachenv.cli import app; app('run --env {POLE} --teacher uniform --out run'.split() + "
NEEDS_RAY = r'needs .?Ray.*: pip install "teachenv\[rllib\]"'
STARTS = {
    "run": RUN + "['--student', 'rllib-ppo'])",
    "compare": "from teachenv.cli import app; app(['compare', 'small.json'])",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "message", "how"),
    [
        (NO_RAY, NEEDS_RAY, "run"),
        (NO_RAY, NEEDS_RAY, "compare"),
        (SLOW_RAY, "Ray did not start: .*timed out during startup.* try again", "run"),
        (SLOW_RAY, "Ray did not start: .*timed out during startup.* try again", "compare"),
        (SMALL_STORE, "Ray did not start: .*minimum allowed.* free memory", "run"),
    ],
)
def test_without_a_ray_the_message_says_what_to_do(
    before: str, message: str, how: str, tmp_path: Path, bar: Bar
) -> None:
    pytest.importorskip("ray")
    (tmp_path / "small.json").write_text(json.dumps(small_study()))
    run = subprocess.run(
        [sys.executable, "-c", f"{before}\n{STARTS[how]}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode != 0
    assert re.search(message, run.stderr, re.IGNORECASE), run.stderr
    bar("W5", messages=1)


@pytest.mark.slow
def test_what_ray_says_by_itself_is_not_enough(tmp_path: Path, bar: Bar) -> None:
    """Negative control: Ray started as everybody starts it."""
    plain = "from teachenv import ray_start; ray_start.init_ray = ray.init"
    check = test_without_a_ray_the_message_says_what_to_do
    with pytest.raises(AssertionError, match="timed out during startup"):
        check(SLOW_RAY + plain, "Ray did not start", "run", tmp_path, lambda *_, **__: None)
    bar("W5", "Ray's own message: found")


# -- what a run leaves behind --------------------------------------------------------------

KILLED_WHILE_SAVING = """
import os, pathlib, signal
rename = pathlib.Path.rename
def killing(self, target):
    if self.name == ".writing-00000002": os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
pathlib.Path.rename = killing
"""


def play_to_the_end(out: Path, student: str, end: str) -> int:
    """Play a run that ends in some way; return how many processes were seen on the way."""
    traps = out.with_suffix(".traps")
    traps.mkdir()
    if end == "failed":
        set_trap(traps, "step", wait=600)
    by_itself = end in ("finished", "failed") or (student == "rllib-ppo" and end == "killed")
    before = KILLED_WHILE_SAVING if student == "rllib-ppo" and end == "killed" else ""
    steps = 1536 if end in ("finished", "failed") else 10_000_000
    seen = 0
    with marked() as mark:
        process = conduct(mark, *run_arguments(out, student, steps=steps), before=before)
        while process.poll() is None and (by_itself or not (out / "times.jsonl").exists()):
            seen = max(seen, len(processes(mark)))
            time.sleep(1)
        if not by_itself:
            process.send_signal(signal.SIGKILL if end == "killed" else signal.SIGTERM)
        code = process.wait(300)
        wait_for(lambda: not processes(mark), f"what a run left that has {end}", 60)
    expected = {
        "finished": (0, "finished"),
        "failed": (1, "failed"),
        "killed": (-signal.SIGKILL, "interrupted"),
        "terminated": (130, "interrupted"),
    }
    assert (code, read_status(out)["status"]) == expected[end]
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("end", ["finished", "failed", "killed", "terminated"])
def test_no_process_outlives_a_run(end: str, tmp_path: Path, bar: Bar) -> None:
    with ThreadPoolExecutor(2) as pool:
        outs = [tmp_path / f"run{i}" for i in range(4)]
        seen = list(pool.map(lambda out: play_to_the_end(out, "sb3-ppo", end), outs))
    assert min(seen) >= 1
    bar("W7", runs=len(seen), processes_left=0)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("end", ["finished", "failed", "killed", "terminated"])
def test_no_process_outlives_a_run_with_ray(end: str, tmp_path: Path, bar: Bar) -> None:
    """The one killed dies while it saves a checkpoint, and is resumed."""
    pytest.importorskip("ray")
    out = tmp_path / "run"
    assert play_to_the_end(out, "rllib-ppo", end) >= 4  # itself, the node's, a runner
    bar("W7", runs=1, processes_left=0)
    if end == "killed":
        assert (out / "checkpoints" / ".writing-00000002").exists()
        before = (out / "checkpoints" / "00000001" / "state.json").read_text()
        kept = json.loads(before)["offsets"]["episodes.jsonl"]
        rows = (out / "episodes.jsonl").read_bytes()[:kept]
        header = json.loads((out / "config.json").read_text())
        header["config"]["steps"] = 1536
        (out / "config.json").write_text(json.dumps(header))
        loop.resume(out)
        assert (out / "episodes.jsonl").read_bytes().startswith(rows)
        bar("S8", **check_run(out))
        bar("RAY", drivers_killed_while_saving=1)


def test_a_process_that_outlives_its_run_would_be_found(bar: Bar) -> None:
    """Negative control."""
    with marked() as mark:
        environment = {**os.environ, "TEACHENV_TEST_MARK": mark}
        subprocess.run(["sh", "-c", "sleep 60 & exit"], env=environment, check=True)
        (left,) = processes(mark)
        assert left.name() == "sleep"
    bar("W7", mutants_found=1)
