"""The RLlib student: delivery, signals, learning, exact resume, dead and broken runners."""

from __future__ import annotations

import copy
import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

ray = pytest.importorskip("ray")
torch = pytest.importorskip("torch")

import rllib_worlds as worlds  # noqa: E402
from bars import Bar  # noqa: E402
from ledger import check_rows  # noqa: E402

import students  # noqa: E402
from students.check import state_digest  # noqa: E402
from students.rllib import RllibPpo  # noqa: E402
from students.rllib_runners import NativeLanes, start_ray  # noqa: E402
from students.signals import SIGNALS  # noqa: E402
from teachenv.broker import Broker, TooManyFailuresError  # noqa: E402
from teachenv.env import MakeEnv  # noqa: E402
from teachenv.envs.bipedal.engine import native_module  # noqa: E402
from teachenv.errors import UserError  # noqa: E402
from teachenv.experiments.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from teachenv.protocols import Student  # noqa: E402
from teachenv.seeding import derive_int  # noqa: E402

pytestmark = pytest.mark.ray

SMALL: dict[str, Any] = {
    "envs_per_runner": 4,
    "n_steps": 32,
    "batch_size": 32,
    "n_epochs": 2,
    "hidden": (16,),
}


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:  # workers import the worlds
        patch.setenv("PYTHONPATH", here, prepend=os.pathsep)
        assert start_ray(4)  # two runners may be kept while a test starts its own
    yield
    ray.shutdown()


@pytest.fixture
def made() -> Iterator[list[RllibPpo]]:
    students_made: list[RllibPpo] = []
    yield students_made
    for student in students_made:
        student.close()


def hash_of(student: RllibPpo) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(student.state_dict()["module"].items()):
        digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()


def check_echoes(teacher: worlds.Uniform, broker: Broker, rows: list[dict[str, Any]]) -> int:
    """Every id ended once, every finished trial was played as issued; returns their number."""
    assert sorted(teacher.told) == list(range(len(teacher.issued)))
    check_rows(rows, broker.counts)
    ok = [row for row in rows if row["status"] == "ok"]
    for row in ok:
        trial = teacher.issued[row["trial"]]
        assert row["task"] == trial.task.tolist()
        assert row["episode_return"] == trial.task[0]
        level_seed = derive_int(0, "level", trial.id)
        assert row["episode_length"] == worlds.echo_length(level_seed)
        assert teacher.told[trial.id].episode_return == trial.task[0]
    return len(ok)


# -- delivery and signals ------------------------------------------------------------------


def test_every_trial_is_played_as_issued_and_nothing_is_recreated(made: list[RllibPpo]) -> None:
    teacher = worlds.Uniform(worlds.X)
    broker = Broker(teacher)
    before = worlds.Echo.made
    steps: list[int] = []
    broker.listener = lambda b: steps.append(b.step)
    student = RllibPpo(worlds.Echo, broker, **SMALL)
    made.append(student)
    rows = []
    for k in range(2):
        start = broker.step
        taken = student.learn(300, seed=k)
        assert taken >= 300
        assert broker.step == start + taken
        assert broker.outstanding == ()
        rows += broker.close_round()
    n_ok = check_echoes(teacher, broker, rows)
    assert n_ok > 80
    assert broker.counts["lost"] <= 2 * 4  # what the four lanes were playing at the two ends
    played = sum(row["episode_length"] for row in rows)
    assert steps[-1] - 2 * 4 * 7 <= played <= steps[-1]
    assert worlds.Echo.made - before == 1 + 4  # one to read the spaces


def test_signals_reach_a_teacher_that_needs_them_within_learn(made: list[RllibPpo]) -> None:
    teacher = worlds.Uniform(worlds.X, RllibPpo.provides)
    broker = Broker(teacher)
    student = RllibPpo(worlds.Echo, broker, **SMALL)
    made.append(student)
    student.learn(300, seed=0)
    assert broker.outstanding == ()
    ok = [outcome for outcome in teacher.told.values() if outcome.status == "ok"]
    assert len(ok) > 40
    for outcome in ok:
        signals = outcome.signals
        assert set(signals) == RllibPpo.provides
        assert signals["positive_value_loss"] >= 0
        best = signals["max_monte_carlo"] + signals["value_mean"]
        paid_at = outcome.episode_length - 1  # all of the reward comes with the last step
        discounted = 0.999**paid_at * outcome.episode_return
        assert best == pytest.approx(discounted, abs=1e-6)  # levels are played once
    check_echoes(teacher, broker, broker.close_round())


