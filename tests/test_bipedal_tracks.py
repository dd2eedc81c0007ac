"""The walkers' environments by id: options, task spaces, what their docstrings say, test sets."""

import importlib
import inspect
import pickle
import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import teachenv  # noqa: F401  (registers the ids)
from teachenv import TaskError
from teachenv.check import check_task_env
from teachenv.env import Level, MakeEnv
from teachenv.envs import ENVS
from teachenv.envs.bipedal import engine
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.terrain import FINISH_X
from teachenv.errors import UserError

IDS = [env_id for env_id, entry in ENVS.items() if ".bipedal." in entry.single]
NO_ENGINE = engine.native_module()[1]
BACKENDS = [
    "reference",
    pytest.param("native", marks=pytest.mark.skipif(bool(NO_ENGINE), reason=NO_ENGINE)),
]
OPTIONS = {
    "teachenv/Walker-v0": [{"hardcore": True}],
    "teachenv/StumpTracks-v0": [
        {"height": (0, 9)},
        {"height": [-3, 3], "spacing": 1.0, "legacy_ground_end": True},
        {"width": (0, 3), "rotation": (0, 6), "width_noise": 0.1, "rotation_noise": 0.1},
    ],
    "teachenv/HexagonTracks-v0": [{}],
    "teachenv/StumpSequences-v0": [{"legacy_ground_end": True}],
    "teachenv/ObstacleCourse-v0": [
        {"subspace": "easy"},
        {"stairs": False},
        {"stair_steps_exclusive": True},
    ],
}
CASES = [(env_id, options) for env_id in IDS for options in OPTIONS[env_id]]
cases = pytest.mark.parametrize(("env_id", "options"), CASES)


def make(env_id, **kwargs):
    return gym.make(env_id, **kwargs).unwrapped


def env_class(env_id):
    module, _, name = ENVS[env_id].single.partition(":")
    return getattr(importlib.import_module(module), name)


# -- the table of ids ----------------------------------------------------------------------


def test_all_published_tracks_are_registered():
    names = {"Walker", "StumpTracks", "HexagonTracks", "StumpSequences", "ObstacleCourse"}
    assert set(IDS) == {f"teachenv/{name}-v0" for name in names}
    assert all(ENVS[env_id].time_limit == 2000 for env_id in IDS)


@pytest.mark.parametrize(
    ("env_id", "dim", "low", "high"),
    [
        ("teachenv/StumpTracks-v0", 2, [0, 0], [3, 6]),
        ("teachenv/HexagonTracks-v0", 12, [0] * 12, [4] * 12),
        ("teachenv/StumpSequences-v0", 10, [0] * 10, [6] * 10),
        ("teachenv/ObstacleCourse-v0", 8, [0] * 7 + [1], [10, 10, 10, 5, 5, 5, 5, 9]),
    ],
)
def test_task_spaces_are_the_published_ones(env_id, dim, low, high):
    space = make(env_id).task_space
    assert (space.dim, space.low.tolist(), space.high.tolist()) == (dim, low, high)
    assert all(d.meaning for d in space)


@pytest.mark.parametrize("env_id", IDS)
def test_docstrings_tell_the_task_space_as_it_is(env_id):
    """Each row of the first table: name, unit, low, high, default, (harder) or (easier)."""
    doc, env = inspect.getdoc(env_class(env_id)), make(env_id)
    for heading in ("Task space:", "Observation, action, reward, end:", "Registered ids:"):
        assert heading in doc
    assert "Source:" in doc
    assert f"``{env_id}``, {ENVS[env_id].time_limit} steps" in doc
    for dim in env.task_space:
        unit = re.escape(dim.unit) + r"\s+" if dim.unit else r"\s*"
        numbers = r"\s+".join(f"{x:g}" for x in (dim.low, dim.high, dim.default))
        row = re.search(
            rf"^\s*{dim.name}\s+{unit}{numbers}\s+(\S(?:.*\n)+?)(?=\s*(?:\w+\d?_|====|course))",
            doc,
            re.MULTILINE,
        )
        assert row, dim.name
        sign = ("(harder)" in row[1]) - ("(easier)" in row[1])
        assert sign == env.harder.get(dim.name, 0), dim.name


@pytest.mark.parametrize("env_id", IDS)
def test_docstrings_name_every_option(env_id):
    track_options = set(OPTIONS[env_id][0]).union(*OPTIONS[env_id])
    doc = inspect.getdoc(env_class(env_id))
    for option in {*track_options, "body", "backend", "render_mode"}:
        assert f"\n    {option}: " in doc, option


# -- options -------------------------------------------------------------------------------


@cases
def test_options_survive_pickling_and_reach_both_kinds_of_environments(env_id, options):
    env = make(env_id, **options)
    copied = pickle.loads(pickle.dumps(env))  # noqa: S301
    assert copied.task_space == env.task_space
    assert copied.track == env.track
    for backend in ("auto", "reference"):
        vector = gym.make_vec(env_id, 2, backend=backend, **options)
        if backend == "auto":
            assert vector.unwrapped.track == env.track
        else:
            assert vector.unwrapped.envs[0].unwrapped.track == env.track
        vector.close()


