"""Runs in data-generation environments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import ledger
import numpy as np
import pytest
from bars import Bar
from worlds import POLE

from teachenv.errors import UserError
from teachenv.experiments import cells, loop
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.data_loop import measure_data
from teachenv.experiments.data_parts import USUAL_EPISODES, summary, usual_steps
from teachenv.experiments.metrics import run_metrics
from teachenv.experiments.run_state import Followed
from teachenv.experiments.store import read_run, read_status

DIGITS = "teachenv/DataGenSkillList-digits-v0"
TREES = "teachenv/DataGenSkillTree-digits-v0"
EXACT = ("episodes.jsonl", "evals.jsonl", "teacher.jsonl", "config.json", "test_sets.json")
EPISODE = 4 * 12


def config(teacher: str = "missing-skill", **change: Any) -> RunConfig:
    args = {"n_steps": 4, "n_samples": 12, "domain_args": {"n_noise": 1}, "visible_share": 0.7}
    env = TREES if teacher == "skill-tree" else DIGITS
    fields = {"env": env, "teacher": teacher, "steps": 4 * EPISODE, "env_args": args}
    return RunConfig(**{**fields, "eval_every": 2, **change})


def contents(folder: Path) -> dict[str, Any]:
    """Everything that must not depend on interruptions."""
    found: dict[str, Any] = {name: (folder / name).read_bytes() for name in EXACT}
    last = max((folder / "checkpoints").iterdir())
    state = json.loads((last / "state.json").read_text())
    del state["offsets"]["times.jsonl"]
    return {**found, "state": state, "arrays": (last / "arrays.npz").read_bytes()}


class StopAt:
    """A watcher that interrupts the run when it has taken so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def steps(self, run: Followed) -> None:
        if run.step >= self.step:
            raise KeyboardInterrupt

    def evaluated(self, row: dict[str, Any]) -> None: ...


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "undisturbed"
    loop.start(config(), folder)
    return folder


def test_a_run_leaves_a_complete_folder(undisturbed: Path) -> None:
    run = read_run(undisturbed)
    assert run.status == {"status": "finished", "reason": "", "round": 4, "step": 4 * EPISODE}
    assert run.config.student == "sgd"
    assert run.config.round_steps == EPISODE
    assert [row["trial"] for row in run.episodes] == list(range(len(run.episodes)))
    assert sum(row["episode_length"] for row in run.episodes) == 4 * EPISODE
    assert {row["status"] for row in run.episodes} == {"ok", "lost"}
    assert len(run.teacher) == 4 * 4
    assert [row["round"] for row in run.evals] == [1, 3]
    assert [row["step"] for row in run.evals] == [2 * EPISODE, 4 * EPISODE]
    assert all(np.sum(row["asked"]) == 12 for row in run.teacher)
    assert {row["rehearsed"] for row in run.teacher} == {0}
    assert all(0 < row["teacher_s"] < row["learn_s"] for row in run.times)
    assert run.data is not None
    assert run.data["n_samples"] == 12


def test_noise_is_not_tested_but_may_be_taught(undisturbed: Path) -> None:
    run = read_run(undisturbed)
    tested = run.test_sets["cells-v1"].tasks
    assert set(tested[:, 0]) == set(range(10))
    assert 10.0 in {row["task"][0] for row in run.episodes}
    assert run.task_space.dims[0].choices[10] == "noise 0"


def test_metrics_and_summary_read_the_folder(undisturbed: Path) -> None:
    run = read_run(undisturbed)
    figures = run_metrics(run)
    assert figures.complete
    assert figures.budget.steps == 4 * EPISODE
    assert figures.test_sets["cells-v1"].mean_return == pytest.approx(run.evals[-1]["mean_return"])
    assert figures.test_sets["cells-v1"].forgetting is None
    before = np.mean([np.mean(row["before"]) for row in run.evals])
    assert f"accuracy {before:.3f} -> " in summary(run)


