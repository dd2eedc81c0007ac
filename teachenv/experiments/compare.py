"""Comparing teachers: every cell of a study, played on Ray, resumable at any time."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachenv.errors import UserError, at_least
from teachenv.experiments.config import IF_BROKEN, RunConfig
from teachenv.experiments.data_parts import usual_steps
from teachenv.experiments.drive import terminate_as_interrupt
from teachenv.experiments.files import StoreError, read_json
from teachenv.experiments.loop import check
from teachenv.experiments.mirror import Mirror
from teachenv.experiments.store import is_run
from teachenv.experiments.study import Cell, Part, Study, refuse
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_file import load_study, read_study
from teachenv.experiments.study_pack import Pack, in_packs, n_runners
from teachenv.experiments.study_status import StudyStatus, study_status
from teachenv.experiments.study_store import StudyFolder

_RAY_ENVIRONMENT = {
    "RAY_worker_niceness": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
}
"""What Ray reads when it is loaded: cells have the priority of the study, as runs of their own
would; no reports of usage, no files, no handlers of its own."""

Listener = Callable[[Board, str], None]


@dataclass(frozen=True)
class Means:
    """What a study may use; it does not change the results.

    Attributes:
        workers: Cells at once; ``None``: as many as the cores allow.
        cpus: Cores of a cell.
        gpus: Share of an accelerator of a cell.
        address: Of a Ray cluster; ``None``: this machine.
        max_failures: Failures or deaths of a cell's process after which it is continued.
        pack: Cells of a trial; ``None``: as many as make it worth a trial.
    """

    workers: int | None = None
    cpus: float = 1
    gpus: float = 0
    address: str | None = None
    max_failures: int = 2
    pack: int | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "pack"):
            if getattr(self, name) is not None:
                at_least(1, name, getattr(self, name))
        at_least(0, "max_failures", self.max_failures)
        if not 0 < self.cpus < math.inf or not 0 <= self.gpus < math.inf:
            raise UserError(
                f"cpus, gpus: expected positive numbers (gpus may be 0), got {self.cpus} and "
                f"{self.gpus}"
            )


def compare(
    study: Study | Mapping[str, Any] | Path,
    out: Path,
    *,
    storage: str | None = None,
    means: Means | None = None,
    listener: Listener | None = None,
) -> StudyStatus:
    """Play a study in a new folder.

    Args:
        study: The study, a mapping of its form, or a file; see
            :mod:`teachenv.experiments.study_file`.
        out: The study folder; must not exist.
        storage: Where else to keep the runs: needed where the machines of a cluster share no
            disk. A folder or a URI, see :class:`teachenv.experiments.mirror.Mirror`.
        means: What it may use.
        listener: Follows the study, if given.

    Returns:
        How far it came: all cells are finished, stopped by the search, or failed.

    Raises:
        UserError: if the study, the folder or the storage is refused; nothing is left then.
        KeyboardInterrupt: after an interrupt, with the study resumable.
    """
    if isinstance(study, Path):
        study = load_study(study)
    elif not isinstance(study, Study):
        study = read_study(study)
    study = settled(study)
    check_cells(study.cells(check_env=True))
    if storage is not None:
        _refuse_other_mirror(storage, study)
    StudyFolder.create(out, study, storage)
    return resume(out, means=means, listener=listener)


def resume(
    out: Path, *, means: Means | None = None, listener: Listener | None = None
) -> StudyStatus:
    """Continue a study; cells that failed are tried again. See :func:`compare`.

    Raises:
        UserError: if the folder is not a study, is being played, or holds other runs.
        KeyboardInterrupt: after an interrupt, with the study resumable.
    """
    means = means or Means()
    folder = StudyFolder.read(out.absolute())
    with terminate_as_interrupt(), closing(folder.lock()):
        _refuse_other_runs(folder)
        board = Board(folder, means.max_failures, listener)
        if not all(status.done for status in board.cells):
            _play(folder, board, means)
    return study_status(folder)


def check_cells(cells: Iterable[Cell]) -> None:
    """Refuse cells whose environment, teacher or student refuse their arguments.

    Raises:
        StudyError: listing all problems; seeds are not looked at.
    """
    problems, seen = [], set()
    for cell in cells:
        what, _, _ = cell.name.rpartition("/")
        if what in seen:
            continue
        seen.add(what)
        try:
            check(cell.config)
        except UserError as error:
            problems += [f"{what}: {line}" for line in str(error).splitlines()]
    if any("/oracle/" in problem for problem in problems):
        problems.append(
            "(uniform and oracle are in every study; give oracle its arguments under the "
            "environment, as teacher_args = {oracle = {...}}, or refuse it: baselines = "
            '["uniform"])'
        )
    refuse(problems)


def drawn(study: Study) -> Study:
    """Return the study with the samples of its search drawn."""
    if study.search is None or study.search.drawn:
        return study
    tuner = _tune()
    settings = tuple(tuner.draw(study.search, study.seeds[0]))
    search = dataclasses.replace(study.search, drawn=settings)
    return dataclasses.replace(study, search=search)


def settled(study: Study) -> Study:
    """Return the study with what it leaves open decided: the samples of its search, its steps.

    Raises:
        ConfigError: if an environment whose steps are left open cannot be made.
    """
    study = drawn(study)
    if "steps" in study.settings:
        return study
    return dataclasses.replace(study, environments=tuple(map(_with_steps, study.environments)))


def _with_steps(environment: Part) -> Part:
    if "steps" in environment.settings:
        return environment
    config = RunConfig(env=environment.id, teacher="uniform", env_args=dict(environment.args))
    settings = {**environment.settings, "steps": usual_steps(config)}
    return dataclasses.replace(environment, settings=settings)


def n_at_once(means: Means, cells: Sequence[Cell]) -> int:
    """Return how many of the cells would be played at once, on the cluster if there is to be one.

    Raises:
        UserError: if there is no Ray at the address, or it cannot play a single one.
    """
    if means.address is None:
        return _n_workers(means, cells)
    with _session(means, cells) as (_, at_once):
        return at_once


def _n_workers(means: Means, cells: Iterable[Cell]) -> int:
    """Return how many of the cells are played at once by a Ray of our own."""
    cpus = means.cpus + max(map(n_runners, cells))
    return means.workers or max(int((os.cpu_count() or 1) / cpus), 1)


@contextmanager
def _session(means: Means, cells: Sequence[Cell]) -> Iterator[tuple[Any, int]]:
    """Use Ray; yields the module that loads it, and how many of the cells it plays at once."""
    tuner = _tune()
    runners = max(map(n_runners, cells))
    n_cpus = math.ceil(_n_workers(means, cells) * (means.cpus + runners))
    with tuner.session(means.address, n_cpus):
        slots = tuner.n_slots(means.cpus, means.gpus, runners)
        yield tuner, min(slots, means.workers or slots)


def _tune() -> Any:
    """Return the module that loads Ray, once its environment is set."""
    for name, value in _RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from teachenv.experiments import study_tune
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "ray":
            raise
        raise UserError('compare needs Ray: pip install "teachenv[rllib]"') from None
    return study_tune


def _play(folder: StudyFolder, board: Board, means: Means) -> None:
    scratch = folder.path / ".tune"
    shutil.rmtree(scratch, ignore_errors=True)
    with _session(means, [status.cell for status in board.cells]) as (tuner, at_once):
        tuner.conduct(
            list(_packs(folder, board, means, at_once)),
            board,
            scratch,
            cpus=means.cpus,
            gpus=means.gpus,
            at_once=at_once,
            max_failures=means.max_failures,
            search=folder.study.search,
        )
    shutil.rmtree(scratch, ignore_errors=True)


def _packs(folder: StudyFolder, board: Board, means: Means, at_once: int) -> Iterator[Pack]:
    """Yield what is to be played; a search hears of all its samples again."""
    given: dict[str, Any] = {
        "runs": str(folder.runs),
        "retries": means.max_failures,
        "storage": folder.storage,
        "threads": max(int(means.cpus), 1),
    }
    statuses = {status.cell.name: status for status in board.cells}
    search = folder.study.search
    if search is None:
        waiting = [status.cell for status in statuses.values() if not status.done]
        for cells in in_packs(waiting, at_once, means.pack):
            yield Pack(cells, **given)
        return
    for cells in folder.study.samples():
        own = [statuses[cell.name] for cell in cells]
        stopped = all(s.done for s in own) and any(s.status == "stopped" for s in own)
        yield Pack(cells, **given, score=search.score, stopped=stopped)


def _refuse_other_runs(folder: StudyFolder) -> None:
    """Refuse run folders that are not what the study says, as when study.json was edited."""
    for cell in folder.study.cells():
        run = folder.runs / cell.name
        if is_run(run):
            header = read_json(run / "config.json")
            hint = "undo the change, or start a new study"
            _refuse_other_run(str(run), header, cell.config, hint)


def _refuse_other_mirror(storage: str, study: Study) -> None:
    """Refuse a place that holds runs of another study by the same names."""
    mirror = Mirror(storage)
    for cell in study.cells():
        header = mirror.header(cell.name)
        if header is not None:
            where = f"{storage}: {cell.name}"
            _refuse_other_run(where, header, cell.config, "mirror this study to another place")


def _refuse_other_run(where: str, header: Any, config: RunConfig, hint: str) -> None:
    try:
        found = RunConfig.from_json(header["config"]).to_json()
    except (KeyError, TypeError, AttributeError):
        raise StoreError(f"{where}: config.json is not a run's") from None
    for name, value in config.to_json().items():
        if name not in IF_BROKEN and not _fits(name, value, found[name]):
            raise StoreError(
                f"{where}: {name} is {found[name]!r}, but the study says {value!r}; {hint}"
            )


def _fits(name: str, wanted: Any, found: Any) -> bool:
    """Whether a field of a run is what was wanted, or what was chosen where that was left open."""
    if name == "env_args":
        said = {key: value for key, value in wanted.items() if (key, value) != ("backend", "auto")}
        return {**found, **said} == dict(found)
    return wanted == found or (name, wanted) in (("student", "auto"), ("round_steps", 0))
