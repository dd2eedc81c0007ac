"""The walker environments: Gymnasium's contract, tasks, levels, rewards, ends, pictures."""

import gc
import pickle
import warnings
import weakref

import gymnasium as gym
import numpy as np
import psutil
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from teachenv import TaskError
from teachenv.envs.bipedal import engine
from teachenv.envs.bipedal.terrain import FINISH_X, SPAWN_X, Terrain
from teachenv.errors import UserError

FLAT = Terrain(np.array([(0.0, 10 / 3), (100.0, 10 / 3)]))
IDS = [
    "teachenv/Walker-v0",
    "teachenv/StumpTracks-v0",
    "teachenv/HexagonTracks-v0",
    "teachenv/StumpSequences-v0",
    "teachenv/ObstacleCourse-v0",
]
NO_ENGINE = engine.native_module()[1]
BACKENDS = [
    "reference",
    pytest.param("native", marks=pytest.mark.skipif(bool(NO_ENGINE), reason=NO_ENGINE)),
]
both_backends = pytest.mark.parametrize("backend", BACKENDS)


def make(name="StumpTracks-v0", backend="reference", **kwargs):
    return gym.make(f"teachenv/{name}", backend=backend, **kwargs).unwrapped


def actions(n, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 4)).astype(np.float32)


def rollout(env, n=150, seed=0, **reset):
    """Return the observations of an episode as bytes, its rewards and the last info."""
    observation, info = env.reset(**reset)
    trail, rewards = [observation.tobytes()], []
    for action in actions(n, seed):
        observation, reward, terminated, _, info = env.step(action)
        trail.append(observation.tobytes())
        rewards.append(reward)
        if terminated:
            break
    return trail, rewards, info


def teleport(env, dx, dy=0.0):
    for part in env._physics.simulation.parts:
        part.position = (part.position.x + dx, part.position.y + dy)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.filterwarnings("ignore:.*not within the observation space")
