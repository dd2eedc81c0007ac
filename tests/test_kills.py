"""Runs whose process is killed, interrupted, or not alone."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext as no_more
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any
from unittest import mock

import ledger
import pytest
import test_loop
from bars import Bar
from disks import linux, watched
from toy_runs import (
    FORKS,
    command,
    digests,
    in_process,
    mutant,
    stop_after,
    to_the_end,
    toy_config,
    toys,
)
from toy_student import ToyStudent

from teachenv.broker import Broker
from teachenv.errors import UserError
from teachenv.experiments import loop
from teachenv.experiments.files import lock_holder
from teachenv.experiments.run_state import Followed
from teachenv.experiments.store import read_status

HANGS_S = 300.0
"""Seconds after which a process that should have ended is taken to hang."""


@pytest.fixture(autouse=True)
def _toys() -> Iterator[None]:
    with toys():
        yield


def ended(process: BaseProcess) -> int:
    process.join(HANGS_S)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


# -- kills -----------------------------------------------------------------------------------


def kill_until_done(start: Callable[[], Any], folder: Path, rng: random.Random) -> int:
    """Play a run by processes that are killed after a random time, until one ends; how often.

    The time goes down where a process got a round further, and up where it did not, so that any
    machine takes about a kill for a round.
    """
    kills, pause_s = 0, 0.05
    while True:
        before, process = read_status(folder)["round"], start()
        process.join(2 * pause_s * rng.random())
        if process.exitcode is not None:
            assert process.exitcode == 0
            return kills
        process.kill()
        process.join()
        kills += 1
        pause_s *= 0.8 if read_status(folder)["round"] > before else 1.2


@pytest.mark.slow
def test_a_run_killed_two_hundred_times_ends_in_the_same_bytes(tmp_path: Path, bar: Bar) -> None:
    config, whole = toy_config(60), tmp_path / "whole"
    to_the_end(config, whole)
    rng, kills, differing, folder = random.Random(0), 0, 0, whole
    for number in itertools.count():
        if kills >= 200:
            break
        folder = tmp_path / str(number)
        kills += kill_until_done(partial(in_process, to_the_end, config, folder), folder, rng)
        differing += digests(folder) != digests(whole)
        bar("S8", **ledger.check_run(folder))
        bar("S2", runs_killed=1)
    assert differing == 0
    bar("S2", kills=kills, different_runs=differing)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["rows are not cut", "teacher forgets"])
def test_kills_are_seen_where_runs_are_not_whole(broken: str, tmp_path: Path, bar: Bar) -> None:
    """Negative control."""
    to_the_end(toy_config(20), tmp_path / "whole")
    folder = tmp_path / "killed"
    for number in range(3):  # killed when a row file has grown, and no checkpoint says so
        process = in_process(to_the_end, toy_config(20), folder, broken)
        rows = number * 5 + 2
        while process.is_alive() and n_lines(folder / "times.jsonl") < rows:
            time.sleep(0.001)
        process.kill()
        process.join()
    assert ended(in_process(to_the_end, toy_config(20), folder, broken)) == 0
    assert digests(folder) != digests(tmp_path / "whole")
    bar("S2", f"{broken}: found")


def n_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


class Fork:
    """A process that goes on from here."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.exitcode: int | None = None
        self._id = os.fork()
        if self._id == 0:
            try:
                function(*args)
                os._exit(0)
            finally:
                os._exit(1)

    def join(self, timeout_s: float = HANGS_S) -> None:
        until = time.monotonic() + timeout_s
        while self.exitcode is None and time.monotonic() < until:
            done, status = os.waitpid(self._id, os.WNOHANG)
            if done:
                self.exitcode = os.waitstatus_to_exitcode(status)
            time.sleep(0.001)

    def kill(self) -> None:
        os.kill(self._id, signal.SIGKILL)


def kill_ppo(parent: Path, at_least: int, found: SimpleQueue[int]) -> None:
    """Kill runs of Stable-Baselines3's PPO again and again; puts how often.

    Its library is loaded once, and forked with the process.
    """
    config, rng, kills = test_loop.config(), random.Random(0), 0
    to_the_end(config, parent / "whole")
    for number in itertools.count():
        if kills >= at_least:
            break
        folder = parent / f"killed-{number}"
        kills += kill_until_done(partial(Fork, to_the_end, config, folder), folder, rng)
    found.put(kills)


@pytest.mark.slow
def test_a_run_of_ppo_killed_twenty_times_ends_in_the_same_bytes(tmp_path: Path, bar: Bar) -> None:
    found: SimpleQueue[int] = FORKS.SimpleQueue()
    process = in_process(kill_ppo, tmp_path, 20, found)
    process.join()
    assert process.exitcode == 0
    differing = 0
    for folder in tmp_path.glob("killed-*"):
        differing += digests(folder) != digests(tmp_path / "whole")
        bar("S8", **ledger.check_run(folder))
    assert differing == 0
    bar("S2", ppo_kills=found.get(), different_runs=differing)


# -- two processes ---------------------------------------------------------------------------


class Waits:
    """Says that a run has begun, and lets it go on once there is a file."""

    def __init__(self, said: SimpleQueue[Any], go_on: Path) -> None:
        self.said, self.go_on = said, go_on

    def steps(self, run: Followed) -> None:
        if not self.go_on.exists():
            self.said.put((os.getpid(), "won"))
        while not self.go_on.exists():
            time.sleep(0.001)

    def evaluated(self, row: dict[str, Any]) -> None: ...


