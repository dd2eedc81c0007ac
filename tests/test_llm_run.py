"""Whole runs with a language model as teacher and as student, with a server and from a recording.

``python tests/test_llm_run.py`` records the cassette again.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from test_cli import call

from teachenv.errors import UserError
from teachenv.experiments.store import Run, read_run

CASSETTE = Path(__file__).parent / "data" / "llm-math.jsonl"
SETTINGS = {
    "domain_args": '{"skills": ["add", "sub"], "n_levels": 1}',
    "profile": "fresh",
    "n_steps": "2",
    "n_samples": "6",
    "probe_size": "3",
}
SHOWN = re.compile(r"Q: ([+-])\d+\nA: (\d+)")
ASKED = re.compile(r"Question \d+: ([+-])(\d{6})(\d{6})")


def answer(request: dict[str, Any]) -> str:
    """Reply as a model that sums and subtracts once it was shown how, and teaches the weaker."""
    text = request["messages"][-1]["content"]
    if "teacher" in request["messages"][0]["content"]:
        told = dict(re.findall(r"(add|sub) \| 0 \| (\S+)", text))
        weaker = min(told, key=lambda skill: float(told[skill]))
        item = {"skill": weaker, "level": 0, "count": 6}
        return json.dumps({"items": [item], "reason": f"{weaker} is at {told[weaker]}"})
    shown, answers = dict(SHOWN.findall(text)), []
    for sign, first, second in ASKED.findall(text):
        value = int(first) + int(second) if sign == "+" else int(first) - int(second)
        digits = str(value).zfill(len(shown.get(sign, "")))[::-1]  # lowest first, as shown
        answers.append(digits if sign in shown else "?")
    return json.dumps({"answers": answers})


def played(out: Path, **chat: str) -> Run:
    """Run the command with a model as teacher and as student."""
    words = ["--env", "teachenv/DataGenSkillList-math-v0", "--steps", "12", "--out", str(out)]
    words += [f"--env-arg={name}={value}" for name, value in SETTINGS.items()]
    words += ["--teacher", "llm", "--student", "llm", "--student-arg=batch=200"]
    for name, value in {"model": "small", **chat}.items():
        words += [f"--teacher-arg={name}={value}", f"--student-arg={name}={value}"]
    call("run", *words)
    return read_run(out)


def recorded(out: Path, cassette: Path) -> Run:
    with chat_server(answer) as (url, _):
        return played(out, base_url=url, mode="record", cassette=str(cassette))


def test_a_model_teaches_and_learns_in_a_run_over_the_protocol(tmp_path: Path) -> None:
    with chat_server(answer) as (url, seen):
        run = played(tmp_path / "run", base_url=url)
    assert run.status["status"] == "finished"
    assert {request["model"] for request in seen} == {"small"}
    assert [row["describe"]["reason"][:3] for row in run.teacher] == ["add", "sub"]
    assert [row["asked"] for row in run.teacher] == [[[6], [0]], [[0], [6]]]
    (row,) = run.evals
    assert row["before"] == [0.0, 0.0]
    assert row["returns"] == [1.0, 1.0]


def test_a_run_is_played_from_recorded_exchanges_without_server_or_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    run = played(tmp_path / "run", mode="replay", cassette=str(CASSETTE))
    assert run.status["status"] == "finished"
    reasons = [row["describe"]["reason"] for row in run.teacher]
    assert reasons == ["add is at 0.00", "sub is at 0.00"]
    assert run.evals[0]["returns"] == [1.0, 1.0]


def test_the_recording_is_what_is_asked_today(tmp_path: Path) -> None:
    """Where questions to models change, record it again: see the module."""
    new = tmp_path / "new.jsonl"
    first = recorded(tmp_path / "recorded", new)
    assert new.read_text() == CASSETTE.read_text()
    again = played(tmp_path / "replayed", mode="replay", cassette=str(new))
    assert (again.episodes, again.evals, again.teacher) == (
        first.episodes, first.evals, first.teacher
    )  # fmt: skip


def test_what_was_not_recorded_ends_the_run_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="record it again"):
        played(tmp_path / "run", mode="replay", cassette=str(CASSETTE), model="other")


if __name__ == "__main__":
    CASSETTE.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        recorded(Path(folder) / "run", CASSETTE)
