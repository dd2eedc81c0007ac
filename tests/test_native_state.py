"""States of walkers: they hold all a future depends on, and nothing else passes for one."""

import struct

import numpy as np
import pytest
from native_lockstep import end_of_terrain
from native_walkers import ISAS, LEAVE, RESTART, STEP, Walkers, draw_moves, outputs

TRACKS = {
    "easy": ("stock", (0.0,)),
    "hardcore": ("stock", (1.0,)),
    "stumps": ("stump_tracks", (1.0, 0.2)),
}


def start(track, num_envs, isa="auto"):
    """Walkers that fall among the obstacles of a track, if it has any."""
    name, task = TRACKS[track]
    walkers = Walkers(num_envs, name, isa)
    walkers.tasks[:] = task
    walkers.restart()
    if track != "easy":
        for lane, move in enumerate(draw_moves(np.random.default_rng(2), num_envs)):
            walkers.move(lane, move)
    return walkers


def draw_actions(rng, num_envs):
    return rng.uniform(-1, 1, (num_envs, 4))


def played(track, num_envs=1, steps=60, isa="auto"):
    """Walkers in the midst of episodes; those that fell have restarted."""
    walkers, rng = start(track, num_envs, isa), np.random.default_rng(3)
    for _ in range(steps):
        walkers.mode[:] = np.where(walkers.terminated, RESTART, STEP)
        walkers.actions[:] = draw_actions(rng, num_envs)
        walkers.advance()
    return walkers


def future(walkers, lane, steps, seed=5):
    """All outputs of a lane for some steps; the other lanes stand still."""
    rng, recorded = np.random.default_rng(seed), []
    walkers.mode[:] = LEAVE
    walkers.mode[lane] = STEP
    for _ in range(steps):
        walkers.actions[lane] = draw_actions(rng, 1)
        walkers.advance()
        recorded.append(outputs(walkers)[lane].tobytes())
    return recorded


@pytest.mark.parametrize("track", TRACKS)
def test_a_state_has_the_same_future_anywhere(track):
    origin = played(track, 8)
    for lane in range(8):
        state = origin.engine.get_state(lane)
        expected = future(origin, lane, 400)
        for isa in ISAS:
            other = played(track, 19, steps=20, isa=isa)
            other.engine.set_state(17, state)
            assert other.engine.get_state(17) == state
            assert future(other, 17, 400) == expected, isa


def test_a_state_starts_a_lane_that_never_was_restarted():
    origin = played("hardcore")
    state = origin.engine.get_state(0)
    fresh = Walkers(2)
    fresh.engine.set_state(1, state)
    assert future(fresh, 1, 50) == future(origin, 0, 50)
    with pytest.raises(RuntimeError, match="lane 0: restart it first"):
        fresh.engine.get_state(0)


def test_a_state_holds_the_terrain():
    origin, other = played("hardcore"), played("stumps")
    other.engine.set_state(0, origin.engine.get_state(0))
    expected, got = origin.engine.get_terrain(0), other.engine.get_terrain(0)
    assert expected[0].tobytes() == got[0].tobytes()
    assert [p.tobytes() for p in expected[1]] == [p.tobytes() for p in got[1]]


def test_a_state_holds_the_way_to_sleep():
    """A walker that has hardly moved for half a second stops for a step; how long is state."""
    walkers, other, stops = start("easy", 4), Walkers(4), 0
    for _ in range(400):
        walkers.step(0.3)
    for _ in range(30):
        for lane in range(4):
            other.engine.set_state(lane, walkers.engine.get_state(lane))
        for _ in range(9):
            walkers.step(0.3)
            other.step(0.3)
            stops += sum(not walkers.engine.get_bodies(lane)[:, 3:].any() for lane in range(4))
        for lane in range(4):
            assert other.engine.get_state(lane) == walkers.engine.get_state(lane)
    assert stops > 10


