"""Training a data teacher by reinforcement learning, and saving it as one of our teachers.

The libraries train; what is kept is the policy's network alone, run in NumPy by
:class:`teachers.data.trained.Trained`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
from threadpoolctl import threadpool_limits

from teachenv.env import MakeEnv
from teachenv.envs.datagen.open_ended import OpenEnded
from teachenv.envs.datagen.skill_list import SkillList
from teachenv.envs.datagen.skill_tree import SkillTree
from teachenv.errors import UserError, at_least, one_of
from teachenv.seeding import check_seed, derive_int
from teachers.data.trained import Layers, Policy

__all__ = ["ALGORITHMS", "train_teacher"]

GAMMA, LEARNING_RATE, ROLLOUT = 0.95, 1e-3, 128
"""What served in the digits environment with rewards times 20."""

Report = Callable[[int, float], None]
"""Told after every episode: steps so far, and its return in units of the metric."""


class _Episodes(gym.Wrapper[Any, Any, Any, Any]):
    """Reports the return of every finished episode; its first reset is seeded."""

    def __init__(self, env: gym.Env[Any, Any], seed: int, report: Report | None) -> None:
        super().__init__(env)
        self._seed: int | None = seed
        self._report = report
        self._scale = float(env.unwrapped.settings.reward_scale)  # type: ignore[attr-defined]
        self._return, self.steps = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        first, self._seed, self._return = self._seed, None, 0.0
        return self.env.reset(seed=first if seed is None else seed, options=options)

    def step(self, action: Any) -> Any:
        result = self.env.step(action)
        self._return += float(result[1]) / self._scale
        self.steps += 1
        if self._report is not None and (result[2] or result[3]):
            self._report(self.steps, self._return)
        return result


@dataclass(frozen=True)
class _Plan:
    """What to train, as every algorithm is given it."""

    env: gym.Env[Any, Any]
    steps: int
    seed: int
    hidden: tuple[int, ...]


def _sb3_ppo(plan: _Plan) -> Policy:
    from stable_baselines3 import PPO

    rollout = min(ROLLOUT, plan.steps)
    network = {"net_arch": list(plan.hidden)}
    model = PPO(
        "MlpPolicy", plan.env, learning_rate=LEARNING_RATE, gamma=GAMMA, n_steps=rollout,
        batch_size=min(64, rollout), policy_kwargs=network, seed=plan.seed, device="cpu",
    )  # fmt: skip
    model.learn(plan.steps)
    modules = (model.policy.mlp_extractor.policy_net, model.policy.action_net)
    return _ppo_policy(_layers(*modules), plan.env.action_space)


def _sb3_sac(plan: _Plan) -> Policy:
    from stable_baselines3 import SAC

    network = {"net_arch": list(plan.hidden)}
    model = SAC(
        "MlpPolicy", plan.env, learning_rate=LEARNING_RATE, gamma=GAMMA,
        learning_starts=min(100, plan.steps // 2), policy_kwargs=network, seed=plan.seed,
        device="cpu",
    )  # fmt: skip
    model.learn(plan.steps)
    return Policy(_layers(model.actor.latent_pi, model.actor.mu), "relu", "tanh")


_FOR_RLLIB: dict[int, gym.Env[Any, Any]] = {}
"""Environments being trained in, by seed: RLlib pickles what it is given, and would train and
report in a copy."""


def _of_seed(config: Mapping[str, Any]) -> gym.Env[Any, Any]:
    return _FOR_RLLIB[config["seed"]]


def _rllib_ppo(plan: _Plan) -> Policy:
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
    from ray.tune.registry import register_env

    from students.rllib_runners import start_ray

    started = start_ray(0)
    _FOR_RLLIB[plan.seed] = plan.env
    register_env("teachenv-train-teacher", _of_seed)
    rollout = min(ROLLOUT, plan.steps)
    model = DefaultModelConfig(
        fcnet_hiddens=list(plan.hidden), fcnet_activation="tanh", vf_share_layers=False
    )
    config = (
        PPOConfig()
        .environment("teachenv-train-teacher", env_config={"seed": plan.seed})
        .env_runners(num_env_runners=0, rollout_fragment_length=rollout)
        .learners(num_learners=0)
        .training(
            lr=LEARNING_RATE,
            gamma=GAMMA,
            train_batch_size_per_learner=rollout,
            minibatch_size=min(64, rollout),
            num_epochs=10,
            use_kl_loss=False,
            vf_clip_param=float("inf"),
        )
        .rl_module(model_config=model)
        .debugging(seed=plan.seed, log_level="ERROR")
    )
    algorithm = config.build_algo()
    try:
        for _ in range(-(-plan.steps // rollout)):
            algorithm.train()
        module = algorithm.get_module()
        layers = _layers(module.encoder.actor_encoder, module.pi)
    finally:
        algorithm.stop()
        del _FOR_RLLIB[plan.seed]
        if started:
            ray.shutdown()
    n_entries = gym.spaces.flatdim(plan.env.action_space)
    weight, bias = layers[-1]  # of boxes: means, then log standard deviations
    last = weight[:n_entries], bias[:n_entries]
    return _ppo_policy((*layers[:-1], last), plan.env.action_space)


def _ppo_policy(layers: Layers, actions: gym.Space[Any]) -> Policy:
    """Return a policy of logits, or of means."""
    if isinstance(actions, gym.spaces.Box):
        return Policy(layers, "tanh", "clip")
    choices = actions.nvec.tolist() if isinstance(actions, gym.spaces.MultiDiscrete) else ()
    return Policy(layers, "tanh", "argmax", tuple(choices))


ALGORITHMS: Mapping[str, Callable[[_Plan], Policy]] = {
    "sb3-ppo": _sb3_ppo,
    "sb3-sac": _sb3_sac,
    "rllib-ppo": _rllib_ppo,
}
"""Algorithm id -> what trains it."""


def train_teacher(
    make_env: MakeEnv,
    out: Path,
    *,
    algorithm: str = "sb3-ppo",
    steps: int = 5000,
    seed: int = 0,
    hidden: tuple[int, ...] = (64, 64),
    report: Report | None = None,
) -> Policy:
    """Train a teacher in a data-generation environment and save it.

    Afterwards it is the data teacher "trained" with ``path=out``, for environments of the same
    kind and size.

    Args:
        make_env: The environment; its ``action_mode`` is the teacher's.
        out: Folder to make; must not exist.
        algorithm: One of :data:`ALGORITHMS`.
        steps: Environment steps (lessons), at least; whole rollouts are taken.
        seed: Whole number in [0, 2**63].
        hidden: Units of the network's layers.
        report: Told how every episode went.

    Returns:
        The policy.

    Raises:
        UserError: for an unknown algorithm, a bad number, an environment the algorithm cannot
            act in, a folder that exists, or a library that is not installed.
    """
    train = ALGORITHMS[one_of("algorithm", algorithm, ALGORITHMS)]
    at_least(2, "steps", steps)
    check_seed(seed)
    if out.exists():
        raise UserError(f"{out} exists; nothing is overwritten")
    env = make_env()
    try:
        world = _accepted(make_env, env, algorithm)
        episodes = _Episodes(env, derive_int(seed, "train teacher env"), report)
        flat: gym.Env[Any, Any] = gym.wrappers.FlattenObservation(episodes)
        plan = _Plan(flat, steps, derive_int(seed, "train teacher"), hidden)
        began = time.perf_counter()
        policy = _in_one_thread(train, plan)
    except ModuleNotFoundError as error:
        extra = algorithm.partition("-")[0]
        raise UserError(
            f"algorithm {algorithm!r} needs {error.name!r}, which is not installed: "
            f'pip install "teachenv[{extra}]"'
        ) from error
    finally:
        env.close()
    about = {
        "algorithm": algorithm,
        "environment": {"id": make_env.env_id, "args": dict(make_env.kwargs)},
        "action_mode": world.action_mode,
        "action_args": dict(world.decoder.args),
        "steps": episodes.steps,
        "seed": seed,
        "train_s": round(time.perf_counter() - began, 1),
    }
    policy.save(out, about)
    return policy


def _accepted(
    make_env: MakeEnv, env: gym.Env[Any, Any], algorithm: str
) -> SkillList | SkillTree | OpenEnded:
    """Return the environment, if a teacher can be trained in it by the algorithm."""
    world: Any = env.unwrapped
    if not isinstance(world, SkillList | SkillTree | OpenEnded):
        raise UserError(
            f"{make_env.env_id} has no lessons to plan, so that an agent trained in it would be no "
            "teacher of data; take a DataGenSkillList, DataGenSkillTree or DataGenOpenEnded "
            "environment (teachenv list), or train its agent with a library of your own"
        )
    if algorithm == "sb3-sac" and not isinstance(env.action_space, gym.spaces.Box):
        raise UserError(
            f"sb3-sac cannot choose: its actions are real numbers, those of {make_env.env_id} with "
            f"action mode {world.action_mode!r} are choices ({type(env.action_space).__name__}). "
            'Take sb3-ppo or rllib-ppo, or an action_mode of numbers: "mix", "alloc" or "point" of '
            'skill lists, "full" of skill trees'
        )
    return world


def _in_one_thread(train: Callable[[_Plan], Policy], plan: _Plan) -> Policy:
    """Small networks are slower in more threads, and results depend on how many there are."""
    from teachenv.one_thread import one_thread

    with one_thread(), threadpool_limits(1):
        return train(plan)


def _layers(*modules: Any) -> tuple[tuple[Any, Any], ...]:
    """Return weights and biases of the linear layers in torch modules, in order."""
    import torch

    linear = [m for module in modules for m in module.modules() if isinstance(m, torch.nn.Linear)]
    return tuple(
        (layer.weight.detach().cpu().numpy().copy(), layer.bias.detach().cpu().numpy().copy())
        for layer in linear
    )
