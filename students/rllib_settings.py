"""Hyper-parameters of ``students.rllib`` and what they are called in RLlib."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from students.hyper import check_hyper
from students.rllib_learner import TrialPpoLearner
from students.rllib_module import PpoModule
from teachenv.env import MakeEnv
from teachenv.errors import UserError

SAMPLE_TIMEOUT_S = 180.0
"""Usual seconds to wait for runners to play an iteration."""

SPARE_S = 60.0
"""Seconds of waiting beyond those that one call of an environment may take."""


def sample_timeout(make_env: Callable[[], object], given: float | None) -> float:
    """Return how many seconds to wait for runners: those given, if any, or the usual ones.

    They are more where a call of an environment may take longer: one that hangs is ended after
    its own time limit, and its runner comes back.
    """
    if given is not None:
        return given
    patience = make_env.timeout_s if isinstance(make_env, MakeEnv) else 0.0
    return max(SAMPLE_TIMEOUT_S, patience + SPARE_S)


@dataclass(frozen=True, kw_only=True)
class PpoSettings:
    """Hyper-parameters; see :class:`students.rllib.RllibPpo`.

    Attributes:
        native: Whether the environments of a runner are one native vector environment.
    """

    native: bool
    num_env_runners: int
    envs_per_runner: int
    n_steps: int
    batch_size: int
    n_epochs: int
    learning_rate: float
    gamma: float
    gae_lambda: float
    clip_range: float
    ent_coef: float
    vf_coef: float
    kl_coef: float
    kl_target: float
    max_grad_norm: float
    hidden: tuple[int, ...]
    norm_obs: bool
    norm_reward: bool
    threads: int
    sample_timeout_s: float

    @property
    def iteration_steps(self) -> int:
        """Steps per iteration, of all environments together."""
        return self.n_steps * self.envs_per_runner * max(1, self.num_env_runners)

    def check(self) -> None:
        """Check all of them.

        Raises:
            ValueError: naming every hyper-parameter that is out of range.
        """
        counts = ("envs_per_runner", "n_steps", "batch_size", "n_epochs", "threads")
        positive = (
            "learning_rate",
            "clip_range",
            "kl_target",
            "max_grad_norm",
            "sample_timeout_s",
        )
        check_hyper(
            "rllib-ppo",
            counts={name: getattr(self, name) for name in counts},
            positive={name: getattr(self, name) for name in positive},
            shares={"gamma": self.gamma, "gae_lambda": self.gae_lambda},
            weights={name: getattr(self, name) for name in ("ent_coef", "vf_coef", "kl_coef")},
            hidden=self.hidden,
            counts_or_0={"num_env_runners": self.num_env_runners},
        )
        if self.batch_size > self.iteration_steps:
            raise UserError(
                f"rllib-ppo: batch_size: expected at most the {self.iteration_steps} steps of an "
                f"iteration, got {self.batch_size}"
            )

    def config(self) -> PPOConfig:
        """Return them as RLlib wants them; everything but the environment."""
        module = RLModuleSpec(
            module_class=PpoModule,
            model_config={
                "hidden": list(self.hidden),
                "normalise_observations": self.norm_obs,
                "scale_rewards": self.norm_reward,
            },
        )
        return (
            PPOConfig()
            .training(
                lr=self.learning_rate,
                gamma=self.gamma,
                lambda_=self.gae_lambda,
                clip_param=self.clip_range,
                entropy_coeff=self.ent_coef,
                vf_loss_coeff=self.vf_coef,
                vf_clip_param=float("inf"),
                use_kl_loss=self.kl_coef > 0,
                kl_coeff=self.kl_coef,
                kl_target=self.kl_target,
                grad_clip=self.max_grad_norm,
                grad_clip_by="global_norm",
                train_batch_size_per_learner=self.iteration_steps,
                minibatch_size=self.batch_size,
                num_epochs=self.n_epochs,
                shuffle_batch_per_epoch=True,
            )
            .env_runners(
                num_env_runners=self.num_env_runners,
                num_envs_per_env_runner=self.envs_per_runner,
                gym_env_vectorize_mode="vector_entry_point" if self.native else "sync",
                rollout_fragment_length=self.n_steps,
                sample_timeout_s=self.sample_timeout_s,
                merge_env_runner_states=False,  # the module holds all state
                broadcast_env_runner_states=False,
            )
            .learners(learner_class=TrialPpoLearner)
            .rl_module(rl_module_spec=module)
            .fault_tolerance(
                restart_failed_env_runners=True,
                delay_between_env_runner_restarts_s=1.0,
                env_runner_health_probe_timeout_s=5.0,
            )
            .debugging(log_level="ERROR")
        )
