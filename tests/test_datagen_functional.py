"""Function teaching: the learner's step, what teachers see, and who teaches quickest."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from stable_baselines3.common.env_checker import check_env as check_sb3

from teachenv.check import check_task_env
from teachenv.env import MakeEnv
from teachenv.envs.datagen.functional import GRID, FunctionalTeaching
from teachenv.envs.datagen.functional_multi import FunctionalTeachingMulti
from teachenv.envs.datagen.functional_relative import RelativeError
from teachenv.envs.datagen.play import play
from teachenv.errors import UserError
from teachers.data.games import GAMES, hyper_parameters, make

ONE, MANY = "teachenv/FunctionalTeaching-v0", "teachenv/FunctionalTeachingMulti-v0"
KINDS = [
    (ONE, {}),
    (ONE, {"action_mode": "coordinate", "pool_size": 40, "noise": 0.1}),
    (MANY, {}),
    (MANY, {"communication": True, "action_mode": "coordinate"}),
]


def teacher(id: str, **hyper: int) -> Any:
    return make("functional", id, **hyper)


def examples(env: gym.Env[Any, Any], teacher: Any, seed: int, **task: float) -> int:
    return len(play(env, teacher, seed=seed, task=task).rewards)


@pytest.mark.parametrize(("env_id", "options"), KINDS)
def test_all_checkers_pass_without_a_warning(env_id: str, options: dict[str, Any]) -> None:
    assert check_task_env(MakeEnv(env_id, options), max_steps=300) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_gymnasium(gym.make(env_id, **options).unwrapped)
        check_sb3(gym.make(env_id, **options).unwrapped)


def test_an_example_moves_the_learner_by_the_functional_gradient() -> None:
    env = FunctionalTeaching(rate=0.5)
    observation, _ = env.reset(seed=3, options={"task": {"width": 0.04}})
    target = env.targets[0]
    np.testing.assert_allclose(observation["error"], target, rtol=1e-6)
    assert np.mean(target**2) == pytest.approx(1.0)
    _, reward, *_ = env.step(100)
    x = (np.arange(GRID) + 0.5) / GRID
    learnt = 0.5 * target[100] * np.exp(-((x - x[100]) ** 2) / (2 * 0.04**2))
    np.testing.assert_allclose(env.values[0], learnt, atol=1e-12)
    assert reward == pytest.approx(1.0 - np.mean((learnt - target) ** 2))


def test_the_return_is_the_share_of_the_error_that_is_gone() -> None:
    env = FunctionalTeachingMulti(communication=True, n_steps=15)
    env.reset(seed=1)
    total = sum(env.step(k * 26)[1] for k in range(15))
    left = np.mean((env.targets - env.values) ** 2)
    assert total == pytest.approx(1.0 - left, abs=1e-12)
    assert env.progress == pytest.approx(total)


def test_below_the_tolerance_the_world_is_mastered_and_ends() -> None:
    env = FunctionalTeaching(tolerance=0.1)
    observation, _ = env.reset(seed=0)
    done = False
    while not done:
        assert env.progress <= 0.9
        observation, _, done, truncated, info = env.step(teacher("greedy").act(observation))
        assert not truncated
    assert env.progress > 0.9
    assert info["is_success"]


def test_a_coordinate_names_the_example_nearest_to_it() -> None:
    by_index = FunctionalTeaching(pool_size=40)
    by_place = FunctionalTeaching(pool_size=40, action_mode="coordinate")
    for index in (0, 17, 39):
        by_index.reset(seed=2)
        by_place.reset(seed=2)
        place = np.array([2 * (index + 0.5) / 40 - 1], dtype=np.float32)
        first, second = by_index.step(index)[0], by_place.step(place)[0]
        np.testing.assert_array_equal(first["error"], second["error"])
    by_place.step(np.array([9.0], dtype=np.float32))  # beyond the edge: the last example


def test_noise_blurs_what_the_teacher_sees_and_nothing_else() -> None:
    clear, blurred = FunctionalTeaching(), FunctionalTeaching(noise=0.3)
    seen, dim = clear.reset(seed=4)[0], blurred.reset(seed=4)[0]
    assert np.std(seen["error"] - dim["error"]) == pytest.approx(0.3, rel=0.15)
    np.testing.assert_array_equal(seen["target"], dim["target"])
    assert clear.step(7)[1] == blurred.step(7)[1]


def test_greedy_needs_less_than_half_the_examples_of_random() -> None:
    env = gym.make(ONE, n_steps=1000, disable_env_checker=True)
    greedy = [examples(env, teacher("greedy"), s) for s in range(8)]
    random = [examples(env, teacher("random", seed=s), s) for s in range(8)]
    assert np.mean(greedy) <= 0.5 * np.mean(random)
    assert 15 <= np.mean(greedy) <= 30


@pytest.mark.parametrize("width", [0.02, 0.05])
@pytest.mark.parametrize("waves", [1, 4])
def test_every_corner_of_the_task_space_is_taught_in_time(width: float, waves: int) -> None:
    env = gym.make(ONE, disable_env_checker=True)
    assert examples(env, teacher("greedy"), 5, width=width, waves=waves) < 100


def test_greedy_takes_the_largest_error_over_all_learners() -> None:
    error = np.array([0.0, 3.0, 0.0, 0.0, 2.5, 0.0, -2.5, 0.0], dtype=np.float32)
    assert teacher("greedy").act({"error": error}) == 1
    assert teacher("greedy", n_learners=2).act({"error": error}) == 1
    error[1] = 2.0
    assert teacher("greedy", n_learners=2).act({"error": error}) == 0  # 2.5 of the second learner
    random = teacher("random", n_learners=2, seed=0)
    assert {random.act({"error": error}) for _ in range(50)} == {0, 1, 2, 3}


def test_together_beats_one_after_the_other_and_communication_beats_together() -> None:
    one = gym.make(ONE, n_steps=1000, disable_env_checker=True)
    means = {}
    for share in (False, True):
        many = gym.make(MANY, communication=share, disable_env_checker=True)
        means[share] = np.mean(
            [examples(many, teacher("greedy", n_learners=3), s) for s in range(6)]
        )
    alone = np.mean([examples(one, teacher("greedy"), s) for s in range(18)]) * 3
    assert means[True] < means[False] < 0.8 * alone


def test_learners_with_equal_targets_are_taught_as_fast_as_one() -> None:
    env = FunctionalTeachingMulti(n_learners=4)
    env.reset(seed=0, options={"task": {"related": 1.0}})
    np.testing.assert_allclose(env.targets, env.targets[[0]].repeat(4, axis=0))
    env.reset(seed=0, options={"task": {"related": 0.0}})
    correlations = np.corrcoef(env.targets)
    assert abs(correlations - np.eye(4)).max() < 0.95


def test_the_relative_view_scales_with_the_error() -> None:
    env = RelativeError(gym.make(ONE, disable_env_checker=True))
    observation, _ = env.reset(seed=0)
    left = 1.0
    for _ in range(10):
        assert np.abs(observation).max() == pytest.approx(1.0)
        observation, share, *_ = env.step(int(np.abs(observation).argmax()))
        left *= 1.0 - share
    assert 1.0 - left == pytest.approx(env.unwrapped.progress)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_teacher_that_learns_comes_within_half_again_of_greedy() -> None:
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    def small(n_steps: int) -> gym.Env[Any, Any]:
        env = gym.make(ONE, pool_size=40, n_steps=n_steps, disable_env_checker=True)
        return RelativeError(env)

    settings: dict[str, Any] = {"n_steps": 128, "batch_size": 256, "n_epochs": 6, "gamma": 0.0}
    net = {"net_arch": {"pi": [128], "vf": [64]}, "activation_fn": torch.nn.ReLU}
    envs = DummyVecEnv([lambda: small(200)] * 8)
    model = PPO(
        "MlpPolicy", envs, learning_rate=1e-3, policy_kwargs=net, seed=0, device="cpu", **settings
    )
    model.learn(120_000)

    class Learnt:
        def act(self, observation: Any) -> int:
            return int(model.predict(observation)[0])

        def tell(self, info: Any) -> None: ...

    learnt = [examples(small(1000), Learnt(), s) for s in range(10_000, 10_012)]
    env = gym.make(ONE, pool_size=40, disable_env_checker=True)
    greedy = [examples(env, teacher("greedy"), s) for s in range(10_000, 10_012)]
    assert np.mean(learnt) <= 1.5 * np.mean(greedy)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pool_size": 7}, "divisor of 400"),
        ({"rate": 0.0}, "rate"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"noise": -1.0}, "noise"),
        ({"action_mode": "word"}, "action_mode"),
        ({"n_steps": 0}, "n_steps"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        FunctionalTeaching(**options)


def test_one_learner_is_not_many() -> None:
    with pytest.raises(UserError, match="n_learners"):
        FunctionalTeachingMulti(n_learners=1)


def test_unknown_games_teachers_and_options_are_refused_with_the_known_ones() -> None:
    assert set(GAMES) == {"pool", "intervention", "functional"}
    assert hyper_parameters("functional", "greedy") == {"n_learners": 1}
    for given, words in (
        (("chess", "greedy", {}), "unknown game 'chess'; known: pool"),
        (("functional", "greedi", {}), "did you mean 'greedy'"),
        (("pool", "rad", {"rate": 0.1}), "known: error_rate=0.25"),
        (("functional", "greedy", {"n_learners": 0}), "n_learners: expected a whole number"),
    ):
        with pytest.raises(UserError, match=words):
            make(*given[:2], **given[2])
