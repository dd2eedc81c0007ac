"""The same trials in other processes, whatever their hash seed and number of threads."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from teachenv.protocols import Teacher
from teachenv.space import TaskSpace
from teachers import probe
from teachers.check_case import Case, Problems

WORLDS = (("0", "1"), ("1", "2"), ("4242", "2"))
"""Hash seed and number of threads of each other process."""

TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Job:
    """A teacher that another process can build and drive.

    Attributes:
        path: "module:name" of a class or function.
        space: The task space as JSON.
        n_trials: Trials to drive it for.
        args: Before the space.
        kwargs: Hyper-parameters, JSON values.
    """

    path: str
    space: str
    n_trials: int
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)

    def run(self) -> str:
        """Return a hash of the trials and the final state of a teacher told late and shuffled."""
        space = TaskSpace.from_json(self.space)
        teacher: Teacher = resolve(self.path)(*self.args, space, seed=5, **self.kwargs)
        records = probe.drive(teacher, self.n_trials)
        text = repr(records) + probe.fingerprint(teacher.state_dict())
        return hashlib.sha256(text.encode()).hexdigest()


def resolve(path: str) -> Callable[..., Any]:
    """Import what "module:name" stands for.

    Raises:
        ImportError: if there is no such module.
        AttributeError: if it holds no such name.
    """
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def job_for(factory: Any, space: TaskSpace, n_trials: int) -> Job | None:
    """Return a job that builds the same teacher elsewhere, ``None`` where that is impossible.

    Args:
        factory: An importable class or function, or a :class:`functools.partial` of one whose
            arguments are JSON values.
        space: The tasks.
        n_trials: Trials to drive the teacher for.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    if isinstance(factory, functools.partial):
        args, kwargs, factory = list(factory.args), dict(factory.keywords), factory.func
    module, name = getattr(factory, "__module__", None), getattr(factory, "__qualname__", "<>")
    if module is None or not name.isidentifier():
        return None
    try:
        same = resolve(f"{module}:{name}") is factory
        json.dumps([args, kwargs])
    except (ImportError, AttributeError, TypeError, ValueError):
        return None
    if module == "__main__" or not same:
        return None
    return Job(f"{module}:{name}", space.to_json(), n_trials, args, kwargs)


def run_elsewhere(jobs: Mapping[str, Job]) -> list[dict[str, str]]:
    """Run jobs in one new process per :data:`WORLDS`, at the same time.

    Returns:
        Job name -> hash of :meth:`Job.run`, or "Error: message", for each process.

    Raises:
        RuntimeError: if a process fails as a whole; the message ends with its last words.
    """
    text = json.dumps({name: asdict(job) for name, job in jobs.items()})
    running = []
    for hash_seed, n_threads in WORLDS:
        threads = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), n_threads
        )
        environment = {
            **os.environ,
            **threads,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        }
        running.append(
            subprocess.Popen(
                [sys.executable, "-m", __name__],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    found = []
    try:
        for process in running:
            out, err = process.communicate(text, timeout=TIMEOUT_S)
            if process.returncode != 0:
                raise RuntimeError(f"a checking process failed: {err[-400:]}")
            found.append(json.loads(out.splitlines()[-1]))
    finally:
        for process in running:
            process.kill()
    return found


def other_processes(case: Case) -> Problems:
    """The same trials in processes with other hash seeds and numbers of threads."""
    job = job_for(case.factory, case.space, case.n_trials)
    if job is None:
        return
    expected = job.run()
    for (hash_seed, n_threads), found in zip(WORLDS, run_elsewhere({"": job}), strict=True):
        if found[""] != expected:
            error = f" ({found['']})" if ":" in found[""] else ""
            yield (
                "other-process-differs",
                f"with PYTHONHASHSEED={hash_seed} and {n_threads} threads trials or state "
                f"differ{error}; look for hash(), the order of sets, ids and sums that depend on "
                "threads",
            )


def _main() -> None:
    """Run the jobs given on standard input; print their hashes as one line of JSON."""
    found = {}
    for name, row in json.load(sys.stdin).items():
        try:
            with probe.strict_warnings():
                found[name] = Job(**row).run()
        except Exception as error:  # noqa: BLE001
            found[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))


if __name__ == "__main__":
    _main()
