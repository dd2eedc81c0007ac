"""Teachers trained by reinforcement learning: what is saved acts as what was trained."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from test_cli import call

import teachers.data
from teachenv.env import MakeEnv
from teachenv.errors import UserError
from teachenv.experiments import loop
from teachenv.experiments.config import ConfigError, RunConfig
from teachenv.experiments.store import read_run
from teachenv.experiments.train_teacher import _layers, _ppo_policy, train_teacher
from teachenv.lesson import Lesson
from teachers.data.trained import Policy

ENV = "teachenv/DataGenSkillList-digits-v0"
SHORT: dict[str, Any] = {"n_steps": 4, "n_samples": 8, "probe_size": 2}


def recipe(mode: str = "mix", **change: Any) -> MakeEnv:
    return MakeEnv(ENV, {"action_mode": mode, **SHORT, **change})


def flattened(make_env: MakeEnv) -> Any:
    return gym.wrappers.FlattenObservation(make_env())


def flat(mode: str) -> Any:
    return flattened(recipe(mode))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("teachers") / "mix"
    train_teacher(recipe(), out, steps=16, seed=3, hidden=(8,))
    return out


@pytest.mark.parametrize("mode", ["mix", "cell", "counts"])
def test_a_ppo_policy_acts_in_numpy_as_in_the_library(mode: str) -> None:
    env = flat(mode)
    network = {"net_arch": [8]}
    model = PPO("MlpPolicy", env, seed=0, n_steps=4, batch_size=4, policy_kwargs=network)
    modules = model.policy.mlp_extractor.policy_net, model.policy.action_net
    same_actions(env, model, _ppo_policy(_layers(*modules), env.action_space))


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
@pytest.mark.parametrize(("mode", "n_out"), [("mix", 4), ("counts", 5 * 30)])
def test_rllib_trains_a_teacher_too(
    mode: str, n_out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules: list[Any] = []

    def noted(*found: Any) -> Any:
        modules.extend(found)
        return _layers(*found)

    monkeypatch.setattr("teachenv.experiments.train_teacher._layers", noted)
    returns: list[float] = []
    policy = train_teacher(
        recipe(mode), tmp_path / "t", algorithm="rllib-ppo", steps=32, hidden=(8,),
        report=lambda _, gain: returns.append(gain),
    )  # fmt: skip
    assert [weight.shape for weight, _ in policy.layers] == [(8, 7 * 30 + 2), (n_out, 8)]
    assert len(returns) == 8
    encoder, head = modules
    for observation in np.random.default_rng(0).normal(size=(9, 212)).astype(np.float32):
        with torch.no_grad():
            shown = {"obs": torch.from_numpy(observation[None])}
            raw = head(encoder(shown)["encoder_out"]).numpy()[0]
        best = raw[:4].clip(-1.0, 1.0) if mode == "mix" else raw.reshape(30, 5).argmax(axis=1)
        np.testing.assert_allclose(policy.act(observation), best, atol=1e-5)


# -- as teachers ----------------------------------------------------------------------------------


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


def random_policy(make_env: MakeEnv, out: Path) -> Policy:
    """A policy of a size for an environment, saved as if it had been trained there."""
    env: Any = flattened(make_env)
    n_in, n_out = (gym.spaces.flatdim(s) for s in (env.observation_space, env.action_space))
    rng = np.random.default_rng(0)
    layer = rng.normal(size=(n_out, n_in)).astype(np.float32), np.zeros(n_out, np.float32)
    policy = _ppo_policy((layer,), env.action_space)
    world = env.unwrapped
    about = {"action_mode": world.action_mode, "action_args": dict(world.decoder.args)}
    policy.save(out, about)
    return policy


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        ("SkillList", {"action_mode": "counts"}),
        ("SkillList", {"action_mode": "point"}),
        ("SkillTree", {"action_mode": "simple"}),
        ("SkillTree", {"action_mode": "full", "n_slots": 3, "block": 4}),
        ("OpenEnded", {"n_shown": 4, "n_slots": 3, "n_amounts": 3}),
    ],
)
def test_it_teaches_as_it_acts(variant: str, settings: dict[str, Any], tmp_path: Path) -> None:
    made = MakeEnv(f"teachenv/DataGen{variant}-digits-v0", {**SHORT, **settings})
    policy = random_policy(made, tmp_path / "t")
    agent, world = flattened(made), cast(Any, made()).unwrapped
    observation, _ = agent.reset(seed=4)
    world.reset(seed=4)
    teacher = teachers.data.make("trained", world.syllabus, path=str(tmp_path / "t"))
    teacher.begin()
    for _ in range(SHORT["n_steps"]):
        observation, reward, *_, info = agent.step(policy.act(observation))
        plan = teacher.plan(world.reading)
        _, *same, told = world.step_plan(plan)
        teacher.tell(Lesson(plan, told["taught"], world.reading, same[0], same[2]))
        np.testing.assert_array_equal(told["taught"], info["taught"])
        assert same[0] == reward
    assert told["taught"].sum() > 0


def test_teachers_of_skill_lists_need_only_a_reading_and_older_ones_load(
    saved: Path, tmp_path: Path
) -> None:
    header = json.loads((saved / "teacher.json").read_text())
    assert header.pop("action_args") == {}
    assert "choices" not in header
    (tmp_path / "policy.npz").write_bytes((saved / "policy.npz").read_bytes())
    (tmp_path / "teacher.json").write_text(json.dumps(header))
    world: Any = recipe()().unwrapped
    world.reset(seed=0)
    plans = []
    for folder in (saved, tmp_path):
        teacher = teachers.data.make("trained", world.syllabus, path=str(folder))
        teacher.begin()
        plans.append(teacher.plan(replace(world.reading, observation=np.zeros(0, np.float32))))
    assert plans[0] == plans[1]


def test_another_kind_or_size_of_environment_is_refused_before_a_run(tmp_path: Path) -> None:
    tree = MakeEnv("teachenv/DataGenSkillTree-digits-v0", {**SHORT, "n_slots": 3})
    random_policy(tree, tmp_path / "t")
    path = str(tmp_path / "t")
    for env, words in (
        (tree.env_id, r"goes by \d+ numbers of an observation"),
        (ENV, "needs trees"),
    ):
        config = RunConfig(env=env, teacher="trained", teacher_args={"path": path}, env_args=SHORT)
        with pytest.raises(ConfigError, match=words):
            loop.start(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    world: Any = MakeEnv(tree.env_id, SHORT)().unwrapped
    world.reset(seed=0)
    teacher = teachers.data.make("trained", world.syllabus, path=path)
    teacher.begin()
    with pytest.raises(ValueError, match=r"plan: observation: expected \d+ numbers"):
        teacher.plan(world.reading)


# -- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "algorithm", "settings"),
    [
        ("SkillList", "sb3-ppo", ["action_mode=counts"]),
        ("SkillTree", "sb3-ppo", []),
        ("SkillTree", "sb3-sac", ["action_mode=full"]),
        ("OpenEnded", "sb3-ppo", ["n_shown=4"]),
    ],
)
def test_the_command_trains_a_teacher_that_run_can_use(
    variant: str, algorithm: str, settings: list[str], tmp_path: Path
) -> None:
    out, env = tmp_path / "my teacher", f"teachenv/DataGen{variant}-digits-v0"
    of_env = ["--env", env]
    for text in [f"{name}={value}" for name, value in SHORT.items()] + settings:
        of_env += ["--env-arg", text]
    said = call("train-teacher", *of_env, "--out", str(out), "--algorithm", algorithm, "--steps=8")
    assert "2 episodes; mean gain of the first 50: " in said
    arguments = shlex.split(said.split("use it: ")[1])
    call("run", *of_env, *arguments, "--steps=1", "--out", str(tmp_path / "run"))
    run = read_run(tmp_path / "run")
    assert run.status["status"] == "finished"
    assert {row["describe"]["algorithm"] for row in run.teacher} == {algorithm}
    assert len(run.teacher) == SHORT["n_steps"]


def test_the_command_gives_skill_lists_the_mix_and_may_end_within_an_episode(
    tmp_path: Path,
) -> None:
    said = call("train-teacher", "--env", ENV, "--out", str(tmp_path / "t"), "--steps", "2")
    assert said.startswith("0 episodes\n")
    assert json.loads((tmp_path / "t" / "teacher.json").read_text())["action_mode"] == "mix"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--env", ENV, "--algorithm", "sb3-pp"), "did you mean 'sb3-ppo'"),
        (("--env", "teachenv/PointMass-v0"), "PointMass-v0 has no lessons to plan"),
        (("--env", "teachenv/DataGenSkillTree-digits-v0", "--algorithm", "sb3-sac"), "choices"),
        (("--env", ENV, "--env-arg", "n_step=3"), "did you mean 'n_steps'"),
    ],
)
def test_the_command_says_in_a_line_what_cannot_be(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as refused:
        call("train-teacher", *arguments, "--out", str(tmp_path / "t"))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "t").exists()


# -- refusals -------------------------------------------------------------------------------------


def test_what_cannot_be_trained_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    out = tmp_path / "t"
    with pytest.raises(UserError, match="unknown algorithm 'sb3-dqn'"):
        train_teacher(recipe(), out, algorithm="sb3-dqn")
    for mode in ("cell", "counts"):
        with pytest.raises(UserError, match=rf"sb3-sac cannot choose.*{mode}.*Discrete"):
            train_teacher(recipe(mode), out, algorithm="sb3-sac")
    for other in ("FunctionalTeaching", "InterventionBudget", "PointMass"):
        with pytest.raises(UserError, match=f"{other}-v0 has no lessons to plan.*SkillTree"):
            train_teacher(MakeEnv(f"teachenv/{other}-v0"), out)
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
    of_its_size, orders = cast(Any, recipe()()).unwrapped.syllabus, {"action_mode": "orders"}
    for name, content in (
        ("teacher.json", "{}"),
        ("teacher.json", json.dumps({**header, "head": "os:system"})),
        ("teacher.json", json.dumps({**header, "choices": [4]})),
        ("teacher.json", json.dumps({**header, "choices": [2.0, 2.0]})),
        ("teacher.json", json.dumps({**header, "action_args": {"n_slots": 1}})),
        ("teacher.json", json.dumps({**header, "action_mode": "full"})),
        ("teacher.json", json.dumps({**header, **orders, "action_args": {"n_slots": 10**9}})),
        ("policy.npz", "nothing"),
    ):
        folder = tmp_path / "damaged"
        folder.mkdir(exist_ok=True)
        for path in saved.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        (folder / name).write_text(content)
        with pytest.raises(UserError, match=r"damaged|unknown head|not a saved|too large"):
            teachers.data.make("trained", of_its_size, path=str(folder))


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
    np.savez(tmp_path / "policy.npz", weight_0=objects, bias_0=objects)
    with pytest.raises(UserError, match="not a saved teacher"):
        Policy.load(tmp_path)
