"""Runs in data-generation environments of text, programs and pictures, with students in torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import call
from test_data_loop import StopAt, contents

from teachenv.experiments import loop
from teachenv.experiments.config import RunConfig
from teachenv.experiments.store import read_run

MATH = "teachenv/DataGenSkillList-math-v0"
SMALL: dict[str, Any] = {"profile": "fresh", "n_steps": 2, "n_samples": 12, "probe_size": 1}
TWO_BY_TWO = {**SMALL, "domain_args": {"skills": ["add", "sub"], "n_levels": 2}}
EPISODE = 2 * 12
DOMAINS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "math": (TWO_BY_TWO, "transformer", {"width": 32, "layers": 1}),
    "code": (SMALL, "gru", {"width": 16}),
    "vqa": (SMALL, "film", {"channels": 8}),
}
"""Settings of the environment, the student and its hyper-parameters."""


def config(domain: str, **change: Any) -> RunConfig:
    args, student, student_args = DOMAINS[domain]
    fields: dict[str, Any] = {"env_args": args, "student": student, "student_args": student_args}
    fields |= {"env": MATH.replace("math", domain), "teacher": "zpd", "steps": 2 * EPISODE}
    return RunConfig(**{**fields, **change})


def given(config: RunConfig) -> list[str]:
    """Return a configuration as arguments of ``teachenv run``."""
    words = ["--env", config.env, "--teacher", config.teacher, "--student", config.student]
    words += ["--steps", str(config.steps)]
    for option, values in (("env", config.env_args), ("student", config.student_args)):
        for name, value in values.items():
            text = value if isinstance(value, str) else json.dumps(value)
            words += [f"--{option}-arg", f"{name}={text}"]
    return words


@pytest.fixture(scope="module")
def math(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "math"
    call("run", *given(config("math")), "--out", str(folder))
    return folder


def test_the_command_runs_a_teacher_on_math(math: Path) -> None:
    run = read_run(math)
    assert run.status == {"status": "finished", "reason": "", "round": 2, "step": 2 * EPISODE}
    assert run.task_space.dims[0].choices == ("add", "sub")
    assert sum(row["episode_length"] for row in run.episodes) == 2 * EPISODE
    assert [np.shape(row["returns"]) for row in run.evals] == [(4,)] * len(run.evals)
    assert run.evals
    taught = [np.sum(row["asked"]) for row in run.teacher]
    assert taught == [12] * 4


def test_its_pictures_are_drawn(math: Path) -> None:
    said = call("plot", str(math)).replace("\n", "")
    for name in ("allocation", "skills", "tree", "gain"):
        assert f"{name}.png" in said
        assert (math / "plots" / f"{name}.png").stat().st_size > 5000


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_resumes_to_the_same_bytes(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachenv.experiments.data_loop.TEST_SIZE", 1)
    loop.start(config(domain), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(domain), tmp_path / "cut", StopAt(EPISODE + 1))
    loop.resume(tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    row = read_run(tmp_path / "whole").evals[-1]
    assert len(row["returns"]) == len(row["before"]) > 0


@pytest.mark.ray
@pytest.mark.slow
def test_a_study_plays_math_as_a_run_does(math: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    args, student, student_args = DOMAINS["math"]
    row = {
        "teachers": ["zpd"],
        "seeds": 1,
        "baselines": False,
        "environments": [{"id": MATH, "args": args, "steps": 2 * EPISODE}],
        "students": [{"id": student, "args": student_args}],
    }
    (tmp_path / "math.json").write_text(json.dumps(row))
    out = tmp_path / "study"
    said = call("compare", str(tmp_path / "math.json"), "--out", str(out), "--workers", "1")
    assert "1 finished" in said
    (played,) = (out / "runs").rglob("config.json")
    assert contents(played.parent) == contents(math)
