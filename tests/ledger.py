"""Exactly once: what the books of every run must show, whatever happened to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from teachenv.experiments.checkpoint import newest_checkpoint
from teachenv.experiments.files import read_rows
from teachenv.experiments.store import read_status

ENDS = ("ok", "failed", "lost")


def check_rows(
    rows: Iterable[Mapping[str, Any]],
    counts: Mapping[str, int] | None = None,
    playing: Iterable[int] = (),
) -> Counter[str]:
    """Check that trials 0, 1, ... ended exactly once each, but for those still played.

    Args:
        rows: Rows of ``episodes.jsonl`` or of ``Broker.close_round``, from the first on.
        counts: The ledger's own: "asked", "ok", "failed", "lost".
        playing: Trials that go on.

    Returns:
        How many trials ended as "ok", "failed" and "lost".
    """
    rows, playing = list(rows), list(playing)
    times = Counter([row["trial"] for row in rows] + playing)
    n_asked = len(times) if counts is None else counts["asked"]
    gaps = set(range(n_asked)) - set(times)
    assert not gaps, f"trials without an end: {sorted(gaps)[:5]}"
    assert set(times) <= set(range(n_asked)), f"never asked for: {max(times)} of {n_asked}"
    twice = [trial for trial, n in times.items() if n > 1]
    assert not twice, f"trials with several ends: {sorted(twice)[:5]}"
    ended = Counter(dict.fromkeys(ENDS, 0))
    ended.update(row["status"] for row in rows)
    assert set(ended) == set(ENDS), f"unknown ends: {set(ended) - set(ENDS)}"
    if counts is not None:
        assert {end: counts[end] for end in ENDS} == ended
    return ended


def check_run(folder: Path) -> dict[str, int]:
    """Check the books of a run folder: its rows, its teacher's and its last checkpoint's.

    Rows after the newest checkpoint count only where the run is finished: they end what was
    still played there.

    Returns:
        Figures for the bar S8: runs and trials checked, and how the trials ended.
    """
    _, state, _ = newest_checkpoint(folder / "checkpoints")
    size = state["offsets"]["episodes.jsonl"]
    data = (folder / "episodes.jsonl").read_bytes()[:size]
    rows = [json.loads(line) for line in data.splitlines()]
    assert sum(row["episode_length"] for row in rows) <= state.get("broker", state)["step"]
    if "broker" not in state:  # of data generation: a row per cell and lesson
        ended = check_rows(rows, None)
        assert ended.total() == state["trials"]
        return {"runs": 1, "trials": ended.total(), **ended}
    counts = state["broker"]["counts"]
    open_ids = [row["trial"]["id"] for row in state["broker"]["open"]]
    ended = check_rows(rows, counts, open_ids)
    believed = read_rows(folder / "teacher.jsonl")[state["round"] - 1]["describe"]
    told = [believed[f"n_{name}"] for name in ("asked", "told", "failed", "lost")]
    assert told == [counts[name] for name in ("asked", *ENDS)], "the teacher was told otherwise"
    if read_status(folder)["status"] == "finished":
        ends = read_rows(folder / "episodes.jsonl")[len(rows) :]
        assert {row["status"] for row in ends} <= {"lost"}
        ended = check_rows(rows + ends) if ends else ended
        assert ended.total() == counts["asked"], "trials neither ended nor played on"
    return {"runs": 1, "trials": ended.total(), **ended}
