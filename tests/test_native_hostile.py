"""Hostile calls of the native walkers as users get them: Python errors, and lanes that go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from bars import Bar
from native_walkers import native

import teachenv  # noqa: F401  (registers the environments)
from teachenv.envs.bipedal.lanes import Lanes
from teachenv.envs.bipedal.terrain import Terrain

pytestmark = pytest.mark.skipif(native is None, reason="the native engine is not built")

STUMPS = "teachenv/StumpTracks-v0"
LANES = 3
REFUSALS = (ValueError, TypeError, IndexError, OverflowError, gym.error.Error)
LATE = (RuntimeError, gym.error.ClosedEnvironmentError, gym.error.ResetNeeded)
NOISE: tuple[Any, ...] = (None, "x", b"\x00", object(), 1j, [], {}, (), np.datetime64("now"), print)
BEYOND: tuple[Any, ...] = (
    -1,
    LANES,
    2**31,
    2**63,
    2**70,
    0.5,
    np.nan,
    True,
    [0],
    np.zeros(2),
    None,
)
Env = Any


def running(seed: int = 0) -> Env:
    env = gym.make_vec(STUMPS, LANES, backend="native")
    env.reset(seed=seed)
    for move in moves():
        env.step(move)
    return env


def moves() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (5, LANES, 4)).astype(np.float32)


def snapshot(env: Env) -> list[dict[str, bytes]]:
    """Everything about every lane, comparable."""
    states = [env.unwrapped.get_state(lane) for lane in range(LANES)]
    return [{k: np.asarray(v).tobytes() for k, v in state.items()} for state in states]


def filled(value: float) -> np.ndarray:
    array = np.zeros((LANES, 4), np.float32)
    array[1, 2] = value
    return array


BAD_ACTIONS: list[Any] = [
    *NOISE,
    *(0.0, True, [[0.0] * 4] * 2, [[0.0] * 4, [0.0] * 3, [0.0] * 4], "0" * 12),
    *(np.zeros(shape) for shape in [(), (4,), (3,), (4, 3), (2, 4), (3, 5), (3, 4, 1), (0, 4)]),
    *(filled(value) for value in (np.nan, np.inf, -np.inf)),
    *(filled(0.0).astype(dtype) for dtype in ("c8", "U3", "S3", "O", "M8[s]", "m8[s]", "V4")),
    *(np.full((LANES, 4), item, object) for item in (None, "x", print)),
    np.broadcast_to(np.float32(np.nan), (LANES, 4)),
    np.ma.masked_array(filled(np.nan), mask=False),
    *(np.zeros((LANES, 4, 10**3))[..., 0, None], np.zeros(2**16)),
]

CORNERS = np.array([(9.0, 3.0), (10.0, 3.0), (10.0, 4.0), (9.0, 4.0)])
GROUND = np.array([(0.0, 3.0), (50.0, 3.0), (96.0, 3.0)])
BAD_OPTIONS: list[dict[str, Any]] = [
    *({"task": value} for value in NOISE[1:4] + NOISE[4:6] + NOISE[8:]),
    *({"task": [value, 1.0]} for value in (np.nan, np.inf, -np.inf, -1e300, 1e300, None, "0", [])),
    *({"task": {"stump_height": value}} for value in (np.nan, np.inf, "0", None, [0.5], -0.1)),
    *({"task": np.full(shape, 0.5)} for shape in [(), (1,), (3,), (2, 2), (4, 2), (3, 2, 1)]),
    *({"task": [[0.5, 1.0], [0.5, np.nan], [0.5, 1.0]]}, {"task": np.full((3, 2), np.nan)}),
    *({"level_seed": value} for value in (-1, 2**53, 2**70, 0.5, np.nan, True, "1", [1], [1, 2])),
    *({"level_seed": np.array([1, 2, value])} for value in (-1, 2**53, 0.5)),
    *({"reset_mask": value} for value in (True, [True] * 3, np.ones(3), np.zeros(3, bool), "111")),
    *({"reset_mask": np.ones(shape, bool)} for shape in [(2,), (4,), (3, 1), ()]),
    *({"terrain": value} for value in ("flat", 3, [None], [None] * 4, GROUND, ["a", None, None])),
    *({"terrain": Terrain(ground)} for ground in (GROUND[:1], GROUND * np.nan, GROUND[::-1], [])),
    *(
        {"terrain": Terrain(GROUND, (c,))}
        for c in (CORNERS[:2], CORNERS * np.inf, CORNERS[[0] * 4])
    ),
    *({"tasks": [0.5, 1.0]}, {3: 4}, {"": None}),
]
BAD_SEEDS: list[Any] = [-1, 0.5, "0", np.nan, [0], [0, 1, -1], [0, 1, "2"], 2**70, {}, object()]

REFUSED: dict[str, list[Callable[[Env], Any]]] = {
    "step": [lambda env, a=a: env.step(a) for a in BAD_ACTIONS],
    "options": [lambda env, o=o: env.reset(options=o) for o in BAD_OPTIONS],
    "seed": [lambda env, s=s: env.reset(seed=s) for s in BAD_SEEDS],
    "set_next": [
        *(lambda env, n=n: env.unwrapped.set_next(n, [0.5, 1.0]) for n in BEYOND),
        *(lambda env, t=t: env.unwrapped.set_next(0, t) for t in ([np.nan, 1], "x", [1], None)),
        *(lambda env, s=s: env.unwrapped.set_next(0, [0, 1], s) for s in (-1, 0.5, "1", 2**60)),
    ],
    "lane": [
        *(lambda env, n=n: env.unwrapped.truncate(n) for n in BEYOND),
        *(lambda env, n=n: env.unwrapped.get_state(n) for n in BEYOND),
        *(lambda env, n=n: env.unwrapped.set_state(n, env.unwrapped.get_state(0)) for n in BEYOND),
    ],
}


@pytest.mark.parametrize("kind", REFUSED)
def test_hostile_calls_are_refused_and_change_nothing(kind: str, bar: Bar) -> None:
    env, twin = running(), running()
    before = snapshot(env)
    for number, call in enumerate(REFUSED[kind]):
        with pytest.raises(REFUSALS, match=r"."):
            call(env)
        assert snapshot(env) == before, number
    for move in moves():
        assert_same(env.step(move), twin.step(move))
    bar("N1", hostile_calls=len(REFUSED[kind]), crashes=0)


def test_lanes_that_are_not_checked_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the test above fails where a call is accepted."""
    monkeypatch.setattr(Lanes, "require", lambda self, lane: None)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_hostile_calls_are_refused_and_change_nothing("lane", lambda *_, **__: None)


