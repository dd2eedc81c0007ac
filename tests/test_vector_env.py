"""The native walkers as a Gymnasium vector environment."""

import json
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from native_vectors import (
    BLOCK,
    ENDS,
    FLAT,
    STUMPS,
    WALKER,
    actions,
    assert_same,
    make,
    singles,
    snapshot,
)

from teachenv.envs.bipedal.engine import native_module

NO_ENGINE = native_module()[1]
pytestmark = pytest.mark.skipif(bool(NO_ENGINE), reason=f"native engine not built: {NO_ENGINE}")


# -- Gymnasium's contract ------------------------------------------------------------------


@pytest.mark.parametrize("env_id", [WALKER, STUMPS])
def test_make_vec_gives_the_native_environment_with_gymnasiums_facts(env_id):
    env = make(env_id, 3)
    single = gym.make(env_id, backend="native")
    assert env.spec.id == env_id
    assert env.num_envs == 3
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert env.single_observation_space == single.observation_space
    assert env.single_action_space == single.action_space
    assert env.observation_space.shape == (3, 24)
    assert env.action_space.shape == (3, 4)
    for name in ("task_space", "return_range", "mastery", "harder"):
        assert getattr(env, name) == single.get_wrapper_attr(name)
    observations, infos = env.reset(seed=0)
    assert observations.dtype == np.float32
    assert infos["task"].shape == (3, env.task_space.dim)
    _, rewards, terminated, truncated, _ = env.step(env.action_space.sample())
    assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)


def test_the_native_engine_needs_no_box2d():
    code = (
        "import sys, gymnasium as gym, teachenv\n"
        f"gym.make_vec({STUMPS!r}, num_envs=2).reset(options={{'terrain': None}})\n"
        f"gym.make({STUMPS!r}).reset()\n"
        "assert 'Box2D' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sync_is_still_gymnasiums():
    env = gym.make_vec(STUMPS, num_envs=2, vectorization_mode="sync")
    assert isinstance(env, SyncVectorEnv)
    env = gym.make_vec(STUMPS, num_envs=2, backend="reference", copy=False, num_threads=2)
    assert isinstance(env, SyncVectorEnv)
    assert env.envs[0].unwrapped.backend == "reference"
    assert not env.copy


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("env_id", [WALKER, STUMPS])
def test_lanes_equal_single_environments_bit_for_bit(env_id, mode):
    kwargs = {"hardcore": True} if env_id == WALKER else {}
    ours = make(env_id, 4, autoreset_mode=mode, max_episode_steps=ENDS, **kwargs)
    theirs = singles(env_id, 4, mode, max_episode_steps=ENDS, **kwargs)
    options = {"task": ours.task_space.high}
    assert_same(ours.reset(seed=5, options=options), theirs.reset(seed=5, options=options))
    fallen = out_of_time = 0
    for move in actions(4, 150):
        expected = theirs.step(move)
        assert_same(ours.step(move), expected)
        fallen += expected[2].sum()
        out_of_time += expected[3].sum()
    assert fallen
    assert out_of_time


def test_disabled_autoreset_with_masks_equals_single_environments():
    mode = AutoresetMode.DISABLED
    ours = make(n=4, autoreset_mode="Disabled", max_episode_steps=ENDS)
    theirs = singles(STUMPS, 4, mode, max_episode_steps=ENDS)
    assert_same(ours.reset(seed=1), theirs.reset(seed=1))
    resets = 0
    for move in actions(4, 130):
        expected = theirs.step(move)
        assert_same(ours.step(move), expected)
        mask = expected[2] | expected[3]
        if mask.any():
            resets += 1
            with pytest.raises(ResetNeeded, match=str(np.flatnonzero(mask)[0])):
                ours.step(move)
            options = {"reset_mask": mask, "task": [1.0, 3.0]}
            assert_same(ours.reset(options=dict(options)), theirs.reset(options=dict(options)))
    assert resets > 1


def test_the_time_limit_truncates():
    env = make(n=2, max_episode_steps=5)
    env.reset(seed=0)
    ends = [env.step(np.zeros((2, 4)))[2:4] for _ in range(7)]
    assert [truncated.tolist() for _, truncated in ends] == [[i == 4] * 2 for i in range(7)]
    assert not any(terminated.any() for terminated, _ in ends)


def first_end(limit):
    """When and how an episode ends in which the walker throws itself backwards."""
    env = make(n=1, max_episode_steps=limit)
    env.reset(seed=0)
    for step, move in enumerate(actions(1, 200), start=1):
        *_, (terminated,), (truncated,), _ = env.step(move)
        if terminated or truncated:
            return step, bool(terminated), bool(truncated)
    return None


def test_a_fall_in_the_last_step_terminates_and_truncates():
    fall, *how = first_end(200)
    assert how == [True, False]
    assert first_end(fall) == (fall, True, True)
    assert first_end(fall - 1) == (fall - 1, False, True)


def test_the_usual_limit_is_2000_steps_and_none_is_none():
    usual, unlimited = make(n=1), make(n=1, max_episode_steps=None)
    usual.reset(seed=0)
    for elapsed, expected in ((1998, False), (1999, True)):
        state = {**usual.get_state(0), "elapsed": elapsed, "ended": False}
        for env, limited in ((usual, True), (unlimited, False)):
            env.set_state(0, state)
            assert env.step(np.zeros((1, 4)))[3][0] == (expected and limited)
    for given, expected in (({}, 2000), ({"max_episode_steps": None}, None)):
        singles = gym.make_vec(STUMPS, num_envs=1, backend="reference", **given)
        assert singles.envs[0].spec.max_episode_steps == expected


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("isa", ["none"] if NO_ENGINE else native_module()[0].ISAS)
def test_results_do_not_depend_on_lanes_threads_or_instructions(isa, n_threads):
    moves = actions(40, 80)
    many = make(n=40, num_threads=n_threads, isa=isa)
    assert many.isa == isa
    few = make(n=3)
    many.reset(seed=2)
    few.reset(seed=2)
    for move in moves:
        ours, theirs = many.step(move), few.step(move[:3])
        assert_same(tuple(part[:3] for part in ours[:4]), theirs[:4])


# -- tasks and level seeds -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1.0, 2.0], [[1.0, 2.0]] * 3),
        ({"stump_height": 1.5}, [[1.5, 6.0]] * 3),
        (np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]), [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]),
        ([{"stump_height": 1.0}, [2.0, 0.5], np.zeros(2)], [[1.0, 6.0], [2.0, 0.5], [0.0, 0.0]]),
    ],
)
def test_tasks_reach_their_lanes_and_stay(given, expected):
    env = make(n=3, max_episode_steps=3)
    infos = env.reset(seed=0, options={"task": given, "level_seed": [4, 5, 6]})[1]
    assert infos["task"].tolist() == expected
    assert infos["level_seed"].tolist() == [4, 5, 6]
    for _ in range(4):
        infos = env.step(np.zeros((3, 4)))[-1]
    assert infos["task"].tolist() == expected
    assert not set(infos["level_seed"].tolist()) & {4, 5, 6}
    assert env.reset()[1]["task"].tolist() == expected


