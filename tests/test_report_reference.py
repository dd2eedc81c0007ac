"""References that others made: whatever their fields hold, they are refused or reported."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reports import write_study

from teachenv.experiments.files import StoreError
from teachenv.experiments.report_contents import read_contents
from teachenv.experiments.report_page import make_page
from teachenv.experiments.report_reference import read_reference, write_reference
from teachenv.experiments.report_tables import signs_sheet

ODD: tuple[Any, ...] = ("x", None, ["x"], {"x": 1}, float("nan"), -1, 10**400)
SIGNS = {
    **dict.fromkeys(("lost_unprobed", "lost_probed", "held_out", "held_out_before"), 0.5),
    **{"majority": 0.5, "accepted": 1.0, "n_watched": 2, "n_hacked": 1, "n_hacked_probe": 1},
}


class NoPictures:
    """In the place of pictures, which take seconds."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: ""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("own") / "own", {"plr": 0.5}, n_seeds=1)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a reference of two runs holds, with everything there can be."""
    folder = tmp_path_factory.mktemp("kept")
    path = write_study(folder / "kept", {"uniform": 0.5}, n_seeds=2)
    row = json.loads(write_reference(folder, read_contents([path]).entries).read_text())
    for run in row["runs"]:
        run["machines"] = [{"cpu": "Abacus"}]
        run["metrics"]["signs"] = dict(SIGNS)
        run["teacher_args"] = {"a": [1, {"b": 0.5}]}
    return row


def report(study: Path, folder: Path, row: Any) -> str:
    (folder / "reference.json").write_text(json.dumps(row))
    read_reference(folder)  # most damage is found here, before the study is read
    told = read_contents([study], folder)
    for group in told.groups:
        signs_sheet(group, ["uniform"])
    text = make_page(told, NoPictures(), animations=False)  # type: ignore[arg-type]
    text.encode()
    return text


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every field, at any depth; of lists to the first value."""
    if path:
        yield path
    names = list(value) if isinstance(value, dict) else range(isinstance(value, list))
    for name in names:
        yield from places(value[name], *path, name)


def damaged(row: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(row)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


def test_a_whole_reference_is_reported(study: Path, kept: Any, tmp_path: Path) -> None:
    assert "Abacus" in report(study, tmp_path, kept)


def test_every_field_of_another_kind_is_refused_or_reported(
    study: Path, kept: Any, tmp_path: Path
) -> None:
    refused: list[str] = []
    n_reported = 0
    for path in places(kept):
        for value in ODD:
            try:
                report(study, tmp_path, damaged(kept, path, value))
                n_reported += 1
            except StoreError as error:
                refused.append(str(error))
    assert all("reference.json" in text for text in refused)
    assert len(refused) > 300
    assert n_reported > 20


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 0


RUN = ("runs", 0)
GRID = (*RUN, "metrics", "test_sets", "grid-v1")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((*RUN, "metrics", "budget", "cpu_s"), "x", "run 1: metrics.budget.cpu_s: expected secon"),
        ((*GRID, "share_mastered"), 1.5, r"\['grid-v1'\].share_mastered: expected a share"),
        ((*GRID, "curve", "steps"), [1, 2], "curve: expected lists of one length"),
        ((*GRID, "curve", "steps"), [3, 2, 1], "curve.steps: expected increasing whole numbers"),
        ((*GRID, "hash"), "x", "settings.test_sets: expected those of the metrics"),
        ((*GRID, "final"), 1, "'final': unknown field"),
        ((*RUN, "groups"), {}, "'groups': unknown field"),
        ((*RUN, "machines"), ["x"], "machines: expected a list of texts by name"),
        ((*RUN, "metrics", "env"), "\ud800", "metrics.env: expected text"),
        ((*RUN, "teacher"), "$x$", "teacher: expected a name"),
        ((*RUN, "returns", "grid-v1"), [1.0], "uniform, seed 0: returns: expected as many"),
        ((*RUN, "returns"), {}, "returns: expected those of"),
        ((*RUN, "seed"), 1, "run 2: seed: there is such a run already"),
        ((*RUN, "teacher_args"), {"a": nested(99)}, "teacher_args: expected settings"),
        ((*RUN, "metrics", "signs", "n_watched"), 0, "n_hacked_probe: expected none"),
        (RUN, 3, "run 1: expected fields"),
        (("runs",), {}, "runs: expected a list"),
    ],
)
def test_what_is_wrong_is_said_by_run_and_field(
    study: Path, kept: Any, tmp_path: Path, place: Any, value: Any, message: str
) -> None:
    with pytest.raises(StoreError, match=rf"reference\.json.*{message}"):
        report(study, tmp_path, damaged(kept, place, value))


def test_figures_that_nobody_recorded_may_be_missing(
    study: Path, kept: Any, tmp_path: Path
) -> None:
    row = copy.deepcopy(kept)
    for run in row["runs"]:
        del run["machines"], run["metrics"]["signs"]["accepted"]
        del run["metrics"]["budget"]["cpu_s"], run["metrics"]["test_sets"]["grid-v1"]["area_score"]
    assert "Abacus" not in report(study, tmp_path, row)
