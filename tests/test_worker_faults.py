"""Environments that raise or hang in the process of a run, and evaluations that break."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bars import Bar
from ledger import check_run
from studies import wait_for
from toy_runs import command
from trapped import (
    MOMENTS,
    TrapError,
    hung_s,
    lines,
    set_trap,
    trapped_config,
)

from teachenv.broker import TooManyFailuresError
from teachenv.errors import UserError
from teachenv.experiments import loop, task_loop
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.store import read_run, read_status
from teachenv.patience import EnvTimeoutError
from teachenv.wrap import CurriculumWrapper


class AtStep:
    """A watcher that does something once, when a run has taken so many steps."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        self._step = step
        self._act: Callable[[], None] | None = act

    def steps(self, run: Any) -> None:
        if self._act is not None and run.step >= self._step:
            act, self._act = self._act, None
            act()

    def evaluated(self, row: dict[str, Any]) -> None: ...


def start(config: Any, out: Path, moment: str, **trap: Any) -> None:
    """Start a run in whose second round a trap is set; "making" follows on a broken step."""
    traps = Path(config.env_args["traps"])

    def arm() -> None:
        set_trap(traps, moment, **trap)
        if moment == "making":
            set_trap(traps, "step")

    loop.start(config, out, AtStep(600, arm))


