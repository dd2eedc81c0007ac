"""Every body has its published sizes, and behaves as published."""

import gymnasium as gym
import numpy as np
import pytest
from bodies import EVERY_BODY, columns
from gymnasium.utils.env_checker import check_env

from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.bipedal import engine
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.simulation import Simulation
from teachenv.envs.bipedal.terrain import GROUND_Y, Terrain
from teachenv.errors import UserError

STUMPS = "teachenv/StumpTracks-v0"
FLAT = Terrain(np.array([(0.0, GROUND_Y), (100.0, GROUND_Y)]), ())

# Observations, actions, mass in kg, torque in N m, reward lost per step and unit of action.
PUBLISHED = {
    "short": (24, 4, 5.97, 80, 0.028),
    "default": (24, 4, 6.51, 80, 0.028),
    "quadruped": (34, 8, 16.44, 300, 0.013125),
    "quadruped-dead-flags": (34, 8, 16.44, 300, 0.013125),
    "classic-biped": (24, 4, 6.51, 80, 3.5e-4 * 80),
    "small-biped": (24, 4, 5.97, 80, 3.5e-4 * 80),
    "big-quadruped": (34, 8, 16.44, 300, 1.75e-4 * 80),
    "spider": (42, 12, 3.72, 100, 1.75e-4 * 80),
    "millipede": (54, 16, 9.53, 200, 8.75e-5 * 80),
    "wheel": (34, 8, 2.54, 500, 1.75e-4 * 80),
    "chimpanzee": (50, 14, 8.12, 100, 7e-5 * 80),
}
NO_ENGINE = engine.native_module()[1]
BACKENDS = pytest.mark.parametrize(
    "backend",
    [
        pytest.param("native", marks=pytest.mark.skipif(bool(NO_ENGINE), reason=NO_ENGINE)),
        "reference",
    ],
)


def test_the_table_is_complete():
    assert BODIES.keys() == PUBLISHED.keys()


@EVERY_BODY
@BACKENDS
def test_sizes_are_the_published_ones(name, backend):
    n_seen, n_actions, mass, torque, penalty = PUBLISHED[name]
    env = gym.make(STUMPS, body=name, backend=backend)
    observation, _ = env.reset(seed=0)
    assert observation.shape == env.observation_space.shape == (n_seen,)
    assert env.action_space.shape == (n_actions,)
    body = BODIES[name]
    assert body.torque == torque
    assert body.torque_penalty == pytest.approx(penalty)
    simulation = Simulation(body, FLAT, 0.0)
    assert sum(part.mass for part in simulation.parts) == pytest.approx(mass, rel=0.01)


@EVERY_BODY
@BACKENDS
def test_gymnasiums_checker_finds_nothing(name, backend):
    check_env(gym.make(STUMPS, body=name, backend=backend, render_mode="rgb_array").unwrapped)


@EVERY_BODY
@pytest.mark.parametrize("backend", ["auto", pytest.param("reference", marks=pytest.mark.slow)])
def test_the_task_checker_finds_nothing(name, backend):
    settings = {"body": name, "backend": backend, "max_episode_steps": 200}
    assert check_task_env(MakeEnv(STUMPS, settings), max_steps=300) == []


@pytest.mark.parametrize(
    "name", [name for name in BODIES if not name.startswith(("short", "default", "quadruped"))]
)
def test_teachmyagents_bodies_start_linked_and_just_above_the_ground(name):
    body = BODIES[name]
    for joint in body.joints:
        ends = (
            body.parts[joint.parent].on_spawn(joint.parent_anchor),
            body.parts[joint.child].on_spawn(joint.child_anchor),
        )
        np.testing.assert_allclose(*ends, atol=1e-9)
    corners = [part.on_spawn(corner) for part in body.parts for corner in part.corners]
    assert -1e-9 < body.spawn_height + min(y for _, y in corners) < 0.1


@BACKENDS
def test_dead_flags_change_nothing_else(backend):
    envs = [
        gym.make(STUMPS, body=name, backend=backend)
        for name in ("quadruped", "quadruped-dead-flags")
    ]
    front = [flag for *_, flag in columns(BODIES["quadruped"]) if flag is not None][2:]
    for env in envs:
        env.reset(seed=1)
    touched = set()
    for action in np.random.default_rng(1).uniform(-1, 1, (150, 8)).astype(np.float32):
        live, dead = [env.step(action) for env in envs]
        touched |= {flag for flag in front if live[0][flag]}
        live[0][front] = 0.0
        assert np.array_equal(live[0], dead[0])
        assert live[1:4] == dead[1:4]
    assert touched == set(front)


@EVERY_BODY
def test_the_reward_follows_from_the_head(name):
    body = BODIES[name]
    env = gym.make(STUMPS, body=name, backend="reference").unwrapped
    before, _ = env.reset(seed=2, options={"task": {"stump_height": 0.0}})
    x = env._physics.x
    tilts = 0.0
    for action in np.random.default_rng(2).uniform(-1.5, 1.5, (40, len(body.motors))):
        after, reward, terminated, _, _ = env.step(action)
        if terminated:
            break
        effort = np.minimum(np.abs(action), 1.0).sum()
        tilt = 0.0 if name in ("wheel", "chimpanzee") else 5.0 * (abs(after[0]) - abs(before[0]))
        expected = 130 / 30 * (env._physics.x - x) - tilt - body.torque_penalty * effort
        assert reward == pytest.approx(expected, abs=1e-4)
        before, x, tilts = after, env._physics.x, tilts + abs(after[0])
    assert tilts > 0.1


@EVERY_BODY
def test_every_body_is_drawn(name):
    env = gym.make(STUMPS, body=name, backend="reference", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (400, 600, 3)
    hull = (picture == (94, 79, 162)).all(axis=2)
    assert hull.sum() > 100
    rows, _ = np.nonzero(hull)
    assert rows.min() > 100


@BACKENDS
def test_unknown_bodies_are_refused_with_a_hint(backend):
    with pytest.raises(UserError, match="did you mean 'millipede'"):
        gym.make(STUMPS, body="milipede", backend=backend)