def test_a_level_is_the_same_in_every_lane_and_backend():
    env = make(n=3, render_mode="rgb_array")
    env.reset(options={"task": [2.0, 1.0], "level_seed": 11})
    single = gym.make(STUMPS, backend="reference").unwrapped
    single.reset(options={"task": [2.0, 1.0], "level_seed": 11})
    expected = single._physics.scene().terrain
    for lane in range(3):
        ground, polygons = env._play.batch.engine.get_terrain(lane)
        assert np.array_equal(ground, expected.ground)
        assert np.array_equal(polygons, expected.polygons)


def level_seeds(env, moves):
    """Play, and return the level seeds each lane has seen, in order."""
    seen = [[seed] for seed in env.reset(seed=9)[1]["level_seed"].tolist()]
    for move in moves:
        for lane, seed in enumerate(env.step(move)[-1]["level_seed"].tolist()):
            if seen[lane][-1] != seed:
                seen[lane].append(seed)
    return seen


def test_level_seeds_do_not_depend_on_the_order_of_resets():
    still = np.zeros((120, 3, 4), np.float32)
    one = level_seeds(make(n=3, max_episode_steps=17), actions(3, 120))
    two = level_seeds(make(n=3, max_episode_steps=29), still)
    for a, b in zip(one, two, strict=True):
        common = min(len(a), len(b))
        assert common >= 3
        assert a[:common] == b[:common]
    assert len({seed for seen in one for seed in seen}) == sum(map(len, one))


def test_unseeded_environments_play_different_levels():
    seeds = [make(n=2).reset()[1]["level_seed"].tolist() for _ in range(2)]
    assert len(set(seeds[0] + seeds[1])) == 4