# -- learning and acting -------------------------------------------------------------------


@pytest.mark.slow
def test_cartpole_is_learned(made: list[RllibPpo]) -> None:
    broker = Broker(worlds.Uniform(worlds.POLE))
    student = RllibPpo(worlds.cartpole, broker, envs_per_runner=8, n_steps=128)
    made.append(student)

    def mean_return(n_steps: int, seed: int) -> float:
        student.learn(n_steps, seed=seed)
        rows = broker.close_round()
        return float(np.mean([r["episode_return"] for r in rows if r["status"] == "ok"]))

    assert mean_return(2048, 0) < 60
    mean_return(16_384, 1)
    assert mean_return(6144, 2) > 200


def test_act_is_what_environments_receive_without_exploration(made: list[RllibPpo]) -> None:
    broker = Broker(worlds.Uniform(worlds.X))
    student = RllibPpo(worlds.Echo, broker, **SMALL)
    made.append(student)
    student.learn(256, seed=0)
    before = hash_of(student)
    runner = student._algorithm.env_runner
    runner._needs_initial_reset = True
    worlds.Echo.received.clear()
    runner.sample(num_timesteps=64, explore=False)
    observations, received = map(np.array, zip(*worlds.Echo.received, strict=True))
    np.testing.assert_allclose(student.act(observations), received, atol=1e-5)
    assert student.act(observations).tobytes() == student.act(observations).tobytes()
    assert np.ptp(received[:, 0]) > 0
    assert all(worlds.Echo.action_space.contains(action) for action in received)
    assert hash_of(student) == before
    with pytest.raises(ValueError, match=r"expected observations \(n, \*\(2,\)\)"):
        student.act(observations[0])


def test_trials_not_for_training_leave_the_parameters_alone(made: list[RllibPpo]) -> None:
    broker = Broker(worlds.Uniform(worlds.GRAVITY, train=False))
    student = RllibPpo(worlds.pendulum, broker, **SMALL, norm_obs=False)
    made.append(student)
    before = hash_of(student)
    assert student.learn(256, seed=0) >= 256
    assert hash_of(student) == before
    broker.teacher._train = True  # type: ignore[attr-defined]
    student.learn(256, seed=0)
    assert hash_of(student) != before


@pytest.mark.parametrize("scored", [True, False], ids=["scored", "trained"])
def test_rewards_of_trials_not_for_training_change_no_parameter(
    made: list[RllibPpo], scored: bool
) -> None:
    found = []
    for bribe in (0.0, 50.0):
        teacher = worlds.Alternating(worlds.GRAVITY)
        broker = Broker(teacher)
        make_env = partial(worlds.bribed_pendulum, bribe, level_seed=int(scored))
        student = RllibPpo(make_env, broker, **SMALL, norm_reward=False)
        made.append(student)
        taken = student.learn(512, seed=0)
        rows = [row for row in broker.close_round() if row["status"] == "ok"]
        assert {row["train"] for row in rows} == {True, False}
        assert broker.step == taken >= sum(row["episode_length"] for row in rows)
        found.append(hash_of(student))
    assert (found[0] == found[1]) is scored


def test_learn_leaves_the_global_generators_alone(made: list[RllibPpo]) -> None:
    student = RllibPpo(worlds.Echo, Broker(worlds.Uniform(worlds.X)), **SMALL)
    made.append(student)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    student.learn(128, seed=0)
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


# -- resume --------------------------------------------------------------------------------

RESUMED = {**SMALL, "kl_coef": 0.2}


def play_round(student: RllibPpo, broker: Broker, k: int) -> list[dict[str, Any]]:
    student.learn(400, seed=1000 + k)
    return broker.close_round()