def compete(
    folder: Path, new: bool, broken: str, barrier: Any, said: SimpleQueue[Any], go_on: Path
) -> None:
    """Start or resume a run at the same time as others; say what came of it."""
    watcher, config = Waits(said, go_on), toy_config()
    with toys(), mutant(broken):
        barrier.wait()
        try:
            if new:
                loop.start(config, folder, watcher)
            else:
                loop.resume(folder, watcher)
        except UserError as error:
            said.put((os.getpid(), str(error)))


def race(folder: Path, new: bool, kill: bool, broken: str = "") -> tuple[int, int]:
    """Let two processes start or resume one run; return winners, and refusals that name them.

    In the end the winner is killed, or lets go.
    """
    said, barrier, go_on = FORKS.SimpleQueue(), FORKS.Barrier(2), folder.with_name("go on")
    go_on.unlink(missing_ok=True)
    both = [in_process(compete, folder, new, broken, barrier, said, go_on) for _ in range(2)]
    words: dict[int, str] = dict(said.get() for _ in both)
    winners = [process for process in both if words[process.pid or 0] == "won"]
    if kill:
        for process in winners:
            process.kill()
    go_on.touch()
    for process in both:
        ended(process)
    named = sum(f"process {winners[0].pid} is running it" in text for text in words.values())
    return len(winners), named


@pytest.mark.slow
@pytest.mark.parametrize("new", [True, False], ids=["start", "resume"])
def test_of_two_processes_one_plays_a_run(new: bool, tmp_path: Path, bar: Bar) -> None:
    to_the_end(toy_config(), tmp_path / "whole")
    stop_after(toy_config(), tmp_path / "stopped", 2)
    tries, named = 25, 0
    for number in range(tries):
        folder = tmp_path / str(number)
        if not new:
            shutil.copytree(tmp_path / "stopped", folder)
        winners, naming = race(folder, new, kill=number % 2 == 0)
        assert winners == 1
        named += naming
        assert lock_holder(folder) is None
        to_the_end(toy_config(), folder)
        assert digests(folder) == digests(tmp_path / "whole")
    assert named == tries
    bar("S6", tries=tries, winners=tries, refusals_that_name_the_holder=named)


@pytest.mark.slow
def test_two_winners_are_seen_where_nothing_is_locked(tmp_path: Path, bar: Bar) -> None:
    """Negative control."""
    stop_after(toy_config(), tmp_path / "run", 2)
    assert race(tmp_path / "run", False, kill=True, broken="nothing is locked")[0] == 2
    bar("S6", "folders that are not locked: found")


# -- signals ---------------------------------------------------------------------------------

PHASES = ("learn", "evaluate", "save")
MOMENTS = (1, 2, 4, 7, 10)
"""Which trial, batch of actions or file operation of its phase a signal comes at."""


def signalled(
    folder: Path, phase: str, moment: int, number: int, broken: str, closing: Any = None
) -> None:
    """Resume a run by the command line, and get a signal within a phase of the next round.

    With ``closing``, releasing the student takes for ever, which is said there.
    """
    seen = itertools.count(1)

    def hit(*_: Any) -> None:
        if next(seen) == moment:
            os.kill(os.getpid(), number)

    def hangs(student: ToyStudent) -> None:
        if closing is not None:
            closing.put(os.getpid())
            time.sleep(2 * HANGS_S)

    def told(method: Any) -> Any:
        return lambda *args, **kwargs: (hit(), method(*args, **kwargs))[1]

    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be off in the background
    with (
        mutant(broken),
        mock.patch.object(ToyStudent, "close", hangs),
        mock.patch.object(Broker, "tell", told(Broker.tell)) if phase == "learn" else no_more(),
        mock.patch.object(ToyStudent, "act", told(ToyStudent.act))
        if phase == "evaluate"
        else no_more(),
        watched(folder / "checkpoints", hit) if phase == "save" else no_more(),
    ):
        sys.exit(command("resume", str(folder)))


@linux
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_a_run_to_resume(number: int, tmp_path: Path, bar: Bar) -> None:
    to_the_end(toy_config(), tmp_path / "whole")
    stop_after(toy_config(), tmp_path / "stopped", 2)
    differing = 0
    for phase, moment in itertools.product(PHASES, MOMENTS):
        folder = Path(shutil.copytree(tmp_path / "stopped", tmp_path / f"{phase}-{moment}"))
        process = in_process(signalled, folder, phase, moment, number, "")
        assert ended(process) == 130
        status = read_status(folder)
        assert (status["status"], status["reason"]) == ("interrupted", "stopped by a signal")
        to_the_end(toy_config(), folder)
        differing += digests(folder) != digests(tmp_path / "whole")
    assert differing == 0
    bar("S7", signals=len(PHASES) * len(MOMENTS), different_runs=differing)


@pytest.mark.slow
def test_a_signal_that_nobody_catches_is_seen(tmp_path: Path, bar: Bar) -> None:
    """Negative control."""
    stop_after(toy_config(), tmp_path / "run", 2)
    broken = "signals are not caught"
    process = in_process(signalled, tmp_path / "run", "learn", 3, signal.SIGTERM, broken)
    assert ended(process) == -signal.SIGTERM
    assert read_status(tmp_path / "run")["reason"] == "the process died"
    bar("S7", f"{broken}: found")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_at_once(number: int, tmp_path: Path, bar: Bar) -> None:
    stop_after(toy_config(), tmp_path / "run", 2)
    closing: SimpleQueue[int] = FORKS.SimpleQueue()
    process = in_process(signalled, tmp_path / "run", "learn", 3, number, "", closing)
    os.kill(closing.get(), number)
    assert ended(process) == 130
    assert read_status(tmp_path / "run")["status"] == "interrupted"
    assert lock_holder(tmp_path / "run") is None
    bar("S7", second_signals=1)
