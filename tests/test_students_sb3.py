"""Stable-Baselines3 students: the contract, the ledger, signals, exact resume, learning."""

import hashlib
import multiprocessing
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
import worlds

import students
import teachers
from students.check import check_student, pendulum, state_digest
from students.signals import SIGNALS
from teachenv import Dim, Parameterize, TaskSpace
from teachenv.broker import Broker, TooManyFailuresError
from teachenv.errors import UserError
from teachenv.experiments.checkpoint import load_checkpoint, save_checkpoint
from teachenv.protocols import Trial

TINY_PPO = {"n_envs": 2, "n_steps": 32, "batch_size": 32, "n_epochs": 2, "hidden": (16,)}
TINY_SAC = {
    "n_envs": 2,
    "train_every": 16,
    "gradient_steps": 4,
    "learning_starts": 250,
    "batch_size": 16,
    "buffer_size": 400,
    "hidden": (16,),
}
TINY = {"sb3-ppo": (worlds.pole, TINY_PPO), "sb3-sac": (pendulum, TINY_SAC)}


class Recorder:
    """A teacher of evenly drawn tasks that keeps what it is told."""

    def __init__(self, space, needs=frozenset(), train=lambda id: True):
        self.space, self.needs, self.train = space, needs, train
        self.rng = np.random.default_rng(0)
        self.asked, self.told = 0, []

    def ask(self):
        self.asked += 1
        id = self.asked - 1
        return Trial(id, self.space.sample(self.rng), "even", train=self.train(id))

    def tell(self, trial, outcome):
        self.told.append((trial, outcome))


def build(student_id, make_env=None, *, teacher=None, seed=0, **hyper):
    default_env, tiny = TINY[student_id]
    make_env = make_env or default_env
    broker = Broker(teacher or Recorder(default_env().task_space), seed=seed)
    return students.make(student_id, make_env, broker, seed=seed, **{**tiny, **hyper}), broker


def parameters(student):
    """SHA-256 over all parameters."""
    return state_digest(student.state_dict()["policy"])


# -- making one ----------------------------------------------------------------------------


def test_importing_students_loads_no_learning_library():
    code = (
        "import sys, students, students.check, students.signals;"
        "print({'torch', 'ray', 'stable_baselines3', 'matplotlib'} & set(sys.modules))"
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
        assert all(isinstance(v, int | float | tuple | str) for v in known.values())


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
    ],
)
def test_bad_arguments_are_refused_with_what_was_expected(student_id, hyper, words):
    broker = Broker(Recorder(worlds.POLE_SPACE))
    with pytest.raises(UserError) as refused:
        students.make(student_id, worlds.pole, broker, **hyper)
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_sac_refuses_discrete_actions_and_names_the_alternative():
    with pytest.raises(UserError, match=r"Box actions.*sb3-ppo"):
        build("sb3-sac", worlds.pole)


def test_observations_that_are_no_box_are_refused():
    def make_env():
        space = gym.spaces.Dict({"x": worlds.pole().observation_space})
        return gym.wrappers.TransformObservation(worlds.pole(), lambda x: {"x": x}, space)

    with pytest.raises(UserError, match="Box observations"):
        build("sb3-ppo", make_env)


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.delitem(sys.modules, "students.sb3_sac", raising=False)
    with pytest.raises(UserError, match=r"pip install \"teachenv\[sb3\]\""):
        students.hyper_parameters("sb3-sac")


# -- the contract and the ledger -----------------------------------------------------------


@pytest.mark.parametrize("student_id", TINY)
def test_students_keep_the_contract(student_id):
    def make(make_env, broker, seed):
        return students.make(student_id, make_env, broker, seed=seed, **TINY[student_id][1])

    assert check_student(make) == []


class Diary(gym.Wrapper):
    """Writes down every episode that ended, from the environment's side."""

    def __init__(self, env, episodes):
        super().__init__(env)
        self.episodes = episodes

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        self.now = {"task": info["task"].tolist(), "level_seed": info["level_seed"]}
        self.now.update(observations=[observation], rewards=[])
        return observation, info

    def step(self, action):
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.now["rewards"].append(float(reward))
        if terminated or truncated:
            self.episodes.append({**self.now, "terminated": terminated})
        else:
            self.now["observations"].append(observation)
        return observation, reward, terminated, truncated, info


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
    needs = SIGNALS if student_id == "sb3-ppo" else frozenset()
    teacher = Recorder(make_env().task_space, needs)
    student, broker = build(student_id, lambda: Faulty(make_env(), "nan"), teacher=teacher)
    student.learn(600, seed=0)
    assert broker.counts["failed"] > 3
    assert broker.counts["ok"] > 3
    for array in student.state_dict()["policy"].values():
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