def assert_same(got: Any, expected: Any) -> None:
    for one, other in zip(got[:4], expected[:4], strict=True):
        assert np.array_equal(one, other)


ODD_ARRAYS: dict[str, Callable[[np.ndarray], Any]] = {
    "transposed": lambda a: a.T.copy().T,
    "every other": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "other byte order": lambda a: a.astype(">f4"),
    "double": lambda a: a.astype(np.float64),
    "long double": lambda a: a.astype(np.longdouble),
    "read only": lambda a: np.frombuffer(a.tobytes(), np.float32).reshape(a.shape),
    "not aligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), np.float32, offset=1).reshape(
        a.shape
    ),
    "lists": lambda a: a.tolist(),
    "rows": lambda a: tuple(a),
    "masked": lambda a: np.ma.masked_array(a),
    "matrix": lambda a: a.view(np.matrix),
    "memory": lambda a: memoryview(a),
    "too large": lambda a: np.where(a > 0, np.float32(3e38), np.float32(-3e38)),
}


def test_odd_arrays_of_good_numbers_act_as_plain_ones(bar: Bar) -> None:
    for name, odd in ODD_ARRAYS.items():
        env, twin = running(), running()
        for move in moves():
            plain = np.sign(move) if name == "too large" else move
            assert_same(env.step(odd(move)), twin.step(plain))
    bar("N1", odd_arrays=len(ODD_ARRAYS), crashes=0)


