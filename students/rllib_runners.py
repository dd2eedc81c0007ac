"""Ray, its environment runners and the environments they step, for ``students.rllib``."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.util import get_current_placement_group, placement_group, remove_placement_group

from teachenv.errors import UserError
from teachenv.ray_start import init_ray
from teachenv.seeding import derive_int
from teachenv.vector import CurriculumVector, Infos
from teachenv.wrap import CurriculumWrapper

CPUS_TIMEOUT_S = 30.0
"""Seconds that others get to free the CPUs that runners need; one that ends takes moments."""


class Lane(CurriculumWrapper):
    """What a runner steps: one environment that plays trials.

    Args:
        context: RLlib's environment settings, with ``make_env`` and ``source``.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        super().__init__(context["make_env"], context["source"], uuid.uuid4().hex)


class NativeLanes(CurriculumVector):
    """What a runner steps where environments come as one vector: its lanes play trials.

    RLlib makes a dictionary of Python values for every lane and step of the infos; they are cut
    down to what ``students.rllib_learner`` reads.

    Args:
        context: RLlib's environment settings, with ``make_env``, ``source`` and ``num_envs``.

    Raises:
        RuntimeError: if this process has no vector implementation of the environment.
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        vector = context["make_env"].vector(context["num_envs"])
        if vector is None:
            raise RuntimeError(
                f"rllib-ppo: {context['make_env']} is native in the student's process, but not "
                "in this one: install teachenv here with its native engine"
            )
        super().__init__(vector, context["source"], uuid.uuid4().hex)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """See :meth:`CurriculumVector.reset`."""
        observations, infos = super().reset(seed=seed, options=options)
        return observations, _learner_infos(infos, np.zeros(self.num_envs, np.bool_))

    def step(self, actions: Any) -> Any:
        """See :meth:`CurriculumVector.step`."""
        observations, rewards, terminated, truncated, infos = super().step(actions)
        infos = _learner_infos(infos, terminated | truncated)
        return observations, rewards, terminated, truncated, infos


def _learner_infos(infos: Infos, ended: NDArray[np.bool_]) -> Infos:
    always, at_the_end = ("trial", "train"), ("outcome", "failed", "task", "level_seed")
    kept = {name: infos[name] for name in (*always, *at_the_end) if name in infos}
    masks = {f"_{name}": infos[f"_{name}"] & (ended | (name in always)) for name in kept}
    return kept | masks


def read_spaces(
    make_env: Callable[[], gym.Env[Any, Any]],
) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Return observation and action space of an environment.

    Raises:
        TypeError: unless observations are a flat ``Box`` and actions ``Discrete`` (from 0) or a
            flat ``Box``.
    """
    env = make_env()
    try:
        observation, action = env.observation_space, env.action_space
    finally:
        env.close()
    box = gym.spaces.Box
    if not isinstance(observation, box) or len(observation.shape) != 1:
        raise TypeError(f"rllib-ppo: expected flat Box observations, got {observation}")
    flat = isinstance(action, box) and len(action.shape) == 1
    if not flat and not (isinstance(action, gym.spaces.Discrete) and action.start == 0):
        raise TypeError(f"rllib-ppo: expected Discrete or flat Box actions, got {action}")
    return observation, action


def restart(runner: Any, seed: int) -> None:
    """Drop a runner's episodes; its next step starts fresh ones, all reseeded."""
    seed = derive_int(seed, "rllib runner", runner.worker_index)
    if runner.worker_index > 0:  # else its process is the student's
        seed_globals(seed)
    runner._seed = seed
    runner._needs_initial_reset = True


def abandon(runner: Any) -> None:
    """Give up the trials a runner plays."""
    lanes = runner.env.env  # what we made; around it is RLlib's conversion of infos
    if isinstance(lanes, NativeLanes):
        lanes.abandon()
        return
    for env in lanes.envs:
        env.get_wrapper_attr("abandon")()


def autoreset_mode(runner: Any) -> gym.vector.AutoresetMode:
    """Return when a runner's environments start their next episode."""
    mode: gym.vector.AutoresetMode = runner.env.metadata["autoreset_mode"]
    return mode


def start_ray(cpus: int) -> bool:
    """Start a local Ray unless one is there; returns whether it did.

    Of a Ray that is there nothing is reserved: what asks at the same moment may come first.

    Raises:
        UserError: if the Ray that is there has fewer CPUs, or not so many come free in time:
            runners would wait for ever.
        RuntimeError: if none can be started.
    """
    logging.getLogger("ray.rllib").setLevel(logging.ERROR)  # greets and advises otherwise
    if ray.is_initialized():
        _await_cpus(cpus)
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    init_ray(
        address="local",
        num_cpus=max(1, cpus),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    return True


def _await_cpus(cpus: int) -> None:
    """Wait until so many CPUs can be had, a bounded time; what a trial reserved is its own."""
    if cpus == 0 or get_current_placement_group() is not None:
        return
    there = ray.cluster_resources().get("CPU", 0)
    if there >= cpus:
        runners = placement_group([{"CPU": 1}] * cpus)
        try:
            if runners.wait(CPUS_TIMEOUT_S):
                return
        finally:
            remove_placement_group(runners)
    free = ray.available_resources().get("CPU", 0)
    raise UserError(
        f"rllib-ppo needs {cpus} CPUs for its environment runners, but of the {there:g} CPUs of "
        f"the running Ray {free:g} are free: close what holds the others (student.close()), "
        f"start Ray with more (ray.init(num_cpus=...)), or use fewer runners (num_env_runners)"
    )


def broker_host(num_env_runners: int) -> str:
    """Return the address on which runners can reach this process."""
    if num_env_runners and len(ray.nodes()) > 1:
        return str(ray.util.get_node_ip_address())
    return "127.0.0.1"


def seed_globals(seed: int) -> None:
    """Seed the generators of ``random``, NumPy and torch, which RLlib draws from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


@contextlib.contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Run a block under :func:`seed_globals` and put the generators back after it."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    seed_globals(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.set_rng_state(before[2])