# -- environments that raise ---------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("policy", ["fail", "retry", "skip"])
def test_an_environment_that_raises_ends_the_run_is_tried_again_or_left_out(
    policy: str, moment: str, tmp_path: Path, bar: Bar
) -> None:
    traps, out = tmp_path / "traps", tmp_path / "run"
    config = trapped_config(traps, on_env_error=policy)
    if moment == "making":  # one of four, at the start; later, environments are made after faults
        made = task_loop.make_student

        def arm(*given: Any) -> Any:
            set_trap(traps, "making", wait=2)
            return made(*given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(task_loop, "make_student", arm)
            run = _outcome(lambda: loop.start(config, out))
    else:
        run = _outcome(lambda: start(config, out, moment, wait=2))
    assert lines(traps, "sprung") == [f"{moment} raise"]
    status = read_status(out)
    if policy == "fail":
        assert status["status"] == "failed"
        if moment == "making":
            assert run is not None
            assert isinstance(run.__cause__, TrapError)
            assert "raised TrapError('the pole snapped in making')" in status["reason"]
        else:
            assert isinstance(run, TrapError)
            assert f"TrapError: the pole snapped in {moment}" in status["reason"]
            assert f"trapped/Pole-v0: {moment} (task [" in status["reason"]
            assert json.loads(lines(traps, "played")[-1])[1] == _task(status["reason"])
    else:
        assert run is None
        assert status["status"] == "finished"
        found = check_run(out)
        bar("S8", **found)
        failed = [row for row in read_run(out).episodes if row["status"] == "failed"]
        skipped = policy == "skip" and moment != "making"
        assert found["failed"] == len(failed) == int(skipped)
        if skipped:
            assert (
                f"{moment} raised TrapError('the pole snapped in {moment}')"
                in (failed[0]["message"])
            )
            assert _task(failed[0]["message"]) == failed[0]["task"]
        played = [json.loads(line)[1:] for line in lines(traps, "played")]
        again = sum(one in played[i + 1 :] for i, one in enumerate(played))
        assert again == int(policy == "retry" and moment != "making")
        assert found["ok"] > 20
    bar("W1", cases=1)


def _outcome(call: Callable[[], None]) -> BaseException | None:
    try:
        call()
    except Exception as error:  # noqa: BLE001  handed to the test
        return error
    return None


def _task(message: str) -> Any:
    return json.loads(message.split("(task ")[1].split("]")[0] + "]")


def test_a_run_that_failed_may_go_on_under_another_policy(tmp_path: Path, bar: Bar) -> None:
    traps, out = tmp_path / "traps", tmp_path / "run"
    with pytest.raises(TrapError):
        start(trapped_config(traps), out, "step")
    set_trap(traps, "step", wait=9)
    assert command("resume", str(out), "--on-env-error", "skip", "--env-timeout", "7") == 0
    found = check_run(out)
    assert found["failed"] == 1
    changed = read_run(out).config
    assert (changed.on_env_error, changed.env_timeout_s) == ("skip", 7.0)
    bar("S8", **found)


def test_policies_and_time_limits_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        trapped_config(tmp_path, on_env_error="ignore", env_timeout_s=-1)
    assert "on_env_error: expected one of fail, retry, skip, got 'ignore'" in str(caught.value)
    assert "env_timeout_s: expected seconds, 0 for no limit, got -1" in str(caught.value)


def test_only_what_is_free_may_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    loop.open_new(trapped_config(tmp_path / "traps"), out)[0].close()
    before = (out / "config.json").read_bytes()
    for change, message in (
        ({"seed": 1}, "only steps, on_env_error, env_timeout_s may change, not seed"),
        ({"steps": 1}, "can only grow"),
        ({"steps": 0, "env_timeout_s": -1}, "steps: .*\nenv_timeout_s: expected seconds"),
        ({"on_env_error": "never"}, "expected one of fail, retry, skip, got 'never'"),
    ):
        with pytest.raises(UserError, match=message):
            loop.resume(out, **change)
        assert (out / "config.json").read_bytes() == before


@pytest.mark.parametrize("student", ["sb3-ppo", "rllib-ppo"])
def test_policies_without_a_meaning_in_native_environments_are_refused(student: str) -> None:
    pytest.importorskip("teachenv.envs.bipedal._native_baseline")
    world = {"env": "teachenv/StumpTracks-v0", "teacher": "uniform", "student": student}
    for policy in ("retry", "skip"):
        native = RunConfig(**world, env_args={"backend": "native"}, on_env_error=policy)
        with pytest.raises(ConfigError, match=f"on_env_error: '{policy}', but .* is native, one"):
            loop.check(native)
    loop.check(RunConfig(**world, env_args={"backend": "reference"}, on_env_error="skip"))


def test_policies_without_a_meaning_in_data_generation_are_refused(tmp_path: Path) -> None:
    digits = RunConfig(env="teachenv/DataGenSkillList-digits-v0", teacher="uniform", steps=1)
    with pytest.raises(ConfigError, match=r"on_env_error: 'retry', but .* teaches data: an error"):
        loop.check(dataclasses.replace(digits, on_env_error="retry"))
    loop.open_new(digits, tmp_path / "run")[0].close()
    with pytest.raises(ConfigError, match=r"on_env_error: 'skip', but .* teaches data"):
        loop.resume(tmp_path / "run", on_env_error="skip")


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_second_error_in_a_row_ends_what_a_policy_can_do(
    moment: str, tmp_path: Path, bar: Bar
) -> None:
    for policy, error in (("retry", TrapError), ("skip", TooManyFailuresError)):
        out = tmp_path / policy
        config = trapped_config(tmp_path / f"{policy} traps", on_env_error=policy, max_failed=3)
        with pytest.raises(error):
            start(config, out, moment, times=99)
        assert read_status(out)["status"] == "failed"
    bar("W1", errors_in_a_row=2)


@pytest.mark.slow
def test_without_the_policy_the_tests_above_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control: wrappers that forget the policy, the failed trial, or the second try."""

    def never(self: CurriculumWrapper, doing: str, error: Exception) -> bool:
        return False

    def silent(self: CurriculumWrapper, doing: str, error: Exception) -> bool:
        self._broken, self._trial = True, None
        return True

    skips = CurriculumWrapper._goes_on

    def forgets(self: CurriculumWrapper, doing: str, error: Exception) -> bool:
        self._policy = "skip"
        return skips(self, doing, error)

    check = test_an_environment_that_raises_ends_the_run_is_tried_again_or_left_out
    ignored: Bar = lambda *_, **__: None  # noqa: E731
    for mutant, policy in ((never, "skip"), (silent, "skip"), (forgets, "retry")):
        monkeypatch.setattr(CurriculumWrapper, "_goes_on", mutant)
        (tmp_path / mutant.__name__).mkdir()
        with pytest.raises(AssertionError):
            check(policy, "step", tmp_path / mutant.__name__, ignored)
    bar("W1", mutants_found=3)


# -- environments that hang ----------------------------------------------------------------

NOTICED_S = 1 + 10
"""How long what may take a second can hang; process starts and imports do not count."""


@pytest.mark.parametrize(
    ("moment", "policy"), [("step", "fail"), ("reset", "fail"), ("step", "skip")]
)
def test_a_hanging_environment_raises_when_its_time_is_up(
    moment: str, policy: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], bar: Bar
) -> None:
    traps, out = tmp_path / "traps", tmp_path / "run"
    config = trapped_config(traps, on_env_error=policy, env_timeout_s=1)
    run = _outcome(lambda: start(config, out, moment, how="hang", wait=2))
    (hung,) = hung_s(traps)
    assert hung < NOTICED_S
    message = f"{moment} of trapped/Pole-v0 took longer than 1 s"
    assert lines(traps, "sprung") == [f"{moment} hang"]
    if policy == "fail":
        assert isinstance(run, EnvTimeoutError)
        status = read_status(out)
        assert status["status"] == "failed"
        ended, sprung = (path.stat().st_mtime for path in (out / "status.json", traps / "sprung"))
        assert ended - sprung < NOTICED_S
        assert f"EnvTimeoutError: {message}; trapped/Pole-v0: {moment} (task" in status["reason"]
    else:
        assert run is None
        assert check_run(out)["failed"] == 1
    stacks = capfd.readouterr().err
    assert f"teachenv: {message}" in stacks
    assert "trapped.py" in stacks
    bar("W4", f"noticed after {hung:.1f} s, with a limit of 1 s", hanging_in_process=1)


def patient(body: str, **options: Any) -> subprocess.Popen[str]:
    """Run code in another process that may take a second for what it does ``with patience``."""
    before = "import os, signal, threading, time\nfrom teachenv.patience import Patience\n"
    code = f"{before}patience = Patience(1, 'step')\n{body}\nprint('fine')"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_call_that_cannot_be_made_to_raise_ends_its_process(bar: Bar) -> None:
    """In another thread, and where whatever is raised is caught; not if nobody watches it."""
    deaf = "with patience:\n while True:\n  try: time.sleep(99)\n  except Exception: pass"
    aside = (
        "def work():\n with patience: time.sleep(99)\n"
        "thread = threading.Thread(target=work)\nthread.start()\nthread.join()"
    )
    unwatched = patient("Patience.__enter__ = lambda self: None\nwith patience: time.sleep(3)")

    def ended(process: subprocess.Popen[str]) -> tuple[str, str, float]:
        out, stacks = process.communicate(timeout=60)
        return out, stacks, time.monotonic()  # one clock for all processes

    processes = [patient(f"print(time.monotonic(), flush=True)\n{body}") for body in (deaf, aside)]
    with ThreadPoolExecutor() as pool:
        for process, (out, stacks, end) in zip(processes, pool.map(ended, processes), strict=True):
            assert process.returncode == 1
            assert end - float(out) < NOTICED_S
            assert "step took longer than 1 s and cannot be stopped" in stacks
            assert 'File "<string>"' in stacks
    assert unwatched.communicate(timeout=60) == ("fine\n", "")  # negative control
    bar("W4", "calls that are not watched: found", hanging_for_good=2)


def test_a_process_that_was_stopped_meanwhile_has_not_been_slow(bar: Bar) -> None:
    process = patient("with patience: os.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(1)")
    wait_for(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T", "the stop")
    time.sleep(2)
    process.send_signal(signal.SIGCONT)
    out, stacks = process.communicate(timeout=60)
    assert (process.returncode, out, stacks) == (0, "fine\n", "")
    bar("W4", stopped_and_continued=1)


# -- evaluation ----------------------------------------------------------------------------


def training(folder: Path) -> list[bytes]:
    """What a run has learned, as bytes."""
    last = max((folder / "checkpoints").iterdir())
    paths = [folder / "episodes.jsonl", folder / "teacher.jsonl", last / "arrays.npz"]
    return [path.read_bytes() for path in paths]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("evaluated")
    loop.start(trapped_config(folder / "traps", eval_every=1), folder / "run")
    return training(folder / "run")


@pytest.mark.parametrize(
    ("moment", "how"),
    [*((m, "raise") for m in MOMENTS), pytest.param("step", "hang", marks=pytest.mark.slow)],
)
def test_training_is_kept_when_an_evaluation_breaks(
    moment: str, how: str, evaluated: list[bytes], tmp_path: Path, bar: Bar
) -> None:
    traps, out = tmp_path / "traps", tmp_path / "run"
    config = trapped_config(traps, eval_every=1, env_timeout_s=1)
    loop.start(config, out, AtStep(1024, lambda: set_trap(traps, moment, how)))
    assert lines(traps, "sprung") == [f"{moment} {how}"]
    assert read_status(out)["status"] == "finished"
    rows = read_run(out).evals
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert all(hung < NOTICED_S for hung in hung_s(traps))
    assert ("TrapError" if how == "raise" else "EnvTimeoutError") in rows[1]["error"]
    assert training(out) == evaluated
    bar("W6", broken_evaluations=1)


@pytest.mark.slow
def test_an_evaluation_that_is_not_guarded_ends_the_run(
    evaluated: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control."""

    def unguarded(self: task_loop.RunLoop) -> Any:
        for test_set in self.test_sets:
            row = task_loop.evaluate(self.student.act, self.config.make_env, test_set).row()
            yield {"round": self.round, "step": self.broker.step, **row}

    monkeypatch.setattr(task_loop.RunLoop, "_evaluate", unguarded)
    with pytest.raises(TrapError):
        test_training_is_kept_when_an_evaluation_breaks(
            "step", "raise", evaluated, tmp_path, lambda *_, **__: None
        )
    bar("W6", mutants_found=1)
