"""One table: how fast the walkers step, reset, and what memory they take, against Gymnasium.

All in one process. Every figure is measured in turns with Gymnasium's environment on the same
terrain (easy where it has none), so that other work on the machine hits both alike. Times are CPU
seconds of all threads, inside `step` or `reset` only; figures and ratios are medians. Actions are
random, or those of a trained policy ("walking"). Batches start from walkers spread over whole
episodes; their steps include the resets of those that ended, steps of single environments do
not. EnvPool is shown where it can be imported.

    python benchmarks/walker_speed.py            # some minutes; prints the README's table
    python benchmarks/walker_speed.py --quick    # half a minute, for a first impression
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import psutil
from threadpoolctl import threadpool_limits
from walker_contenders import (
    LIMIT,
    TERRAINS,
    WALKING,
    Bare,
    Batch,
    Single,
    Turn,
    gymnasium_walker,
    native_walkers,
    reference_walker,
)

from teachenv.envs.bipedal import _native

ENGINE, RESETS = "engine alone, easy", "resets, easy"
COLUMNS = (*TERRAINS, ENGINE, RESETS)
LANES = (1, 16, 64, 256, 1024, 4096)


@dataclass
class Row:
    """A line of the table: what is done for each column, and the rates and ratios it gave."""

    name: str
    turns: dict[str, Turn]
    memory: str = "-"
    results: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def measure(self, gymnasium: Mapping[str, Turn], seconds: float) -> None:
        for column, turn in self.turns.items():
            base = rate(gymnasium[column], seconds)
            own = base if turn == gymnasium[column] else rate(turn, seconds)
            self.results.setdefault(column, []).append((own, own / base))

    def cell(self, column: str) -> str:
        if column not in self.results:
            return "-"
        own, ratio = map(statistics.median, zip(*self.results[column], strict=True))
        return f"{float(f'{own:.3g}'):,.0f} ({float(f'{ratio:.3g}'):g})"


def rate(turn: Turn, seconds: float) -> float:
    count, spent = 0, 0.0
    while spent < seconds:
        more, took = turn()
        count += more
        spent += took
    return count / spent


def resident_kib() -> float:
    return float(psutil.Process().memory_info().rss) / 1024


KEPT: list[Any] = []
"""Environments stay, so that no memory is used twice and its growth is that of new ones."""


def single_row(name: str, make: Callable[[str], Single], terrains: Sequence[str]) -> Row:
    n, before = 16, resident_kib()
    singles = [make("easy") for _ in range(n)]
    for single in singles:
        single.step()
    memory = f"- / {(resident_kib() - before) / n:,.0f}"
    KEPT.extend(singles)
    turns = {terrain: make(terrain).step for terrain in terrains}
    return Row(name, {**turns, RESETS: singles[0].reset}, memory)


def spread_states(terrain: str, n_steps: int) -> list[Any]:
    """States of walkers at all times of an episode."""
    batch = native_walkers(terrain, 256, ())
    for _ in range(n_steps):
        batch.step()
    return [batch.env.get_state(lane) for lane in range(batch.n)]


def native_row(name: str, n: int, states: Mapping[str, Sequence[Any]], **settings: Any) -> Row:
    before = resident_kib()
    fresh = native_walkers("easy", n, (), **settings)
    fresh.step()
    grown = resident_kib() - before
    turns = {t: native_walkers(t, n, states[t], **settings).step for t in TERRAINS}
    bare = Bare(n, states["easy"], **settings)
    memory = f"{bare.engine.memory_bytes() / 1024 / n:,.1f} / {grown / n:,.1f}"
    return Row(name, {**turns, ENGINE: bare.step, RESETS: fresh.reset}, memory)


def envpool_row(n_steps: int, n: int = 16) -> Row:
    try:
        envpool: Any = importlib.import_module("envpool")
    except ImportError:
        return Row("EnvPool (not installed)", {})

    def make(task: str) -> Batch:
        pool = envpool.make_gymnasium(task, num_envs=n, num_threads=1, seed=0)
        pool.reset()
        return Batch(pool, n, lambda mask: pool.reset(np.flatnonzero(mask)))

    before = resident_kib()
    easy = make("BipedalWalker-v3")
    memory = f"- / {(resident_kib() - before) / n:,.0f}"
    hardcore, fresh = make("BipedalWalkerHardcore-v3"), make("BipedalWalker-v3")
    for _ in range(n_steps):
        easy.step(), hardcore.step()
    turns = {"easy": easy.step, "hardcore": hardcore.step, RESETS: fresh.reset}
    return Row(f"EnvPool {envpool.__version__}, {n} lanes", turns, memory)


def all_rows(n_steps: int) -> list[Row]:
    states = {terrain: spread_states(terrain, n_steps) for terrain in TERRAINS}
    rows = [
        single_row("Gymnasium BipedalWalker-v3", gymnasium_walker, ["easy", WALKING, "hardcore"]),
        envpool_row(n_steps),
        single_row('`backend="reference"`', reference_walker, list(TERRAINS)),
    ]
    for n in LANES:
        rows.append(native_row(f"native, {n} lane{'s' * (n > 1)}", n, states))
    for n in LANES[2:]:
        rows.append(native_row(f"native, {n} lanes, 2 threads", n, states, num_threads=2))
    for isa in _native.ISAS[:-1]:
        rows.append(native_row(f"native, 256 lanes, {isa} only", 256, states, isa=isa))
    return rows


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="rough figures in half a minute")
    quick = parser.parse_args().quick
    repetitions, seconds, n_steps = (5, 0.03, 300) if quick else (7, 0.15, LIMIT)
    print(f"load before the start: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    threadpool_limits(1)  # threads that wait for a policy's next product would count
    rows = all_rows(n_steps)
    turns = rows[0].turns
    gymnasium = {column: turns.get(column, turns["easy"]) for column in COLUMNS}
    for repetition in range(repetitions):
        for row in rows:
            row.measure(gymnasium, seconds)
        print(f"{repetition + 1}/{repetitions}", file=sys.stderr)
    heads = ("per CPU-second (ratio)", *COLUMNS, "KiB a walker: counted / resident")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join((row.name, *map(row.cell, COLUMNS), row.memory))} |")
    print(
        f"\n{processor()} ({_native.ISAS[-1]}), Python {platform.python_version()}, Gymnasium "
        f"{gym.__version__}; medians of {repetitions} repetitions."
    )


if __name__ == "__main__":
    main()