def test_resume_is_bit_identical_and_needs_every_part(
    made: list[RllibPpo], tmp_path: Path, bar: Bar
) -> None:
    teacher = worlds.Uniform(worlds.GRAVITY)
    broker = Broker(teacher, seed=3)
    student = RllibPpo(worlds.pendulum, broker, seed=3, **RESUMED)
    made.append(student)
    initial, saved, teachers, rows = student.state_dict(), {}, {}, []
    for k in range(3):
        state = {"student": student.state_dict(), "broker": broker.state_dict()}
        saved[k] = load_checkpoint(save_checkpoint(tmp_path, k, state))
        teachers[k] = copy.deepcopy(teacher)
        rows.append(play_round(student, broker, k))
    expected = hash_of(student)
    assert saved[2]["student"]["kl_coef"] != RESUMED["kl_coef"]

    resumed_broker = Broker(teacher, seed=3)
    resumed = RllibPpo(worlds.pendulum, resumed_broker, seed=99, **RESUMED)
    made.append(resumed)

    def rest_of_rounds(first: int, **change: Any) -> list[list[dict[str, Any]]]:
        resumed_broker.teacher = copy.deepcopy(teachers[first])
        resumed_broker.load_state_dict(saved[first]["broker"])
        resumed.load_state_dict({**saved[first]["student"], **change})
        return [play_round(resumed, resumed_broker, k) for k in range(first, 3)]

    points = (1, 2)
    for first in points:
        assert rest_of_rounds(first) == rows[first:]
        assert hash_of(resumed) == expected
    bar("R2", "rllib-ppo", resumes=len(points))
    for part in ("module", "optimizer", "kl_coef", "returns", "observations"):
        rest_of_rounds(2, **{part: initial[part]})
        assert hash_of(resumed) != expected, f"dropping {part} went unnoticed"
        bar("R4", items_dropped=1, noticed=1)
    bar("R4", "without the KL coefficient rllib-ppo differs")
    rest_of_rounds(2)
    assert hash_of(resumed) == expected


def test_two_students_with_one_seed_are_equal_and_another_seed_differs(
    made: list[RllibPpo],
) -> None:
    hashes = []
    for seed in (0, 0, 1):
        broker = Broker(worlds.Uniform(worlds.X))
        student = students.make("rllib-ppo", worlds.Echo, broker, seed=seed, **SMALL)
        assert isinstance(student, Student)
        assert isinstance(student, RllibPpo)
        made.append(student)
        student.learn(128, seed=seed)
        hashes.append(hash_of(student))
    assert hashes[0] == hashes[1] != hashes[2]


# -- refused and broken --------------------------------------------------------------------


def test_bad_hyper_parameters_are_named_together() -> None:
    with pytest.raises(ValueError, match=r"gamma.*got 1\.5") as caught:
        RllibPpo(worlds.Echo, Broker(worlds.Uniform(worlds.X)), gamma=1.5, num_env_runners=-1)
    assert "num_env_runners: expected a whole number from 0 up, got -1" in str(caught.value)


def test_runners_are_given_more_time_than_a_call_of_an_environment(made: list[RllibPpo]) -> None:
    waits = []
    for timeout_s, given in ((120.0, {}), (300.0, {}), (300.0, {"sample_timeout_s": 5.0})):
        make_env = MakeEnv("teachenv/CartPole-v0", timeout_s=timeout_s)
        made.append(RllibPpo(make_env, Broker(worlds.Uniform(worlds.POLE)), **SMALL, **given))
        waits.append(made[-1]._algorithm.config.sample_timeout_s)
    assert waits == [180.0, 360.0, 5.0]


def test_too_few_cpus_are_an_error_not_a_wait() -> None:
    with pytest.raises(UserError, match=r"needs 5 CPUs .*of the 4 CPUs"):
        RllibPpo(worlds.Echo, Broker(worlds.Uniform(worlds.X)), num_env_runners=5, **SMALL)


class Holder:
    """Holds what it was given."""

    def ready(self) -> bool:
        return True


@pytest.mark.slow
def test_taken_cpus_are_waited_for_a_while_then_an_error(
    made: list[RllibPpo], monkeypatch: pytest.MonkeyPatch
) -> None:
    def student() -> RllibPpo:
        broker = Broker(worlds.Uniform(worlds.X))
        made.append(RllibPpo(worlds.Echo, broker, num_env_runners=2, **SMALL))
        return made[-1]

    free = int(ray.available_resources()["CPU"])
    holder = ray.remote(num_cpus=free)(Holder).remote()
    assert ray.get(holder.ready.remote())
    with monkeypatch.context() as patch:
        patch.setattr("students.rllib_runners.CPUS_TIMEOUT_S", 1.0)
        with pytest.raises(UserError, match=r"needs 2 CPUs .*of the 4 CPUs .* 0 are free: close"):
            student()
    threading.Timer(2.0, ray.kill, [holder]).start()
    assert student().learn(1, seed=0) > 0


