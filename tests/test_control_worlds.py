"""Point mass and classic control as task spaces."""

import itertools
import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.control.point_mass import PointMass

STOCK = {
    "CartPole": ("CartPole-v1", {}),
    "Acrobot": ("Acrobot-v1", {}),
    "Pendulum": ("Pendulum-v1", {}),
    "LunarLander": (
        "LunarLander-v3",
        {"enable_wind": True, "wind_power": 0.0, "turbulence_power": 0.0},
    ),
}


def make(name, **kwargs):
    return gym.make(f"teachenv/{name}-v0", **kwargs)


def play(env, control, task, level_seed=0):
    """Play an episode; return its return and its last info."""
    observation, info = env.reset(options={"task": task, "level_seed": level_seed})
    total = 0.0
    while True:
        observation, reward, terminated, truncated, info = env.step(control(observation))
        total += reward
        if terminated or truncated:
            return total, info


# -- all -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PointMass", *STOCK])
def test_our_checker_finds_nothing(name):
    assert check_task_env(MakeEnv(f"teachenv/{name}-v0"), episodes=4) == []


@pytest.mark.parametrize("name", STOCK)
def test_the_default_task_is_gymnasiums_own(name):
    env_id, kwargs = STOCK[name]
    ours, theirs = make(name), gym.make(env_id, **kwargs)
    for seed in range(3):
        one, _ = ours.reset(options={"level_seed": seed})
        two, _ = theirs.reset(seed=seed)
        theirs.action_space.seed(seed)
        for _ in range(150):
            np.testing.assert_array_equal(one, two)
            action = theirs.action_space.sample()
            one, *mine = ours.step(action)
            two, *others = theirs.step(action)
            assert mine[:3] == others[:3]
            if any(mine[1:3]):
                break


@pytest.mark.parametrize("name", STOCK)
def test_gymnasiums_time_limit_holds(name):
    limit = gym.spec(STOCK[name][0]).max_episode_steps
    env = make(name)
    env.reset(seed=0)
    spaces = env.action_space
    still = spaces.start if isinstance(spaces, gym.spaces.Discrete) else np.zeros(spaces.shape)
    for n in itertools.count(1):
        _, _, terminated, truncated, _ = env.step(still)
        if terminated or truncated:
            assert n == limit if truncated else n < limit
            break


# -- feasible --------------------------------------------------------------------------------


def test_a_linear_controller_masters_every_corner_of_cart_pole():
    env = make("CartPole")
    space = env.get_wrapper_attr("task_space")
    for task in space.grid(2):
        reach = math.sqrt(task[0])

        def control(o, reach=reach):
            return int(0.05 * o[0] + 0.15 * o[1] + 3 * o[2] + reach * o[3] > 0)

        total, info = play(env, control, task)
        assert info["is_success"], (task, total)


def test_pumping_swings_acrobot_up_the_faster_the_stronger_the_motor():
    env = make("Acrobot")
    returns = []
    for torque in (0.6, 2.0):
        task = {"torque": torque}
        returns.append(play(env, lambda o: 2 if o[5] > 0 else 0, task)[0])
    assert returns[1] > returns[0]
    assert returns[1] > env.get_wrapper_attr("mastery")


def pendulum_control(gravity, mass, length):
    """Energy control, and a linear one near the top or where the motor can lift it at once."""
    torque, inertia = mass * gravity * length / 2, mass * length**2 / 3

    def control(o):
        angle, speed = math.atan2(o[1], o[0]), float(o[2])
        energy = 0.5 * inertia * speed**2 + torque * (math.cos(angle) - 1)
        if abs(angle) < 0.4 or torque < 1.6:
            u = -torque * math.sin(angle) - inertia * (12 * angle + 7 * speed)
        else:
            u = math.copysign(2.0, -energy * speed if speed else 1.0)
        return np.array([min(2.0, max(-2.0, u))], np.float32)

    return control


def test_energy_control_masters_most_pendulums():
    env = make("Pendulum")
    tasks = env.get_wrapper_attr("task_space").grid(3)
    mastered = [play(env, pendulum_control(*task), task, 3)[1]["is_success"] for task in tasks]
    assert np.mean(mastered) >= 0.85


