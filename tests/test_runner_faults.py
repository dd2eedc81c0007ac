"""Runs with RLlib runners: whatever dies, raises or hangs, no trial is lost track of."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bars import Bar

ray = pytest.importorskip("ray")

from ledger import check_run  # noqa: E402
from trapped import hung_s, lines, set_trap, trapped_config  # noqa: E402

import students.rllib  # noqa: E402
from students.rllib import RllibPpo  # noqa: E402
from students.rllib_runners import start_ray  # noqa: E402
from teachenv.experiments import loop, task_loop  # noqa: E402
from teachenv.experiments.config import RunConfig  # noqa: E402
from teachenv.experiments.store import read_run, read_status  # noqa: E402
from teachenv.remote import serve  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ITERATION = 512
PAUSE_S = 0.003
"""Makes an iteration last most of a second, without work."""


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    assert start_ray(2)
    yield
    ray.shutdown()


def config(traps: Path, runners: int = 2, **change: Any) -> RunConfig:
    """Rounds of two iterations."""
    small = {
        "num_env_runners": runners,
        "envs_per_runner": ITERATION // 64 // runners,
        "n_steps": 64,
        "batch_size": 64,
        "n_epochs": 1,
        "hidden": [16],
    }
    fields = {"student": "rllib-ppo", "student_args": small, "round_steps": 2 * ITERATION}
    return trapped_config(traps, PAUSE_S, **{"steps": 4 * ITERATION, **fields, **change})


class Watch:
    """A watcher that counts iterations and acts at some of them.

    Args:
        acts: What to do, by iteration.
    """

    def __init__(self, acts: dict[int, Callable[[], None]] | None = None) -> None:
        self.acts = acts or {}
        self.iterations = 0
        self.student: RllibPpo | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        made = task_loop.make_student

        def keep(*given: Any) -> Any:
            self.student = made(*given)
            return self.student

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(task_loop, "make_student", keep)
            yield

    def steps(self, run: Any) -> None:
        if run.step // ITERATION > self.iterations:
            self.iterations += 1
            self.act()

    def evaluated(self, row: dict[str, Any]) -> None: ...

    def act(self) -> None:
        self.acts.pop(self.iterations, lambda: None)()

    def pids(self) -> list[int]:
        assert self.student is not None
        return self.student._each_runner(lambda runner: os.getpid())

    def kill(self, n: int = 1) -> None:
        for pid in self.pids()[:n]:
            os.kill(pid, signal.SIGKILL)


class Slayer(Watch):
    """Kills a runner at one moment after another, each time that both are there again."""

    def __init__(self, moments: list[Callable[[], None]]) -> None:
        super().__init__()
        self.moments = moments
        self.back_after: list[int] = []
        self._before: set[int] = set()
        self._struck_at = 0

    def act(self) -> None:
        now = set(self.pids())
        if self._struck_at:
            if len(now) < 2 or now == self._before:
                time.sleep(3)  # another one is starting, for longer on a busy machine
                return
            self.back_after.append(self.iterations - self._struck_at)
            self._struck_at = 0
        if len(self.back_after) < len(self.moments):
            self._before, self._struck_at = now, self.iterations
            self.moments[len(self.back_after)]()


def test_runners_killed_at_five_moments_are_replaced(tmp_path: Path, bar: Bar) -> None:
    traps, out = tmp_path / "traps", tmp_path / "run"
    save = task_loop.save_checkpoint

    def while_sampling() -> None:
        victim = watch.pids()[0]
        threading.Timer(0.3, os.kill, (victim, signal.SIGKILL)).start()

    def while_saving() -> None:
        def killing(*given: Any) -> Any:
            patch.setattr(task_loop, "save_checkpoint", save)
            watch.kill()
            return save(*given)

        patch.setattr(task_loop, "save_checkpoint", killing)

    watch = Slayer([])
    watch.moments = [
        watch.kill,  # between iterations
        while_sampling,
        while_saving,
        lambda: set_trap(traps, "reset", "kill"),
        lambda: set_trap(traps, "step", "kill"),
    ]
    all_back = property(lambda run: len(watch.back_after) == 5)
    with pytest.MonkeyPatch.context() as patch, watch.watching():
        patch.setattr(task_loop.RunLoop, "finished", all_back)
        loop.start(config(traps, steps=99 * ITERATION), out, watch)
    assert read_status(out)["status"] == "finished"
    assert lines(traps, "sprung") == ["reset kill", "step kill"]
    found = check_run(out)
    bar("S8", **found)
    assert found["failed"] == 0
    assert found["lost"] <= read_status(out)["round"] * 8 + 5 * 4  # at their ends, and of victims
    assert found["ok"] > 10 * watch.iterations
    assert max(watch.back_after) <= 5
    note = f"both back after {max(watch.back_after)} iterations at most"
    bar("W2", note, kills=5)


@pytest.mark.parametrize("victim", ["runners", "broker"])
def test_without_runners_or_broker_a_run_fails_soon_and_is_resumed(
    victim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    served: list[contextlib.ExitStack] = []

    @contextlib.contextmanager
    def cut(*given: Any) -> Iterator[Any]:
        with contextlib.ExitStack() as stack:
            served.append(stack)
            yield stack.enter_context(serve(*given))

    monkeypatch.setattr(students.rllib, "serve", cut)
    began: list[float] = []

    def strike() -> None:
        began.append(time.monotonic())
        if victim == "runners":
            watch.kill(2)
        else:
            served[-1].close()

    traps, out = tmp_path / "traps", tmp_path / "run"
    watch = Watch({3: strike})
    with pytest.raises(RuntimeError, match="none of 2 environment runners"), watch.watching():
        loop.start(config(traps), out, watch)
    waited = time.monotonic() - began[0]
    assert waited < 60
    status = read_status(out)
    assert (status["status"], status["round"]) == ("failed", 1)
    before = (out / "episodes.jsonl").read_bytes()
    loop.resume(out)
    assert read_status(out)["status"] == "finished"
    assert (out / "episodes.jsonl").read_bytes().startswith(before)
    found = check_run(out)
    bar("S8", **found)
    assert found["failed"] == 0
    assert found["ok"] > 20
    bar("W3", f"{victim} killed: error after {waited:.0f} s", resumed=1)


def test_a_student_that_does_not_count_steps_plays_on_without_runners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control: nothing else ends such a run."""
    steps = []

    def blind(self: RllibPpo) -> None:
        self._algorithm.train()
        steps.append(self._learner.advantages.steps)
        if len(steps) > 3 and steps[-1] == steps[-3]:
            raise TimeoutError("twice without a step")

    monkeypatch.setattr(RllibPpo, "_iterate", blind)
    check = test_without_runners_or_broker_a_run_fails_soon_and_is_resumed
    with pytest.raises(TimeoutError, match="twice without a step"):
        check("runners", tmp_path, monkeypatch, lambda *_, **__: None)
    bar("W3", "a student that does not look: found")


