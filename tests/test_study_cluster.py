"""Studies on a cluster of two machines, which are two nodes of Ray on this one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from studies import small_study, study_digests, witness, witnessed  # noqa: E402
from test_cli import call  # noqa: E402

from teachenv.errors import UserError  # noqa: E402
from teachenv.experiments.cells import play  # noqa: E402
from teachenv.experiments.compare import Means, compare  # noqa: E402
from teachenv.experiments.study_file import read_study  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One with a machine of one CPU and a machine of two."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


def test_both_machines_play_cells_and_these_equal_single_runs(cluster: Any, tmp_path: Path) -> None:
    study = read_study(small_study(environments=witness(tmp_path / "seen", company=3)))
    out, means = tmp_path / "study", Means(address=cluster.address, pack=1, max_failures=0)
    assert compare(study, out, means=means).finished
    seen = witnessed(tmp_path / "seen")
    players = {(out / path / "lock").read_text() for path in study_digests(out)}
    at = {seen[pid]["node"] for pid in players}
    assert at == {node.node_id for node in cluster.list_all_nodes()}
    for _ in play(study.cells(), tmp_path / "single" / "runs"):
        pass
    assert study_digests(out) == study_digests(tmp_path / "single")


def test_a_dry_run_counts_the_cpus_of_the_cluster(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    path = tmp_path / "study.json"
    path.write_text(json.dumps(small_study()))
    at = ("--address", cluster.address)
    assert "7 cells at once here" in call("compare", str(path), "--dry-run")
    for given, n in (((), 3), (("--workers", "2"), 2), (("--cpus", "1.5"), 1)):
        output = call("compare", str(path), "--dry-run", *at, *given).replace("\n", " ")
        assert f"{n} cells at once on the cluster at {cluster.address}" in output
        assert not ray.is_initialized()


@pytest.mark.parametrize("too_much", [("--cpus", "3"), ("--gpus", "0.5")])
def test_what_no_machine_has_is_refused_not_waited_for(
    too_much: tuple[str, str], cluster: Any, tmp_path: Path
) -> None:
    path = tmp_path / "study.json"
    path.write_text(json.dumps(small_study()))
    for more in (("--dry-run",), ("--out", str(tmp_path / "study"))):
        with pytest.raises(UserError, match=r"\(CPUs/GPUs\): 1/0, 2/0"):
            call("compare", str(path), "--address", cluster.address, *too_much, *more)
        assert not ray.is_initialized()
