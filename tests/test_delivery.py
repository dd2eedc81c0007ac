"""Every vector environment plays the tasks the teacher issued: each once, none lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from ledger import check_rows
from toys import LADDER, LaneMaker, Recorder

from teachenv.broker import Broker
from teachenv.protocols import Outcome
from teachenv.remote import serve

N_LANES = 3
N_STEPS = 150
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP, AutoresetMode.DISABLED]


class Ledger:
    """Sums episodes up from outside, and checks every task that is seen."""

    def __init__(self, teacher: Recorder) -> None:
        self.teacher = teacher
        self.playing: dict[int, int] = {}  # lane -> trial
        self.sums: dict[int, tuple[float, int]] = {}  # trial -> return, length
        self.finished: set[int] = set()

    def see(self, lane: int, trial: int, task: np.ndarray, observation: np.ndarray) -> None:
        issued = self.teacher.issued[trial]
        np.testing.assert_array_equal(task, issued)
        np.testing.assert_array_equal(observation[: LADDER.dim], issued)
        assert trial == self.playing.setdefault(lane, trial)

    def begin(self, lane: int, trial: int, task: np.ndarray, observation: np.ndarray) -> None:
        assert trial not in self.sums
        self.playing[lane] = trial
        self.sums[trial] = (0.0, 0)
        assert observation[LADDER.dim] == 0  # on the ground
        self.see(lane, trial, task, observation)

    def step(self, lane: int, reward: float, done: bool) -> None:
        trial = self.playing[lane]
        value, length = self.sums[trial]
        self.sums[trial] = (value + reward, length + 1)
        if done:
            self.finished.add(trial)
            del self.playing[lane]

    def settle(self, broker: Broker) -> None:
        """Compare with the broker's rows, after the environments are closed."""
        n_asked = len(self.teacher.issued)
        rows = broker.close_round()
        check_rows(rows, broker.counts)
        assert set(self.teacher.told) == set(range(n_asked))
        ok = {row["trial"]: row for row in rows if row["status"] == "ok"}
        lost = {row["trial"] for row in rows if row["status"] == "lost"}
        assert set(ok) == self.finished
        assert lost == set(self.playing.values())
        assert len(ok) > 2 * N_LANES
        for trial, row in ok.items():
            assert (row["episode_return"], row["episode_length"]) == self.sums[trial]
            assert row["episode_length"] == row["task"][0]  # one rung a step
            assert row["task"] == self.teacher.issued[trial].tolist()
        assert broker.counts == {"asked": n_asked, "ok": len(ok), "failed": 0, "lost": len(lost)}


def lanes(info: dict[str, Any], key: str = "trial") -> Iterator[int]:
    return (int(lane) for lane in np.flatnonzero(info.get(f"_{key}", [])))


def drive_gymnasium(env: gym.vector.VectorEnv, mode: AutoresetMode, ledger: Ledger) -> None:
    observations, info = env.reset(seed=3)
    for lane in lanes(info):
        ledger.begin(lane, info["trial"][lane], info["task"][lane], observations[lane])
    over = np.zeros(N_LANES, bool)  # NEXT_STEP: lanes whose next step is a reset
    for _ in range(N_STEPS):
        actions = np.zeros(N_LANES, np.int64)
        observations, rewards, terminated, truncated, info = env.step(actions)
        done = terminated | truncated
        for lane in range(N_LANES):
            if over[lane]:
                ledger.begin(lane, info["trial"][lane], info["task"][lane], observations[lane])
                continue
            final = mode == AutoresetMode.SAME_STEP and done[lane]
            last = info["final_info"] if final else info
            seen = info["final_obs"][lane] if final else observations[lane]
            ledger.see(lane, last["trial"][lane], last["task"][lane], seen)
            ledger.step(lane, rewards[lane], done[lane])
            if final:
                ledger.begin(lane, info["trial"][lane], info["task"][lane], observations[lane])
        over = done if mode == AutoresetMode.NEXT_STEP else over
        if mode == AutoresetMode.DISABLED and done.any():
            observations, info = env.reset(options={"reset_mask": done.copy()})
            for lane in lanes(info):
                ledger.begin(lane, info["trial"][lane], info["task"][lane], observations[lane])


def drive_sb3(env: Any, ledger: Ledger) -> None:
    observations = env.reset()

    def begin(lane: int) -> None:
        info = env.reset_infos[lane]
        ledger.begin(lane, info["trial"], info["task"], observations[lane])

    for lane in range(N_LANES):
        begin(lane)
    for _ in range(N_STEPS):
        observations, rewards, dones, infos = env.step(np.zeros(N_LANES, np.int64))
        for lane, info in enumerate(infos):
            seen = info["terminal_observation"] if dones[lane] else observations[lane]
            ledger.see(lane, info["trial"], info["task"], seen)
            ledger.step(lane, float(rewards[lane]), dones[lane])
            if dones[lane]:
                begin(lane)


def check(
    make: Callable[[list[LaneMaker]], Any], drive: Callable[[Any, Ledger], None], *, served: bool
) -> None:
    teacher = Recorder()
    broker = Broker(teacher, seed=5)
    ledger = Ledger(teacher)
    with serve(broker) if served else nullcontext(broker) as source:
        env = make([LaneMaker(source, lane) for lane in range(N_LANES)])
        drive(env, ledger)
        env.close()
    ledger.settle(broker)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_gymnasium_sync_plays_every_issued_task_once(mode: AutoresetMode) -> None:
    check(
        lambda makers: SyncVectorEnv(makers, autoreset_mode=mode),
        lambda env, ledger: drive_gymnasium(env, mode, ledger),
        served=False,
    )


@pytest.mark.parametrize("shared_memory", [True, False])
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_gymnasium_async_plays_every_issued_task_once(
    mode: AutoresetMode, shared_memory: bool
) -> None:
    check(
        lambda makers: AsyncVectorEnv(
            makers, shared_memory=shared_memory, context="forkserver", autoreset_mode=mode
        ),
        lambda env, ledger: drive_gymnasium(env, mode, ledger),
        served=True,
    )


def test_gymnasium_async_by_fork_plays_every_issued_task_once() -> None:
    """Forked workers inherit the parent's client with its connection open, and leave it alone."""
    teacher = Recorder()
    broker = Broker(teacher, seed=5)
    ledger = Ledger(teacher)
    with serve(broker) as client:
        first = client.ask("parent")
        env = AsyncVectorEnv([LaneMaker(client, k) for k in range(N_LANES)], context="fork")
        drive_gymnasium(env, AutoresetMode.NEXT_STEP, ledger)
        env.close()
        assert [trial.id for trial in broker.outstanding] == [first.id]
        client.tell(first.id, Outcome.lost())
    assert broker.counts["asked"] == broker.counts["ok"] + broker.counts["lost"]
    assert broker.counts["ok"] == len(ledger.finished)


def test_sb3_dummy_plays_every_issued_task_once() -> None:
    sb3 = pytest.importorskip("stable_baselines3.common.vec_env")
    check(lambda makers: sb3.DummyVecEnv(makers), drive_sb3, served=False)


@pytest.mark.parametrize("method", ["forkserver", pytest.param("spawn", marks=pytest.mark.slow)])
def test_sb3_subproc_plays_every_issued_task_once(method: str) -> None:
    sb3 = pytest.importorskip("stable_baselines3.common.vec_env")
    check(lambda makers: sb3.SubprocVecEnv(makers, start_method=method), drive_sb3, served=True)
