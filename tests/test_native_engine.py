"""The native engine against Gymnasium and the reference physics, step by step."""

import numpy as np
import pytest
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker, BipedalWalkerHeuristics
from native_walkers import LEAVE, RESTART, Walkers

from teachenv.env import Level
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.reference import ReferencePhysics
from teachenv.envs.bipedal.tracks import STOCK

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


class Reference:
    """A walker on the reference physics."""

    def __init__(self, course, level_seed):
        self.physics = ReferencePhysics(BODIES["default"], STOCK)
        self.observation = self.physics.restart(Level(np.array([course]), level_seed), None)
        self.heuristic = BipedalWalkerHeuristics()

    def step(self, action):
        self.observation, reward, terminated = self.physics.step(action.tolist())
        return reward, terminated

    def bodies(self):
        rows = [
            (*part.position, part.angle, *part.linearVelocity, part.angularVelocity)
            for part in self.physics.simulation.parts
        ]
        return np.array(rows, np.float32)


def test_steps_from_the_same_poses_are_the_references_steps():
    """11 200 hardcore steps, poses and velocities made equal before each, half of them heuristic.

    Contacts and impulses are each side's own. Rounding decides which of several constraints
    gives way, so about one step in 200 000 may differ visibly; it does so in the reference when
    a walker is moved by one ulp.
    """
    n, rng, off = 16, np.random.default_rng(0), []
    walkers = Walkers(n)
    walkers.tasks[:] = 1.0
    walkers.restart()
    references = [Reference(1.0, seed) for seed in range(n)]
    for step in range(700):
        actions = rng.uniform(-1, 1, (n, 4)).astype(np.float32)
        for lane, reference in enumerate(references):
            walkers.engine.set_bodies(lane, reference.bodies())
            if lane % 2:
                actions[lane] = reference.heuristic.step_heuristic(reference.observation)
        walkers.step(actions)
        played = [r.step(action) for r, action in zip(references, actions, strict=True)]
        terminated = [outcome[1] for outcome in played]
        assert walkers.terminated.tolist() == terminated
        difference = np.abs(walkers.observations - [r.observation for r in references])
        off += [(step, int(lane), row) for lane, row in enumerate(difference) if row.max() > 0.02]
        np.testing.assert_allclose(walkers.rewards, [p[0] for p in played], rtol=0, atol=0.02)
        for lane in np.flatnonzero(terminated):
            walkers.level_seeds[lane] += n
            references[lane] = Reference(1.0, int(walkers.level_seeds[lane]))
        walkers.mode[:] = np.where(terminated, RESTART, LEAVE)
        walkers.advance()
    assert len(off) <= 1, off
