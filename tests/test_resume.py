"""Runs of every teacher with a toy student: resumed anywhere, and in a poisoned world."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import broken_teachers
import ledger
import pytest
import sklearn.linear_model  # noqa: F401  (what it imports draws once, when imported)
from bars import Bar
from small_teachers import SMALL
from test_data_loop import config as data_config
from test_loop import digests
from toy_student import CLIMB, TOY

import students
import teachers
from teachenv.broker import Broker
from teachenv.experiments import loop
from teachenv.experiments.checkpoint import newest_checkpoint, save_checkpoint
from teachenv.experiments.config import RunConfig
from teachenv.experiments.drive import rounds
from teachenv.experiments.files import read_rows
from teachers.check_sameness import GlobalDrawError, foreign_world, no_global_draws
from teachers.data import DATA_TEACHERS

ROUNDS, ROUND = 5, 150
POINTS = (1, 3, ROUNDS - 1)
"""After which round a run is stopped: the first, the middle one, the last but one."""


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(students.STUDENTS, "toy", TOY)


def config(teacher: str, args: dict[str, Any]) -> RunConfig:
    return RunConfig(
        env=CLIMB,
        teacher=teacher,
        teacher_args=args,
        student="toy",
        steps=ROUNDS * ROUND,
        round_steps=ROUND,
        eval_every=4,
        test_sets=("grid-v1",),
    )


def play(run: RunConfig, folder: Path) -> dict[int, Path]:
    """Play a run to its end; return copies of its folder as it was after each of POINTS."""
    stopped = {}
    with closing(rounds(*loop.open_new(run, folder))) as played:
        for n, _ in enumerate(played, start=1):
            if n in POINTS:
                stopped[n] = Path(shutil.copytree(folder, f"{folder}-{n}"))
    return stopped


@contextmanager
def reseeded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Seed the global generators anew before every ask and tell, and move the clocks.

    Yields a list that tells in the end whether anybody else moved the generators.
    """
    ask, tell, calls, moved_by_others = Broker.ask, Broker.tell, [0], list[bool]()
    with foreign_world(1) as (reseed, moved), monkeypatch.context() as patch:

        def before(method: Any) -> Any:
            def call(*args: Any, **kwargs: Any) -> Any:
                calls[0] += 1
                reseed(calls[0])
                return method(*args, **kwargs)

            return call

        patch.setattr(Broker, "ask", before(ask))
        patch.setattr(Broker, "tell", before(tell))
        yield moved_by_others
        moved_by_others.append(moved())
    assert calls[0] > 20


@pytest.mark.parametrize("teacher", teachers.TEACHERS)
def test_a_run_resumes_to_the_same_bytes_whatever_global_generators_do(
    teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    run = config(teacher, SMALL.get(teacher, {}))
    with no_global_draws():
        stopped = play(run, tmp_path / "whole")
    expected = digests(tmp_path / "whole")
    different = 0
    for folder in stopped.values():
        with reseeded(monkeypatch) as moved:
            loop.resume(folder)
        different += digests(folder) != expected
        assert moved == [False]
    assert different == 0
    bar("R1", teachers=1, resumes=len(stopped), different=different)
    bar("D3", runs_without_global_draws=1, runs_with_generators_reseeded=len(stopped))
    bar("S8", **ledger.check_run(tmp_path / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("teacher", sorted(set(DATA_TEACHERS) - {"llm", "trained"}))
def test_a_run_that_makes_data_resumes_to_the_same_bytes(
    teacher: str, tmp_path: Path, bar: Bar
) -> None:
    with no_global_draws():
        stopped = play(data_config(teacher), tmp_path / "whole")
    expected = digests(tmp_path / "whole")
    for folder in stopped.values():
        loop.resume(folder)
        assert digests(folder) == expected
        bar("S8", **ledger.check_run(folder))
    bar("R1", teachers_of_data=1, resumes_of_theirs=len(stopped))
    bar("D3", runs_without_global_draws=1)


MUTANTS = {
    "DropsStateOnLoad": "lp-bins",
    "LosesRngOnLoad": "uniform",
    "GlobalRng": "uniform",
    "ReadsTheClock": "uniform",
}


@pytest.mark.parametrize(("mutation", "teacher"), MUTANTS.items())
def test_runs_of_broken_teachers_are_found_to_differ(
    mutation: str, teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control: what the test above does must fail for each of them."""
    cls = broken_teachers.broken(
        getattr(broken_teachers, mutation), teachers.teacher_class(teacher)
    )
    monkeypatch.setitem(teachers.TEACHERS, teacher, f"broken_teachers:{cls.__name__}")
    run = config(teacher, SMALL.get(teacher, {}))
    stopped = play(run, tmp_path / "whole")
    with reseeded(monkeypatch) as moved:
        for folder in stopped.values():
            loop.resume(folder)
    assert moved == [mutation == "GlobalRng"]
    assert all(digests(folder) != digests(tmp_path / "whole") for folder in stopped.values())
    if mutation == "GlobalRng":
        with no_global_draws(), pytest.raises(GlobalDrawError, match=r"np\.random\.random"):
            play(run, tmp_path / "poisoned")
    bar("R1", f"{mutation} found")


def told_otherwise(folder: Path, rows: list[dict[str, Any]]) -> None:
    path = folder / "teacher.jsonl"
    path.write_text(path.read_text().replace('"n_lost": ', '"n_lost": 1'))


DAMAGES: dict[str, Callable[[Path, list[dict[str, Any]]], Any]] = {
    "a row is missing": lambda folder, rows: rows.pop(7),
    "the last row is missing": lambda folder, rows: rows.pop(),
    "a row is there twice": lambda folder, rows: rows.append(rows[7]),
    "a row has another's id": lambda folder, rows: rows[7].update(trial=rows[8]["trial"]),
    "a trial nobody asked for": lambda folder, rows: rows[7].update(trial=10**6),
    "ok for lost": lambda folder, rows: rows[-1].update(status="ok"),
    "an unknown end": lambda folder, rows: rows[7].update(status="done"),
    "steps counted twice": lambda folder, rows: rows[7].update(episode_length=10**4),
    "the teacher was told otherwise": told_otherwise,
}


def test_books_that_do_not_add_up_are_found(tmp_path: Path, bar: Bar) -> None:
    """Negative control of ``ledger.check_run``."""
    play(config("uniform", {}), tmp_path / "run")
    ledger.check_run(tmp_path / "run")
    found = 0
    for name, damage in DAMAGES.items():
        folder = Path(shutil.copytree(tmp_path / "run", tmp_path / name))
        rows = read_rows(folder / "episodes.jsonl")
        damage(folder, rows)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "episodes.jsonl").write_text(text)
        _, state, _ = newest_checkpoint(folder / "checkpoints")
        state["offsets"]["episodes.jsonl"] = len(text)
        save_checkpoint(folder / "checkpoints", 99, state)
        with pytest.raises(AssertionError):
            ledger.check_run(folder)
        found += 1
    bar("S8", damaged_books=len(DAMAGES), found=found)
