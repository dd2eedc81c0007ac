"""Students of Stable-Baselines3 and SBX: signals, trials to play without learning, learning."""

import gymnasium as gym
import numpy as np
import pytest
import torch
import worlds
from sb3_students import PPO, SAC, TINY, Diary, Recorder, build, parameters

from students.check import pendulum
from students.signals import SIGNALS
from teachenv import Dim, Parameterize, TaskSpace
from teachenv.protocols import Trial

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


@pytest.mark.parametrize("student_id", ["sb3-ppo", pytest.param("sbx-ppo", marks=pytest.mark.slow)])
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
