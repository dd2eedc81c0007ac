"""The native engine and bad arguments: Python errors, and engines that stay whole."""

import threading

import numpy as np
import pytest
from native_walkers import LEAVE, RESTART, STEP, Walkers, native, outputs

from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.engine import describe


def started(num_envs=3, track="stock"):
    walkers = Walkers(num_envs, track)
    walkers.restart()
    return walkers


ARGUMENTS = (
    "mode",
    "actions",
    "tasks",
    "level_seeds",
    "observations",
    "rewards",
    "terminated",
    "positions",
)
OUTPUTS = ARGUMENTS[4:]


def transposed(array):
    return array.T if array.ndim == 2 else array[:, None]


def spread(array):
    """The same numbers, not side by side."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


WRONG_ARRAYS = {
    "one row less": lambda a: a[:-1].copy(),
    "one row more": lambda a: np.concatenate([a, a[:1]]),
    "no rows": lambda a: a[:0].copy(),
    "other dimensions": lambda a: a[None],
    "transposed": transposed,
    "not contiguous": spread,
    "other byte order": lambda a: a.astype(f">i{a.itemsize}"),
    "other type": lambda a: a.astype(np.int16),
    "other width": lambda a: a.astype({4: "f8"}.get(a.itemsize, "f4")),
    "list": lambda a: a.tolist(),
    "none": lambda a: None,
}


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_wrong_arrays_are_refused(name, wrong, bar):
    walkers = started()
    arrays = dict(zip(ARGUMENTS, walkers.arguments, strict=True))
    arrays[name] = WRONG_ARRAYS[wrong](arrays[name])
    with pytest.raises((TypeError, ValueError)):
        walkers.engine.advance(*arrays.values())
    walkers.step(0.0)
    bar("N1", engine_calls=1)


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_must_be_writable(name, bar):
    walkers = started()
    getattr(walkers, name).flags.writeable = False
    with pytest.raises(TypeError):
        walkers.advance()
    bar("N1", engine_calls=1)


@pytest.mark.parametrize("name", ARGUMENTS[:4])
def test_inputs_may_be_read_only(name):
    walkers = started()
    getattr(walkers, name).flags.writeable = False
    walkers.advance()


def test_bad_numbers_change_nothing(bar):
    walkers, nan, inf = started(), np.nan, np.inf
    states = [walkers.engine.get_state(lane) for lane in range(3)]
    cases = [
        ("mode", 3, "mode: expected 0, 1 or 2"),
        ("mode", 255, "mode: expected 0, 1 or 2"),
        ("actions", nan, "actions: expected numbers, got NaN"),
        ("tasks", nan, "task: expected finite numbers"),
        ("tasks", inf, "task: expected finite numbers"),
        ("tasks", -inf, "task: expected finite numbers"),
        ("level_seeds", 2**64 - 1, "level_seed: expected a whole number"),
        ("level_seeds", 2**63, "level_seed: expected a whole number"),
    ]
    for name, value, message in cases:
        walkers.mode[:] = STEP if name == "actions" else RESTART
        array = getattr(walkers, name)
        kept = array.copy()
        array[2] = value
        before = outputs(walkers)
        with pytest.raises(ValueError, match=message):
            walkers.advance()
        assert np.array_equal(outputs(walkers), before)
        assert [walkers.engine.get_state(lane) for lane in range(3)] == states
        array[:] = kept
    bar("N1", engine_calls=len(cases))


def test_what_is_not_read_may_be_anything():
    """Tasks and level seeds of steps, actions of restarts, everything of a lane left alone."""
    walkers = started()
    walkers.mode[:] = (STEP, RESTART, LEAVE)
    walkers.tasks[[0, 2]] = np.nan
    walkers.level_seeds[[0, 2]] = 2**64 - 1
    walkers.actions[1:] = np.nan
    walkers.advance()
    assert np.isfinite(walkers.observations).all()


@pytest.mark.parametrize("size", [1.0, 1.5, 1e30, np.inf])
def test_actions_beyond_one_act_as_one(size):
    walkers, other = started(1), started(1)
    for sign in np.random.default_rng(0).choice([-1.0, 1.0], (100, 4)):
        walkers.step(sign * size)
        other.step(sign)
        assert np.array_equal(outputs(walkers), outputs(other))


@pytest.mark.parametrize(
    "task", [(0.0,), (1.0,), (-1e300,), (1e-300,)], ids=["easy", "hardcore", "negative", "tiny"]
)
def test_courses_that_are_no_choice_play_hardcore_if_not_zero(task):
    walkers, hardcore = started(1), started(1)
    walkers.tasks[:] = task
    walkers.restart()
    hardcore.tasks[:] = float(task != (0.0,))
    hardcore.restart()
    assert walkers.engine.get_terrain(0)[0].tobytes() == hardcore.engine.get_terrain(0)[0].tobytes()


@pytest.mark.parametrize("task", [(1e300, 0.0), (-1e300, -1e300), (1e6, 1e300), (40.0, 0.0)])
def test_huge_tasks_are_played(task):
    walkers = started(2, "stump_tracks")
    walkers.tasks[:] = task
    walkers.restart()
    for _ in range(50):
        walkers.step(1.0)
    assert np.isfinite(walkers.observations).all()


@pytest.mark.parametrize("call", ["get_bodies", "get_state", "get_terrain"])
@pytest.mark.parametrize("lane", [-1, 3, 2**31 - 1, -(2**31), 2**40, 1.5, None, "0"])
def test_lanes_that_are_none_are_refused(call, lane, bar):
    with pytest.raises((IndexError, TypeError)):
        getattr(started().engine, call)(lane)
    bar("N1", engine_calls=1)


def test_lanes_must_have_started():
    walkers = Walkers(2)
    for call in ("get_bodies", "get_state", "get_terrain"):
        with pytest.raises(RuntimeError, match="lane 1: restart it first"):
            getattr(walkers.engine, call)(1)
    with pytest.raises(RuntimeError, match="lane 1: restart it first"):
        walkers.engine.set_bodies(1, np.zeros((5, 6), np.float32))
    with pytest.raises(RuntimeError, match="restart the lane first"):
        walkers.step(0.0)


@pytest.mark.parametrize(
    "bodies",
    [
        np.zeros((5, 5), np.float32),
        np.zeros((4, 6), np.float32),
        np.zeros(30, np.float32),
        np.full((5, 6), np.nan, np.float32),
        np.full((5, 6), np.inf, np.float32),
        np.full((5, 6), -1e30, np.float32),
        [[0.0] * 6] * 5,
        None,
    ],
    ids=range(8),
)
def test_bad_bodies_are_refused(bodies, bar):
    walkers = started()
    state = walkers.engine.get_state(0)
    with pytest.raises((TypeError, ValueError)):
        walkers.engine.set_bodies(0, bodies)
    assert walkers.engine.get_state(0) == state
    bar("N1", engine_calls=1)


def test_bodies_thrown_anywhere_go_on():
    """Parts far apart, deep in the ground or very fast: no crash, and a restart heals all."""
    walkers, rng = started(), np.random.default_rng(0)
    for scale in (1e-30, 1.0, 30.0, 1e3, 9e5):
        for _ in range(8):
            walkers.engine.set_bodies(
                1, rng.normal(0, 0.3 * scale, (5, 6)).clip(-9e5, 9e5).astype(np.float32)
            )
            for _ in range(3):
                walkers.step(1.0)
    walkers.restart()
    other = started()
    assert np.array_equal(outputs(walkers), outputs(other))


GROUND = np.array([(0.0, 3.0), (50.0, 3.0), (96.0, 3.0)])
SQUARE = np.array([(9.0, 3.0), (10.0, 3.0), (10.0, 4.0), (9.0, 4.0)])


@pytest.mark.parametrize(
    ("ground", "polygons", "push"),
    [
        (GROUND[:1], [], 0.0),
        (GROUND[:0], [], 0.0),
        (GROUND[::-1].copy(), [], 0.0),
        (GROUND[[0, 0, 1]], [], 0.0),
        (GROUND * np.nan, [], 0.0),
        (GROUND * 1e9, [], 0.0),
        (GROUND.T, [], 0.0),
        (np.zeros((3, 3)), [], 0.0),
        (None, [], 0.0),
        (GROUND, [SQUARE[:2]], 0.0),
        (GROUND, [SQUARE[:0]], 0.0),
        (GROUND, [np.repeat(SQUARE, 3, axis=0)], 0.0),
        (GROUND, [SQUARE[[0, 0, 0]]], 0.0),
        (GROUND, [SQUARE[[0, 1, 0, 1]]], 0.0),
        (GROUND, [SQUARE, SQUARE * np.inf], 0.0),
        (GROUND, [SQUARE * 1e5], 0.0),
        (GROUND, [SQUARE.tolist()], 0.0),
        (GROUND, SQUARE, 0.0),
        (GROUND, None, 0.0),
        (GROUND, [], np.nan),
        (GROUND, [], np.inf),
        (GROUND, [], 1e9),
        (GROUND, [], "1"),
    ],
    ids=range(23),
)
def test_bad_terrains_are_refused(ground, polygons, push, bar):
    walkers = started(1)
    before = walkers.engine.get_terrain(0)[0]
    with pytest.raises((TypeError, ValueError)):
        walkers.engine.set_terrain(0, ground, polygons, push)
    walkers.restart()
    assert walkers.engine.get_terrain(0)[0].tobytes() == before.tobytes()
    bar("N1", engine_calls=1)


def test_random_polygons_are_refused_or_walked_on(bar):
    """Corners anywhere, also on lines, twice, inside the hull, clockwise."""
    walkers, rng, refused = started(1), np.random.default_rng(0), 0
    for case in range(300):
        grid = rng.integers(0, 4, (rng.integers(3, 9), 2)) * 10.0 ** rng.integers(-5, 1)
        corners = grid + np.array((5.0, 4.0)) if case % 2 else rng.normal(5, 2, grid.shape)
        try:
            walkers.engine.set_terrain(0, GROUND, [corners], 0.0)
        except ValueError:
            refused += 1
            continue
        walkers.restart()
        for _ in range(10):
            walkers.step(rng.uniform(-1, 1, 4))
        assert np.isfinite(walkers.observations).all(), corners
    assert 0 < refused < 200
    bar("N1", engine_calls=case + 1)


GOOD_BODY = describe(BODIES["default"])


@pytest.mark.parametrize(
    "arguments",
    [
        (GOOD_BODY, "stock", 0, 1),
        (GOOD_BODY, "stock", -1, 1),
        (GOOD_BODY, "stock", 2**31, 1),
        (GOOD_BODY, "stock", 1.5, 1),
        (GOOD_BODY, "stock", None, 1),
        (GOOD_BODY, "stock", 1, 0),
        (GOOD_BODY, "stock", 1, -5),
        (GOOD_BODY, "stock", 1, 2**40),
        (GOOD_BODY, "moon", 1, 1),
        (GOOD_BODY, "", 1, 1),
        (GOOD_BODY, 0, 1, 1),
        ((), "stock", 1, 1),
        ((1, 2, 3, 4, 5), "stock", 1, 1),
        (list(GOOD_BODY), "stock", 1, 1),
        (None, "stock", 1, 1),
        (GOOD_BODY[:2], "stock", 1, 1),
        ((GOOD_BODY[0][:3], *GOOD_BODY[1:]), "stock", 1, 1),
        ((GOOD_BODY[0], (), *GOOD_BODY[2:]), "stock", 1, 1),
        (((), (), *GOOD_BODY[2:]), "stock", 1, 1),
        ((GOOD_BODY[0], GOOD_BODY[1][::-1], *GOOD_BODY[2:]), "stock", 1, 1),
        ((((),) * 5, *GOOD_BODY[1:]), "stock", 1, 1),
        ((GOOD_BODY[0], GOOD_BODY[1], "80", *GOOD_BODY[3:]), "stock", 1, 1),
    ],
    ids=range(22),
)
def test_bad_engines_are_not_made(arguments, bar):
    with pytest.raises((TypeError, ValueError, RuntimeError, IndexError, MemoryError)):
        native.load().Engine(*arguments)
    bar("N1", engine_calls=1)


def test_a_second_thread_is_refused():
    """Each call of two threads on one engine succeeds or raises; the engine stays whole."""
    walkers, refused = Walkers(512), []
    walkers.restart()

    def advance():
        mine = Walkers(512)
        for _ in range(40):
            try:
                walkers.engine.advance(*mine.arguments)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=advance) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused
    assert set(refused) == {"engine: another thread is using it"}
    walkers.restart()
    other = started(512)
    assert np.array_equal(outputs(walkers), outputs(other))


def test_engines_come_and_go():
    for num_threads in (1, 2, 5):
        for _ in range(4):
            Walkers(300, num_threads=num_threads).restart()
