"""Studies whose conductor or machine is killed, that share a machine, or live in S3."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")

import ledger  # noqa: E402
from bars import Bar  # noqa: E402
from studies import (  # noqa: E402
    conduct,
    small_study,
    study_digests,
    wait_for,
    witness,
    witnessed,
)
from test_loop import digests  # noqa: E402

from teachenv.experiments.cells import play  # noqa: E402
from teachenv.experiments.compare import Means, compare, resume  # noqa: E402
from teachenv.experiments.files import lock_holder  # noqa: E402
from teachenv.experiments.store import read_status  # noqa: E402
from teachenv.experiments.study_board import Board  # noqa: E402
from teachenv.experiments.study_file import read_study  # noqa: E402
from teachenv.experiments.study_status import study_status  # noqa: E402
from teachenv.experiments.study_store import StudyFolder, is_study  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

Digests = dict[str, dict[str, str]]


def check_books(study: Path, bar: Bar) -> None:
    """Every trial of every run of a study ended exactly once."""
    for path in study.glob("runs/*/*/*/*/config.json"):
        bar("S8", **ledger.check_run(path.parent))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Digests:
    folder = tmp_path_factory.mktemp("undisturbed")
    for _ in play(read_study(small_study()).cells(), folder / "runs"):
        pass
    return study_digests(folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(small_study()))
    return path


def steps_taken(folder: Path) -> int:
    return sum(read_status(path.parent)["step"] for path in folder.glob("runs/*/*/*/*/status.json"))


def test_a_conductor_killed_again_and_again_ends_the_same(
    undisturbed: Digests, file: Path, tmp_path: Path, bar: Bar
) -> None:
    out = tmp_path / "runs" / "small"
    for goal in (-1, 512, 2048, 4000, None):
        arguments = ("resume", str(out)) if is_study(out) else ("compare", str(file))
        process = conduct(*arguments, cwd=tmp_path)
        if goal is None:
            assert process.wait(600) == 0
            break
        wait_for(lambda goal=goal: is_study(out) and steps_taken(out) > goal, f"step {goal}")
        assert study_status(StudyFolder.read(out)).conductor == str(process.pid)
        process.kill()
        process.wait()
    assert study_digests(out) == undisturbed
    check_books(out, bar)


def test_cells_have_the_priority_of_the_study(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "small"
    process = conduct("compare", str(file), cwd=tmp_path)
    found: list[str | None] = []
    wait_for(lambda: found.extend(map(lock_holder, out.glob("runs/*/*/*/*"))) or any(found), "one")
    worker = next(int(holder) for holder in found if holder is not None)
    assert os.getpriority(os.PRIO_PROCESS, worker) == os.getpriority(os.PRIO_PROCESS, 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130


def test_ctrl_c_leaves_a_study_to_resume(
    undisturbed: Digests, file: Path, tmp_path: Path, bar: Bar
) -> None:
    out = tmp_path / "runs" / "small"
    process = conduct("compare", str(file), cwd=tmp_path)
    wait_for(lambda: steps_taken(out) > 0, "the first round")
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert not any(map(lock_holder, [out, *out.glob("runs/*/*/*/*")]))
    process = conduct("resume", str(out), cwd=tmp_path)
    assert process.wait(600) == 0
    assert study_digests(out) == undisturbed
    check_books(out, bar)


@pytest.mark.parametrize("shared", [False, True], ids=["a Ray for each", "one cluster"])
def test_two_studies_at_once_do_not_meet(
    shared: bool, undisturbed: Digests, file: Path, tmp_path: Path, bar: Bar
) -> None:
    from ray.cluster_utils import Cluster

    outs, options = [tmp_path / name for name in ("one", "two")], ["--workers=1"]
    with contextlib.ExitStack() as stack:
        if shared:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
            stack.callback(cluster.shutdown)
            options.append(f"--address={cluster.address}")
        studies = [
            conduct("compare", str(file), "--out", str(out), *options, cwd=tmp_path) for out in outs
        ]
        wait_for(lambda: all(steps_taken(out) > 0 for out in outs), "both to be under way")
        assert [study.poll() for study in studies] == [None, None]
        assert [study.wait(600) for study in studies] == [0, 0]
    for out in outs:
        assert study_digests(out) == undisturbed
        check_books(out, bar)
    assert len(set(map(str, undisturbed.values()))) == len(undisturbed)  # mixed up cells show
    bar("RAY", studies_at_once=2)


def test_a_machine_of_a_cluster_can_be_lost(tmp_path: Path, bar: Bar) -> None:
    from ray.cluster_utils import Cluster

    environments = witness(tmp_path / "seen", company=2)
    study = read_study(small_study(environments=environments, seeds=1, steps=3072))
    for _ in play(study.cells(), tmp_path / "single" / "runs"):
        pass
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost, told = list[str](), list[str]()

    def lose(board: Board, message: str) -> None:
        told.append(message)
        if not lost and any(cell.step for cell in board.cells):  # all machines play by then
            lost.append(node.node_id)
            threading.Thread(target=cluster.remove_node, args=(node, False)).start()

    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        out = tmp_path / "study"
        status = compare(
            study,
            out,
            storage=str(tmp_path / "mirror"),
            means=Means(address=cluster.address, pack=1),
            listener=lose,
        )
        assert status.counts() == {"finished": 2}
        assert any("its process died" in message for message in told)
        at = {row["node"] for row in witnessed(tmp_path / "seen").values()}
        assert at == {*lost, cluster.head_node.node_id}
        assert study_digests(out) == study_digests(tmp_path / "single")
        check_books(out, bar)
    finally:
        cluster.shutdown()


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on a local server; yields the URI of a folder in it."""
    from pyarrow import fs

    server = shutil.which("moto_server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if server is None:
        pytest.skip("needs moto_server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    endpoint: dict[str, Any] = {"endpoint_override": f"127.0.0.1:{port}", "scheme": "http"}
    process = subprocess.Popen(
        [server, "-H", "127.0.0.1", "-p", str(port)],
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the server")
        bucket = fs.S3FileSystem(**endpoint, allow_bucket_creation=True, region="us-east-1")
        bucket.create_dir("bucket")
        options = "&".join(f"{name}={value}" for name, value in endpoint.items())
        yield f"s3://bucket/studies/one?{options}&region=us-east-1&allow_delayed_open=true"
    finally:
        process.kill()
        process.wait()


def test_a_study_mirrored_in_s3_goes_on_from_there(
    undisturbed: Digests, s3: str, tmp_path: Path, bar: Bar
) -> None:
    out = tmp_path / "study"

    pressed: list[bool] = []

    def interrupt(board: Board, message: str) -> None:
        if not pressed and any(cell.status == "finished" for cell in board.cells):
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        compare(small_study(), out, storage=s3, listener=interrupt)
    (out / "runs").rename(tmp_path / "lost")
    told: list[int] = []
    assert resume(out, listener=lambda board, _: told.append(len(board.cells))).finished
    assert study_digests(out) == undisturbed
    check_books(out, bar)
    finished = [p for p in (tmp_path / "lost").glob("*/*/*/*") if is_finished(p)]
    assert finished
    for path in finished:  # fetched, not played again: the clock's rows are the same
        again = out / "runs" / path.relative_to(tmp_path / "lost")
        assert (again / "times.jsonl").read_bytes() == (path / "times.jsonl").read_bytes()
        assert digests(again) == digests(path)


def is_finished(run: Path) -> bool:
    return bool(read_status(run)["status"] == "finished")
