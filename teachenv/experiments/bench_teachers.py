"""The bench: every teacher on every analytic student, and what to make of it.

Results kept from earlier are used where the code that made them is the code at hand (see
:mod:`teachenv.experiments.bench_reference`); all others are played, in several processes.
"""

from __future__ import annotations

import math
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import teachers
from teachenv.errors import at_least, one_of
from teachenv.experiments.bench_play import (
    BEST,
    CannotTeachError,
    Played,
    World,
    make_teacher,
    play,
)
from teachenv.experiments.bench_reference import SHIPPED, Kept, fingerprint, load, save
from teachenv.experiments.bench_stats import BASELINE, Row, make_rows
from teachenv.experiments.bench_worlds import PAPER, WORLDS

N_SEEDS = 5
SLOW = frozenset({"goal-gan", "setter-solver"})
"""Networks that take milliseconds a task, so about a quarter of an hour each: played if named."""

Watcher = Callable[[int, int], None]
"""Called with the number of games done and the number there are."""


class Job(NamedTuple):
    """One game: a teacher in a world, with a seed."""

    teacher: str
    world: str
    seed: int


Games = dict[Job, Played | str | Exception]
"""How games went, why they cannot be played, or how the teacher broke."""


@dataclass(frozen=True)
class Verdict:
    """All there is to say.

    Attributes:
        worlds: The worlds, by name.
        n_seeds: Seeds of every teacher.
        rows: One per teacher, the best first; the best known curriculum before them.
        left_out: (teacher, world or "", why) for what was not played.
        failed: As ``left_out``, for teachers that broke.
        took_s: Seconds it took.
    """

    worlds: Mapping[str, World]
    n_seeds: int
    rows: Sequence[Row]
    left_out: Sequence[tuple[str, str, str]]
    failed: Sequence[tuple[str, str, str]]
    took_s: float


def bench(
    ids: Iterable[str] | None = None,
    *,
    worlds: Iterable[str] | None = None,
    n_seeds: int = N_SEEDS,
    reference: Path | None = SHIPPED,
    n_workers: int | None = None,
    out: Path | None = None,
    watcher: Watcher | None = None,
) -> Verdict:
    """Judge teachers.

    Args:
        ids: Teachers to play; the others are shown where their kept results still hold. ``None``
            plays all teachers without such results, except for ``SLOW``.
        worlds: Names of worlds; ``None``: all of ``WORLDS``.
        n_seeds: Seeds per teacher and world, from 0 on.
        reference: File of kept results; ``None`` plays everything.
        n_workers: Processes; ``None``: one per core, 1: none but this.
        out: Folder for ``results.json``, which can be a ``reference`` later; made if needed. It is
            also written when the bench is interrupted, with what was complete.
        watcher: Told how far it has come.

    Raises:
        UserError: for unknown names, a number out of range, or a damaged ``reference``.
    """
    start = time.perf_counter()
    known = {**WORLDS, **PAPER}
    chosen = {one_of("world", name, known): known[name] for name in worlds or WORLDS}
    asked = None if ids is None else [one_of("teacher", id, teachers.TEACHERS) for id in ids]
    at_least(1, "seeds", n_seeds)
    earlier = {} if reference is None else load(reference)
    kept = _still_true(earlier, chosen, n_seeds)
    if asked is not None:
        kept = {pair: row for pair, row in kept.items() if pair[0] not in asked}
    usual = [id for id in teachers.TEACHERS if id not in SLOW]
    wanted = dict.fromkeys([BEST, BASELINE, *(usual if asked is None else asked)])
    pairs = [(teacher, world) for teacher in wanted for world in chosen]
    prints = {pair: fingerprint(pair[0], chosen[pair[1]]) for pair in pairs if pair not in kept}
    jobs = [Job(*pair, seed) for pair in prints for seed in range(n_seeds)]
    played: Games = {}
    try:
        _play_all(jobs, chosen, played, n_workers, watcher)
    finally:
        results, left_out, failed = _collect(played, prints, n_seeds)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            save(out / "results.json", {**earlier, **results}, _about(n_seeds))
    shown = {teacher for teacher, _ in {**kept, **results}}
    left_out += [
        (id, "", _why_absent(id, chosen)) for id in teachers.TEACHERS if id not in {*wanted, *shown}
    ]
    rows = make_rows({**kept, **results}, set(kept), chosen, n_seeds)
    return Verdict(chosen, n_seeds, rows, left_out, failed, time.perf_counter() - start)