@pytest.mark.parametrize("step", [1, EPISODE + 13, 4 * EPISODE])
def test_an_interrupted_run_resumes_to_the_same_bytes(
    step: int, undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        loop.start(config(), folder, StopAt(step))
    assert read_status(folder)["status"] == "interrupted"
    loop.resume(folder)
    assert contents(folder) == contents(undisturbed)


def test_a_run_whose_process_is_killed_resumes_to_the_same_bytes(
    undisturbed: Path, tmp_path: Path, bar: Bar
) -> None:
    folder = tmp_path / "killed"
    code = (
        "import json, sys; from pathlib import Path\n"
        "from teachenv.experiments import loop\n"
        "from teachenv.experiments.config import RunConfig\n"
        "loop.start(RunConfig.from_json(json.loads(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    text = json.dumps(config().to_json())
    process = subprocess.Popen([sys.executable, "-c", code, text, str(folder)])
    until = time.monotonic() + 60
    while not (folder / "teacher.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    loop.resume(folder)
    assert contents(folder) == contents(undisturbed)
    bar("S8", **ledger.check_run(folder))


def test_a_run_can_be_extended(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    loop.start(config(steps=2 * EPISODE), folder)
    loop.resume(folder, steps=4 * EPISODE)
    assert contents(folder) == contents(undisturbed)


def test_another_seed_is_another_run(undisturbed: Path, tmp_path: Path) -> None:
    loop.start(config(seed=1), tmp_path / "run")
    assert contents(tmp_path / "run")["episodes.jsonl"] != contents(undisturbed)["episodes.jsonl"]


def test_teachers_share_an_episodes_student_and_questions(tmp_path: Path) -> None:
    rows = []
    for teacher in ("uniform", "oracle"):
        loop.start(config(teacher, steps=1), tmp_path / teacher)
        rows.append(read_run(tmp_path / teacher).evals[0])
    assert rows[0]["before"] == rows[1]["before"]
    assert rows[0]["returns"] != rows[1]["returns"]


@pytest.mark.parametrize("teacher", ["alp-gmm", "tscl-window", "oracle", "stages", "currot"])
def test_other_teachers_run_whole_episodes(teacher: str, tmp_path: Path) -> None:
    args = {"draws": 4, "n_particles": 10} if teacher == "currot" else {}
    loop.start(config(teacher, teacher_args=args, steps=1), tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.status["step"] == EPISODE
    assert len(run.evals) == 1
    assert run.teacher[-1]["describe"]["teacher"] == teacher


@pytest.mark.parametrize(
    ("variant", "args"),
    [
        ("SkillTree", {}),
        ("OpenEnded", {}),
        ("SkillList", {"skill_source": "inferred", "n_skills": 4}),
        ("SkillList", {"skill_source": "shuffled", "visible_share": 0.5}),
    ],
)
def test_rows_are_of_the_domains_cells_whatever_the_teacher_is_told(
    variant: str, args: dict[str, Any], tmp_path: Path
) -> None:
    env = f"teachenv/DataGen{variant}-digits-v0"
    settings = {"n_steps": 3, "n_samples": 12, **args}
    loop.start(config("uniform", env=env, env_args=settings, steps=1), tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.task_space.dims[0].choices == tuple(f"digit {n}" for n in range(10))
    assert 30 <= sum(row["episode_length"] for row in run.episodes) <= 36  # repeats are thrown away
    assert len(run.evals[0]["returns"]) == 30
    assert run.data is not None
    assert np.shape(run.teacher[0]["asked"])[0] == len(run.data["told_skills"])


def test_an_episode_may_end_at_its_target(tmp_path: Path) -> None:
    args = {"n_steps": 4, "n_samples": 12, "target_metric": 0.3}
    loop.start(config("uniform", env_args=args, steps=30), tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.status["step"] == 36  # three episodes of a lesson
    assert run.status["round"] == 3


def test_what_has_no_meaning_is_refused_together(tmp_path: Path) -> None:
    wrong = config(round_steps=7, new_student_every=9, test_sets=("grid-v1",))
    with pytest.raises(ConfigError, match=r"round_steps.*\n.*new_student_every.*\n.*test_sets"):
        loop.start(wrong, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"teacher_args: .*explor.*did you mean 'explore'"):
        loop.start(config(teacher_args={"explor": 1}), tmp_path / "run")
    with pytest.raises(ConfigError, match="unknown student of data 'sb3-ppo'"):
        loop.start(config(student="sb3-ppo"), tmp_path / "run")
    with pytest.raises(ConfigError, match="plr: needs the signals"):
        loop.start(config("plr"), tmp_path / "run")
    with pytest.raises(ConfigError, match="n_stepss"):
        loop.start(config(env_args={"n_stepss": 3}), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"student: .*gru.*tokens"):
        loop.start(config(student="gru"), tmp_path / "run")
    vqa = "teachenv/DataGenSkillList-vqa-v0"
    with pytest.raises(ConfigError, match="pictures are not shown to language models"):
        loop.start(config(env=vqa, env_args={}, student="llm"), tmp_path / "run")
    hidden = DIGITS.replace("SkillList", "OpenEnded")
    for teacher in ("zpd", "anti", "exp3s"):
        with pytest.raises(ConfigError, match=f"{teacher} needs cells"):
            loop.start(config(teacher, env=hidden), tmp_path / "run")
    with pytest.raises(UserError, match="unknown teacher 'zpd'"):
        loop.start(RunConfig(env=POLE, teacher="zpd"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_student_and_its_arguments_are_the_configurations(tmp_path: Path) -> None:
    given = config(student="sgd", student_args={"alpha": 0.1}, steps=1)
    loop.start(given, tmp_path / "strict")
    loop.start(config(steps=1), tmp_path / "usual")
    found = [read_run(tmp_path / name).evals[0]["returns"] for name in ("strict", "usual")]
    assert found[0] != found[1]
    twice = config(student_args={"alpha": 1.0}, env_args={"student_args": {"alpha": 0.1}})
    with pytest.raises(ConfigError, match="give them once"):
        loop.start(twice, tmp_path / "twice")


def test_an_engine_that_errs_is_watched(tmp_path: Path) -> None:
    args = {"n_steps": 5, "n_samples": 12, "error_rate": 0.5, "domain_args": {"n_noise": 1}}
    loop.start(config("uniform", env_args=args, steps=1), tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert all(0.0 <= row["proxy"] <= 1.0 and row["n_proxy"] == 12 for row in run.teacher)
    assert {row["n_golden"] for row in run.teacher} == {30 * 10}  # the metric asks no noise
    assert "teacher hacking flagged in 0 of 1" in summary(run)


def test_the_proxys_fellow_counts_the_questions_behind_the_metric(tmp_path: Path) -> None:
    args = {"n_steps": 2, "n_samples": 12, "error_rate": 0.5, "reward_mode": "target"}
    args["target_cells"] = [[0, 0], [1, 0]]
    loop.start(config("uniform", env_args=args, steps=1), tmp_path / "run")
    assert {row["n_golden"] for row in read_run(tmp_path / "run").teacher} == {2 * 10}


def test_gradient_steps_are_counted_rehearsals_among_them(tmp_path: Path) -> None:
    args = {"n_steps": 2, "n_samples": 12, "epochs": 3, "train_mode": "continual"}
    cases: tuple[tuple[str, dict[str, int], int], ...] = (
        ("uniform", {}, 2),
        ("preference", {"drafts": 2}, 2 + 2 * 2),
        ("preference", {"drafts": 2, "students": 2}, (2 + 2 * 2) + (1 + 2 * 2)),
    )
    for number, (teacher, teacher_args, lessons) in enumerate(cases):
        given = config(teacher, env_args=args, teacher_args=teacher_args, steps=1)
        loop.start(given, tmp_path / str(number))
        run = read_run(tmp_path / str(number))
        assert run.times[0]["gradient_steps"] == lessons * 12 * 3  # one a sample
        assert run.teacher[-1]["rehearsed"] == (lessons - 2) * 12


def test_the_best_iterate_is_evaluated_where_it_is_asked_for(tmp_path: Path) -> None:
    args = {"n_steps": 3, "n_samples": 12, "train_mode": "continual"}
    rows = {}
    for each in ("last", "best"):
        given = config("anti", env_args={**args, "iterate": each}, steps=1)
        loop.start(given, tmp_path / each)
        (rows[each],) = read_run(tmp_path / each).evals
    assert rows["last"]["iterate"] == 3
    assert rows["best"]["iterate"] < 3
    assert rows["best"]["before"] == rows["last"]["before"]
    assert rows["best"]["returns"] != rows["last"]["returns"]
    assert (
        contents(tmp_path / "best")["teacher.jsonl"] == contents(tmp_path / "last")["teacher.jsonl"]
    )


def test_usual_length_and_speed_are_known_beforehand() -> None:
    assert usual_steps(config()) == USUAL_EPISODES * EPISODE
    assert usual_steps(RunConfig(env=POLE, teacher="uniform")) == 1_000_000
    assert 0.0 < measure_data(config()) < 1.0


def test_a_study_plays_it_like_any_run(undisturbed: Path, tmp_path: Path) -> None:
    with closing(cells.make_loop(config(), tmp_path / "cell")) as rounds:
        assert [state.step for state in rounds] == [EPISODE * n for n in (1, 2, 3, 4)]
    assert contents(tmp_path / "cell") == contents(undisturbed)