def test_what_an_environment_raises_comes_through(made: list[RllibPpo]) -> None:
    teacher = worlds.Uniform(worlds.X)
    broker = Broker(teacher)
    student = RllibPpo(worlds.Raising, broker, **SMALL)
    made.append(student)
    with pytest.raises(ArithmeticError, match="echo broke at"):
        student.learn(100, seed=0)
    assert sorted(outcome.status for outcome in teacher.told.values()) == ["failed"] + ["lost"] * 3
    with pytest.raises(ValueError, match="positive number of steps"):
        student.learn(0, seed=0)


def test_too_many_broken_trials_end_the_run(made: list[RllibPpo]) -> None:
    broker = Broker(worlds.Uniform(worlds.X), max_failed=6)
    student = RllibPpo(worlds.NotANumber, broker, **SMALL)
    made.append(student)
    before = hash_of(student)
    with pytest.raises(TooManyFailuresError, match=r"\d trials in a row.*NotANumber.*not finite"):
        student.learn(100, seed=0)
    assert hash_of(student) == before
    assert broker.counts["failed"] >= 6


# -- runners -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_runners() -> Iterator[tuple[RllibPpo, Broker]]:
    broker = Broker(worlds.Uniform(worlds.X))
    student = RllibPpo(worlds.Echo, broker, num_env_runners=2, **SMALL)
    yield student, broker
    student.close()


def pids(student: RllibPpo) -> list[int]:
    return student._each_runner(lambda runner: os.getpid())


def test_runners_play_every_trial_as_issued(two_runners: tuple[RllibPpo, Broker]) -> None:
    student, broker = two_runners
    teacher = broker.teacher = worlds.Uniform(worlds.X, RllibPpo.provides)
    assert len({*pids(student), os.getpid()}) == 3
    rows = []
    for k in range(2):
        assert student.learn(600, seed=k) >= 600
        assert broker.outstanding == ()
        rows += broker.close_round()
    assert check_echoes(teacher, broker, rows) > 150
    assert broker.counts["lost"] <= 2 * 8
    made_there = student._each_runner(lambda runner: worlds.Echo.made)
    assert made_there == [4, 4]


@pytest.mark.slow
def test_a_killed_runner_loses_only_what_it_played(two_runners: tuple[RllibPpo, Broker]) -> None:
    student, broker = two_runners
    broker.__init__(worlds.Uniform(worlds.X))  # type: ignore[misc]
    victim = pids(student)[0]
    healthy: list[int] = []

    def watch(broker: Broker) -> None:
        if len(healthy) == 1:
            threading.Timer(0.02, os.kill, (victim, signal.SIGKILL)).start()
        healthy.append(student._algorithm.env_runner_group.num_healthy_remote_workers())

    broker.listener = watch
    rounds = 0
    while (1 not in healthy or healthy[-1] < 2) and rounds < 40:
        student.learn(4000, seed=rounds)
        rounds += 1
    broker.listener = None
    assert 1 in healthy
    assert healthy[-1] == 2
    rows = broker.close_round()
    assert check_echoes(broker.teacher, broker, rows) > 500  # type: ignore[arg-type]
    assert broker.counts["failed"] == 0
    assert broker.counts["lost"] <= 8 * rounds + 4  # at the ends, and the victim's four


def test_dead_runners_end_the_run(two_runners: tuple[RllibPpo, Broker]) -> None:
    student, broker = two_runners
    broker.close_round()
    for pid in pids(student):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="none of 2 environment runners came back with steps"):
        student.learn(200, seed=0)
    student.close()  # frees its CPUs


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (worlds.Raising, "an environment broke.*ArithmeticError.*echo broke"),
        pytest.param(
            *(worlds.Hanging, "none of 1 environment runners.*hang"), marks=pytest.mark.slow
        ),
    ],
)
def test_broken_runners_end_the_run_and_say_why(
    world: type[worlds.Echo], why: str, made: list[RllibPpo]
) -> None:
    broker = Broker(worlds.Uniform(worlds.X))
    student = RllibPpo(world, broker, num_env_runners=1, sample_timeout_s=3, **SMALL)
    made.append(student)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=why):
        student.learn(200, seed=0)
    assert time.monotonic() - start < 3 + 10
    broker.close_round()
    assert broker.outstanding == ()
    student.close()
    assert time.monotonic() - start < 3 + 20