# -- signals -------------------------------------------------------------------------------

FROZEN = {"learning_rate": 1e-12, "norm_obs": False, "gamma": 0.98, "gae_lambda": 0.9}


def values_of(student, observations):
    with torch.no_grad():
        tensor = torch.as_tensor(np.array(observations, dtype=np.float32))
        return student._model.policy.predict_values(tensor).numpy().ravel().astype(float)


def test_ppo_signals_equal_those_worked_out_from_the_episodes():
    episodes = []
    teacher = Recorder(worlds.POLE_SPACE, needs=SIGNALS)
    make_env = lambda: Diary(worlds.pole(), episodes)  # noqa: E731
    # The value function stands still, so the diary's observations give its values afterwards.
    student, _ = build(
        "sb3-ppo", make_env, teacher=teacher, norm_reward=False, n_steps=400, **FROZEN
    )
    student.learn(800, seed=0)
    told = {tuple(t.task): o for t, o in teacher.told if o.status == "ok"}
    assert len(told) == len(episodes) > 15
    for episode in episodes:
        values = values_of(student, episode["observations"])
        rewards = np.array(episode["rewards"])
        n, gamma, decay = len(rewards), 0.98, 0.98 * 0.9
        assert episode["terminated"]
        deltas = rewards + gamma * np.append(values[1:], 0.0) - values
        gae = [sum(decay ** (k - t) * deltas[k] for k in range(t, n)) for t in range(n)]
        expected = {
            "positive_value_loss": np.maximum(gae, 0).mean(),
            "max_monte_carlo": (gamma ** np.arange(n) * rewards).sum() - values.mean(),
            "value_mean": values.mean(),
            "value_start": values[0],
        }
        found = told[tuple(episode["task"])].signals
        assert dict(found) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_episodes_longer_than_a_rollout_keep_all_their_values():
    episodes = []
    teacher = Recorder(worlds.POLE_SPACE, needs=SIGNALS)
    make_env = lambda: Diary(worlds.pole(), episodes)  # noqa: E731
    student, _ = build(
        "sb3-ppo", make_env, teacher=teacher, norm_reward=False, n_steps=8, batch_size=16, **FROZEN
    )
    student.learn(800, seed=0)
    told = {tuple(t.task): o.signals for t, o in teacher.told if o.status == "ok"}
    assert len(told) == len(episodes) > 15
    assert np.mean([len(e["rewards"]) for e in episodes]) > 16
    for episode in episodes:
        values = values_of(student, episode["observations"])
        found = told[tuple(episode["task"])]
        assert found["value_mean"] == pytest.approx(values.mean(), rel=1e-4, abs=1e-5)
        assert found["value_start"] == pytest.approx(values[0], rel=1e-4, abs=1e-5)


def test_signals_are_in_raw_reward_units_although_rewards_are_normalised():
    means = []
    for factor in (1.0, 10.0):
        teacher = Recorder(worlds.POLE_SPACE, needs=SIGNALS)

        def make_env(factor=factor):
            return gym.wrappers.TransformReward(worlds.pole(), lambda r: factor * r)

        student, _ = build("sb3-ppo", make_env, teacher=teacher, n_steps=400, **FROZEN)
        student.learn(800, seed=0)
        losses = [o.signals["positive_value_loss"] for _, o in teacher.told if o.status == "ok"]
        means.append(np.mean(losses))
    assert means[1] == pytest.approx(10 * means[0], rel=0.1)


def test_max_monte_carlo_knows_levels_played_in_earlier_rounds():
    class OneLevel(Recorder):
        def ask(self):
            self.asked += 1
            return Trial(self.asked - 1, self.space.default, level_seed=3)

    teacher = OneLevel(worlds.POLE_SPACE, needs=SIGNALS)
    student, broker = build("sb3-ppo", teacher=teacher, norm_reward=False, **FROZEN)
    best = -np.inf
    for k in range(3):
        student.learn(300, seed=k)
        broker.close_round()
    for _, outcome in teacher.told:
        if outcome.status == "ok":
            n = outcome.episode_length
            best = max(best, (1 - 0.98**n) / 0.02)
            found = outcome.signals["max_monte_carlo"] + outcome.signals["value_mean"]
            assert found == pytest.approx(best, rel=1e-5)
    assert len(student.state_dict()["signals"]["best"]) == 1


