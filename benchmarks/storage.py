"""What storage costs: rows, checkpoints, status, resuming. Markdown.

    python benchmarks/storage.py [--folder DIR] [--repeats 50]

Medians, flushing to disk included: put ``--folder`` on the disk you mean to use, and look at the
CPU time where others use the machine.
Limits: 100 us a row of ``episodes.jsonl``, 20 ms a checkpoint of a teacher and a small student.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import teachers
from teachenv.broker import Broker
from teachenv.experiments.checkpoint import newest_checkpoint, save_checkpoint
from teachenv.experiments.files import read_rows
from teachenv.experiments.store import RunFolder
from teachenv.protocols import Outcome, State
from teachenv.space import Dim, TaskSpace

SPACE = TaskSpace([Dim("height", 0.0, 3.0), Dim("spacing", 0.0, 6.0)])
ROWS = 1000
"""Rows of a round."""
PARAMETERS = 10_000
"""Numbers of the small student; an optimizer has twice as many."""


def median(call: Callable[[int], Any], repeats: int, per: int = 1) -> str:
    """Return the median wall and CPU time of ``call(number)``, over ``per``, in two cells."""
    wall, cpu = [], []
    for number in range(1, repeats + 1):
        began, began_cpu = time.perf_counter(), time.process_time()
        call(number)
        wall.append((time.perf_counter() - began) / per)
        cpu.append((time.process_time() - began_cpu) / per)
    return f"{shown(statistics.median(wall))} | {shown(statistics.median(cpu))}"


def shown(seconds: float) -> str:
    return f"{1e6 * seconds:.1f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"


def played(teacher_id: str, n_trials: int) -> tuple[Broker, list[dict[str, Any]]]:
    """Return a broker after so many trials, and the rows of these."""
    broker = Broker(teachers.make(teacher_id, SPACE))
    for number in range(n_trials):
        trial = broker.ask()
        score = float(np.clip(1.2 - trial.task[0] / 3 + number / n_trials / 2, 0, 1))
        broker.tell(trial.id, Outcome(score, 300 * score - 100, 500, score > 0.8))
    return broker, broker.close_round()


def checkpoint_of(broker: Broker, numbers: int) -> State:
    """Return the state of a run: the teacher of a broker and a student of so many numbers."""
    rng = np.random.default_rng(0)
    weights = {f"layer {n}": rng.random(numbers // 4, dtype=np.float32) for n in range(12)}
    return {
        "broker": broker.state_dict(),
        "teacher": broker.teacher.state_dict(),
        "student": weights,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where to write; default: temporary files")
    parser.add_argument("--repeats", type=int, default=50)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(dir=given.folder))
    folder = RunFolder.create(place / "run", {}, [])
    try:
        measure(folder, given.repeats)
    finally:
        folder.close()
        shutil.rmtree(place)


def measure(folder: RunFolder, repeats: int) -> None:
    broker, rows = played("alp-gmm", ROWS)
    status = {"status": "running", "reason": "", "round": 1, "step": 1}
    size = len(json.dumps(rows[-1]))
    path = folder.path / "teacher.jsonl"
    folder.append(path.name, rows)
    lines = {
        f"a row of {size} bytes, {ROWS} at once | 100 us": median(
            lambda _: folder.append("episodes.jsonl", rows), repeats, ROWS
        ),
        "a row on its own |": median(lambda _: folder.append("evals.jsonl", rows[:1]), repeats),
        "reading a row |": median(lambda _: read_rows(path), 5, ROWS),
        "the status |": median(lambda _: folder.write_json("status.json", status), repeats),
    }
    parent = folder.path / "checkpoints"
    for title, numbers, limit in (("small", PARAMETERS, "20 ms"), ("large", 10**6, "")):
        state = checkpoint_of(broker, numbers)
        saved = median(partial(save_checkpoint, parent, state=state), repeats)
        size = sum(path.stat().st_size for path in (parent / f"{repeats:08d}").iterdir())
        what = f"a checkpoint, {title} student, {size / 1e6:.2f} MB"
        lines[f"{what}: writing | {limit}"] = saved
        lines[f"{what}: reading |"] = median(lambda _: newest_checkpoint(parent), 5)
        shutil.rmtree(parent)
    print("| what | limit | wall | CPU |\n|---|---|---|---|")
    for what, taken in lines.items():
        print(f"| {what} | {taken} |")


if __name__ == "__main__":
    main()
