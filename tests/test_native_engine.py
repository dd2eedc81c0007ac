"""The native engine against Gymnasium and the reference physics, step by step."""

import numpy as np
import pytest
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker
from native_lockstep import lockstep, touches_obstacle
from native_walkers import Walkers

from teachenv.envs.bipedal.terrain import GROUND_Y, Terrain

COURSES = pytest.mark.parametrize("course", [0.0, 1.0], ids=["easy", "hardcore"])


@COURSES
def test_a_fall_is_gymnasiums_fall(course):
    """Without torque, 24 seeds, 50 steps: no number of any observation is off by over 1e-4."""
    walkers = Walkers(24)
    walkers.tasks[:] = course
    walkers.restart()
    theirs = [BipedalWalker(hardcore=bool(course)) for _ in range(24)]
    expected = np.array([env.reset(seed=seed)[0] for seed, env in enumerate(theirs)])
    for _ in range(50):
        np.testing.assert_allclose(walkers.observations, expected, rtol=0, atol=1e-4)
        walkers.step(0.0)
        played = [env.step(np.zeros(4)) for env in theirs]
        expected = np.array([outcome[0] for outcome in played])
        rewards = [float(outcome[1]) for outcome in played]
        np.testing.assert_allclose(walkers.rewards, rewards, rtol=0, atol=1e-3)
        assert walkers.terminated.tolist() == [outcome[2] for outcome in played]


def test_steps_from_the_same_poses_are_the_references_steps():
    """11 200 hardcore steps.

    Rounding decides which of several constraints gives way, so about one step in 200 000 may
    differ visibly; it does so in the reference when a walker is moved by one ulp.
    """
    off = []
    for step, (walkers, references) in enumerate(lockstep(1.0, 700)):
        assert walkers.terminated.tolist() == [r.terminated for r in references]
        difference = np.abs(walkers.observations - [r.observation for r in references]).max(axis=1)
        off += [(step, lane, difference[lane]) for lane in np.flatnonzero(difference > 0.02)]
        rewards = [reference.reward for reference in references]
        np.testing.assert_allclose(walkers.rewards, rewards, rtol=0, atol=0.02)
    assert len(off) <= 1, off


def obstacles_everywhere(level_seed):
    """Boxes and trapezoids of all sizes, with slits or room between them, from the start on."""
    rng = np.random.default_rng(level_seed)
    ground, polygons, left = [(0.0, GROUND_Y)], [], 2.0
    while left < 100.0:
        right = left + rng.uniform(0.1, 1.0)
        top, slope = GROUND_Y + rng.uniform(0.02, 0.5), rng.choice([0.0, 0.3]) * (right - left)
        corners = [(left, GROUND_Y), (right, GROUND_Y), (right - slope, top), (left + slope, top)]
        polygons.append(np.array(corners))
        ground += [(left, GROUND_Y), (right, GROUND_Y)]
        left = right + rng.choice([0.01, rng.uniform(0.1, 1.0)])
    return Terrain(np.array(ground), tuple(polygons))


def test_steps_among_obstacles_are_the_references_steps():
    """8000 steps, most of them in touch with an obstacle."""
    off, touches = [], 0
    for step, (walkers, references) in enumerate(lockstep(0.0, 500, build=obstacles_everywhere)):
        assert walkers.terminated.tolist() == [r.terminated for r in references]
        difference = np.abs(walkers.observations - [r.observation for r in references]).max(axis=1)
        off += [(step, lane, difference[lane]) for lane in np.flatnonzero(difference > 0.02)]
        touches += sum(touches_obstacle(walkers.engine.get_state(lane)) for lane in range(16))
    assert touches > 4000
    assert len(off) <= 1, off
