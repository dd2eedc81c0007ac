"""Small studies for tests: the cheapest cells there are, and what of them must never differ."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

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


class Witness(gym.Wrapper[Any, Any, Any, Any]):
    """The pole, but the first reset in a process of Ray writes down where that is.

    Args:
        folder: Gets a file per process, named by its id; see :func:`witnessed`.
        company: Processes that wait there for each other before they go on.
    """

    _heard: ClassVar[set[str]] = set()

    def __init__(self, folder: str, company: int = 1) -> None:
        super().__init__(pole())
        self._folder, self._company = Path(folder), company

    def reset(self, **kwargs: Any) -> Any:
        import ray

        if str(self._folder) not in self._heard and ray.is_initialized():
            self._heard.add(str(self._folder))
            here = ray.get_runtime_context()
            if here.get_actor_id() is not None:  # else this conducts the study
                self._testify(here.get_node_id())
        return super().reset(**kwargs)

    def _testify(self, node: str) -> None:
        import scipy.linalg  # noqa: F401  brings a library of its own
        import torch
        from threadpoolctl import threadpool_info

        pools = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
        row = {"node": node, "torch": torch.get_num_threads(), "pools": pools}
        (self._folder / str(os.getpid())).write_text(json.dumps(row))
        wait_for(lambda: len(list(self._folder.iterdir())) >= self._company, "company", 300)


gym.register("studies/Witness-v0", entry_point=lambda **args: Witness(**args))


def witness(folder: Path, company: int = 1) -> list[dict[str, Any]]:
    """The environments of a study whose processes testify in a folder, which is made."""
    folder.mkdir()
    args = {"folder": str(folder), "company": company}
    return [{"id": "studies:studies/Witness-v0", "name": "Witness", "args": args}]


def witnessed(folder: Path) -> dict[str, dict[str, Any]]:
    """Process id -> its "node", threads of "torch", and those of library files in "pools"."""
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


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


def most_at_once(study: Path) -> int:
    """The most runs of a finished study that were under way at a time, by the dates of files."""
    runs = [path.parent for path in study.glob("runs/*/*/*/*/config.json")]
    began = [(run / "config.json").stat().st_mtime for run in runs]
    ended = [(run / "status.json").stat().st_mtime for run in runs]
    return max(
        sum(one <= at < other for one, other in zip(began, ended, strict=True)) for at in began
    )


def first_cells(n: int, **change: Any) -> list[Cell]:
    return read_study(small_study(**change)).cells()[:n]


def searched(n: int = 2, **change: Any) -> Study:
    search = {"space": {"fit_rate": [20, 40]}, "drawn": [{"fit_rate": 20}, {"fit_rate": 40}][:n]}
    return read_study(small_study(teachers=["alp-gmm"], search=search, **change))


def play_study(path: Path, **change: Any) -> tuple[StudyFolder, list[Report]]:
    """Play a study of two cells, one after another in this process."""
    study = read_study(small_study(seeds=1, **change))
    folder = StudyFolder.create(path, study, None)
    return folder, list(play(study.cells(), folder.runs))