def test_stronger_wind_moves_the_lander_more():
    drift = []
    for wind in (0.0, 20.0):
        env = make("LunarLander")
        env.reset(options={"task": {"wind": wind}, "level_seed": 1})
        drift.append(np.array([env.step(0)[0][:2] for _ in range(40)]))
    still = make("LunarLander")
    still.reset(options={"level_seed": 1})
    np.testing.assert_array_equal(drift[0], [still.step(0)[0][:2] for _ in range(40)])
    assert abs(drift[1] - drift[0]).max() > 0.01


# -- point mass ------------------------------------------------------------------------------


def steer(env):
    """Go beside the wall to the gate's middle, through it, and to the goal."""

    def control(observation):
        base = env.unwrapped
        (x, y), (vx, vy) = base._position, base._velocity
        gate, width = base.task[0], base.task[1]
        room = max(0.0, width / 2 - 0.3)
        through = min(max(0.0, gate - room), gate + room)
        tx, ty = (through, 0.6) if y > 0.5 else (0.0, -3.0)
        if y > -0.3 and (y <= 0.5 or abs(x - through) < 0.1):
            tx, ty = through, -3.0
        damping = 4.5 - base._friction
        fx, fy = 6 * (tx - x) - damping * vx, 6 * (ty - y) - damping * vy
        return np.clip(np.array([fx, fy], np.float32) / 15, -1, 1)

    return control


@pytest.mark.parametrize("friction", [False, True])
def test_steering_masters_every_gate(friction):
    env = make("PointMass", friction=friction)
    for task in env.unwrapped.task_space.grid([5, 4, 2][: 3 if friction else 2]):
        total, info = play(env, steer(env), task)
        assert info["is_success"], (task, total)
        assert info["progress"] > 0.95
        assert total <= env.unwrapped.return_range[1]


def test_gymnasiums_checker_passes_on_point_mass():
    check_env(make("PointMass", friction=True, render_mode="rgb_array").unwrapped)


def test_a_step_follows_the_equations_of_motion():
    env = make("PointMass", friction=True).unwrapped
    env.reset(seed=0, options={"task": [0.0, 8.0, 2.0]})
    env._noise = [[0.0, 0.0]] * 1000
    env.step(np.array([1.0, -1.0], np.float32))
    # Explicit Euler of x'' = 15 - 2 x' over ten steps of 0.01 s.
    v = x = 0.0
    for _ in range(10):
        x, v = x + 0.01 * v, v + 0.01 * (15 - 2 * v)
    assert env._position == pytest.approx((x, 3 - x))
    assert env._velocity == pytest.approx((v, -v))


def test_touching_the_wall_ends_the_episode_where_it_was_touched():
    env = make("PointMass").unwrapped
    env.reset(seed=0, options={"task": [3.0, 0.5]})
    terminated, lasted = False, 0
    while not terminated:
        observation, _, terminated, _, info = env.step(np.array([0.0, -1.0], np.float32))
        lasted += 1
    assert lasted < 30
    assert observation[2] == 0.0
    assert not info["is_success"]


def test_the_task_can_be_seen_and_only_with_friction_has_three_parameters():
    env = make("PointMass", friction=True)
    observation, _ = env.reset(seed=0, options={"task": [2.0, 4.25, 1.0]})
    np.testing.assert_allclose(observation[4:], [0.75, 0.5, 0.25])
    assert make("PointMass").unwrapped.task_space.names == ("gate_position", "gate_width")


def test_a_picture_shows_wall_gate_goal_and_point():
    env = make("PointMass", render_mode="rgb_array").unwrapped
    assert env.render() is None
    env.reset(seed=0, options={"task": [0.0, 2.0]})
    picture = env.render()
    assert picture.shape == (240, 240, 3)
    middle = picture[119]
    assert (middle[:85] == 38).all()
    assert (middle[95:145] == 255).all()
    assert picture[30, 120].tolist() == [213, 94, 0]
    assert picture[210, 120].tolist() == [0, 158, 115]


def test_point_mass_says_what_it_needs():
    with pytest.raises(ResetNeeded):
        make("PointMass").unwrapped.step(np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="unknown render_mode 'ansi'"):
        PointMass(render_mode="ansi")
