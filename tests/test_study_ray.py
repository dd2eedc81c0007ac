"""Studies on Ray: equal to runs of their own, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bars import Bar

ray = pytest.importorskip("ray")

from ledger import check_run  # noqa: E402
from studies import (  # noqa: E402
    FRAGILE,
    most_at_once,
    small_study,
    study_digests,
    wait_for,
    witness,
    witnessed,
)
from test_loop import digests  # noqa: E402
from trapped import RLLIB_SMALL, trapped_config  # noqa: E402
from worlds import POLE  # noqa: E402

from teachenv.experiments import loop  # noqa: E402
from teachenv.experiments.cells import play  # noqa: E402
from teachenv.experiments.compare import Means, compare, drawn, resume  # noqa: E402
from teachenv.experiments.files import lock_holder, read_rows  # noqa: E402
from teachenv.experiments.store import read_status  # noqa: E402
from teachenv.experiments.study_board import Board  # noqa: E402
from teachenv.experiments.study_file import read_study  # noqa: E402
from teachenv.experiments.study_search import samples  # noqa: E402
from teachenv.experiments.study_store import StudyFolder  # noqa: E402

pytestmark = pytest.mark.ray

N_SEEDS = 3
STORE = 100 << 20
"""Bytes of the object store."""


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            patch.setenv(name, "3")  # what cells find, and must not keep
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=STORE,
        )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The cells of the study, played one after another in this process."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for _ in play(read_study(small_study(seeds=N_SEEDS)).cells(), folder / "runs"):
        pass
    return study_digests(folder)


def interrupt_once(when: Callable[[Board], bool]) -> Callable[[Board, str], None]:
    """Return a listener that presses Ctrl-C once, when something is so."""
    pressed: list[bool] = []

    def listener(board: Board, message: str) -> None:
        if not pressed and when(board):
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    return listener


class Killer(threading.Thread):
    """Kills the process that plays a run as soon as it has come to a moment."""

    def __init__(self, run: Path, moment: str) -> None:
        super().__init__(daemon=True)
        self.killed = 0
        self._run = run
        self._moment = moment

    def run(self) -> None:
        wait_for(lambda: (self._run / self._moment).exists(), self._moment)
        holder = lock_holder(self._run)
        if holder is not None and int(holder) != os.getpid():
            os.kill(int(holder), signal.SIGKILL)
            self.killed = int(holder)


MOMENTS = (
    "test_sets.json",
    "config.json",
    "episodes.jsonl",
    "checkpoints/00000001",
    "checkpoints/.writing-00000002",
    "checkpoints/00000002/manifest.json",
)


def test_a_study_whose_workers_are_killed_equals_single_runs(
    undisturbed: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    study = read_study(small_study(seeds=N_SEEDS))
    out, told = tmp_path / "study", list[str]()
    cells = study.cells()
    killers = [Killer(out / "runs" / c.name, m) for c, m in zip(cells, MOMENTS, strict=True)]
    for killer in killers:
        killer.start()
    status = compare(study, out, listener=lambda board, message: told.append(message))
    assert status.counts() == {"finished": 2 * N_SEEDS}
    assert study_digests(out) == undisturbed
    assert sum(killer.killed > 0 for killer in killers) >= 5
    assert sum("its process died" in message for message in told) >= 5
    assert not (out / ".tune").exists()


def test_packed_cells_equal_single_runs(
    undisturbed: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "study"
    compare(small_study(seeds=N_SEEDS), out, means=Means(pack=3))
    assert study_digests(out) == undisturbed
    pids = {(out / path / "lock").read_text() for path in undisturbed}
    assert len(pids) <= 2
    assert str(os.getpid()) not in pids


@pytest.mark.slow
@pytest.mark.parametrize(("cpus", "at_once", "threads"), [(0.5, 4, 1), (2, 1, 2)])
def test_the_cores_of_a_cell_say_how_many_run_at_once_and_with_how_many_threads(
    cpus: float, at_once: int, threads: int, tmp_path: Path
) -> None:
    environments = witness(tmp_path / "seen", company=at_once)
    study = small_study(environments=environments, seeds=N_SEEDS)
    status = compare(study, tmp_path / "study", means=Means(cpus=cpus, pack=1, max_failures=0))
    assert status.counts() == {"finished": 2 * N_SEEDS}
    assert most_at_once(tmp_path / "study") == at_once
    seen = witnessed(tmp_path / "seen")
    assert len(seen) >= at_once
    for row in seen.values():
        assert row["torch"] == 1  # the student's argument
        blas = [number for path, number in row["pools"].items() if "blas" in path]
        assert blas == [threads] * 2, row  # NumPy's, and SciPy's, which is loaded late


@pytest.mark.slow
def test_a_cell_with_a_runner_takes_a_core_for_it_too(tmp_path: Path) -> None:
    students = [{"id": "rllib-ppo", "args": {**RLLIB_SMALL, "n_epochs": 1}}]
    study = small_study(students=students, seeds=1, steps=512)
    assert compare(study, tmp_path / "study", means=Means(pack=1, max_failures=0)).finished
    assert most_at_once(tmp_path / "study") == 1


@pytest.mark.slow
def test_cells_that_fail_or_kill_their_process_do_not_keep_the_others(tmp_path: Path) -> None:
    environments = [
        {"id": FRAGILE, "name": "Kills", "args": {"how": "kills"}},
        {"id": FRAGILE, "name": "Raises"},
        {"id": POLE, "name": "Pole"},
    ]
    study = small_study(teachers=["uniform"], environments=environments, seeds=1, steps=512)
    status = compare(study, tmp_path / "study", means=Means(max_failures=1, pack=3))
    assert [cell.status for cell in status.cells] == ["failed", "failed", "finished"]
    killed, raised = (cell.reason for cell in status.failed)
    assert killed == "its process died 2 times: killed, out of memory, or crashed"
    assert "the pole is broken" in raised


@pytest.mark.slow
def test_an_interrupted_study_is_resumed(
    undisturbed: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "study"

    interrupt = interrupt_once(lambda board: sum(cell.step for cell in board.cells) >= 3000)

    with pytest.raises(KeyboardInterrupt):
        compare(small_study(seeds=N_SEEDS), out, listener=interrupt)
    assert lock_holder(out) is None
    assert resume(out).finished
    assert study_digests(out) == undisturbed


@pytest.mark.slow
def test_a_mirrored_study_goes_on_where_its_folder_is_lost(
    undisturbed: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    out, mirror = tmp_path / "study", tmp_path / "mirror"

    interrupt = interrupt_once(lambda board: any(cell.status == "finished" for cell in board.cells))

    with pytest.raises(KeyboardInterrupt):
        compare(small_study(seeds=N_SEEDS), out, storage=str(mirror), listener=interrupt)
    done = [path for path in mirror.glob("*/*/*/*") if read_status(path)["status"] == "finished"]
    assert done
    out.rename(tmp_path / "lost")
    assert compare(small_study(seeds=N_SEEDS), out, storage=str(mirror)).finished
    assert study_digests(out) == undisturbed
    assert {path: digests(mirror / path.removeprefix("runs/")) for path in undisturbed} == (
        undisturbed
    )


def test_a_search_stops_samples_early_and_finds_the_best(tmp_path: Path) -> None:
    search = {
        "space": {"fit_rate": {"low": 20, "high": 60}},
        "samples": 6,
        "reduction": 2,
        "score": "mean_return",
    }
    study = drawn(read_study(small_study(teachers=["alp-gmm"], seeds=1, search=search)))
    assert drawn(read_study(small_study(teachers=["alp-gmm"], seeds=1, search=search))) == study
    assert study.search is not None
    rates = [settings["fit_rate"] for settings in study.search.drawn]
    assert all(20 <= rate <= 60 for rate in rates)
    assert len(set(rates)) > 1
    out = tmp_path / "study"
    status = compare(study, out)
    assert set(status.counts()) == {"finished", "stopped"}
    assert status.finished
    found = samples(StudyFolder.read(out))
    assert found[0].status == "finished"
    assert found[0].scores[-1] == max(s.scores[-1] for s in found if s.status == "finished")
    for sample in found:
        (run,) = out.glob(f"runs/Pole/{sample.name}/*/*")
        rows = read_rows(run / "evals.jsonl")
        assert [row["mean_return"] for row in rows] == sample.scores
        assert (len(rows) == 3) == (sample.status == "finished")
    best = next(cell.cell for cell in status.cells if f"/{found[0].name}/" in cell.cell.name)
    loop.start(best.config, tmp_path / "single")
    assert digests(out / "runs" / best.name) == digests(tmp_path / "single")
    assert resume(out).counts() == status.counts()


@pytest.mark.slow
def test_an_interrupted_search_is_resumed(tmp_path: Path) -> None:
    search = {"space": {"fit_rate": [20, 30, 40, 50]}, "samples": 4, "reduction": 2}
    out = tmp_path / "study"

    interrupt = interrupt_once(
        lambda board: any(cell.status in ("stopped", "finished") for cell in board.cells)
    )

    with contextlib.suppress(KeyboardInterrupt):
        compare(small_study(teachers=["alp-gmm"], seeds=1, search=search), out, listener=interrupt)
    stops = set(StudyFolder.read(out).ended())
    status = resume(out)
    assert status.finished
    ended = StudyFolder.read(out).ended()
    assert stops <= set(ended)
    assert {row["status"] for row in ended.values()} <= {"stopped"}


@pytest.mark.slow
def test_a_run_goes_on_while_the_object_store_is_full(tmp_path: Path, bar: Bar) -> None:
    """Its runner hands in what it played through the store, which has to spill to disk."""
    held = [ray.put(np.full(8 << 20, number, np.uint8)) for number in range(20)]
    out = tmp_path / "run"
    small = {**RLLIB_SMALL, "n_steps": 256}
    chosen = {"student": "rllib-ppo", "student_args": small, "round_steps": 1024, "steps": 4096}
    loop.start(trapped_config(tmp_path / "traps", **chosen), out)
    assert read_status(out)["status"] == "finished"
    bar("S8", **check_run(out))
    values = [int(ray.get(reference)[-1]) for reference in held]
    assert values == list(range(20))
    assert len(held) * (8 << 20) > STORE  # negative control: less would have fitted
    bar("RAY", object_store_mebibytes=STORE >> 20, held_mebibytes=len(held) * 8)