def test_seeds_may_be_given_for_some_lanes():
    env = make(WALKER, 3)
    before = env.reset(seed=[7, 8, None])[1]["level_seed"].tolist()
    assert before[:2] == [7, 8]
    again = env.reset(seed=[None, 8, None])[1]["level_seed"].tolist()
    assert again[1] == 8
    assert again[0] != 7
    assert env.reset(seed=20)[1]["level_seed"].tolist() == [20, 21, 22]


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_set_next_is_played_from_the_next_restart_on(mode):
    env = make(n=3, autoreset_mode=mode, max_episode_steps=4)
    env.reset(seed=0)
    env.step(np.zeros((3, 4)))
    env.set_next(1, {"stump_height": 2.0}, level_seed=77)
    assert env.step(np.zeros((3, 4)))[-1]["task"][1].tolist() == [0.0, 6.0]
    seen = []
    for _ in range(14):
        *_, terminated, truncated, infos = env.step(np.zeros((3, 4)))
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            infos = env.reset(options={"reset_mask": terminated | truncated})[1]
        level = (infos["task"][1].tolist(), int(infos["level_seed"][1]))
        if infos["_task"][1] and (not seen or seen[-1] != level):
            seen.append(level)
    tasks, seeds = zip(*seen, strict=True)
    assert tasks == ([0.0, 6.0], *([2.0, 6.0],) * (len(seen) - 1))
    assert seeds[1] == 77
    assert len(set(seeds)) == len(seen) > 3
    assert (infos["task"][0] == (0.0, 6.0)).all()


def test_an_explicit_reset_overrides_what_was_next():
    env = make(n=2)
    env.set_next(0, [1.0, 1.0], level_seed=5)
    infos = env.reset(options={"task": [2.0, 2.0]})[1]
    assert infos["task"][0].tolist() == [2.0, 2.0]
    assert infos["level_seed"][0] != 5


def test_a_truncated_lane_restarts_in_the_next_step():
    env = make(n=2)
    env.reset(seed=0)
    env.step(np.ones((2, 4)))
    env.truncate(1)
    before = [env.get_state(lane) for lane in range(2)]
    rewards, infos = env.step(np.ones((2, 4)))[1::3]
    assert rewards[0] != 0.0
    assert rewards[1] == 0.0
    restarted = infos["level_seed"] != [state["level_seed"] for state in before]
    assert restarted.tolist() == [False, True]
    assert [env.get_state(lane)["elapsed"] for lane in range(2)] == [before[0]["elapsed"] + 1, 0]


def test_hand_made_terrain_is_played_in_its_lanes_for_one_episode():
    env = make(n=3, max_episode_steps=2)
    env.reset(seed=0, options={"terrain": [None, BLOCK, FLAT]})
    count = [len(env._play.batch.engine.get_terrain(lane)[1]) for lane in range(3)]
    assert count == [13, 1, 0]
    single = gym.make(STUMPS, backend="native")
    first, _ = single.reset(seed=1, options={"terrain": BLOCK})
    assert np.array_equal(env.get_state(1)["observation"], first)
    for _ in range(3):
        env.step(np.zeros((3, 4)))
    assert [len(env._play.batch.engine.get_terrain(lane)[1]) for lane in range(3)] == [13] * 3


# -- masks, copies, states, pictures -------------------------------------------------------


def test_a_masked_reset_leaves_other_lanes_alone():
    env = make(n=4)
    env.reset(seed=0)
    for move in actions(4, 6):
        observations = env.step(move)[0]
    before = snapshot(env)
    mask = np.array([False, True, False, True])
    after, infos = env.reset(seed=3, options={"reset_mask": mask, "task": [1.0, 1.0]})
    assert (infos["_task"] == mask).all()
    assert (infos["level_seed"] != 0).tolist() == mask.tolist()
    assert np.array_equal(after[~mask], observations[~mask])
    assert (after[mask] != observations[mask]).any(axis=1).all()
    now = snapshot(env)
    assert [now[i] == before[i] for i in range(4)] == (~mask).tolist()
    fresh = make(n=4)
    expected, _ = fresh.reset(seed=3, options={"task": [1.0, 1.0]})
    assert np.array_equal(after[mask], expected[mask])


def test_the_engine_leaves_alone_what_it_is_told_to_even_at_rest():
    env = make(n=2)
    env.reset(seed=0)
    tasks, seeds = np.zeros((2, 2)), np.arange(2, dtype=np.uint64)
    out = np.zeros((2, 24), np.float32), np.zeros(2), np.zeros(2, bool), np.zeros(2)

    def advance(*mode):
        still = np.zeros((2, 4), np.float32)
        env._play.batch.engine.advance(np.array(mode, np.uint8), still, tasks, seeds, *out)

    for _ in range(250):  # falls, and comes to rest
        advance(1, 1)
        before = env._play.batch.engine.get_state(0)
        advance(0, 2)
        assert env._play.batch.engine.get_state(0) == before
    assert np.abs(env._play.batch.engine.get_bodies(0)[:, 3:]).max() < 0.05


