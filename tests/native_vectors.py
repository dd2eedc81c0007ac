"""Vector environments of native walkers for tests: made, moved and compared."""

import gymnasium as gym
import numpy as np

from teachenv.envs.bipedal.terrain import Terrain
from teachenv.envs.bipedal.vector import BipedalVectorEnv

WALKER, STUMPS = "teachenv/Walker-v0", "teachenv/StumpTracks-v0"
FLAT = Terrain(np.array([(0.0, 10 / 3), (100.0, 10 / 3)]))
BLOCK = Terrain(FLAT.ground, (np.array([(9.0, 3.0), (9.5, 3.0), (9.5, 9.0), (9.0, 9.0)]),))
SLIVER = Terrain(FLAT.ground, (np.array([(9.0, 5.0), (10.0, 5.0), (9.5, 5.000001)]),))
ENDS = 60
"""Time limit of tests in which some lanes fall and others run out of time."""


def make(env_id=STUMPS, n=4, **kwargs):
    env = gym.make_vec(env_id, num_envs=n, **kwargs)
    assert isinstance(env, BipedalVectorEnv)
    return env


def singles(env_id, n, mode, **kwargs):
    """Gymnasium's vector environment of native singles."""
    return gym.make_vec(
        env_id,
        num_envs=n,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        backend="native",
        **kwargs,
    )


def actions(n, steps, seed=0):
    """Random actions; the first lane throws itself backwards, which ends soon."""
    moves = np.random.default_rng(seed).uniform(-1, 1, (steps, n, 4)).astype(np.float32)
    moves[:, 0] = (-1.0, 1.0, -1.0, 1.0)
    return moves


def assert_same(one, two):
    """Compare nested results bit for bit, types included."""
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, tuple):
        for a, b in zip(one, two, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape) == (two.dtype, two.shape)
        if one.dtype == object:
            for a, b in zip(one, two, strict=True):
                assert_same(a, b)
        else:
            assert one.tobytes() == two.tobytes()
    else:
        assert one == two


def snapshot(env):
    """Everything about every lane, comparable."""
    states = [env.get_state(lane) for lane in range(env.num_envs)]
    return [{k: np.asarray(v).tobytes() for k, v in state.items()} for state in states]
