"""Students of Stable-Baselines3 and SBX: making them, contract, ledger, faults, threads."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import worlds
from sb3_students import PPO, SAC, TINY, Diary, Recorder, build, leaves

import students
from students.check import check_student, pendulum
from students.signals import SIGNALS
from teachenv.broker import Broker, TooManyFailuresError
from teachenv.errors import UserError

# -- making one ----------------------------------------------------------------------------


def test_importing_students_loads_no_learning_library():
    code = (
        "import sys, students, students.check, students.signals;"
        "print({'torch', 'ray', 'stable_baselines3', 'jax', 'sbx'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


def test_every_hyper_parameter_has_a_default():
    for student_id in TINY:
        known = students.hyper_parameters(student_id)
        assert "n_envs" in known
        assert not {"make_env", "broker", "seed"} & set(known)
        assert all(isinstance(v, int | float | tuple | str | None) for v in known.values())


@pytest.mark.parametrize(
    ("student_id", "hyper", "words"),
    [
        ("sb3-poo", {}, ["sb3-poo", "id you mean 'sb3-ppo", "rllib-ppo"]),
        ("sb3-ppo", {"n_epoch": 3}, ["n_epoch", "id you mean 'n_epochs", "gae_lambda=0.95"]),
        ("sb3-ppo", {"n_envs": 0, "gamma": 1.5}, ["n_envs", "got 0", "gamma", "(0, 1]", "1.5"]),
        ("sb3-ppo", {"hidden": (64, 0.5)}, ["hidden", "list of positive whole", "0.5"]),
        ("sb3-sac", {"hidden": 64}, ["hidden", "list of positive whole", "64"]),
        ("sb3-ppo", {"ent_coef": -1, "vf_coef": "a"}, ["ent_coef", "vf_coef", "from 0 up"]),
        ("sb3-ppo", {"learning_rate": float("nan")}, ["learning_rate", "positive"]),
        ("sb3-sac", {"batch_size": True}, ["batch_size", "True"]),
        ("sbx-ppo", {"n_steps": 0, "gamma": 0}, ["sbx-ppo: ", "n_steps", "gamma"]),
        ("sbx-sac", {"tau": 2}, ["sbx-sac: ", "tau"]),
    ],
)
def test_bad_arguments_are_refused_with_what_was_expected(student_id, hyper, words):
    broker = Broker(Recorder(worlds.POLE_SPACE))
    with pytest.raises(UserError) as refused:
        students.make(student_id, worlds.pole, broker, **hyper)
    assert all(word in str(refused.value) for word in words), str(refused.value)


@pytest.mark.parametrize(("student_id", "other"), zip(SAC, PPO, strict=True))
def test_sac_refuses_discrete_actions_and_names_the_alternative(student_id, other):
    with pytest.raises(UserError, match=rf"Box actions.*{other}"):
        build(student_id, worlds.pole)


def test_observations_that_are_no_box_are_refused():
    def make_env():
        space = gym.spaces.Dict({"x": worlds.pole().observation_space})
        return gym.wrappers.TransformObservation(worlds.pole(), lambda x: {"x": x}, space)

    with pytest.raises(UserError, match="Box observations"):
        build("sb3-ppo", make_env)


@pytest.mark.parametrize(
    ("student_id", "library"), [("sb3-sac", "stable_baselines3"), ("sbx-ppo", "sbx")]
)
def test_a_missing_library_says_what_to_install(monkeypatch, student_id, library):
    module = students.STUDENTS[student_id].partition(":")[0]
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    extra = student_id.partition("-")[0]
    with pytest.raises(UserError, match=rf"pip install \"teachenv\[{extra}\]\""):
        students.hyper_parameters(student_id)


# -- the contract and the ledger -----------------------------------------------------------


@pytest.mark.parametrize("student_id", TINY)
def test_students_keep_the_contract(student_id):
    def make(make_env, broker, seed):
        return students.make(student_id, make_env, broker, seed=seed, **TINY[student_id][1])

    assert check_student(make) == []


@pytest.mark.parametrize("student_id", TINY)
def test_every_episode_is_told_once_to_the_teacher_that_issued_its_task(student_id):
    episodes = []
    make_env = TINY[student_id][0]
    student, broker = build(student_id, lambda: Diary(make_env(), episodes))
    rows = []
    for k in range(3):
        student.learn(200, seed=k)
        assert broker.outstanding == ()
        rows += broker.close_round()
    played = [row for row in rows if row["status"] == "ok"]
    assert len(played) == len(episodes) > 10
    levels = {tuple(e["task"]): e for e in episodes}
    for row in played:
        episode = levels[tuple(row["task"])]
        assert row["episode_return"] == pytest.approx(sum(episode["rewards"]))
        assert row["episode_length"] == len(episode["rewards"])
    trials = [row["trial"] for row in rows]
    assert sorted(trials) == list(range(broker.teacher.asked))
    assert [t.id for t, _ in broker.teacher.told] == trials
    assert broker.counts["lost"] == 3 * 2  # one running trial for each lane and round


def test_the_broker_advances_while_the_student_learns():
    student, broker = build("sb3-ppo")
    steps = []
    broker.listener = lambda b: steps.append(b.step)
    assert student.learn(100, seed=0) == 128
    assert student.learn(1, seed=1) == 64
    assert steps == list(range(2, 193, 2))


# -- faults --------------------------------------------------------------------------------


class Faulty(gym.Wrapper):
    """Goes wrong at the fifth step of every third episode."""

    def __init__(self, env, fault):
        super().__init__(env)
        self.fault, self.episode, self.t = fault, 0, 0

    def reset(self, **kwargs):
        self.episode, self.t = self.episode + 1, 0
        return self.env.reset(**kwargs)

    def step(self, action):
        self.t += 1
        observation, reward, *rest = self.env.step(action)
        if self.t == 5 and self.episode % 3 == 0:
            if self.fault == "raise":
                raise RuntimeError("the physics exploded")
            return observation * np.nan, reward, *rest
        return observation, reward, *rest


@pytest.mark.parametrize("student_id", TINY)
def test_episodes_with_bad_numbers_are_failed_and_learning_goes_on(student_id):
    make_env = TINY[student_id][0]
    needs = SIGNALS if student_id in PPO else frozenset()
    teacher = Recorder(make_env().task_space, needs)
    student, broker = build(student_id, lambda: Faulty(make_env(), "nan"), teacher=teacher)
    student.learn(600, seed=0)
    assert broker.counts["failed"] > 3
    assert broker.counts["ok"] > 3
    for array in leaves(student.state_dict()["policy"]):
        assert np.isfinite(array).all()
    assert all(
        set(o.signals) >= needs and all(map(np.isfinite, o.signals.values()))
        for _, o in teacher.told
        if o.status == "ok"
    )


def test_an_exception_in_the_environment_is_raised_and_leaves_a_closed_ledger():
    student, broker = build("sb3-ppo", lambda: Faulty(worlds.pole(), "raise"))
    with pytest.raises(RuntimeError, match="physics exploded"):
        student.learn(600, seed=0)
    assert broker.outstanding == ()
    assert broker.counts["failed"] == 1
    assert broker.counts["asked"] == sum(broker.counts[s] for s in ("ok", "failed", "lost"))


def test_an_environment_that_always_fails_stops_the_run():
    class Broken(gym.Wrapper):
        def step(self, action):
            observation, *rest = self.env.step(action)
            return observation * np.inf, *rest

    student, broker = build("sb3-ppo", lambda: Broken(worlds.pole()))
    with pytest.raises(TooManyFailuresError, match="not finite"):
        student.learn(600, seed=0)
    assert broker.outstanding == ()


# -- act -----------------------------------------------------------------------------------


@pytest.mark.parametrize("student_id", TINY)
def test_act_refuses_what_is_not_a_batch(student_id):
    student, _ = build(student_id)
    with pytest.raises(ValueError, match="expected observations"):
        student.act(np.zeros(3 if student_id in SAC else 4, dtype=np.float32))


@pytest.mark.parametrize("student_id", PPO)
def test_act_normalises_with_the_learned_statistics(student_id):
    student, _ = build(student_id, pendulum, teacher=Recorder(pendulum().task_space))
    student.learn(300, seed=0)
    statistics = student.state_dict()["normalization"]["observations"]
    observations = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    scaled = (observations - statistics["mean"]) / np.sqrt(statistics["var"] + 1e-8)
    raw = student._model.policy.predict(scaled.astype(np.float32), deterministic=True)[0]
    np.testing.assert_allclose(student.act(observations), raw, rtol=1e-5)
    assert not np.array_equal(statistics["mean"], np.zeros(3))


# -- threads -------------------------------------------------------------------------------

START = """
import os, sys, warnings
import students, worlds
from teachenv.broker import Broker
from sb3_students import Recorder, TINY_PPO
warnings.simplefilter("error", UserWarning)
{before}
os.environ.pop("NPROC", None)
broker = Broker(Recorder(worlds.POLE_SPACE))
student = students.make("sbx-ppo", worlds.pole, broker, **TINY_PPO, threads=3)
student.learn(64, seed=0)
assert "NPROC" not in os.environ
names = [open(f"/proc/self/task/{{t}}/comm").read().strip() for t in os.listdir("/proc/self/task")]
print(names.count("tf_XLAEigen"))
"""


def start(before):
    return subprocess.run(
        [sys.executable, "-c", START.format(before=before)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[1]}:{Path(__file__).parent}"},
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs names of threads")
def test_jax_is_started_with_the_threads_of_the_student():
    result = start("")
    assert result.stdout.split()[-1:] == ["3"], result.stderr


def test_a_jax_that_runs_already_is_left_alone_with_a_warning():
    result = start("import jax; jax.numpy.zeros(3)")
    assert "JAX was started in this process by others" in result.stderr
