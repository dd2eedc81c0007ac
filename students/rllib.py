"""Student of RLlib: PPO with any number of environment runners (Ray 2.60, new API stack).

The broker stays in this process and is served on a socket: every environment, whichever runner
steps it, asks for its trial inside ``reset`` and reports when its episode ends. A runner that
dies loses the trials it was playing, at once, and is replaced.

RLlib's own checkpoints do not resume exactly and are pickles. Here every :meth:`RllibPpo.learn`
reseeds everything and starts fresh episodes, so what is saved is only what outlives it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import gymnasium as gym
import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.utils.spaces.space_utils import unsquash_action

from students.hyper import comes_as_vector, ppo_defaults
from students.rllib_learner import TrialPpoLearner
from students.rllib_runners import (
    Lane,
    NativeLanes,
    abandon,
    autoreset_mode,
    broker_host,
    global_seed,
    read_spaces,
    restart,
    start_ray,
)
from students.rllib_settings import PpoSettings, sample_timeout
from students.signals import SIGNALS
from teachenv.broker import Broker
from teachenv.protocols import State
from teachenv.remote import BrokerClient, serve
from teachenv.seeding import derive_int

MakeEnv = Callable[[], gym.Env[Any, Any]]

ABANDON_TIMEOUT_S = 5.0
"""Seconds a runner gets to give up its trials; only a hanging one needs more than moments."""


class RllibPpo:
    """Proximal policy optimisation with running normalisation, from RLlib.

    The defaults are those of ``sb3-ppo``; with ``kl_coef`` the penalty that RLlib adds to the
    clipped objective is switched on. Continuous actions are learned in [-1, 1] and mapped to
    the bounds of the action space. Trials with ``train=False`` are played and scored but left
    out of the updates. Starts a local Ray unless one is running. Resumes bit for bit without
    runners; with runners, outcomes arrive in no fixed order.

    Signals (:class:`students.signals.EpisodeSignals`) are in raw reward units: normalised
    advantages and values times the reward scale of the iteration.

    Args:
        make_env: Makes one environment with a task space; picklable if there are runners.
        broker: Where the environments get their trials.
        seed: Fixes the initial parameters.
        num_env_runners: Processes that step environments; 0 steps them in this one.
        envs_per_runner: Environments of each runner (of this process, if there are none). This
            and the next five are by default those of :data:`students.hyper.NATIVE` where the
            environments are one native vector (:meth:`teachenv.env.MakeEnv.vector`), otherwise
            of :data:`students.hyper.PLAIN`.
        n_steps: Steps of each environment per iteration.
        batch_size: Steps per gradient step.
        n_epochs: Passes over each iteration's steps.
        learning_rate: Of Adam; constant.
        gamma: Discount factor, also of the reward normalisation.
        gae_lambda: Decay of the generalised advantage.
        clip_range: Bound of the policy ratio.
        ent_coef: Weight of the entropy bonus.
        vf_coef: Weight of the value loss.
        kl_coef: Initial weight of the KL penalty; 0 for none.
        kl_target: KL divergence towards which the weight adapts.
        max_grad_norm: Bound of the gradient's norm.
        hidden: Widths of the tanh layers, for policy and value each.
        norm_obs: Whether observations are normalised by running statistics.
        norm_reward: Whether rewards are divided by the running deviation of the return.
        threads: Threads torch may use in this process.
        sample_timeout_s: Seconds that runners get for an iteration; see :func:`sample_timeout`.

    Raises:
        ValueError: naming every hyper-parameter that is out of range.
        TypeError: for spaces other than a flat ``Box`` of observations and ``Discrete`` or flat
            ``Box`` actions.
        UserError: if a running Ray has too few CPUs, or too few come free.
    """

    provides = SIGNALS
    carries = False

    def __init__(
        self,
        make_env: MakeEnv,
        broker: Broker,
        *,
        seed: int = 0,
        num_env_runners: int = 0,
        envs_per_runner: int | None = None,
        n_steps: int | None = None,
        batch_size: int | None = None,
        n_epochs: int | None = None,
        learning_rate: float | None = None,
        gamma: float | None = None,
        gae_lambda: float = 0.95,
        clip_range: float = 0.18,
        ent_coef: float = 0.0,
        vf_coef: float = 0.5,
        kl_coef: float = 0.0,
        kl_target: float = 0.01,
        max_grad_norm: float = 0.5,
        hidden: Sequence[int] = (64, 64),
        norm_obs: bool = True,
        norm_reward: bool = True,
        threads: int = 1,
        sample_timeout_s: float | None = None,
    ) -> None:
        usual = ppo_defaults(
            make_env,
            n_envs=envs_per_runner,
            n_steps=n_steps,
            batch_size=batch_size,
            n_epochs=n_epochs,
            learning_rate=learning_rate,
            gamma=gamma,
        )
        settings = PpoSettings(
            native=comes_as_vector(make_env),
            num_env_runners=num_env_runners,
            envs_per_runner=usual.n_envs,
            n_steps=usual.n_steps,
            batch_size=usual.batch_size,
            n_epochs=usual.n_epochs,
            learning_rate=usual.learning_rate,
            gamma=usual.gamma,
            gae_lambda=gae_lambda,
            clip_range=clip_range,
            ent_coef=ent_coef,
            vf_coef=vf_coef,
            kl_coef=kl_coef,
            kl_target=kl_target,
            max_grad_norm=max_grad_norm,
            hidden=tuple(hidden),
            norm_obs=norm_obs,
            norm_reward=norm_reward,
            threads=threads,
            sample_timeout_s=sample_timeout(make_env, sample_timeout_s),
        )
        settings.check()
        self._broker = broker
        self._threads = threads
        torch.set_num_threads(threads)  # before the weights are drawn: their bits depend on it
        self._runners = num_env_runners
        self._timeout_s = settings.sample_timeout_s
        self._observation_space, self._action_space = read_spaces(make_env)
        with contextlib.ExitStack() as stack:
            if start_ray(num_env_runners):
                stack.callback(ray.shutdown)
            client = stack.enter_context(serve(broker, broker_host(num_env_runners)))
            self._algorithm = self._build(settings, make_env, client, seed)
            stack.callback(self._algorithm.stop)
            # Kills the runners first: a hanging one would hold up the stop for ever.
            stack.callback(self._algorithm.env_runner_group._worker_manager.clear)
            modes = set(self._each_runner(autoreset_mode))
            if modes != {gym.vector.AutoresetMode.NEXT_STEP}:
                raise RuntimeError(f"RLlib learns from NEXT_STEP autoreset only, got {modes}")
            self._open = stack.pop_all()
        self._learner: TrialPpoLearner = self._algorithm.learner_group._learner
        self._learner.advantages.report = broker.signal

    def learn(self, n_steps: int, *, seed: int, carry: bool = False) -> int:
        """Train for at least ``n_steps`` steps; see :class:`teachenv.protocols.Student`.

        Whole iterations are played. Sets torch's number of threads.

        Raises:
            ValueError: if ``n_steps`` is not positive, or for ``carry``.
            RuntimeError: if no runner came back with steps, or an environment raised in one.
            Exception: what an environment raised in this process.
        """
        if n_steps < 1:
            raise ValueError(f"learn: expected a positive number of steps, got {n_steps}")
        if carry:
            raise ValueError("learn: these episodes cannot be carried on; expected carry=False")
        counter = self._learner.advantages
        counter.restart()
        first, offset = counter.steps, self._broker.step - counter.steps
        torch.set_num_threads(self._threads)
        with global_seed(derive_int(seed, "student")):
            self._each_runner(partial(restart, seed=seed))
            try:
                while counter.steps - first < n_steps:
                    self._iterate()
                    self._broker.advance(offset + counter.steps)
            finally:
                self._each_runner(abandon, ABANDON_TIMEOUT_S)
        return counter.steps - first

    def act(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return deterministic actions, shape ``(n, ...)``, for observations ``(n, ...)``.

        Raises:
            ValueError: if the observations are not a batch.
        """
        batch = np.asarray(observations, dtype=np.float32)
        shape = self._observation_space.shape
        if batch.ndim == 0 or batch.shape[1:] != shape:
            raise ValueError(f"act: expected observations (n, *{shape}), got shape {batch.shape}")
        module = self._learner.module[DEFAULT_MODULE_ID]
        logits = module.forward_inference({Columns.OBS: torch.from_numpy(batch)})
        distribution = module.get_inference_action_dist_cls().from_logits(
            logits[Columns.ACTION_DIST_INPUTS]
        )
        actions = distribution.to_deterministic().sample().numpy()
        return cast(NDArray[Any], unsquash_action(actions, self._action_space))

    @property
    def gradient_steps(self) -> int:
        """Gradient steps since this object was made."""
        return self._learner.gradient_steps

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values and arrays."""
        return self._learner.plain_state()

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            KeyError: if something is missing.
            RuntimeError: if the parameters are those of another network.
        """
        self._learner.load_plain_state(state)
        self._algorithm.env_runner_group.sync_weights(
            from_worker_or_learner_group=self._algorithm.learner_group
        )

    def close(self) -> None:
        """Stop the runners, and Ray if this student started it."""
        self._open.close()

    def _build(
        self, settings: PpoSettings, make_env: MakeEnv, source: BrokerClient, seed: int
    ) -> Algorithm:
        config = settings.config().environment(
            NativeLanes if settings.native else Lane,
            env_config={"make_env": make_env, "source": source},
            observation_space=self._observation_space,
            action_space=self._action_space,
            normalize_actions=True,
            disable_env_checking=True,
        )
        with global_seed(derive_int(seed, "student init")):
            try:
                return config.build_algo()
            except IndexError as error:  # RLlib asks the first runner for its spaces
                raise RuntimeError(
                    "rllib-ppo: no environment runner started; Ray logged the cause above "
                    "(often: make_env is in a module that other processes cannot import)"
                ) from error

    def _iterate(self) -> None:
        before = self._learner.advantages.steps
        try:
            self._algorithm.train()
        except RuntimeError as error:
            if error.args or error.__cause__ is None:
                raise
            raise error.__cause__ from None  # RLlib's wrapping of what an environment raised
        if self._broker.raised and self._broker.on_env_error != "skip":
            raise RuntimeError(f"rllib-ppo: an environment broke: {self._broker.raised}")
        if self._learner.advantages.steps == before:
            failure = self._broker.last_failure or "none failed"
            raise RuntimeError(
                f"rllib-ppo: none of {self._runners} environment runners came back with steps "
                f"within {self._timeout_s:g} s: they died, were killed, or their environments "
                f"hang or raise (last failed trial: {failure}). Resume from the last "
                f"checkpoint; if episodes are slow, raise sample_timeout_s"
            )

    def _each_runner(self, call: Callable[[Any], Any], timeout_s: float | None = None) -> list[Any]:
        return cast(
            list[Any],
            self._algorithm.env_runner_group.foreach_env_runner(
                call,
                local_env_runner=self._runners == 0,
                timeout_seconds=self._timeout_s if timeout_s is None else timeout_s,
            ),
        )
