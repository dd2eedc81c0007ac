"""Long runs of the native engine: the same statistics as the reference physics, and no NaN."""

import os

import numpy as np
import pytest
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker, BipedalWalkerHeuristics
from native_lockstep import lockstep, read_contacts
from native_walkers import LEAVE, RESTART, STEP, Walkers, draw_moves
from scipy.stats import ks_2samp

from teachenv.env import Level
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.reference import ReferencePhysics
from teachenv.envs.bipedal.tracks import STOCK

pytestmark = pytest.mark.slow

COURSES = pytest.mark.parametrize("course", [0.0, 1.0], ids=["easy", "hardcore"])
EPISODES = 200
STEPS = int(os.environ.get("TEACHENV_NAN_STEPS", "1000000"))
"""Random steps on each of the hardest tasks in which no number may be NaN or infinite."""


class RandomPolicy:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __call__(self, observation):
        return self.rng.uniform(-1, 1, 4).astype(np.float32)


class HeuristicPolicy:
    def __init__(self, seed):
        self.heuristics = BipedalWalkerHeuristics()

    def __call__(self, observation):
        return np.asarray(self.heuristics.step_heuristic(observation), np.float32)


def reference_episodes(course, policy, seeds, limit):
    """Returns and lengths, shape ``(2, n)``."""
    results = []
    for seed in seeds:
        physics, act = ReferencePhysics(BODIES["default"], STOCK), policy(seed)
        observation = physics.restart(Level(np.array([course]), seed), None)
        total, length, terminated = 0.0, 0, False
        while not terminated and length < limit:
            observation, reward, terminated = physics.step(act(observation).tolist())
            total += reward
            length += 1
        results.append((total, length))
    return np.array(results).T


def native_episodes(course, policy, seeds, limit):
    """Returns and lengths, shape ``(2, n)``."""
    n = len(seeds)
    walkers, policies = Walkers(n), [policy(seed) for seed in seeds]
    walkers.tasks[:] = course
    walkers.level_seeds[:] = seeds
    walkers.restart()
    totals, lengths, running = np.zeros(n), np.zeros(n), np.ones(n, np.bool_)
    while running.any():
        for lane in np.flatnonzero(running):
            walkers.actions[lane] = policies[lane](walkers.observations[lane])
        walkers.mode[:] = np.where(running, STEP, LEAVE)
        walkers.advance()
        totals[running] += walkers.rewards[running]
        lengths[running] += 1
        running &= ~walkers.terminated & (lengths < limit)
    return np.array([totals, lengths])


@COURSES
@pytest.mark.parametrize("policy", [RandomPolicy, HeuristicPolicy])
def test_episodes_have_the_references_statistics(course, policy):
    """Kolmogorov-Smirnov on returns and lengths, different levels and actions on both sides."""
    limit = 2000 if course else 1600
    expected = reference_episodes(course, policy, range(EPISODES), limit)
    got = native_episodes(course, policy, range(1000, 1000 + 3 * EPISODES), limit)
    for what, ours, theirs in zip(("return", "length"), got, expected, strict=True):
        test = ks_2samp(ours, theirs)
        figures = f"{what}: {ours.mean():.1f} against {theirs.mean():.1f}, p {test.pvalue:.3f}"
        print(figures)
        assert test.pvalue > 0.01, figures


@COURSES
@pytest.mark.parametrize(
    ("policy", "median", "most"), [(RandomPolicy, 2e-4, 0.1), (HeuristicPolicy, 2e-4, 1e-3)]
)
def test_open_loop_drift_from_gymnasium_is_rounding(course, policy, median, most):
    """Gymnasium's actions played for 50 steps, 40 seeds: over seeds, the middle largest
    difference and that which nine of ten seeds stay below."""
    walkers = Walkers(40)
    walkers.tasks[:] = course
    walkers.restart()
    worst = np.zeros(40)
    envs = [BipedalWalker(hardcore=bool(course)) for _ in range(40)]
    policies = [policy(seed) for seed in range(40)]
    expected = np.array([env.reset(seed=seed)[0] for seed, env in enumerate(envs)])
    for _ in range(50):
        actions = [act(row) for act, row in zip(policies, expected, strict=True)]
        walkers.step(actions)
        expected = np.array([env.step(a)[0] for env, a in zip(envs, actions, strict=True)])
        worst = np.maximum(worst, np.abs(walkers.observations - expected).max(axis=1))
    print(f"median {np.median(worst):.1e}, 90 % {np.quantile(worst, 0.9):.1e}, {worst.max():.1e}")
    assert np.median(worst) < median
    assert np.quantile(worst, 0.9) < most


@COURSES
def test_contacts_from_the_same_poses_are_the_references_contacts(course):
    """48 000 steps: the same contacts in the same order, the same points, the same impulses.

    A few differences are rounding: boxes that just meet or not, points that just touch or not,
    loads that two points share.
    """
    seen, lists_off, points_off, impulses_off = 0, [], [], []
    for step, (walkers, references) in enumerate(lockstep(course, 3000, seed=900)):
        for lane, reference in enumerate(references):
            ours = read_contacts(walkers.engine.get_state(lane))
            theirs = reference.contacts()
            if [c[0] for c in ours] != [c[0] for c in theirs]:
                lists_off.append((step, lane))
                continue
            for (part, keys, impulses), (_, their_keys, their_impulses) in zip(
                ours, theirs, strict=True
            ):
                seen += len(keys)
                if keys != their_keys:
                    points_off.append((step, lane, part))
                elif not np.allclose(impulses, their_impulses, rtol=0, atol=0.05):
                    impulses_off.append((step, lane, part, impulses, their_impulses))
    off = f"{len(lists_off)} lists, {len(points_off)} points, {len(impulses_off)} impulses"
    print(f"{seen} points; off: {off}")
    assert seen > 20_000
    assert len(lists_off) <= 24, lists_off  # an order lasts as long as its contacts
    assert len(points_off) <= 3, points_off
    assert len(impulses_off) <= 3, impulses_off


@pytest.mark.parametrize("height", [3.0, 9.0, None], ids=["3 steps", "9 steps", "hardcore"])
def test_no_number_is_ever_nan(height):
    """On stumps 0 to 0.3 m apart, and hardcore, begun anywhere in a level; actions are held for 1
    to 20 steps."""
    n, rng = 512, np.random.default_rng(0)
    walkers = Walkers(n, "stock" if height is None else "stump_tracks")
    walkers.tasks[:] = 1.0
    if height is not None:
        walkers.tasks[:] = np.column_stack([np.full(n, height), rng.uniform(0.0, 0.3, n)])
    held, ages, over, steps = np.zeros(n, int), np.zeros(n, int), np.ones(n, np.bool_), 0
    while steps < STEPS:
        new = held == 0
        walkers.actions[new] = rng.uniform(-1, 1, (new.sum(), 4)) * rng.choice([0.2, 1, 5])
        held[new] = rng.integers(1, 21, new.sum())
        held -= 1
        ages = np.where(over, 0, ages + 1)
        walkers.level_seeds[over] += np.uint64(n)
        walkers.mode[:] = np.where(over, RESTART, STEP)
        steps += n - int(over.sum())
        walkers.advance()
        for lane, move in zip(np.flatnonzero(over), draw_moves(rng, over.sum()), strict=True):
            walkers.move(lane, move)
        over = walkers.terminated | (ages >= 1000)
        assert np.isfinite(walkers.observations).all()
        assert np.isfinite(walkers.rewards).all()
        assert np.isfinite(walkers.positions).all()
        assert np.abs(walkers.observations).max() < 100