# -- trials played without learning --------------------------------------------------------


@pytest.mark.parametrize("student_id", TINY)
def test_trials_marked_not_to_train_leave_the_parameters_alone(student_id):
    space = TINY[student_id][0]().task_space
    student, broker = build(student_id, teacher=Recorder(space, train=lambda id: False))
    before = parameters(student)
    student.learn(300, seed=0)
    assert broker.counts["ok"] > 3
    assert parameters(student) == before


def test_minibatches_hold_exactly_the_steps_to_train_on():
    student, _ = build("sb3-ppo")
    student.learn(64, seed=0)
    buffer = student._model.rollout_buffer
    buffer.reset()
    buffer.observations[...] = np.arange(64).reshape(32, 2, 1)
    buffer.full, buffer.trained = True, np.arange(64).reshape(32, 2) % 3 == 0
    seen = np.concatenate([b.observations[:, 0].numpy() for b in buffer.get(5)])
    assert sorted(seen.tolist()) == list(range(0, 64, 3))


def test_sac_stores_only_the_transitions_to_train_on():
    space = pendulum().task_space
    student, _ = build("sb3-sac", teacher=Recorder(space, train=lambda id: id % 2 == 0))
    steps = student.learn(300, seed=0)
    assert 0.25 * steps < len(student.state_dict()["replay"]["rewards"]) < 0.75 * steps


# -- act -----------------------------------------------------------------------------------


@pytest.mark.parametrize("student_id", TINY)
def test_act_refuses_what_is_not_a_batch(student_id):
    student, _ = build(student_id)
    with pytest.raises(ValueError, match="expected observations"):
        student.act(np.zeros(3 if student_id == "sb3-sac" else 4, dtype=np.float32))


def test_act_normalises_with_the_learned_statistics():
    student, _ = build("sb3-ppo", pendulum, teacher=Recorder(pendulum().task_space))
    student.learn(300, seed=0)
    statistics = student.state_dict()["normalization"]["observations"]
    observations = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    scaled = (observations - statistics["mean"]) / np.sqrt(statistics["var"] + 1e-8)
    raw = student._model.policy.predict(scaled.astype(np.float32), deterministic=True)[0]
    np.testing.assert_allclose(student.act(observations), raw, rtol=1e-5)
    assert not np.array_equal(statistics["mean"], np.zeros(3))


# -- exact resume --------------------------------------------------------------------------


class Session:
    """Teacher, broker and student of one run, with a state as the loop carries it."""

    def __init__(self, student_id):
        make_env, hyper = TINY[student_id]
        self.teacher = teachers.make("uniform", make_env().task_space, seed=3)
        self.broker = Broker(self.teacher, seed=3)
        self.student = students.make(student_id, make_env, self.broker, seed=3, **hyper)

    def round(self, k):
        self.student.learn(200, seed=k)
        self.broker.close_round()

    def parts(self):
        return {"student": self.student, "teacher": self.teacher, "broker": self.broker}

    def state(self):
        return {name: part.state_dict() for name, part in self.parts().items()}

    def load(self, state):
        for name, part in self.parts().items():
            part.load_state_dict(state[name])

    def fingerprint(self):
        space = self.student._lanes.observation_space
        rng = np.random.default_rng(0)
        observations = rng.normal(size=(50, *space.shape)).astype(np.float32)
        actions = hashlib.sha256(self.student.act(observations).tobytes()).hexdigest()
        return parameters(self.student), actions, state_digest(self.state())


