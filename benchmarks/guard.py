"""Guard against slow-downs: medians of what runs do most, against limits and those on record.

    python benchmarks/guard.py [--write] [--repeats 5]

CPU time, divided by that of a fixed piece of work on the same machine, so that the figures of
``medians.json`` hold elsewhere as well. Ends with status 1 if one is more than 1.5 times what is
on record, above its limit in microseconds, or was not measured. ``--write`` puts what was measured
on record.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np

import teachenv  # noqa: F401  (registers the environments)
import teachers
from teachenv.broker import Broker
from teachenv.experiments.checkpoint import save_checkpoint
from teachenv.experiments.store import RunFolder
from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.base import TeacherWarning
from teachers.probe import learning, outcome_for

RECORD = Path(__file__).with_name("medians.json")
SLOWER = 1.5
SPACE = TaskSpace([Dim("x"), Dim("y")])
WINDOW = 1500
"""Outcomes told before teachers are timed: their windows are full, or nearly."""

BANDITS = ("ucb", "exp3s", "tscl-online", "thompson")
NEAREST = ("alp-gmm", "riac")
REFIT_US = 5000.0
"""A call of a teacher that takes longer is a refit."""

LIMITS_US = {
    **{f"{id}: ask and tell": 100.0 for id in BANDITS},
    **{f"{id}: ask and tell": 500.0 for id in NEAREST},
    "alp-gmm: refit": 300_000.0,
    "an episode row": 100.0,
    "a checkpoint": 20_000.0,
}
"""Reliability's L2 and L3, in microseconds."""

Timed = tuple[str, list[float]]


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def calibration() -> float:
    """Do a fixed piece of work: interpreted steps and small arrays, as ours."""
    total, values = 0.0, np.linspace(0.0, 1.0, 1000)
    for i in range(3000):
        total += float((values * i).sum()) + len(str(i))
    return total


def teacher_calls() -> Iterator[Timed]:
    """Yield the calls of teachers, and the refits of those that have them."""
    for id in (*BANDITS, *NEAREST):
        teacher, calls = teachers.make(id, SPACE), []
        for i in range(WINDOW + 500):
            start = time.process_time()
            trial = teacher.ask()
            taken = time.process_time() - start
            outcome = outcome_for(teacher, learning(i % 1000, trial.task))
            start = time.process_time()
            teacher.tell(trial, outcome)
            calls.append(taken + time.process_time() - start)
        late = calls[WINDOW:]
        if id == "alp-gmm":
            yield f"{id}: refit", [s for s in calls if 1e6 * s >= REFIT_US]
            late = [s for s in late if 1e6 * s < REFIT_US]
        yield f"{id}: ask and tell", late


def ledger_calls() -> Iterator[Timed]:
    """Yield the calls of the broker."""
    broker, calls = Broker(teachers.make("uniform", SPACE)), []
    outcome = Outcome(0.5, 1.0, 10, False)
    for _ in range(2000):
        calls.append(seconds(lambda: broker.tell(broker.ask().id, outcome)))
    yield "uniform through the broker", calls


def storage_calls() -> Iterator[Timed]:
    """Yield what it takes to keep a row and a checkpoint."""
    row = {"trial": 1, "task": [0.5, 0.25], "reason": "explore", "score": 0.5, "signals": {}}
    state = {"teacher": teachers.make("riac", SPACE).state_dict(), "student": {"w": np.ones(1000)}}
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", {}, [])
        rows = [
            seconds(lambda: run.append("episodes.jsonl", [row] * 1000)) / 1000 for _ in range(20)
        ]
        yield "an episode row", rows
        numbers = iter(range(1000))
        checkpoints = run.path / "checkpoints"
        yield (
            "a checkpoint",
            [
                seconds(lambda: save_checkpoint(checkpoints, next(numbers), state))
                for _ in range(20)
            ],
        )
        run.close()


def world_calls() -> Iterator[Timed]:
    """Yield steps of the walkers, native where they are built, and of a small environment."""
    env = gym.make("teachenv/PointMass-v0")
    env.reset(seed=0)
    action = np.zeros(2, np.float32)
    yield "a step of PointMass", [seconds(lambda: env.step(action)) for _ in range(90)]
    vector = gym.make_vec("teachenv/StumpTracks-v0", 64)
    vector.reset(seed=0)
    actions = np.zeros((64, 4), np.float32)
    steps = [seconds(lambda: vector.step(actions)) / 64 for _ in range(100)]
    yield f"a step of StumpTracks ({getattr(vector.unwrapped, 'backend', 'reference')})", steps


def measured(repeats: int) -> dict[str, tuple[float, float]]:
    """Return microseconds, and shares of the fixed work, of each figure: least of the medians."""
    found: dict[str, tuple[float, float]] = {}
    for _ in range(repeats):
        unit = min(seconds(calibration) for _ in range(5))
        for part in (teacher_calls, ledger_calls, storage_calls, world_calls):
            for name, times in part():
                if not times:
                    continue  # missed below
                median = statistics.median(times)
                best = found.get(name, (float("inf"), float("inf")))
                found[name] = (min(best[0], 1e6 * median), min(best[1], median / unit))
    return found


def too_slow(us: float, limit_us: float | None, ratio: float | None) -> bool:
    """Whether a figure is above its limit, or too far above what is on record."""
    return (limit_us is not None and us > limit_us) or (ratio is not None and ratio > SLOWER)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the medians on record")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore", TeacherWarning)
    found = measured(given.repeats)
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    bad = 0
    print("| what | us | limit, us | times the record | |\n| --- | --- | --- | --- | --- |")
    for name, (us, share) in found.items():
        limit, before = LIMITS_US.get(name), known.get(name)
        ratio = share / before if before else None
        wrong = too_slow(us, limit, ratio)
        bad += wrong
        shown = f"{ratio:.2f}" if ratio else "-"
        print(f"| {name} | {us:.1f} | {limit or '-'} | {shown} | {'TOO SLOW' if wrong else ''} |")
    missing = sorted({*known, *LIMITS_US} - found.keys())
    print("".join(f"not measured, though on record: {name}\n" for name in missing), end="")
    if given.write:
        shares = {name: float(f"{share:.3g}") for name, (_, share) in found.items()}
        RECORD.write_text(json.dumps(shares, indent=1) + "\n")
    sys.exit(1 if bad or missing else 0)


if __name__ == "__main__":
    main()