# -- playing ---------------------------------------------------------------------------------


def _still_true(
    kept: Mapping[tuple[str, str], Kept], worlds: Mapping[str, World], n_seeds: int
) -> dict[tuple[str, str], Kept]:
    return {
        (teacher, world): row
        for (teacher, world), row in kept.items()
        if (teacher in teachers.TEACHERS or teacher == BEST)
        and world in worlds
        and len(row.shares) >= n_seeds
        and row.fingerprint == fingerprint(teacher, worlds[world])
    }


def _play_job(job: Job, world: World) -> Played | str | Exception:
    try:
        return play(job.teacher, world, job.seed)
    except CannotTeachError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  a teacher may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")


def _play_all(
    jobs: Sequence[Job],
    worlds: Mapping[str, World],
    played: Games,
    n_workers: int | None,
    watcher: Watcher | None,
) -> None:
    """Play games; ``played`` fills as they end."""
    n_workers = at_least(1, "workers", (os.cpu_count() or 1) if n_workers is None else n_workers)
    tell = watcher or (lambda done, total: None)
    if n_workers == 1 or len(jobs) <= 1:
        for job in jobs:
            played[job] = _play_job(job, worlds[job.world])
            tell(len(played), len(jobs))
        return
    pool = ProcessPoolExecutor(n_workers, get_context("spawn"), initializer=_quietly)
    try:
        waiting = {pool.submit(_play_job, job, worlds[job.world]): job for job in jobs}
        for future in as_completed(waiting):
            played[waiting[future]] = future.result()
            tell(len(played), len(jobs))
    finally:
        pool.shutdown(cancel_futures=True)


def _quietly() -> None:
    """Make a process compute on one thread, and leave interrupts to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _collect(
    played: Games, prints: Mapping[tuple[str, str], str], n_seeds: int
) -> tuple[dict[tuple[str, str], Kept], list[tuple[str, str, str]], list[tuple[str, str, str]]]:
    """Sort what was played to its end into results, what was left out and what failed."""
    results: dict[tuple[str, str], Kept] = {}
    left_out: list[tuple[str, str, str]] = []
    failed: list[tuple[str, str, str]] = []
    for (teacher, world), printed in prints.items():
        jobs = [Job(teacher, world, seed) for seed in range(n_seeds)]
        games = [played[job] for job in jobs if job in played]
        good = [game for game in games if isinstance(game, Played)]
        if len(good) == n_seeds:
            us = math.fsum(game.us for game in good) / n_seeds
            results[teacher, world] = Kept(printed, tuple(game.share for game in good), us)
        elif len(games) == n_seeds:
            broken = [str(game) for game in games if isinstance(game, Exception)]
            refused = [game for game in games if isinstance(game, str)]
            (failed if broken else left_out).append((teacher, world, [*broken, *refused][0]))
    return results, left_out, failed


def _about(n_seeds: int) -> dict[str, Any]:
    libraries = ("teachenv", "numpy", "scipy")
    return {
        "n_seeds": n_seeds,
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def _why_absent(teacher: str, worlds: Mapping[str, World]) -> str:
    """Return why there is nothing to show of a teacher that was not asked for."""
    try:
        make_teacher(teacher, next(iter(worlds.values())).make(0), 0)
    except CannotTeachError as error:
        return str(error)
    return "no earlier results of this code with as many seeds; name it to play it"
