"""Small students of Stable-Baselines3 and SBX, and what their tests share."""

import os
import tempfile

import gymnasium as gym
import numpy as np
import worlds

import students
from students.check import pendulum, state_digest
from teachenv.broker import Broker
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
