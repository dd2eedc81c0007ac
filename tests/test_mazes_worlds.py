"""Mazes and rooms behind doors."""

from collections import deque

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.mazes.door_key import DoorKey
from teachenv.envs.mazes.grid_world import DOOR, FLOOR, GOAL, KEY, MOVES, SIGHT, WALL

NAMES = ["Maze", "DoorKey"]


def make(name, **kwargs):
    return gym.make(f"teachenv/{name}-v0", **kwargs)


def squares(env):
    return env.unwrapped._grid[SIGHT:-SIGHT, SIGHT:-SIGHT]


def shortest(env):
    """The shortest way to the goal, found over places, keys taken and doors opened."""
    grid, start = squares(env), env.unwrapped._agent
    seen = {(start, False, frozenset())}
    waiting = deque([(start, False, frozenset(), ())])
    while waiting:
        at, has_key, changed, way = waiting.popleft()
        if grid[at] == GOAL:
            return way
        for action, (down, right) in enumerate(MOVES):
            to = (at[0] + down, at[1] + right)
            what = FLOOR if to in changed else grid[to]
            if what == WALL or (what == DOOR and not has_key):
                continue
            key, marks = has_key, changed
            if what == DOOR or (what == KEY and not has_key):
                key, marks = what == KEY, changed | {to}
            if (to, key, marks) not in seen:
                seen.add((to, key, marks))
                waiting.append((to, key, marks, (*way, action)))
    return None


def follow(env, way):
    for action in way:
        observation, reward, terminated, truncated, info = env.step(action)
    return observation, reward, terminated, truncated, info