def test_damaged_states_are_refused_or_played(bar: Bar) -> None:
    env, rng, refused, played = running(), np.random.default_rng(0), 0, 0
    good = env.unwrapped.get_state(1)
    odd = [*NOISE, np.nan, np.inf, -1, 2**70, np.zeros(3), np.full(24, np.nan), [[]], "a" * 99]
    calls = [{k: v for k, v in good.items() if k != key} for key in good]
    calls += [{**good, key: value} for key in good for value in odd]
    for _ in range(60):
        engine = good["engine"].copy()
        engine[rng.integers(len(engine), size=3)] ^= rng.integers(1, 256, 3, np.uint8)
        calls.append({**good, "engine": engine})
    for state in calls:
        before = snapshot(env)
        try:
            env.unwrapped.set_state(1, state)
        except (ValueError, TypeError, OverflowError):
            refused += 1
            assert snapshot(env) == before
        else:
            played += 1
            env.step(moves()[0])
            env.unwrapped.set_state(1, good)
    assert refused > 100
    env.reset(seed=0)
    twin = running()
    twin.reset(seed=0)
    for move in moves():
        assert_same(env.step(move), twin.step(move))
    bar("N1", damaged_states=len(calls), damaged_states_refused=refused, crashes=0)


BAD_ENVIRONMENTS: list[dict[str, Any]] = [
    *({"num_envs": n} for n in (0, -1, 0.5, "3", None, True, 2**40)),
    *({"num_threads": n} for n in (0, -1, 0.5, "2", None, True)),
    *({"isa": isa} for isa in ("", "sse9", None, 3)),
    *({"body": body} for body in ("", "horse", None, 3, ["default"])),
    *({"backend": name} for name in ("", "box2d", None)),
    *({"max_episode_steps": n} for n in (0, -5, 0.5, "9")),
    *({"autoreset_mode": mode} for mode in ("", "never", 3)),
    *({"render_mode": mode} for mode in ("human", "svg", 3)),
    *({"stump_hight": 1.0}, {"": 1}),
]


def test_environments_that_make_no_sense_are_not_made(bar: Bar) -> None:
    for kwargs in BAD_ENVIRONMENTS:
        given = {"num_envs": 2, "backend": "native", **kwargs}
        with pytest.raises((*REFUSALS, AttributeError, MemoryError)):
            gym.make_vec(STUMPS, **given)
    bar("N1", hostile_calls=len(BAD_ENVIRONMENTS), crashes=0)


def test_closed_environments_refuse_every_call(bar: Bar) -> None:
    calls: list[Callable[[Env], Any]] = [
        lambda env: env.reset(),
        lambda env: env.reset(seed=3, options={"task": [0.5, 1.0]}),
        lambda env: env.step(moves()[0]),
        lambda env: env.step(None),
        lambda env: env.unwrapped.set_next(0, [0.5, 1.0]),
        lambda env: env.unwrapped.truncate(0),
        lambda env: env.unwrapped.get_state(0),
        lambda env: env.unwrapped.set_state(0, {}),
    ]
    env = running()
    env.close()
    env.close()
    for call in calls:
        with pytest.raises(gym.error.ClosedEnvironmentError):
            call(env)
    bar("N1", hostile_calls=len(calls), crashes=0)


def test_threads_that_share_an_environment_are_refused_or_served(bar: Bar) -> None:
    """Steps, resets, states and a close from four threads: every call returns or raises."""
    calls, errors = 0, set()
    for _ in range(3):
        env = gym.make_vec(STUMPS, 64, backend="native", num_threads=2)
        env.reset(seed=0)
        gate = threading.Barrier(4)
        served = [0] * 4

        def work(own: int, env: Env = env, gate: Any = gate, served: list[int] = served) -> None:
            rng = np.random.default_rng(own)
            gate.wait()
            for i in range(25):
                try:
                    if own == 0 and i == 20:
                        env.close()
                    elif i % 5 == own:
                        env.reset(seed=i)
                    elif i % 5 == own + 1:
                        env.unwrapped.set_state(0, env.unwrapped.get_state(1))
                    else:
                        env.step(rng.uniform(-1, 1, (64, 4)))
                except LATE as error:
                    errors.add(type(error).__name__)
                served[own] += 1

        threads = [threading.Thread(target=work, args=(own,)) for own in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        calls += sum(served)
    assert calls == 300
    assert "ClosedEnvironmentError" in errors
    bar("N1", calls_from_four_threads=calls, crashes=0)
