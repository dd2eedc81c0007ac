"""Small studies for tests: the cheapest cells there are, and what of them must never differ."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
from test_loop import digests
from worlds import POLE, pole

from teachenv.experiments.cells import Report, play
from teachenv.experiments.study import Cell, Study
from teachenv.experiments.study_file import read_study
from teachenv.experiments.study_store import StudyFolder

SMALL: dict[str, Any] = {"n_envs": 4, "n_steps": 64, "batch_size": 64, "n_epochs": 2}


class Fragile(gym.Wrapper[Any, Any, Any, Any]):
    """The pole, but its first reset raises or kills the process."""

    def __init__(self, how: str) -> None:
        super().__init__(pole())
        self._how = how

    def reset(self, **kwargs: Any) -> Any:
        if self._how == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RuntimeError("the pole is broken")


def fragile(how: str = "raises") -> Fragile:
    return Fragile(how)


gym.register("studies/Fragile-v0", entry_point=fragile)
FRAGILE = "studies:studies/Fragile-v0"


def small_study(**change: Any) -> dict[str, Any]:
    """Two teachers on the pole with two seeds: four cells of about a second."""
    return {
        "teachers": [{"id": "alp-gmm", "args": {"fit_rate": 30}}, "uniform"],
        "environments": [{"id": POLE, "name": "Pole"}],
        "students": [{"id": "sb3-ppo", "args": SMALL}],
        "baselines": False,
        "seeds": 2,
        "steps": 1536,
        "round_steps": 512,
        "test_sets": ["grid-v1"],
        **change,
    }


def study_digests(folder: Path) -> dict[str, dict[str, str]]:
    """Digests of everything in a study's runs that must not depend on interruptions."""
    runs = sorted(path.parent for path in folder.glob("runs/*/*/*/*/config.json"))
    return {str(run.relative_to(folder)): digests(run) for run in runs}


def conduct(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Run the command line in another process."""
    return subprocess.Popen(
        [sys.executable, "-m", "teachenv", *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
    )


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = 600.0) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.05)


def first_cells(n: int, **change: Any) -> list[Cell]:
    return read_study(small_study(**change)).cells()[:n]


def searched(n: int = 2, **change: Any) -> Study:
    search = {"space": {"fit_rate": [20, 40]}, "drawn": [{"fit_rate": 20}, {"fit_rate": 40}][:n]}
    return read_study(small_study(teachers=["alp-gmm"], search=search, **change))


def play_study(path: Path) -> tuple[StudyFolder, list[Report]]:
    """Play a study of two cells, one after another in this process."""
    study = read_study(small_study(seeds=1))
    folder = StudyFolder.create(path, study, None)
    return folder, list(play(study.cells(), folder.runs))
