"""Half an hour of training per library with a fault about every minute; see ``make soak``.

``TEACHENV_SOAK_S`` sets the seconds for each library, ``TEACHENV_FAULT_S`` those between faults.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median_low

import psutil
import pytest
from bars import Bar
from ledger import check_run
from studies import wait_for
from trapped import MOMENTS, conduct, lines, marked, processes, run_arguments, set_trap

from teachenv.experiments import loop
from teachenv.experiments.store import read_run, read_status

SOAK_S = float(os.environ.get("TEACHENV_SOAK_S", "1800"))
FAULT_S = float(os.environ.get("TEACHENV_FAULT_S", "60"))
ROUND = 8192
"""So long that most episodes end within: 500 steps at most, in 8 environments at most."""
RUNNERS = 2
"""Of RLlib: while one is replaced, the other goes on; without any, a run ends."""
FAULTS = {
    "sb3-ppo": ["step raise", "kill", "reset raise", "step hang", "terminate", "reset hang"],
    "rllib-ppo": ["runner", "step raise", "step kill", "kill", "reset hang", "reset kill"],
}


class Sampler:
    """Open files, threads and processes of a run, while it is played by one process."""

    def __init__(self) -> None:
        self.lives: dict[int, list[Counter[str]]] = defaultdict(list)

    def sample(self, mark: str, driver: int) -> None:
        """Count now; processes that are starting or ending are seen in part."""
        family = processes(mark)
        counts: Counter[str] = Counter(processes=len(family))
        for process in family:
            try:
                counts["files"] += process.num_fds()
                counts["threads"] += process.num_threads()
                working = " ".join(process.cmdline()).startswith("ray::SingleAgentEnvRunner")
                counts["runners"] += working
            except psutil.Error:
                continue
        self.lives[driver].append(counts)

    def growth(self) -> Counter[str]:
        """Return by how much the usual of what there was grew, at most, in one life."""
        found: Counter[str] = Counter()
        for life in self.lives.values():
            thirds = len(life) // 3
            for name in {name for counts in life for name in counts} if thirds else ():
                first = median_low(counts[name] for counts in life[thirds : 2 * thirds])
                last = median_low(counts[name] for counts in life[-thirds:])
                found[name] = max(found[name], last - first)
        return found

    def most(self, name: str) -> int:
        """Return the most there was of something at any time."""
        return max(counts[name] for life in self.lives.values() for counts in life)


def test_growth_is_noticed() -> None:
    """Negative control of the soak test: a file a minute adds up, workers that come and go not."""
    sampler = Sampler()
    sampler.lives[0] = [Counter(files=40 + i, runners=1 + i % 2) for i in range(30)]
    assert sampler.growth()["files"] == 10
    assert sampler.growth()["runners"] == 0


def faults(student: str) -> Iterator[str]:
    """Yield what happens next, for ever: each of the faults in turn, in random order."""
    rng = random.Random(0)
    while True:
        yield from rng.sample(FAULTS[student], len(FAULTS[student]))


def strike(fault: str, process: subprocess.Popen[bytes], mark: str, traps: Path) -> bool:
    """Let a fault happen; return whether it has ended the run."""
    if fault in ("kill", "terminate"):
        process.send_signal(signal.SIGKILL if fault == "kill" else signal.SIGTERM)
        process.wait(300)
        wait_for(lambda: not processes(mark), "the processes of the run to end")
        return True
    if fault == "runner":
        names = {p: " ".join(p.cmdline()) for p in processes(mark)}
        runners = [p for p, name in names.items() if name.startswith("ray::SingleAgentEnvRunner")]
        if runners:
            runners[0].kill()
    else:
        moment, how = fault.split()
        set_trap(traps, moment, how)
    return False


def play(out: Path, student: str, mark: str, sampler: Sampler, struck: Counter[str]) -> None:
    """Play a run with faults until the time is up, and end it by a signal."""
    options = {"round-steps": ROUND, "on-env-error": "skip", "env-timeout": 3}
    if student == "sb3-ppo":  # no fault kills the process that evaluates
        options["eval-every"] = 10
    arguments = run_arguments(out, student, steps=10**9, **options)
    if student == "rllib-ppo":
        arguments += ["--student-arg", f"num_env_runners={RUNNERS}"]
    traps = out.with_suffix(".traps")
    process, end = begin(out, mark, *arguments), time.monotonic() + SOAK_S
    for fault in faults(student):
        until = min(end, time.monotonic() + FAULT_S)
        while time.monotonic() < until:
            assert process.poll() is None, read_status(out)
            sampler.sample(mark, process.pid)
            time.sleep(min(5, FAULT_S / 4))
        if time.monotonic() >= end:
            strike("terminate", process, mark, traps)
            return
        struck[fault] += 1
        if strike(fault, process, mark, traps):
            process = begin(out, mark, "resume", str(out))


def begin(out: Path, mark: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start or resume the run, and wait until it has played a round."""
    before = read_status(out)["round"]
    process = conduct(mark, *arguments)
    wait_for(lambda: process.poll() is not None or read_status(out)["round"] > before, "a round")
    return process


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("student", FAULTS)
def test_a_long_run_survives_a_fault_a_minute(student: str, tmp_path: Path, bar: Bar) -> None:
    out, sampler, struck = tmp_path / "run", Sampler(), Counter[str]()
    with marked() as mark:
        play(out, student, mark, sampler, struck)
    finish(out)
    found, growth = check_run(out), sampler.growth()
    bar("S8", **found)
    sprung = len(lines(out.with_suffix(".traps"), "sprung"))
    assert found["failed"] <= sprung
    assert found["ok"] > found["lost"]
    assert sum(struck.values()) >= SOAK_S / FAULT_S / 2
    assert growth["files"] <= 8
    assert growth["threads"] <= 8
    assert growth["processes"] <= 1
    assert growth["runners"] <= 0
    assert sampler.most("runners") == (RUNNERS if student == "rllib-ppo" else 0)
    note = ", ".join(f"{name} {growth[name]:+d}" for name in ("files", "threads", "processes"))
    bar(
        "L4",
        f"{student}: {SOAK_S / 60:g} min, growth {note}",
        faults=sum(struck.values()),
        resumed=struck["kill"] + struck["terminate"],
    )


def finish(out: Path) -> None:
    """Let the run end with one more round."""
    for moment in MOMENTS:
        (out.with_suffix(".traps") / moment).unlink(missing_ok=True)
    header = json.loads((out / "config.json").read_text())
    header["config"]["steps"] = read_run(out).times[-1]["step"] + ROUND
    (out / "config.json").write_text(json.dumps(header))
    loop.resume(out)
    assert read_status(out)["status"] == "finished"
