"""Every body on the native engine: as on the reference physics, and reproducible bit for bit."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from bodies import EVERY_BODY, columns
from native_lockstep import Reference, lockstep, read_contacts
from native_walkers import ISAS, RESTART, STEP, Walkers, make_script, record
from scipy.stats import ks_2samp

from teachenv.envs.bipedal.bodies import BODIES

STUMPS = "teachenv/StumpTracks-v0"


@EVERY_BODY
def test_lanes_equal_single_environments(name):
    many = gym.make_vec(STUMPS, num_envs=3, body=name, backend="native")
    singles = [gym.make(STUMPS, body=name, backend="native") for _ in range(3)]
    observations, _ = many.reset(seed=5)
    for lane, env in enumerate(singles):
        assert np.array_equal(env.reset(seed=5 + lane)[0], observations[lane])
    actions = np.random.default_rng(0).uniform(-1, 1, (20, *many.action_space.shape))
    for moves in actions.astype(np.float32):
        observations, rewards, terminated, _, _ = many.step(moves)
        for lane, env in enumerate(singles):
            observation, reward, ended, _, _ = env.step(moves[lane])
            assert np.array_equal(observation, observations[lane])
            assert (reward, ended) == (rewards[lane], terminated[lane])
        if terminated.any():
            break


def play(name, steps=400, lanes=64, track="stump_tracks"):
    """Random actions, each held for 4 steps; fallen walkers restart.

    Yields:
        The walkers, and which of them have just moved, after each step.
    """
    walkers, rng = Walkers(lanes, track, body=name), np.random.default_rng(0)
    walkers.tasks[:] = (1.0, 3.0)
    over = np.ones(lanes, np.bool_)
    for step in range(steps):
        if step % 4 == 0:
            walkers.actions[:] = rng.uniform(-1, 1, walkers.actions.shape)
        walkers.mode[:] = np.where(over, RESTART, STEP)
        walkers.level_seeds[over] += np.uint64(lanes)
        walkers.advance()
        yield walkers, ~over
        over = walkers.terminated.copy()


@EVERY_BODY
def test_joints_keep_their_limits_and_use_their_range(name):
    seen = {index: [] for index in range(len(BODIES[name].motors))}
    for step, (walkers, moved) in enumerate(play(name, 200)):
        if step < 20:
            continue
        for index, (joint, angle, _, _) in enumerate(columns(BODIES[name])):
            angles = walkers.observations[moved, angle] - joint.observed_offset
            seen[index] += angles.tolist()
    for index, (joint, *_) in enumerate(columns(BODIES[name])):
        low, high = np.quantile(seen[index], [0.02, 0.98])
        width = joint.upper - joint.lower
        assert joint.lower - 0.15 < low < joint.lower + 0.05 * width, (index, low)
        assert joint.upper - 0.05 * width < high < joint.upper + 0.15, (index, high)


@EVERY_BODY
def test_the_contact_flag_of_every_limb_is_live(name):
    body = BODIES[name]
    flags = [(joint.child, flag) for joint, _, _, flag in columns(body) if flag is not None]
    seen = {flag: set() for _, flag in flags}
    for walkers, _ in play(name, 200):
        for _, flag in flags:
            seen[flag] |= set(walkers.observations[:, flag].tolist())
    dead = [flag for part, flag in flags if body.parts[part].dead_flag]
    assert len(dead) == (2 if name == "quadruped-dead-flags" else 0)
    for flag, values in seen.items():
        assert values == ({0.0} if flag in dead else {0.0, 1.0})


@EVERY_BODY
def test_what_is_fatal_ends_episodes_and_nothing_else_does(name):
    """A millipede has no fatal part, as published; it lies on its bodies and goes on."""
    body, ends, trunk_touches = BODIES[name], 0, 0
    trunk = {index for index, part in enumerate(body.parts) if part.side == 0}
    for walkers, _ in play(name, 150, lanes=16):
        for lane in range(16):
            contacts = read_contacts(walkers.engine.get_state(lane))
            down = trunk & {part for part, points, _ in contacts if points}
            trunk_touches += bool(down)
            if walkers.terminated[lane]:
                ends += 1
                assert down or walkers.positions[lane] < 0.0
    if name == "millipede":
        assert trunk_touches > 20
        assert ends == 0
    else:
        assert ends > 0


def fall(name, nudge=False, steps=50):
    """Observations of 16 references that fall without torque, shape ``(steps, 16, n)``.

    Args:
        name: The body.
        nudge: Whether each part begins one unit in the last place further to the right.
        steps: How many.
    """
    references = [Reference(0.0, seed, body=name) for seed in range(16)]
    still, seen = np.zeros(len(BODIES[name].motors)), []
    for part in (p for r in references if nudge for p in r.physics.simulation.parts):
        x, y = part.position
        part.position = (np.nextafter(np.float32(x), np.float32(99)).item(), y)
    for _ in range(steps):
        for reference in references:
            reference.step(still)
        seen.append([reference.observation for reference in references])
    return np.array(seen)


@EVERY_BODY
def test_a_fall_is_the_references_fall(name):
    """No further off than the reference is from itself when it starts by a rounding elsewhere."""
    expected, nudged = fall(name), fall(name, nudge=True)
    walkers, seen = Walkers(16, body=name), []
    walkers.restart()
    for _ in range(50):
        walkers.step(0.0)
        seen.append(walkers.observations.copy())
    off, own = [np.abs(other - expected).max(axis=(0, 2)) for other in (np.array(seen), nudged)]
    assert np.median(off) < max(5.0 * np.median(own), 2e-5), (np.median(off), np.median(own))


@EVERY_BODY
def test_steps_from_the_same_poses_are_the_references_steps(name):
    """800 steps on hardcore terrain: contacts in the same order, hence the solver's order too.

    By rounding, a contact may be seen near on one side a step before the other; they then have
    different contacts for a while.
    """
    differences, other_contacts = [], 0
    for walkers, references in lockstep(1.0, 100, n=8, body=name):
        assert walkers.terminated.tolist() == [r.terminated for r in references]
        expected = [reference.observation for reference in references]
        differences += np.abs(walkers.observations - expected).max(axis=1).tolist()
        for lane, reference in enumerate(references):
            contacts = read_contacts(walkers.engine.get_state(lane))
            other_contacts += [c[0] for c in contacts] != [c[0] for c in reference.contacts()]
    assert other_contacts < 40
    assert np.median(differences) < 1e-4
    assert np.quantile(differences, 0.98) < 0.005
    assert np.sum(np.array(differences) > 0.02) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BODIES if name != "default"])
def test_long_runs_stay_with_the_reference(name):
    """16 000 steps each on grass and on hardcore terrain."""
    for course in (0.0, 1.0):
        off, mismatches, differences = 0, 0, []
        for walkers, references in lockstep(course, 1000, seed=50, body=name):
            mismatches += np.sum(walkers.terminated != [r.terminated for r in references])
            expected = [reference.observation for reference in references]
            differences.append(np.abs(walkers.observations - expected).max(axis=1))
        off = np.sum(np.array(differences) > 0.02)
        print(f"{name} {course}: median {np.median(differences):.1e}, {off} off, {mismatches}")
        assert mismatches == 0
        assert off <= 40


def random_walks(name, seeds, step):
    """Where walkers are after 120 random steps, or on falling, and the steps; shape ``(2, n)``.

    Args:
        name: The body.
        seeds: One for each walker.
        step: Takes actions of all walkers; returns their positions and whether they fell.
    """
    n, rngs = len(seeds), [np.random.default_rng(seed) for seed in seeds]
    ends, lengths, running = np.zeros(n), np.zeros(n), np.ones(n, np.bool_)
    for _ in range(120):
        actions = [rng.uniform(-1, 1, len(BODIES[name].motors)) for rng in rngs]
        positions, fell = step(np.array(actions, np.float32))
        ends[running] = positions[running]
        lengths += running
        running &= ~fell
    return np.array([ends, lengths])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spider", "millipede", "wheel", "chimpanzee"])
def test_random_walks_have_the_references_statistics(name):
    """Kolmogorov-Smirnov, different levels and actions on both sides."""
    references = [Reference(0.0, seed, body=name) for seed in range(150)]
    walkers = Walkers(600, body=name)
    walkers.level_seeds[:] = np.arange(1000, 1600)
    walkers.restart()

    def step_references(actions):
        for reference, action in zip(references, actions, strict=True):
            reference.step(action)
        fell = np.array([reference.terminated for reference in references])
        return np.array([reference.physics.x for reference in references]), fell

    def step_walkers(actions):
        walkers.step(actions)
        return walkers.positions, walkers.terminated

    expected = random_walks(name, range(150), step_references)
    got = random_walks(name, range(1000, 1600), step_walkers)
    for what, ours, theirs in zip(("end", "length"), got, expected, strict=True):
        test = ks_2samp(ours, theirs)
        figures = (
            f"{name} {what}: {ours.mean():.2f} against {theirs.mean():.2f}, p {test.pvalue:.3f}"
        )
        print(figures)
        assert test.pvalue > 0.01, figures


@pytest.mark.parametrize("name", ["millipede", "wheel"])
def test_results_depend_on_level_and_actions_only(name):
    tasks = np.column_stack([np.linspace(0.0, 3.0, 24), np.linspace(0.0, 3.0, 24)])
    script = make_script("stump_tracks", tasks, 120, body=name)
    everyone, rng = np.arange(24), np.random.default_rng(0)
    expected = record(script, everyone)
    assert len(np.unique(expected.reshape(24, -1), axis=0)) == 24
    for isa in ISAS[:-1]:
        assert np.array_equal(record(script, everyone, isa=isa), expected)
    assert np.array_equal(record(script, np.array([7])), expected[[7]])
    rows = rng.permutation(np.arange(300) % 24)
    assert np.array_equal(record(script, rows, num_threads=3, pauses=rng), expected[rows])


@pytest.mark.parametrize("name", ["spider", "millipede"])
def test_a_lane_continues_from_its_state(name):
    env = gym.make_vec(STUMPS, num_envs=2, body=name, backend="native")
    env.reset(seed=[3, 4])
    moves = np.random.default_rng(0).uniform(-1, 1, (30, *env.action_space.shape))
    moves = moves.astype(np.float32)
    moves[:, 1] = moves[:, 0]
    for both in moves[:10]:
        env.step(both)
    env.set_state(1, env.get_state(0))
    for both in moves[10:]:
        observations, rewards, *_ = env.step(both)
        assert np.array_equal(observations[0], observations[1])
        assert rewards[0] == rewards[1]
    other = gym.make_vec(STUMPS, num_envs=1, body="default", backend="native")
    other.reset(seed=0)
    with pytest.raises(ValueError, match="kind"):
        other.set_state(0, env.get_state(0))


def test_a_state_of_a_body_with_as_many_parts_is_refused_by_name():
    env = gym.make_vec(STUMPS, num_envs=1, body="wheel", backend="native")
    other = gym.make_vec(STUMPS, num_envs=1, body="quadruped", backend="native")
    for vector in (env, other):
        vector.reset(seed=0)
    with pytest.raises(ValueError, match="wheel"):
        other.set_state(0, env.get_state(0))


@pytest.mark.parametrize("change", [{"head": 5}, {"head": -1}, {"pushed": (0, 9)}])
def test_impossible_bodies_are_refused_by_the_engine(change, monkeypatch):
    monkeypatch.setitem(BODIES, "broken", replace(BODIES["default"], **change))
    with pytest.raises(ValueError, match="none of its parts"):
        Walkers(1, body="broken")


def test_other_topologies_are_refused_by_the_engine(monkeypatch):
    body = BODIES["default"]
    monkeypatch.setitem(
        BODIES, "torso", replace(body, parts=body.parts[:3], joints=body.joints[:2])
    )
    with pytest.raises(ValueError, match="no topology"):
        Walkers(1, body="torso")