def test_runners_leave_out_trials_whose_environment_raises_or_hangs(
    tmp_path: Path, bar: Bar
) -> None:
    traps, out = tmp_path / "traps", tmp_path / "run"
    faults = [(moment, how) for moment in ("step", "reset") for how in ("raise", "hang")]
    watch = Watch({1 + i: partial(set_trap, traps, *fault) for i, fault in enumerate(faults)})
    chosen = config(traps, 1, steps=6 * ITERATION, on_env_error="skip", env_timeout_s=1)
    with watch.watching():
        loop.start(chosen, out, watch)
    assert lines(traps, "sprung") == [f"{moment} {how}" for moment, how in faults]
    found = check_run(out)
    bar("S8", **found)
    assert found["failed"] == 4
    messages = [row["message"] for row in read_run(out).episodes if row["status"] == "failed"]
    for (moment, how), message in zip(faults, messages, strict=True):
        assert f"{moment} raised {'TrapError' if how == 'raise' else 'EnvTimeoutError'}" in message
    assert len(hung_s(traps)) == 2
    assert max(hung_s(traps)) < 1 + 10
    assert len({json.loads(line)[0] for line in lines(traps, "played")}) == 1  # no process died
    bar("W4", hanging_in_a_runner=2)
    bar("W1", left_out_in_a_runner=2)


def test_an_environment_that_raises_in_a_runner_ends_the_run(tmp_path: Path, bar: Bar) -> None:
    """Although the other runner could go on."""
    traps, out = tmp_path / "traps", tmp_path / "run"
    watch = Watch({2: lambda: set_trap(traps, "step")})
    message = r"an environment broke: trapped/Pole-v0: step raised TrapError.*\(task \["
    with pytest.raises(RuntimeError, match=message), watch.watching():
        loop.start(config(traps), out, watch)
    status = read_status(out)
    assert status["status"] == "failed"
    assert "an environment broke" in status["reason"]
    bar("W1", raised_in_a_runner=1)