def pieces_of(state):
    """Offsets of numbers, by what they are: (format, offset) pairs; see ``get_state``."""
    at = end_of_terrain(state)
    for part in range(5):
        for i, what in enumerate(["x", "y", "angle", "sine", "cosine", "vx", "vy", "spin"]):
            yield f"{what} of part {part}", "<f", at + 4 * i
        at += 53
    for joint in range(4):
        for i, what in enumerate(["x impulse", "y impulse", "limit impulse", "motor impulse"]):
            yield f"{what} of joint {joint}", "<f", at + 4 * i
        at += 20
    yield "fallen", "<?", at
    yield "shaping", "<d", at + 2
    at += 10
    (n,) = struct.unpack_from("<I", state, at)
    at += 4
    for _ in range(n):
        normal, tangent = struct.unpack_from("<ff", state, at + 38)
        if state[at + 8] and normal > 0.1 and tangent != 0.0:  # touching
            yield "a contact's impulse", "<f", at + 38
            yield "a contact's friction", "<f", at + 42
        at += 70


def test_every_number_of_a_state_matters():
    """Each changes the future in most of the states in which it is not zero."""
    walkers, other = played("hardcore", 16, 12), played("hardcore", 1)
    mattered, seen = {}, {}
    for lane in range(16):
        state = walkers.engine.get_state(lane)
        other.engine.set_state(0, state)
        expected = future(other, 0, 3)
        for what, form, at in pieces_of(state):
            (value,) = struct.unpack_from(form, state, at)
            if value == 0.0 and what != "fallen":
                continue
            changed = bytearray(state)
            struct.pack_into(form, changed, at, not value if form == "<?" else 1.01 * value)
            other.engine.set_state(0, bytes(changed))
            seen[what] = seen.get(what, 0) + 1
            mattered[what] = mattered.get(what, 0) + (future(other, 0, 3) != expected)
    assert len(seen) >= 58, set(seen)
    assert all(mattered[what] > 0.5 * count for what, count in seen.items()), (seen, mattered)


def test_no_part_of_a_state_passes_for_one():
    walkers = played("hardcore")
    state = walkers.engine.get_state(0)
    for size in range(len(state)):
        with pytest.raises(ValueError, match="state: expected what get_state returned"):
            walkers.engine.set_state(0, state[:size])
    with pytest.raises(ValueError, match="too long"):
        walkers.engine.set_state(0, state + b"\0")
    assert walkers.engine.get_state(0) == state


@pytest.mark.parametrize("track", TRACKS)
def test_damaged_states_are_refused_or_played(track):
    """Whatever stands in a lane then, it can be played, saved and restarted."""
    walkers, rng = played(track, 2), np.random.default_rng(0)
    state, refused = walkers.engine.get_state(0), 0
    neighbour = walkers.engine.get_state(1)
    for case in range(400):
        damaged = bytearray(state)
        tail = max(0, len(state) - 1500) if case % 2 else 0
        for at in rng.integers(tail, len(state), 1 + case % 5):
            damaged[at] ^= int(rng.integers(1, 256))
        before = walkers.engine.get_state(0)
        try:
            walkers.engine.set_state(0, bytes(damaged))
        except ValueError:
            refused += 1
            assert walkers.engine.get_state(0) == before
            continue
        future(walkers, 0, 4)
        walkers.engine.get_bodies(0)
        assert walkers.engine.get_state(1) == neighbour
    assert 0 < refused < 400
    walkers.engine.set_state(0, state)
    assert walkers.engine.get_state(0) == state


@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"\x7f", b"\1"])
def test_noise_is_refused(filler):
    walkers = played("easy")
    state = walkers.engine.get_state(0)
    for noise in (b"", filler, filler * 12, filler * len(state), state[:12] + filler * 4000):
        with pytest.raises(ValueError, match=r"state:|terrain:"):
            walkers.engine.set_state(0, noise)
    assert walkers.engine.get_state(0) == state