# -- both ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_checkers_find_nothing(name):
    assert check_task_env(MakeEnv(f"teachenv/{name}-v0"), max_steps=600) == []
    check_env(make(name, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("name", NAMES)
def test_the_shortest_way_masters_every_task(name):
    env = make(name)
    for i, task in enumerate(env.unwrapped.task_space.grid(4)):
        for level_seed in range(3):
            env.reset(options={"task": task, "level_seed": 10 * i + level_seed})
            way = shortest(env)
            _, reward, terminated, truncated, info = follow(env, way)
            assert terminated
            assert not truncated
            assert info["is_success"], (task, len(way))
            assert info["progress"] == 1.0
            assert reward == pytest.approx(1 - 0.9 * len(way) / env.unwrapped._limit)


@pytest.mark.parametrize("name", NAMES)
def test_larger_is_harder(name):
    env = make(name)
    lengths = []
    for size in (2, 6, 10):
        ways = []
        for level_seed in range(10):
            env.reset(options={"task": {"size": size}, "level_seed": level_seed})
            ways.append(len(shortest(env)))
        lengths.append(np.mean(ways))
    assert lengths == sorted(lengths)
    assert lengths[2] > 2 * lengths[0]


@pytest.mark.parametrize("name", NAMES)
def test_out_of_time_is_truncated(name):
    env = make(name)
    env.reset(options={"task": {"size": 5}, "level_seed": 0})
    corner = 0 if name == "Maze" else 3  # into a wall, sooner or later
    truncated, lasted = False, 0
    while not truncated:
        _, reward, terminated, truncated, _ = env.step(corner)
        lasted += 1
        assert reward == 0.0
        assert not terminated
    assert lasted == {"Maze": 4 * 25 + 16, "DoorKey": 50}[name]


@pytest.mark.parametrize("name", NAMES)
def test_pictures_show_every_square(name):
    env = make(name, render_mode="rgb_array").unwrapped
    assert env.render() is None
    env.reset(seed=0, options={"task": {"size": 3}})
    picture = env.render()
    assert picture.shape == (16 * squares(env).shape[0], 16 * squares(env).shape[1], 3)
    row, column = env._agent
    assert picture[16 * row + 8, 16 * column + 8].tolist() == [213, 94, 0]
    assert picture[8, 8].tolist() == [38, 38, 38]


def test_what_is_missing_or_unknown_is_said():
    with pytest.raises(ResetNeeded):
        make("Maze").unwrapped.step(0)
    with pytest.raises(ValueError, match="unknown render_mode 'ansi'"):
        DoorKey(render_mode="ansi")


# -- mazes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 5, 10])
def test_a_maze_without_openings_has_one_way_between_any_two_cells(size):
    env = make("Maze")
    env.reset(options={"task": {"size": size, "openings": 0}, "level_seed": size})
    walkable = squares(env) != WALL
    cells, passages = size * size, walkable.sum() - size * size
    assert passages == cells - 1  # and the goal can be reached from all: a tree
    assert walkable[1::2, 1::2].all()


def test_openings_take_away_that_share_of_the_walls():
    walls = []
    for openings in (0, 5, 10):
        env = make("Maze")
        count = 0
        for level_seed in range(20):
            env.reset(options={"task": {"size": 8, "openings": openings}, "level_seed": level_seed})
            inner = squares(env)[1:-1, 1:-1]
            rows, columns = np.nonzero(inner == WALL)
            count += int(((rows + columns) % 2 == 1).sum())
        walls.append(count / 20)
    assert walls[0] == 49
    assert walls[1] == pytest.approx(24.5, abs=2)
    assert walls[2] == 0


def test_levels_differ_by_seed():
    env = make("Maze")
    grids = set()
    for level_seed in range(10):
        env.reset(options={"task": {"size": 6}, "level_seed": level_seed})
        grids.add(squares(env).tobytes())
    assert len(grids) == 10


# -- keys and doors --------------------------------------------------------------------------


def test_rooms_have_a_key_and_a_door_each_but_the_last_a_goal():
    env = make("DoorKey")
    env.reset(options={"task": {"size": 3, "doors": 2}, "level_seed": 4})
    grid = squares(env)
    assert grid.shape == (5, 13)
    for room in range(3):
        inside = grid[1:-1, 1 + 4 * room : 4 + 4 * room]
        assert (inside == KEY).sum() == (room < 2)
        assert (inside == GOAL).sum() == (room == 2)
        assert (grid[:, 4 + 4 * room] == DOOR).sum() == (room < 2)


def test_a_door_opens_only_with_a_key_which_is_spent():
    env = make("DoorKey").unwrapped
    env.reset(seed=0, options={"task": {"size": 2, "doors": 1}})
    grid = squares(env)
    grid[1:3, 1:3] = FLOOR
    grid[1:3, 3] = [DOOR, WALL]
    grid[2, 1] = KEY
    env._agent = (1, 2)
    env.step(1)
    assert env._agent == (1, 2)
    observation, *_ = follow(env, [3, 2])
    assert observation[-1] == 1.0
    assert squares(env)[2, 1] == FLOOR
    observation, *_ = follow(env, [0, 1, 1])
    assert env._agent == (1, 3)
    assert observation[-1] == 0.0
    assert squares(env)[1, 3] == FLOOR


def test_a_second_key_is_left_where_it_is():
    env = make("DoorKey").unwrapped
    env.reset(seed=0, options={"task": {"size": 3, "doors": 1}})
    grid = squares(env)
    grid[1:-1, 1:4] = FLOOR
    grid[1, 1:4] = [FLOOR, KEY, KEY]
    env._agent = (1, 1)
    follow(env, [1, 1])
    assert env._agent == (1, 3)
    assert squares(env)[1, 1:4].tolist() == [FLOOR, FLOOR, KEY]


def test_the_agent_sees_seven_by_seven_squares_and_the_way_to_the_goal():
    env = make("DoorKey").unwrapped
    observation, _ = env.reset(seed=0, options={"task": {"size": 2, "doors": 0}})
    layers = observation[:-3].reshape(4, 7, 7)
    row, column = env._agent
    padded = np.pad(squares(env), SIGHT, constant_values=WALL)
    window = padded[row : row + 7, column : column + 7]
    for layer, what in zip(layers, [WALL, GOAL, KEY, DOOR], strict=True):
        np.testing.assert_array_equal(layer, window == what)
    goal = np.argwhere(squares(env) == GOAL)[0]
    np.testing.assert_allclose(observation[-3:-1] * 50, goal - [row, column], atol=1e-5)