@both_backends
def test_gymnasiums_checker_passes(env_id, backend):
    check_env(gym.make(env_id, backend=backend, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_spaces_and_time_limit(env_id):
    env = gym.make(env_id)
    assert env.spec.max_episode_steps == 2000
    assert env.observation_space.shape == (24,)
    assert np.isfinite(env.observation_space.low).all()
    assert env.action_space == gym.spaces.Box(-1, 1, (4,), np.float32)
    stock = gym.make("BipedalWalker-v3").observation_space
    assert env.observation_space == stock


@both_backends
def test_time_limit_truncates_and_does_not_terminate(backend):
    env = gym.make("teachenv/StumpTracks-v0", backend=backend, max_episode_steps=5)
    env.reset(seed=0)
    ends = [env.step(np.zeros(4, np.float32))[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]


@both_backends
def test_level_seed_fixes_the_episode_whatever_was_played_before(backend):
    task = {"stump_height": 1.2, "stump_spacing": 1.0}
    options = {"task": task, "level_seed": 77}
    reference = rollout(make(backend=backend), options=options, seed=3)
    env = make(backend=backend)
    for i in range(12):
        rollout(env, n=20 + 7 * i, seed=i, options={"task": {"stump_spacing": 0.5 * i}})
        if i % 4 == 3:
            assert rollout(env, options=options, seed=3)[:2] == reference[:2]


@pytest.mark.parametrize("hardcore", [False, True])
@both_backends
def test_stock_walker_is_reproducible_after_many_resets(hardcore, backend):
    env = make("Walker-v0", backend, hardcore=hardcore)
    fresh = rollout(make("Walker-v0", backend, hardcore=hardcore), options={"level_seed": 5})[0]
    for _ in range(12):
        assert rollout(env, options={"level_seed": 5})[0] == fresh


@both_backends
def test_level_can_be_rebuilt_from_info(backend):
    env = make(backend=backend)
    observation, info = env.reset(seed=11, options={"task": [2.0, 3.0]})
    again, _ = make(backend=backend).reset(
        options={"task": info["task"], "level_seed": info["level_seed"]},
    )
    assert observation.tobytes() == again.tobytes()
    other, _ = make(backend=backend).reset(
        options={"task": info["task"], "level_seed": info["level_seed"] + 1}
    )
    assert observation.tobytes() != other.tobytes()


@both_backends
def test_seeded_walker_plays_its_seed_and_unseeded_resets_go_on(backend):
    env = make("Walker-v0", backend)
    assert env.reset(seed=9)[1]["level_seed"] == 9
    seeds = [env.reset()[1]["level_seed"] for _ in range(5)]
    assert len({9, *seeds}) == 6
    env.reset(seed=9)
    assert [env.reset()[1]["level_seed"] for _ in range(5)] == seeds
    assert env.reset(seed=2**60)[1]["level_seed"] < 2**53


@both_backends
def test_interleaved_environments_do_not_influence_each_other(backend):
    options = {"task": [1.0, 1.0], "level_seed": 4}
    alone = rollout(make(backend=backend), options=options)[0]
    env, other = make(backend=backend), make("Walker-v0", backend, hardcore=True)
    trail = [env.reset(options=options)[0].tobytes()]
    other.reset(seed=0)
    for action in actions(len(alone) - 1):
        trail.append(env.step(action)[0].tobytes())
        if other.step(-action)[2]:
            other.reset()
    assert trail == alone


def test_walker_course_follows_the_task():
    env = make("Walker-v0", hardcore=True)
    assert env.reset(seed=0)[1]["task"].tolist() == [1.0]
    assert env._physics.simulation.terrain.polygons
    env.reset(seed=0, options={"task": {"course": "easy"}})
    assert not env._physics.simulation.terrain.polygons
    assert make("Walker-v0").task_space.default.tolist() == [0.0]


def test_stump_task_shapes_the_track():
    env = make()
    assert env.task.tolist() == [0.0, 6.0]
    env.reset(seed=0, options={"task": {"stump_height": 2.0, "stump_spacing": 1.0}})
    tall = env._physics.simulation.terrain.polygons
    assert len(tall) == 58
    assert max(p[:, 1].max() for p in tall) > 10 / 3 + 1.5 * 14 / 30


def test_refused_options_leave_the_episode_alone():
    env = make()
    env.reset(seed=0, options={"task": [1.0, 2.0]})
    before = env._physics.simulation
    for options in (
        {"task": [4.0, 2.0]},
        {"terrain": "flat"},
        {"terrain": Terrain(np.zeros((1, 2)))},
        {"level_seed": -1},
        {"tarrain": FLAT},
    ):
        with pytest.raises(TaskError):
            env.reset(options=options)
        assert env._physics.simulation is before
        assert env.task.tolist() == [1.0, 2.0]


def test_hand_made_terrain_is_played_for_one_episode():
    env = make()
    wall = np.array([(9.0, 3.0), (9.5, 3.0), (9.5, 9.0), (9.0, 9.0)])
    env.reset(seed=0, options={"terrain": Terrain(FLAT.ground, (wall,))})
    assert len(env._physics.simulation.terrain.polygons) == 1
    lidar = env.step(np.zeros(4, np.float32))[0][-10:]
    assert lidar[9] == pytest.approx(
        (9.0 - env._physics.simulation.x) / np.sin(1.35) / 5.3333, abs=1e-4
    )
    env.reset()
    assert len(env._physics.simulation.terrain.polygons) == 13


def test_falling_replaces_the_reward_and_terminates():
    env = make()
    env.reset(seed=0, options={"terrain": FLAT})
    env._physics.simulation.parts[0].angle = 3.0
    for _ in range(100):
        _, reward, terminated, truncated, info = env.step(np.ones(4, np.float32))
        if terminated:
            break
    assert terminated
    assert not truncated
    assert reward == -100.0
    assert not info["is_success"]


def test_leaving_to_the_left_counts_as_falling():
    env = make()
    env.reset(seed=0, options={"terrain": FLAT})
    teleport(env, -SPAWN_X - 0.5, 2.0)
    _, reward, terminated, _, info = env.step(np.zeros(4, np.float32))
    assert (reward, terminated, info["progress"]) == (-100.0, True, 0.0)


def test_crossing_the_finish_line_terminates_with_the_ordinary_reward():
    env = make()
    env.reset(seed=0, options={"terrain": FLAT})
    before = env._physics.simulation.x
    teleport(env, FINISH_X - SPAWN_X + 0.1)
    _, reward, terminated, _, info = env.step(np.zeros(4, np.float32))
    assert terminated
    assert reward == pytest.approx(130 / 30 * (env._physics.simulation.x - before), abs=0.5)
    assert info["progress"] == 1.0
    assert info["is_success"]


def test_reward_is_progress_less_tilt_less_effort():
    env = make()
    env.reset(seed=0, options={"terrain": FLAT})
    for action in actions(30):
        x, angle = env._physics.simulation.x, env._physics.simulation.angle
        reward = env.step(action)[1]
        moved, tilted = (
            env._physics.simulation.x - x,
            abs(env._physics.simulation.angle) - abs(angle),
        )
        effort = float(np.abs(action).sum())
        assert reward == pytest.approx(130 / 30 * moved - 5 * tilted - 0.028 * effort, abs=1e-6)


@both_backends
def test_large_actions_count_as_one(backend):
    ends = []
    for scale in (1.0, 50.0):
        env = make(backend=backend)
        env.reset(seed=0, options={"terrain": FLAT})
        observation, reward, *_ = env.step(np.array([scale, -scale, scale, -scale], np.float32))
        ends.append((observation.tobytes(), reward))
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    "action", [np.zeros(3), np.zeros((1, 4)), np.array([0, 0, np.nan, 0]), "go", None]
)
def test_bad_actions_are_refused_before_the_physics_moves(action):
    env = make()
    env.reset(seed=0)
    x = env._physics.simulation.parts[0].position.x
    with pytest.raises(ValueError, match="action: expected"):
        env.step(action)
    assert env._physics.simulation.parts[0].position.x == x


@both_backends
def test_step_before_reset_says_so(backend):
    with pytest.raises(ResetNeeded):
        make(backend=backend).step(np.zeros(4, np.float32))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"backend": "nativ"}, "backend.*known: auto, native, reference"),
        ({"backend": "referense"}, "did you mean 'reference'"),
        ({"body": "defualt"}, "body.*did you mean 'default'"),
        ({"render_mode": "rgb"}, "render_mode"),
    ],
)
def test_unknown_names_list_the_known_ones(kwargs, message):
    from teachenv.envs.bipedal.environments import StumpTracks

    with pytest.raises(ValueError, match=message):
        StumpTracks(**kwargs)


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setattr(engine, "native_module", lambda: (None, "not built here"))
    engine._warn_once.cache_clear()
    yield
    engine._warn_once.cache_clear()


