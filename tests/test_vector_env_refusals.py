"""What vector environments of native walkers refuse: said by name, and nothing is changed."""

import threading

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from native_vectors import FLAT, SLIVER, STUMPS, actions, make, snapshot

from teachenv import TaskError
from teachenv.envs.bipedal.engine import native_module
from teachenv.envs.bipedal.terrain import Terrain

NO_ENGINE = native_module()[1]
pytestmark = pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")

BAD_RESETS = [
    ({"options": {"task": [4.0, 1.0]}}, "stump_height: 4.0 is outside"),
    ({"options": {"task": [[0, 1], [1, 2], [2, -3]]}}, "lane 2: stump_spacing: -3"),
    ({"options": {"task": [{}, {"stump_hight": 1.0}, {}]}}, "lane 1: .*did you mean"),
    ({"options": {"task": np.zeros((2, 2))}}, "task: expected one for each of the 3 lanes"),
    ({"options": {"level_seed": -1}}, "level_seed: expected a whole number"),
    ({"options": {"level_seed": [1, 2, 2**53]}}, "level_seed of lane 2"),
    ({"options": {"level_seed": True}}, "level_seed: expected"),
    ({"options": {"terrain": "flat"}}, "terrain: expected a Terrain"),
    ({"options": {"terrain": [None, FLAT, Terrain(np.zeros((1, 2)))]}}, "lane 2: terrain"),
    ({"options": {"terrain": SLIVER}}, "not strictly convex"),
    ({"options": {"reset_mask": np.zeros(3, bool)}}, "reset_mask: expected at least one"),
    ({"options": {"reset_mask": np.ones(2, bool)}}, "reset_mask: expected a bool array"),
    ({"options": {"reset_mask": [1, 0, 0]}}, "reset_mask: expected a bool array"),
    ({"options": {"tasks": [0, 0]}}, "unknown options .'tasks'.; known: "),
    ({"seed": -1}, "seed: expected a whole number"),
    ({"seed": [0, 1]}, "seed: expected one for each of the 3 lanes"),
    ({"seed": [0, 1, 0.5]}, "seed of lane 2"),
]


@pytest.fixture(scope="module")
def running():
    env = make(n=3)
    env.reset(seed=0)
    for move in actions(3, 5):
        env.step(move)
    return env


@pytest.mark.parametrize(("arguments", "message"), BAD_RESETS)
def test_a_refused_reset_changes_nothing(running, arguments, message):
    before = snapshot(running)
    with pytest.raises(ValueError, match=message) as caught:
        running.reset(**arguments)
    assert isinstance(caught.value, TaskError) or "seed" in arguments
    assert snapshot(running) == before


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 4)), "shape"),
        (np.zeros((3, 4), complex), "complex"),
        (np.array([[0, 0, 0, 0], [0, np.nan, 0, 0], [np.inf, 0, 0, 0]]), "lane 1"),
        (np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, -np.inf]], np.float32), "lane 2"),
        (np.full((3, 4), "x"), "actions: expected"),
    ],
)
def test_refused_actions_move_nothing(running, bad, message):
    before = snapshot(running)
    with pytest.raises(ValueError, match=message):
        running.step(bad)
    assert snapshot(running) == before


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda env: env.set_next(0, [0.0, 7.0]), TaskError),
        (lambda env: env.set_next(0, [0.0, 1.0], level_seed=1.5), TaskError),
        (lambda env: env.set_next(3, [0.0, 1.0]), IndexError),
        (lambda env: env.truncate(-1), IndexError),
        (lambda env: env.get_state(3), IndexError),
        (lambda env: env.set_state(0, {"kind": "other"}), ValueError),
    ],
)
def test_other_refusals_change_nothing(running, call, error):
    before = snapshot(running)
    with pytest.raises(error):
        call(running)
    assert snapshot(running) == before


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_envs": 0}, "num_envs: expected a whole number of at least 1"),
        ({"num_envs": 0, "backend": "reference"}, "num_envs: expected a whole number of at least"),
        ({"num_threads": 0}, "num_threads"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
        ({"isa": "avx1024"}, "isa.*known: auto, baseline"),
        ({"body": "defualt"}, "did you mean 'default'"),
        ({"render_mode": "human"}, "render_mode.*known: rgb_array"),
        ({"backend": "nativ"}, "did you mean 'native'"),
        ({"autoreset_mode": "never"}, "AutoresetMode"),
        ({"num_thread": 2}, "unknown setting 'num_thread'.*did you mean 'num_threads'"),
        ({"num_thread": 2, "backend": "reference"}, "did you mean 'num_threads'"),
    ],
)
def test_senseless_arguments_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        gym.make_vec(STUMPS, **{"num_envs": 2, **kwargs})


def test_calls_out_of_order_say_what_to_do():
    env = make(n=2, render_mode="rgb_array")
    for call in (lambda: env.step(np.zeros((2, 4))), env.render, lambda: env.get_state(0)):
        with pytest.raises(ResetNeeded, match="reset"):
            call()
    env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(np.zeros((2, 4)))
    env.reset(seed=0)
    env.close()
    env.close()
    for call in (env.reset, env.render, lambda: env.step(np.zeros((2, 4)))):
        with pytest.raises(ClosedEnvironmentError):
            call()


def test_a_second_thread_is_refused_while_one_is_in_a_call():
    env = make(n=256)
    env.reset(seed=0)
    still = np.zeros((256, 4))
    refused = []

    def play():
        for _ in range(20):
            try:
                env.step(still)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    played = env.get_state(0)["elapsed"]
    assert refused
    assert played + len(refused) == 80
    assert all("one environment per thread" in message for message in refused)


@pytest.mark.parametrize(
    "damage",
    [
        {"engine": np.zeros(3, np.uint8)},
        {"engine": None},
        {"task": [9.0, 9.0]},
        {"next_task": [0.0]},
        {"next_task": {"stump_height": 9.0}},
        {"elapsed": -1},
        {"elapsed": 2**63},
        {"episode": 2**63},
        {"level_seed": 0.5},
        {"episode_return": float("nan")},
        {"observation": np.zeros(3)},
        {"kind": "stock, default"},
        {"seed": "x"},
        {"seed": 2**64},
        {"ended": 2},
    ],
)
@pytest.mark.parametrize("missing", [False, True])
def test_a_damaged_state_is_refused_whole(running, damage, missing):
    good = running.get_state(0)
    bad = {**good, **damage}
    if missing:
        bad = {key: value for key, value in good.items() if key not in damage}
    before = snapshot(running)
    with pytest.raises(ValueError, match="state"):
        running.set_state(2, bad)
    assert snapshot(running) == before
