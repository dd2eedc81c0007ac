"""The reference physics against Gymnasium's BipedalWalker, bit for bit."""

import numpy as np
import pytest
from Box2D import b2RayCastCallback
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker, BipedalWalkerHeuristics
from gymnasium.utils import seeding

from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.environments import Walker
from teachenv.envs.bipedal.lidar import OFFSETS
from teachenv.envs.bipedal.simulation import Simulation
from teachenv.envs.bipedal.terrain import Terrain
from teachenv.envs.bipedal.terrain_stock import stock
from teachenv.envs.bipedal.terrain_stumps import stump_tracks


@pytest.mark.parametrize(
    "firsts", [range(5), pytest.param(range(5, 20), marks=pytest.mark.slow)], ids=["some", "more"]
)
@pytest.mark.parametrize("walks", [False, True], ids=["random", "heuristic"])
@pytest.mark.parametrize("hardcore", [False, True], ids=["easy", "hardcore"])
def test_observations_equal_a_fresh_gymnasium_environment(hardcore, walks, firsts):
    """20 x 1000 steps; an episode that ends early is followed by the next level seed."""
    ours = Walker(hardcore=hardcore)
    for first in firsts:
        steps, seed = 0, 1000 * first
        while steps < 1000:
            steps += play_both(ours, BipedalWalker(hardcore=hardcore), seed, walks, 1000 - steps)
            seed += 1


def play_both(ours, theirs, seed, walks, n_steps):
    """Play one episode in both and compare; return its length, at most ``n_steps``.

    Rewards agree to single precision, in which Gymnasium computes them.
    """
    policy, rng = BipedalWalkerHeuristics(), np.random.default_rng(seed)
    expected, observation = theirs.reset(seed=seed)[0], ours.reset(seed=seed)[0]
    for step in range(n_steps):
        assert observation.tobytes() == expected.tobytes(), (seed, step)
        if walks:
            action = np.asarray(policy.step_heuristic(expected))
        else:
            action = rng.uniform(-1, 1, 4).astype(np.float32)
        expected, reward, done, _, _ = theirs.step(action)
        observation, our_reward, our_done, _, _ = ours.step(action)
        assert our_done == done
        assert our_reward == pytest.approx(float(reward), abs=1e-6)
        if done:
            break
    assert observation.tobytes() == expected.tobytes(), (seed, step)
    return step + 1


class Nearest(b2RayCastCallback):
    fraction = 1.0

    def ReportFixture(self, fixture, point, normal, fraction):  # noqa: N802
        if fixture.filterData.categoryBits & 1 == 0:
            return -1.0
        self.fraction = fraction
        return fraction


def engine_scan(world, x, y):
    """The ten fractions by the engine's own query."""
    fractions = []
    for dx, dy in OFFSETS:
        nearest = Nearest()
        world.RayCast(nearest, (x, y), (x + dx, y + dy))
        fractions.append(nearest.fraction)
    return fractions


def rugged(rng):
    """Uneven ground with floating, overlapping and overhanging convex polygons."""
    x = np.concatenate([[0.0], 0.01 + np.cumsum(rng.uniform(0.02, 1.0, 150))])
    x = np.concatenate([x[x < 95], [96.0]])
    ground = np.column_stack([x, 3 + rng.normal(0, 0.3, len(x))])
    polygons = []
    for centre in rng.uniform(5, 90, 40):
        angles = np.linspace(0, 2 * np.pi, rng.integers(3, 8), endpoint=False) + rng.uniform(0, 6)
        shape = np.column_stack([np.cos(angles), np.sin(angles)]) * rng.uniform(0.2, 1.5, 2)
        polygons.append(shape + (centre, rng.uniform(2, 6)))  # noqa: RUF005
    return Terrain(ground, tuple(polygons)).checked()


def positions(terrain, rng, n):
    """Places everywhere, above the ground, above its vertices, and aimed at any vertex."""
    ground = terrain.ground
    vertices = np.concatenate([ground, *terrain.polygons])
    for i in range(n):
        if i % 4 == 0:
            x, y = rng.uniform(-1, 97), rng.uniform(1, 9)
        elif i % 4 == 1:
            x = rng.uniform(0, 90)
            y = np.interp(x, *ground.T) + rng.uniform(0.25, 3)
        elif i % 4 == 2:
            x, y = ground[rng.integers(len(ground))] + (0.0, rng.uniform(0.25, 3))
        else:
            aim = np.array(OFFSETS[rng.integers(10)]) * rng.uniform(0.05, 1)
            x, y = vertices[rng.integers(len(vertices))] - aim
        yield float(np.float32(x)), float(np.float32(y))


@pytest.mark.parametrize("kind", ["stumps", "dense stumps", "easy", "hardcore", "rugged"])
def test_lidar_equals_the_engines_ray_casts(kind):
    rng = np.random.default_rng(1)
    for seed in range(8):
        if "stumps" in kind:
            spacing = 0.0 if kind == "dense stumps" else rng.uniform(0.1, 6)
            terrain = stump_tracks(seed, rng.uniform(0, 3), spacing).terrain
        elif kind == "rugged":
            terrain = rugged(rng)
        else:
            terrain = stock(seeding.np_random(seed)[0], kind == "hardcore").terrain
        simulation = Simulation(BODIES["default"], terrain, 0.0)
        for x, y in positions(terrain, rng, 200):
            assert simulation.lidar.scan(x, y) == engine_scan(simulation.world, x, y), (x, y)


def test_rays_that_hit_nothing_read_one():
    terrain = Terrain(np.array([(0.0, -10.0), (100.0, -10.0)]))
    simulation = Simulation(BODIES["default"], terrain, 0.0)
    assert simulation.lidar.scan(5.0, 5.0) == [1.0] * 10
