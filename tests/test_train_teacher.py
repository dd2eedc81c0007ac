"""Teachers trained by reinforcement learning: what is saved acts as what was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO, SAC

import teachers.data
from teachenv.env import MakeEnv
from teachenv.errors import UserError
from teachenv.experiments.train_teacher import _layers, train_teacher
from teachenv.lesson import Lesson
from teachers.data.trained import Policy

ENV = "teachenv/DataGenSkillList-digits-v0"
SHORT: dict[str, Any] = {"n_steps": 4, "n_samples": 8, "probe_size": 2}


def recipe(mode: str = "mix", **change: Any) -> MakeEnv:
    return MakeEnv(ENV, {"action_mode": mode, **SHORT, **change})


def flat(mode: str) -> Any:
    return gym.wrappers.FlattenObservation(recipe(mode)())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("teachers") / "mix"
    train_teacher(recipe(), out, steps=16, seed=3, hidden=(8,))
    return out


@pytest.mark.parametrize("mode", ["mix", "cell"])
def test_a_ppo_policy_acts_in_numpy_as_in_the_library(mode: str) -> None:
    env = flat(mode)
    model = PPO("MlpPolicy", env, seed=0, n_steps=4, batch_size=4, device="cpu")
    modules = model.policy.mlp_extractor.policy_net, model.policy.action_net
    policy = Policy(_layers(*modules), "tanh", "argmax" if mode == "cell" else "clip")
    same_actions(env, model, policy)


def test_a_sac_policy_acts_in_numpy_as_in_the_library() -> None:
    env = flat("alloc")
    model = SAC("MlpPolicy", env, seed=0, device="cpu", buffer_size=10)
    same_actions(env, model, Policy(_layers(model.actor.latent_pi, model.actor.mu), "relu", "tanh"))


def same_actions(env: Any, model: Any, policy: Policy) -> None:
    env.observation_space.seed(0)
    for _ in range(20):
        observation = env.observation_space.sample()
        expected, _ = model.predict(observation, deterministic=True)
        np.testing.assert_allclose(policy.act(observation), expected, atol=1e-5)


@pytest.mark.parametrize("algorithm", ["sb3-ppo", "sb3-sac"])
def test_the_same_seed_trains_the_same_teacher(algorithm: str, tmp_path: Path) -> None:
    policies = [
        train_teacher(
            recipe(), tmp_path / str(n), algorithm=algorithm, steps=24, seed=s, hidden=(4,)
        )
        for n, s in enumerate((0, 0, 1))
    ]
    first, again, other = (policy.layers[0][0] for policy in policies)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_steps_on_record_are_those_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teachenv.experiments.train_teacher.ROLLOUT", 8)
    train_teacher(recipe(), tmp_path / "t", steps=12, hidden=(4,))
    assert json.loads((tmp_path / "t" / "teacher.json").read_text())["steps"] == 16


@pytest.mark.ray
@pytest.mark.slow
def test_rllib_trains_a_teacher_too(tmp_path: Path) -> None:
    returns: list[float] = []
    policy = train_teacher(
        recipe(), tmp_path / "t", algorithm="rllib-ppo", steps=32, hidden=(8,),
        report=lambda _, gain: returns.append(gain),
    )  # fmt: skip
    assert [weight.shape for weight, _ in policy.layers] == [(8, 7 * 30 + 2), (4, 8)]
    assert len(returns) == 8


def test_a_saved_teacher_is_a_teacher_like_any_other(saved: Path) -> None:
    def episode() -> list[dict[str, Any]]:
        env: Any = recipe()().unwrapped
        env.reset(seed=0)
        teacher = teachers.data.make("trained", env.syllabus, seed=0, path=str(saved))
        teacher.begin()
        plans, over = [], False
        while not over:
            plan = teacher.plan(env.reading)
            _, reward, terminated, truncated, info = env.step_plan(plan)
            over = terminated or truncated
            teacher.tell(Lesson(plan, info["taught"], env.reading, reward, over))
            plans.append(plan.to_json())
        assert teacher.describe()["algorithm"] == "sb3-ppo"
        return plans

    plans = episode()
    assert [sum(item["count"] for item in plan["items"]) for plan in plans] == [8] * 4
    assert plans == episode()


def test_it_acts_on_what_the_environment_shows(saved: Path) -> None:
    policy, about = Policy.load(saved)
    env: Any = flat("mix")
    observation, _ = env.reset(seed=0)
    teacher = teachers.data.make("trained", env.unwrapped.syllabus, path=str(saved))
    seen: list[Any] = []
    teacher._decode = lambda action, reading, n, rng: seen.append(action) or np.zeros((10, 3), int)
    teacher.begin()
    teacher.plan(env.unwrapped.reading)
    np.testing.assert_array_equal(seen[0], policy.act(observation))
    assert about["action_mode"] == "mix"


def test_what_cannot_be_trained_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    out = tmp_path / "t"
    with pytest.raises(UserError, match="unknown algorithm 'sb3-dqn'"):
        train_teacher(recipe(), out, algorithm="sb3-dqn")
    with pytest.raises(UserError, match="sb3-sac cannot be trained"):
        train_teacher(recipe("cell"), out, algorithm="sb3-sac")
    with pytest.raises(UserError, match="action mode None"):
        train_teacher(MakeEnv("teachenv/PointMass-v0"), out)
    for other, mode in (("DataGenSkillTree-digits", "full"), ("FunctionalTeaching", "coordinate")):
        with pytest.raises(UserError, match="take a skill-list environment"):
            train_teacher(MakeEnv(f"teachenv/{other}-v0", {"action_mode": mode}), out, steps=2)
    assert not out.exists()
    out.mkdir()
    with pytest.raises(UserError, match="nothing is overwritten"):
        train_teacher(recipe(), out)


def test_a_teacher_of_another_size_or_a_damaged_one_is_refused(saved: Path, tmp_path: Path) -> None:
    larger: Any = recipe(domain_args={"n_noise": 1})().unwrapped
    with pytest.raises(UserError, match="11 skills of 3 levels"):
        teachers.data.make("trained", larger.syllabus, path=str(saved))
    with pytest.raises(UserError, match="say where"):
        teachers.data.make("trained", larger.syllabus)
    header = json.loads((saved / "teacher.json").read_text())
    for name, content in (
        ("teacher.json", "{}"),
        ("teacher.json", json.dumps({**header, "head": "os:system"})),
        ("policy.npz", "nothing"),
    ):
        folder = tmp_path / "damaged"
        folder.mkdir(exist_ok=True)
        for path in saved.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / name).write_text(content)
        with pytest.raises(UserError, match=r"damaged|unknown head|not a saved"):
            Policy.load(folder)


@pytest.mark.parametrize(
    "header",
    ["[" * 100_000, "x" * (17 << 20)],
    ids=["deep", "large"],
)
def test_hostile_descriptions_of_a_teacher_are_refused(
    header: str, saved: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy.npz").write_bytes((saved / "policy.npz").read_bytes())
    (tmp_path / "teacher.json").write_text(header)
    with pytest.raises(UserError, match=r"not a saved teacher|larger than"):
        Policy.load(tmp_path)


def test_a_policy_that_unpacks_to_more_than_its_size_is_refused(
    saved: Path, tmp_path: Path
) -> None:
    (tmp_path / "teacher.json").write_text((saved / "teacher.json").read_text())
    np.savez_compressed(tmp_path / "policy.npz", weight_0=np.zeros((2000, 2000), np.float32))
    with pytest.raises(UserError, match="unpacks to more"):
        Policy.load(tmp_path)


def test_an_object_array_in_a_policy_is_not_unpickled(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "teacher.json").write_text((saved / "teacher.json").read_text())
    objects = np.array([print], dtype=object)
    np.savez(tmp_path / "policy.npz", weight_0=objects, bias_0=objects)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="not a saved teacher"):
        Policy.load(tmp_path)