@pytest.mark.usefixtures("no_engine")
def test_without_the_engine_auto_falls_back_with_one_warning():
    with pytest.warns(UserWarning, match=r"not built here.*pip install"):
        assert make(backend="auto").backend == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert make(backend="auto").backend == "reference"
        batch = gym.make_vec("teachenv/StumpTracks-v0", num_envs=2, num_threads=2)
    assert isinstance(batch, gym.vector.SyncVectorEnv)
    assert batch.envs[0].unwrapped.backend == "reference"


@pytest.mark.usefixtures("no_engine")
def test_without_the_engine_asking_for_it_says_how_to_build_it():
    for ask in (gym.make, gym.make_vec):
        with pytest.raises(UserError, match="pip install"):
            ask("teachenv/StumpTracks-v0", backend="native")


@pytest.mark.parametrize("name", ["Walker-v0", "StumpTracks-v0"])
@both_backends
def test_pickled_copy_plays_the_same_episodes(name, backend):
    env = make(name, backend, **({"hardcore": True} if name == "Walker-v0" else {}))
    env.reset(seed=1)
    copy = pickle.loads(pickle.dumps(env))  # noqa: S301
    assert copy.task_space.default.tolist() == env.task_space.default.tolist()
    assert rollout(copy, 50, seed=2)[0] != []
    options = {"level_seed": 8}
    assert rollout(copy, 50, options=options)[0] == rollout(env, 50, options=options)[0]


def test_a_reset_frees_the_world_before():
    env = make()
    env.reset(seed=0)
    world = weakref.ref(env._physics.simulation.world)
    env.reset(seed=1)
    gc.collect()
    assert world() is None


@both_backends
def test_episodes_leave_no_memory_behind(backend):
    env, process = make(backend=backend), psutil.Process()

    def play(n):
        for i in range(n):
            env.reset(seed=i)
            for action in actions(5):
                env.step(action)
        gc.collect()
        return process.memory_info().rss

    play(200)
    before = play(1)
    assert play(1500) - before < 2**20  # the bindings lose 1.9 kB per episode if let


@both_backends
def test_pictures_show_the_level(backend):
    env = make(backend=backend, render_mode="rgb_array")
    pictures = []
    for task in ([0.0, 6.0], [3.0, 0.5]):
        env.reset(seed=0, options={"task": task})
        pictures.append(env.render())
    assert pictures[0].shape == (400, 600, 3)
    assert pictures[0].dtype == np.uint8
    changed = (pictures[0] != pictures[1]).any(axis=2)
    assert changed[200:300, 150:].mean() > 0.1
    assert not changed[:150].any()
    env.close()


@both_backends
def test_human_window_opens_and_closes(monkeypatch, backend):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = make(backend=backend, render_mode="human")
    env.reset(seed=0)
    env.step(np.zeros(4, np.float32))
    assert env.render() is None
    env.close()
    env.reset(seed=0)
    env.close()


@both_backends
def test_record_video_writes_a_film(tmp_path, backend):
    pytest.importorskip("moviepy")
    env = gym.make("teachenv/StumpTracks-v0", backend=backend, render_mode="rgb_array")
    env = gym.wrappers.RecordVideo(env, str(tmp_path), episode_trigger=lambda _: True)
    env.reset(seed=0)
    for _ in range(8):
        env.step(env.action_space.sample())
    env.close()
    (film,) = tmp_path.glob("*.mp4")
    assert film.stat().st_size > 1000