# -- native environments -------------------------------------------------------------------

NO_ENGINE = native_module()[1]
with_engine = pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")
STUMPS = MakeEnv("teachenv/StumpTracks-v0", {"max_episode_steps": 40})


def one_by_one() -> gym.Env[Any, Any]:
    return STUMPS()


class SameStep(MakeEnv):
    """Makes vectors whose lanes begin their next episode in the step that ends the last one."""

    def vector(self, num_envs: int) -> gym.vector.VectorEnv[Any, Any, Any] | None:
        vector = super().vector(num_envs)
        assert vector is not None
        vector.unwrapped.autoreset_mode = gym.vector.AutoresetMode.SAME_STEP  # type: ignore[attr-defined]
        return vector


def stump_bench() -> tuple[worlds.Uniform, Broker]:
    env = one_by_one()
    teacher = worlds.Uniform(env.get_wrapper_attr("task_space"), SIGNALS)
    env.close()
    return teacher, Broker(teacher, seed=1)


@with_engine
def test_lanes_that_restart_in_the_same_step_are_refused() -> None:
    """RLlib would learn from actions taken on the last observation of the episode before."""
    _, broker = stump_bench()
    with pytest.raises(RuntimeError, match=r"learns from NEXT_STEP autoreset only.*SAME_STEP"):
        RllibPpo(SameStep(STUMPS.env_id, STUMPS.kwargs), broker, seed=0, **SMALL)
    assert ray.is_initialized()  # by this module: refused students leave it alone


@with_engine
def test_a_student_learns_the_same_from_a_vector_as_from_single_environments(
    made: list[RllibPpo],
) -> None:
    found = []
    for make_env in (one_by_one, STUMPS):
        teacher, broker = stump_bench()
        student = RllibPpo(make_env, broker, seed=2, learning_rate=3e-4, gamma=0.99, **SMALL)
        made.append(student)
        for k in range(2):
            student.learn(300, seed=k)
            broker.close_round()
        found.append((student, teacher.told))
    assert [type(student._algorithm.env_runner.env.env) for student, _ in found] == [
        gym.vector.SyncVectorEnv,
        NativeLanes,
    ]
    (first, told), (second, told_too) = found
    assert sum(outcome.status == "ok" for outcome in told.values()) > 10
    assert told == told_too
    assert state_digest(first.state_dict()) == state_digest(second.state_dict())


@with_engine
def test_runners_step_native_vectors(made: list[RllibPpo]) -> None:
    teacher, broker = stump_bench()
    student = RllibPpo(STUMPS, broker, num_env_runners=1, **SMALL)
    made.append(student)
    assert student._each_runner(lambda runner: type(runner.env.env).__name__) == ["NativeLanes"]
    student.learn(600, seed=0)
    rows = broker.close_round()
    ok = [row for row in rows if row["status"] == "ok"]
    assert len(ok) > 10
    assert broker.counts["lost"] <= 4
    for row in ok:
        assert row["task"] == teacher.issued[row["trial"]].task.tolist()
        assert set(row["signals"]) == SIGNALS


@with_engine
def test_infos_of_native_lanes_are_what_the_learner_reads() -> None:
    teacher, broker = stump_bench()
    lanes = NativeLanes({"make_env": STUMPS, "source": broker, "num_envs": 3})
    _, infos = lanes.reset(seed=0)
    assert infos["_trial"].all()
    assert not infos["_task"].any()
    ended = 0
    for _ in range(120):
        *_, terminated, truncated, infos = lanes.step(np.zeros((3, 4), np.float32))
        over = terminated | truncated
        for name in ("task", "level_seed"):
            np.testing.assert_array_equal(infos[f"_{name}"], over)
        for lane in np.flatnonzero(over):
            assert infos["outcome"][lane].episode_length <= 40
            np.testing.assert_array_equal(
                infos["task"][lane], teacher.issued[infos["trial"][lane]].task
            )
            ended += 1
    assert ended > 3
    lanes.close()