def third_round(student_id, folder):
    """Load a checkpoint into new objects, play the third round, return the fingerprint."""
    session = Session(student_id)
    session.load(load_checkpoint(Path(folder)))
    session.round(2)
    return session.fingerprint()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Per student: folder of the checkpoint after two rounds, fingerprint after three."""
    found = {}
    for student_id in TINY:
        session = Session(student_id)
        session.round(0)
        session.round(1)
        folder = save_checkpoint(tmp_path_factory.mktemp(student_id), 2, session.state())
        session.round(2)
        found[student_id] = folder, session.fingerprint()
    return found


def test_a_resumed_student_is_bit_identical_in_another_process(runs):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for student_id, (folder, expected) in runs.items():
            assert pool.apply(third_round, (student_id, str(folder))) == expected


COMMON = [("student", "policy"), ("student", "counters"), ("teacher",), ("broker",)]


@pytest.mark.parametrize(
    ("student_id", "dropped"),
    [("sb3-ppo", path) for path in COMMON]
    + [("sb3-sac", path) for path in COMMON]
    + [
        ("sb3-ppo", ("student", "optimizers", "policy")),
        ("sb3-ppo", ("student", "normalization", "observations")),
        ("sb3-ppo", ("student", "normalization", "returns")),
        ("sb3-ppo", ("student", "signals")),
        ("sb3-sac", ("student", "optimizers", "actor")),
        ("sb3-sac", ("student", "optimizers", "critic")),
        ("sb3-sac", ("student", "optimizers", "log_ent_coef")),
        ("sb3-sac", ("student", "log_ent_coef")),
        ("sb3-sac", ("student", "replay")),
    ],
    ids=lambda value: value if isinstance(value, str) else ".".join(value),
)
def test_resume_differs_when_any_one_item_is_dropped(runs, student_id, dropped):
    folder, expected = runs[student_id]
    state, session = load_checkpoint(folder), Session(student_id)
    kept, fresh = state, session.state()
    for name in dropped[:-1]:
        kept, fresh = kept[name], fresh[name]
    kept[dropped[-1]] = fresh[dropped[-1]]
    session.load(state)
    session.round(2)
    found = session.fingerprint()
    assert found[2] != expected[2]
    harmless = {("student", "signals"), ("broker",)}
    if dropped not in harmless and (student_id, dropped[-1]) != ("sb3-ppo", "counters"):
        assert found[0] != expected[0], "the parameters do not depend on it"


def test_state_is_plain_data_without_torch():
    def leaves(value):
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value)
            for item in value.values():
                yield from leaves(item)
        elif isinstance(value, list):
            for item in value:
                yield from leaves(item)
        else:
            yield value

    for student_id in TINY:
        student, _ = build(student_id)
        student.learn(150, seed=0)
        kinds = {type(leaf) for leaf in leaves(student.state_dict())}
        assert kinds <= {np.ndarray, int, float, bool, str, type(None)}


def test_only_the_filled_part_of_the_replay_buffer_is_saved():
    student, _ = build("sb3-sac")
    steps = student.learn(100, seed=0)
    assert len(student.state_dict()["replay"]["rewards"]) == steps
    student.learn(500, seed=1)
    assert len(student.state_dict()["replay"]["rewards"]) == TINY_SAC["buffer_size"]


def test_a_state_of_another_network_is_refused():
    student, _ = build("sb3-ppo", hidden=(16, 16))
    other, _ = build("sb3-ppo", hidden=(16,))
    with pytest.raises(RuntimeError):
        student.load_state_dict(other.state_dict())


# -- learning ------------------------------------------------------------------------------


def mean_return(student, make_env, n_episodes=10):
    env, returns = make_env(), []
    for k in range(n_episodes):
        observation, _ = env.reset(options={"level_seed": k})
        done, total = False, 0.0
        while not done:
            action = student.act(np.asarray(observation)[None])[0]
            observation, reward, terminated, truncated, _ = env.step(action)
            total += float(reward)
            done = terminated or truncated
        returns.append(total)
    return float(np.mean(returns))


def test_ppo_learns_to_balance_poles_of_many_lengths():
    student, broker = build(
        "sb3-ppo",
        n_envs=8,
        n_steps=128,
        batch_size=256,
        n_epochs=10,
        gamma=0.98,
        learning_rate=1e-3,
        hidden=(64, 64),
    )
    before = mean_return(student, worlds.pole)
    for k in range(4):
        student.learn(5_000, seed=k)
        broker.close_round()
    after = mean_return(student, worlds.pole)
    assert before < 100
    assert after > 350


@pytest.mark.slow
def test_sac_learns_to_swing_pendulums_of_many_gravities():
    def make_env():
        def apply(env, task):
            env.g = task["gravity"]

        space = TaskSpace([Dim("gravity", 5.0, 10.0, default=10.0)])
        return Parameterize("Pendulum-v1", space, apply, return_range=(-1600, 0), mastery=-250)

    student, broker = build(
        "sb3-sac",
        make_env,
        teacher=Recorder(make_env().task_space),
        learning_starts=500,
        buffer_size=20_000,
        train_every=8,
        gradient_steps=8,
        batch_size=128,
        learning_rate=1e-3,
        gamma=0.98,
        hidden=(64, 64),
    )
    before = mean_return(student, make_env)
    for k in range(3):
        student.learn(2_000, seed=k)
        broker.close_round()
    assert before < -800
    assert mean_return(student, make_env) > -300