def test_copies_are_the_callers_and_buffers_are_ours():
    env, buffers = make(n=2), make(n=2, copy=False)
    for batch, shared in ((env, False), (buffers, True)):
        first, _ = batch.reset(seed=0)
        kept = first.copy()
        results = batch.step(np.ones((2, 4)))
        assert (first is results[0]) == shared
        assert np.array_equal(first, kept) != shared
        again = batch.step(np.ones((2, 4)))
        assert [a is b for a, b in zip(results[:4], again[:4], strict=True)] == [shared] * 4
    scribbled = env.step(np.zeros((2, 4)))[0]
    expected = scribbled.copy()
    scribbled.fill(9.0)
    mask = np.array([True, False])
    assert np.array_equal(env.reset(options={"reset_mask": mask})[0][1], expected[1])


def test_infos_of_earlier_steps_stay_as_they_were():
    env = make(n=2, max_episode_steps=2, copy=False)
    infos = env.reset(seed=0)[1]
    kept = {key: value.copy() for key, value in infos.items()}
    for _ in range(4):
        env.step(np.ones((2, 4)))
    env.reset(options={"task": [1.0, 1.0]})
    assert_same(infos, kept)


def through_json(state):
    """The state as a file would give it back: JSON values, and arrays apart."""
    arrays = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
    assert arrays["engine"].dtype == np.uint8
    values = {key: value for key, value in state.items() if key not in arrays}
    return {**json.loads(json.dumps(values)), **arrays}


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_a_lane_moved_to_another_environment_plays_on_as_if_nothing_had_happened(mode):
    env = make(n=3, autoreset_mode=mode, max_episode_steps=ENDS)
    env.reset(seed=4, options={"task": [1.0, 2.0]})
    for move in actions(3, 25):
        env.step(move)
    env.set_next(1, [0.5, 5.0], level_seed=31)
    states = [through_json(env.get_state(lane)) for lane in (1, 0)]
    other = make(n=2, autoreset_mode=mode, max_episode_steps=ENDS)
    for lane, state in enumerate(states):
        other.set_state(lane, state)
    for move in actions(3, 150, seed=1):
        ours, theirs = env.step(move), other.step(move[[1, 0]])
        for a, b in zip(ours[:4], theirs[:4], strict=True):
            assert np.array_equal(a[[1, 0]], b)
        for key in ("task", "level_seed", "is_success", "progress"):
            assert np.array_equal(ours[4][key][[1, 0]], theirs[4][key])


def test_a_pending_restart_travels_with_the_state():
    env, other = make(n=1, max_episode_steps=2), make(n=1, max_episode_steps=2)
    env.reset(seed=0)
    for _ in range(2):
        env.step(np.ones((1, 4)))
    other.set_state(0, env.get_state(0))
    rewards, infos = other.step(np.ones((1, 4)))[1::3]
    assert rewards[0] == 0.0
    assert infos["level_seed"][0] == env.step(np.ones((1, 4)))[-1]["level_seed"][0]


def test_chosen_lanes_are_drawn():
    env = make(n=3, render_mode="rgb_array")
    env.reset(seed=0, options={"task": [[0.0, 6.0], [3.0, 0.5], [0.0, 6.0]], "level_seed": 3})
    pictures = env.render()
    assert [picture.shape for picture in pictures] == [(400, 600, 3)] * 3
    assert np.array_equal(pictures[0], pictures[2])
    assert (pictures[0] != pictures[1]).any()
    (one,) = env.render(lanes=[1])
    assert np.array_equal(one, pictures[1])
    assert make(n=1).render() is None
    single = gym.make(STUMPS, backend="native", render_mode="rgb_array")
    single.reset(options={"task": [3.0, 0.5], "level_seed": 3})
    assert np.array_equal(one, single.render())


def test_gymnasiums_wrappers_work_on_it():
    env = gym.wrappers.vector.RecordEpisodeStatistics(make(n=2, max_episode_steps=3))
    env.reset(seed=0)
    for _ in range(3):
        infos = env.step(np.zeros((2, 4)))[-1]
    assert infos["episode"]["l"].tolist() == [3, 3]