@cases
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_option_plays_on_both_backends(env_id, options, backend):
    env, rng = make(env_id, backend=backend, **options), np.random.default_rng(0)
    for k in range(2):
        observation, info = env.reset(seed=k, options={"task": env.task_space.sample(rng)})
        assert env.observation_space.contains(observation)
        assert info["progress"] == pytest.approx(0.0, abs=0.01)
        for _ in range(30):
            observation, reward, terminated, _, _ = env.step(env.action_space.sample())
            assert np.isfinite(observation).all()
            assert np.isfinite(reward)
            if terminated:
                break


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("StumpTracks", {"heigth": (0, 5)}, "did you mean 'height'"),
        ("StumpTracks", {"height": "tall"}, "expected a number or a pair"),
        ("StumpTracks", {"height": (0, 1, 2)}, "expected a number or a pair"),
        ("StumpTracks", {"width": (0, float("inf"))}, "expected a number or a pair"),
        ("StumpTracks", {"height": (5, 0)}, "low must be below high"),
        ("StumpTracks", {"width_noise": -1}, "at least 0"),
        ("StumpTracks", {"height": 1, "spacing": 2}, "at least one"),
        ("HexagonTracks", {"height": 1}, "unknown option 'height'"),
        ("ObstacleCourse", {"subspace": "hard"}, "known: full, easy"),
    ],
)
def test_senseless_options_are_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        make(f"teachenv/{name}-v0", **options)
    with pytest.raises(UserError, match=message.replace("option 'height'", "setting 'height'")):
        gym.make_vec(f"teachenv/{name}-v0", 2, **options)


def test_stump_options_make_the_published_spaces():
    for height in ((0, 4), (0, 5), (0, 9), (-3, 3)):
        env = make("teachenv/StumpTracks-v0", height=height)
        assert env.task_space.names == ("stump_height", "stump_spacing")
        assert (env.task_space.low[0], env.task_space.high[0]) == height
        assert env.task_space.default.tolist() == [0.0, 6.0]
        assert dict(env.harder) == {"stump_height": 1, "stump_spacing": -1}
    env = make("teachenv/StumpTracks-v0", width=(0, 2), rotation=(0, 3), spacing=2)
    assert env.task_space.names == ("stump_height", "stump_width", "stump_rotation")
    assert env.task_space.default.tolist() == [0.0, 1.0, 0.0]
    assert dict(env.harder) == {"stump_height": 1}


@cases
def test_the_track_ends_past_the_finish_line(env_id, options):
    track, rng = make(env_id, **options).track, np.random.default_rng(1)
    for level_seed in range(20):
        terrain = track.start(Level(track.task_space.sample(rng), level_seed)).terrain
        if not options.get("legacy_ground_end"):
            assert terrain.checked().ground[-1, 0] > FINISH_X


# -- contracts -----------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore:.*not within the observation space")
def test_every_body_plays_on_every_track(body, backend):
    for env_id in IDS:
        check_env(make(env_id, body=body, backend=backend), skip_render_check=True)
        vector = gym.make_vec(env_id, 2, body=body, backend=backend)
        vector.reset(seed=0)
        observations, *_ = vector.step(vector.action_space.sample())
        assert np.isfinite(observations).all()
        vector.close()


@pytest.mark.slow
@cases
def test_the_task_contract_is_kept(env_id, options):
    assert check_task_env(MakeEnv(env_id, options), episodes=4) == []


@pytest.mark.slow
@pytest.mark.parametrize("env_id", IDS)
def test_the_task_contract_is_kept_by_the_reference(env_id):
    assert check_task_env(MakeEnv(env_id, {"backend": "reference"}), episodes=3) == []


@pytest.mark.parametrize("env_id", IDS)
def test_the_same_level_seed_is_the_same_level_in_every_environment(env_id):
    env, other = make(env_id), make(env_id)
    task = env.task_space.sample(np.random.default_rng(0))
    fingerprints = {e.fingerprint(Level(task, 5)) for e in (env, other)}
    assert len(fingerprints) == 1
    assert env.fingerprint(Level(task, 6)) not in fingerprints


def test_inert_parameters_change_nothing_and_the_others_something():
    env, rng = make("teachenv/HexagonTracks-v0"), np.random.default_rng(0)
    assert env.inert == {"vertex1_dy", "vertex6_dy"}
    for name in env.task_space.names:
        same = []
        for level_seed in range(5):
            task = env.task_space.to_dict(env.task_space.sample(rng))
            levels = [
                env.fingerprint(Level(env.task_space.task({**task, name: value}), level_seed))
                for value in (0.0, 4.0)
            ]
            same.append(levels[0] == levels[1])
        assert all(same) if name in env.inert else not any(same)


def test_edits_do_not_refuse_a_task_of_any_track():
    rng = np.random.default_rng(0)
    for env_id, options in CASES:
        space = make(env_id, **options).task_space
        for _ in range(20):
            assert space.contains(space.edit(space.sample(rng), rng, 5))
    with pytest.raises(TaskError):
        space.edit([99.0] * space.dim, rng)


@pytest.mark.parametrize(
    "bounds", [{"rotation": (-1.5, 0)}, {"rotation": (0, 20)}, {"spacing": (-3, 0)}, {"width": -1}]
)
def test_bounds_beyond_which_nothing_changes_are_refused(bounds):
    with pytest.raises(TaskError, match="expected numbers in"):
        make("teachenv/StumpTracks-v0", **bounds)
