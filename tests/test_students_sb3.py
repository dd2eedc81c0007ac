"""Students of Stable-Baselines3 and SBX: contract, ledger, signals, exact resume, learning."""

import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
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
PPO, SAC = ("sb3-ppo", "sbx-ppo"), ("sb3-sac", "sbx-sac")
TINY = {**dict.fromkeys(PPO, (worlds.pole, TINY_PPO)), **dict.fromkeys(SAC, (pendulum, TINY_SAC))}

# Most of the time of tiny JAX students goes into compiling the same few functions.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", tempfile.mkdtemp(prefix="teachenv-tests-"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


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


def leaves(value):
    """Yield what a state holds, whatever the nesting."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


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


# -- signals -------------------------------------------------------------------------------

FROZEN = {"learning_rate": 1e-12, "norm_obs": False, "gamma": 0.98, "gae_lambda": 0.9}


def values_of(student, observations):
    policy, batch = student._model.policy, np.array(observations, dtype=np.float32)
    if student.name == "sbx-ppo":
        values = np.asarray(policy.vf.apply(policy.vf_state.params, batch))
    else:
        with torch.no_grad():
            values = policy.predict_values(torch.as_tensor(batch)).numpy()
    return values.ravel().astype(float)


@pytest.mark.parametrize("student_id", PPO)
def test_ppo_signals_equal_those_worked_out_from_the_episodes(student_id):
    episodes = []
    teacher = Recorder(worlds.POLE_SPACE, needs=SIGNALS)
    make_env = lambda: Diary(worlds.pole(), episodes)  # noqa: E731
    # The value function stands still, so the diary's observations give its values afterwards.
    student, _ = build(
        student_id, make_env, teacher=teacher, norm_reward=False, n_steps=400, **FROZEN
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
            "value_l1": np.abs(gae).mean(),
            "max_monte_carlo": (gamma ** np.arange(n) * rewards).sum() - values.mean(),
            "value_mean": values.mean(),
            "value_start": values[0],
        }
        found = told[tuple(episode["task"])].signals
        assert dict(found) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("student_id", PPO)
def test_episodes_longer_than_a_rollout_keep_all_their_values(student_id):
    episodes = []
    teacher = Recorder(worlds.POLE_SPACE, needs=SIGNALS)
    make_env = lambda: Diary(worlds.pole(), episodes)  # noqa: E731
    student, _ = build(
        student_id, make_env, teacher=teacher, norm_reward=False, n_steps=8, batch_size=16, **FROZEN
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


@pytest.mark.parametrize("student_id", PPO)
def test_signals_are_in_raw_reward_units_although_rewards_are_normalised(student_id):
    means = []
    for factor in (1.0, 10.0):
        teacher = Recorder(worlds.POLE_SPACE, needs=SIGNALS)

        def make_env(factor=factor):
            return gym.wrappers.TransformReward(worlds.pole(), lambda r: factor * r)

        student, _ = build(student_id, make_env, teacher=teacher, n_steps=400, **FROZEN)
        student.learn(800, seed=0)
        losses = [o.signals["positive_value_loss"] for _, o in teacher.told if o.status == "ok"]
        means.append(np.mean(losses))
    assert means[1] == pytest.approx(10 * means[0], rel=0.1)


@pytest.mark.parametrize("student_id", PPO)
def test_max_monte_carlo_knows_levels_played_in_earlier_rounds(student_id):
    class OneLevel(Recorder):
        def ask(self):
            self.asked += 1
            return Trial(self.asked - 1, self.space.default, level_seed=3)

    teacher = OneLevel(worlds.POLE_SPACE, needs=SIGNALS)
    student, broker = build(student_id, teacher=teacher, norm_reward=False, **FROZEN)
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


class Bribed(gym.Wrapper):
    """Adds to every reward of one level."""

    def __init__(self, env, bribe, level_seed):
        super().__init__(env)
        self.bribe, self.level_seed = bribe, level_seed

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        self.now = self.bribe * (info["level_seed"] == self.level_seed)
        return observation, info

    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        return observation, float(reward) + self.now, *rest


class Alternating(Recorder):
    """Every other trial is not for training; its level seed is 1, that of the others 0."""

    def ask(self):
        train = self.asked % 2 == 0
        self.asked += 1
        return Trial(self.asked - 1, self.space.default, level_seed=int(not train), train=train)


@pytest.mark.parametrize("scored", [True, False], ids=["scored", "trained"])
@pytest.mark.parametrize("student_id", TINY)
def test_rewards_of_trials_not_to_train_change_no_parameter_but_their_steps_count(
    student_id, scored
):
    make_env, found = TINY[student_id][0], []
    raw = {"norm_reward": False} if student_id in PPO else {}
    for bribe in (0.0, 50.0):
        student, broker = build(
            student_id,
            lambda bribe=bribe: Bribed(make_env(), bribe, int(scored)),
            teacher=Alternating(make_env().task_space),
            **raw,
        )
        taken = student.learn(700, seed=0)
        rows = [row for row in broker.close_round() if row["status"] == "ok"]
        assert {row["train"] for row in rows} == {True, False}
        assert broker.step == taken >= sum(row["episode_length"] for row in rows)
        found.append(parameters(student))
    assert (found[0] == found[1]) is scored


def test_minibatches_hold_exactly_the_steps_to_train_on():
    student, _ = build("sb3-ppo")
    student.learn(64, seed=0)
    buffer = student._model.rollout_buffer
    buffer.reset()
    buffer.observations[...] = np.arange(64).reshape(32, 2, 1)
    buffer.full, buffer.trained = True, np.arange(64).reshape(32, 2) % 3 == 0
    seen = np.concatenate([b.observations[:, 0].numpy() for b in buffer.get(5)])
    assert sorted(seen.tolist()) == list(range(0, 64, 3))


def test_minibatches_for_jax_are_of_one_size_filled_up_with_steps_of_the_same_epoch():
    student, _ = build("sbx-ppo")
    student.learn(64, seed=0)
    buffer = student._model.rollout_buffer
    for kept in (22, 3):
        buffer.reset()
        buffer.observations[...] = np.arange(64).reshape(32, 2, 1)
        buffer.full, buffer.trained = True, np.arange(64).reshape(32, 2) < kept
        batches = [b.observations[:, 0].numpy() for b in buffer.get(5)]
        assert {len(batch) for batch in batches} == {5}
        assert len(batches) == -(-kept // 5)
        times = np.bincount(np.concatenate(batches).astype(int))
        assert len(times) == kept
        assert times.max() - times.min() <= 1


def test_jax_compiles_one_update_however_many_steps_are_left_out():
    student, _ = build("sbx-ppo", teacher=Recorder(worlds.POLE_SPACE, train=lambda id: id % 3 > 0))
    student.learn(64, seed=0)
    compiled = student._model._one_update._cache_size()
    student.learn(600, seed=1)
    state = student.state_dict()
    student.load_state_dict(state)
    student.learn(200, seed=2)
    assert student._model._one_update._cache_size() == compiled


@pytest.mark.parametrize("student_id", SAC)
def test_sac_stores_only_the_transitions_to_train_on(student_id):
    space = pendulum().task_space
    student, _ = build(student_id, teacher=Recorder(space, train=lambda id: id % 2 == 0))
    steps = student.learn(300, seed=0)
    assert 0.25 * steps < len(student.state_dict()["replay"]["rewards"]) < 0.75 * steps


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
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compiles anew, as another machine would
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
OF_PPO = [
    *COMMON,
    ("student", "normalization", "observations"),
    ("student", "normalization", "returns"),
    ("student", "signals"),
]
OF_SAC = [
    *COMMON,
    ("student", "optimizers", "actor"),
    ("student", "optimizers", "critic"),
    ("student", "replay"),
]
ITEMS = {
    "sb3-ppo": [*OF_PPO, ("student", "optimizers", "policy")],
    "sb3-sac": [
        *OF_SAC,
        ("student", "optimizers", "log_ent_coef"),
        ("student", "log_ent_coef"),
    ],
    "sbx-ppo": [
        *OF_PPO,
        ("student", "policy", "actor"),
        ("student", "policy", "critic"),
        ("student", "optimizers", "actor"),
        ("student", "optimizers", "critic"),
    ],
    "sbx-sac": [
        *OF_SAC,
        ("student", "policy", "ent_coef"),
        ("student", "optimizers", "ent_coef"),
    ],
}


@pytest.mark.parametrize(
    ("student_id", "dropped"),
    [(student_id, path) for student_id, paths in ITEMS.items() for path in paths],
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
    if dropped not in harmless and not (student_id in PPO and dropped[-1] == "counters"):
        assert found[0] != expected[0], "the parameters do not depend on it"


def test_state_is_plain_data_of_no_library():
    for student_id in TINY:
        student, _ = build(student_id)
        student.learn(150, seed=0)
        kinds = {type(leaf) for leaf in leaves(student.state_dict())}
        assert kinds <= {np.ndarray, int, float, bool, str, type(None)}


@pytest.mark.parametrize("student_id", SAC)
def test_only_the_filled_part_of_the_replay_buffer_is_saved(student_id):
    student, _ = build(student_id)
    steps = student.learn(100, seed=0)
    assert len(student.state_dict()["replay"]["rewards"]) == steps
    student.learn(500, seed=1)
    assert len(student.state_dict()["replay"]["rewards"]) == TINY_SAC["buffer_size"]


@pytest.mark.parametrize("student_id", PPO)
@pytest.mark.parametrize("hidden", [(8,), (16, 16)])
def test_a_state_of_another_network_is_refused(student_id, hidden):
    student, _ = build(student_id, hidden=(16,))
    other, _ = build(student_id, hidden=hidden)
    with pytest.raises(RuntimeError):
        student.load_state_dict(other.state_dict())
    with pytest.raises(RuntimeError):
        other.load_state_dict(student.state_dict())


# -- threads -------------------------------------------------------------------------------

START = """
import os, sys, warnings
import students, worlds
from teachenv.broker import Broker
from test_students_sb3 import Recorder, TINY_PPO
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


@pytest.mark.parametrize("student_id", PPO)
def test_ppo_learns_to_balance_poles_of_many_lengths(student_id):
    student, broker = build(
        student_id,
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
@pytest.mark.parametrize("student_id", SAC)
def test_sac_learns_to_swing_pendulums_of_many_gravities(student_id):
    def make_env():
        def apply(env, task):
            env.g = task["gravity"]

        space = TaskSpace([Dim("gravity", 5.0, 10.0, default=10.0)])
        return Parameterize("Pendulum-v1", space, apply, return_range=(-1600, 0), mastery=-250)

    student, broker = build(
        student_id,
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
