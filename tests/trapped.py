"""A pole with traps, which make it raise, hang or die; and runs on it in other processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import psutil
from worlds import pole

from teachenv.experiments.config import RunConfig

SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 64, "batch_size": 64, "n_epochs": 2}
RLLIB_SMALL = {"num_env_runners": 1, "envs_per_runner": 4, "n_steps": 64, "batch_size": 64}
MOMENTS = ("making", "reset", "step")


class TrapError(ArithmeticError):
    """What a trap raises."""


class Trapped(gym.Wrapper[Any, Any, Any, Any]):
    """A pole that looks for traps: files of a folder, named after a moment.

    The environment that comes first, of whatever process, takes the file, and does what it says.

    Args:
        traps: The folder. Beginnings of episodes are written to ``played`` there.
        pause_s: How long each step takes at least.
    """

    def __init__(self, traps: str, pause_s: float) -> None:
        self._traps = Path(traps)
        self._pause_s = pause_s
        self._spring("making")
        super().__init__(pole())

    def reset(self, **kwargs: Any) -> Any:
        options = kwargs["options"]
        row = [os.getpid(), list(options["task"]), int(options["level_seed"])]
        with (self._traps / "played").open("a") as file:
            file.write(json.dumps(row) + "\n")
        self._spring("reset")
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        self._spring("step")
        if self._pause_s:
            time.sleep(self._pause_s)
        return self.env.step(action)

    def _spring(self, moment: str) -> None:
        mine = self._traps / uuid.uuid4().hex
        if not (self._traps / moment).exists():
            return
        try:
            (self._traps / moment).rename(mine)
        except FileNotFoundError:
            return  # another one was faster
        trap = json.loads(mine.read_text())
        mine.unlink()
        if trap["wait"]:
            set_trap(self._traps, moment, **{**trap, "wait": trap["wait"] - 1})
            return
        if trap["times"] > 1:
            set_trap(self._traps, moment, **{**trap, "times": trap["times"] - 1})
        with (self._traps / "sprung").open("a") as file:
            file.write(f"{moment} {trap['how']}\n")
        if trap["how"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if trap["how"] == "hang":
            self._hang()
        raise TrapError(f"the pole snapped in {moment}")

    def _hang(self) -> None:
        """Sleep for an hour; writes how long that lasted until something raised."""
        began = time.monotonic()
        try:
            time.sleep(3600)
        finally:
            with (self._traps / "hung").open("a") as file:
                file.write(f"{time.monotonic() - began}\n")


def set_trap(
    traps: Path, moment: str, how: str = "raise", *, wait: int = 0, times: int = 1
) -> None:
    """Set a trap, in whatever environment comes by after ``wait`` others."""
    traps.mkdir(exist_ok=True)
    whole = traps / uuid.uuid4().hex
    whole.write_text(json.dumps({"how": how, "wait": wait, "times": times}))
    whole.rename(traps / moment)


def lines(traps: Path, name: str) -> list[str]:
    """Return what the poles have written."""
    path = traps / name
    return path.read_text().splitlines() if path.exists() else []


def hung_s(traps: Path) -> list[float]:
    """Return how many seconds each hanging pole hung until that was noticed."""
    return [float(line) for line in lines(traps, "hung")]


def trapped_pole(traps: str, pause_s: float) -> Trapped:
    return Trapped(traps, pause_s)


gym.register("trapped/Pole-v0", entry_point=trapped_pole)
TRAPPED = "trapped:trapped/Pole-v0"


def trapped_config(traps: Path, pause_s: float = 0.0, **change: Any) -> RunConfig:
    """Three rounds on the pole with traps, without evaluations."""
    traps.mkdir(exist_ok=True)
    fields: dict[str, Any] = {
        "env": TRAPPED,
        "env_args": {"traps": str(traps), "pause_s": pause_s},
        "teacher": "uniform",
        "student": "sb3-ppo",
        "student_args": SMALL,
        "steps": 1536,
        "round_steps": 512,
        "eval_every": 0,
        "test_sets": ("grid-v1",),
        **change,
    }
    return RunConfig(**fields)


# -- runs in other processes ---------------------------------------------------------------


def run_arguments(out: Path, student: str, *, steps: int, **options: Any) -> list[str]:
    """Return how the command line starts such a run; its traps are beside its folder."""
    traps = out.with_suffix(".traps")
    traps.mkdir(exist_ok=True)
    given = {"round-steps": 512, "eval-every": 0, "test-set": "grid-v1", **options}
    arguments = ["run", "--env", TRAPPED, "--teacher", "uniform", "--student", student]
    arguments += ["--env-arg", f"traps={traps}", "--env-arg", "pause_s=0.0"]
    arguments += ["--out", str(out), "--steps", str(steps)]
    for name, value in given.items():
        arguments += [f"--{name}", str(value)]
    for name, value in (SMALL if student == "sb3-ppo" else RLLIB_SMALL).items():
        arguments += ["--student-arg", f"{name}={value}"]
    return arguments


def conduct(mark: str, *arguments: str, before: str = "") -> subprocess.Popen[bytes]:
    """Run the command line in another process, in a marked environment, after some code."""
    code = f"{before}\nfrom teachenv.cli import app\napp({list(arguments)!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "TEACHENV_TEST_MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def processes(mark: str) -> list[psutil.Process]:
    """Return the processes that were started, by whomever, in a marked environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get("TEACHENV_TEST_MARK") == mark:
                found.append(process)
    return found


@contextlib.contextmanager
def marked() -> Iterator[str]:
    """Yield a mark for processes; those that are left at the end, as when a test fails, die."""
    mark = uuid.uuid4().hex
    try:
        yield mark
    finally:
        for process in processes(mark):
            process.kill()
