"""Figures behind the promises of docs/reliability.md, printed at the end of every test run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Protocol

import pytest


class Bar(Protocol):
    """What the fixture ``bar`` is."""

    def __call__(self, bar_id: str, *notes: str, **counts: int) -> None:
        """Record figures of a bar; counts of the same name are summed over tests."""


@pytest.fixture
def bar(record_property: Any) -> Bar:
    """Record the figures a test shows, as in ``bar("S2", kills=235, different_runs=0)``."""

    def record(bar_id: str, *notes: str, **counts: int) -> None:
        record_property("bar", [bar_id, list(notes), counts])

    return record


def lines(reports: Iterator[Any]) -> list[str]:
    """Return a line per bar: the sums of its counts and its notes, of tests that passed."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    notes: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        for name, value in report.user_properties:
            if name == "bar":
                bar_id, said, counted = value
                notes[bar_id] += said
                for what, number in counted.items():
                    counts[bar_id][what] += int(number)
    ids = sorted({*counts, *notes}, key=lambda id: (id.rstrip("0123456789"), len(id), id))
    return [
        f"{bar_id:4}"
        + "; ".join(
            [f"{what.replace('_', ' ')} {number:,}" for what, number in counts[bar_id].items()]
            + sorted(set(notes[bar_id]))
        )
        for bar_id in ids
    ]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the tests that passed have shown."""
    said = lines(report for report in terminalreporter.stats.get("passed", ()))
    if said:
        terminalreporter.section("bars of docs/reliability.md")
        for line in said:
            terminalreporter.write_line(line)
