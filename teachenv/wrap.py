"""Wrappers: deliver trials inside ``reset``, and give any environment a task space."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from teachenv.env import Level, check_action, read_level, task_contract, to_score
from teachenv.errors import shortened
from teachenv.protocols import Outcome, Trial, TrialSource
from teachenv.space import Task, TaskSpace

Env = gym.Env[Any, Any]


class CurriculumWrapper(gym.Wrapper[Any, Any, Any, Any]):
    """Plays one trial per episode: asked for inside ``reset``, reported when the episode ends.

    Because the trial is pulled in ``reset``, it reaches the environment whoever resets it:
    Gymnasium's vector environments, Stable-Baselines3 or RLlib. ``info`` gains ``trial`` (the
    id, in every step), ``train`` (False, only where the trial says so) and, in an episode's
    last step, ``outcome``.

    An episode that is reset before its end is reported as lost. One in which the environment
    returns a number that is not finite is reported as failed and ends as truncated, with 0 in
    its place. Where the environment raises, ``source.on_env_error`` decides:

    - "fail": the trial is reported as failed, and the exception raised on.
    - "skip": the trial is reported as failed; the episode ends as truncated, on the last
      observation, or was never begun, and the next trial is played in a new environment.
    - "retry": as "skip", but the next trial is the same one, which has not been reported yet.
      When it raises again, it is reported as failed, and the exception raised on.

    Args:
        env: An environment with ``task_space``, ``return_range`` and ``mastery``, or what makes
            one, without which nothing is retried or skipped. A first one that cannot be made is
            tried once more unless the policy is "fail".
        source: A broker, or a client of one.
        lane: Name of this environment, unique among those of one source and process.

    Raises:
        TypeError: if the environment declares no tasks.
        RuntimeError: if it cannot be made; from what was raised.
    """

    def __init__(
        self, env: Env | Callable[[], Env], source: TrialSource, lane: int | str = 0
    ) -> None:
        self._make_env = None if isinstance(env, gym.Env) else env
        self._policy = "fail" if self._make_env is None else source.on_env_error
        super().__init__(env if isinstance(env, gym.Env) else self._first(env))
        self.task_space, self._return_range, self._mastery = task_contract(self.env)
        # Kept, as RLlib gives its environments a spec of its own.
        self._name = self.env.spec.id if self.env.spec else str(self.env)
        self._source = source
        self._lane = str(lane)
        self._trial: Trial | None = None
        self._again: Trial | None = None  # to be played once more
        self._broken = False  # needs a new environment
        self._observation: Any = None
        self._labels: dict[str, Any] = {}
        self._return = 0.0
        self._length = 0

    @property
    def trial(self) -> Trial | None:
        """The trial being played; ``None`` between episodes."""
        return self._trial

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Ask for a trial and start its episode; ``task`` and ``level_seed`` come from it."""
        if self._trial is not None:  # asking for the next one ends it as lost
            self._trial = self._again = None
        while True:
            self._trial = trial = self._again or self._source.ask(self._lane)
            self._labels = {"trial": trial.id}
            if not trial.train:
                self._labels["train"] = False
            self._return, self._length = 0.0, 0
            delivered = {**(options or {}), "task": trial.task, "level_seed": trial.level_seed}
            try:
                self._renew()
                observation, info = self.env.reset(seed=seed, options=delivered)
                if not _finite(observation):
                    raise ValueError(self._where("observation of reset is not finite"))
            except Exception as error:
                if not self._goes_on("making it anew" if self._broken else "reset", error):
                    raise
                continue
            self._observation = observation
            info.update(self._labels)
            return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one step; report the outcome if it is the last."""
        trial = self._trial
        if trial is None:
            raise gym.error.ResetNeeded("CurriculumWrapper: the episode is over; call reset")
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
        except Exception as error:
            if not self._goes_on("step", error):
                raise
            info = {**self._labels, "failed": repr(error), "is_success": False}
            return self._observation, 0.0, False, True, info
        info.update(self._labels)
        value = float(reward)
        if not math.isfinite(value) or not _finite(observation):
            message = self._where(f"reward {value} or observation is not finite")
            self._finish(Outcome.failed(), message)
            info.update(failed=message, is_success=False)
            return _zero_bad(observation), 0.0, False, True, info
        self._return += value
        self._length += 1
        self._observation = observation
        if terminated or truncated:
            outcome = Outcome(
                score=to_score(self._return, self._return_range),
                episode_return=self._return,
                episode_length=self._length,
                success=self._return > self._mastery,
            )
            info["outcome"] = outcome
            self._finish(outcome)
        return observation, reward, terminated, truncated, info

    def abandon(self) -> None:
        """Report a running trial as lost; the environment must be reset before its next step."""
        self._trial = self._trial or self._again
        self._finish(Outcome.lost())

    def close(self) -> None:
        """Report a running trial as lost and close the environment."""
        # The run may have ended, or closed the round, before us.
        with contextlib.suppress(ConnectionError, ValueError):
            self.abandon()
        self.env.close()

    def _first(self, make_env: Callable[[], Env]) -> Env:
        """Make the first environment, when there is no trial yet to be skipped."""
        for last in (self._policy == "fail", True):
            try:
                return make_env()
            except Exception as error:
                if last:
                    raise RuntimeError(f"making the environment raised {error!r}") from error
        raise AssertionError("not reached")

    def _renew(self) -> None:
        """Put a new environment in the place of one that raised."""
        if self._broken and self._make_env is not None:
            with contextlib.suppress(Exception):
                self.env.close()
            self.env = self._make_env()
            self._broken = False

    def _goes_on(self, doing: str, error: Exception) -> bool:
        """Do what is to be done when the environment raised; return whether that is all."""
        message = self._where(f"{doing} raised {shortened(repr(error))}")
        error.__notes__ = [*getattr(error, "__notes__", ()), self._where(doing)]
        self._broken = self._make_env is not None
        if self._policy == "retry" and self._again is None:
            self._again, self._trial = self._trial, None
            return True
        trial, self._trial, self._again = self._trial, None, None
        if trial is not None:
            self._source.tell(trial.id, Outcome.failed(), message, raised=True)
        return self._policy == "skip"

    def _finish(self, outcome: Outcome, message: str = "") -> None:
        trial, self._trial, self._again = self._trial, None, None
        if trial is not None:
            self._source.tell(trial.id, outcome, message)

    def _where(self, what: str) -> str:
        trial = self._trial
        task = None if trial is None else trial.task.tolist()
        return (
            f"{self._name}: {what} "
            f"(task {task}, level seed {trial and trial.level_seed}, step {self._length})"
        )


class Parameterize(gym.Wrapper[Any, Any, Any, Any]):
    """Gives any Gymnasium environment a task space, in one call.

    Args:
        env: An environment or a Gymnasium id.
        task_space: The tasks.
        apply: Called as ``apply(env.unwrapped, task)`` before every reset of the environment,
            with ``task`` as ``{name: value}``; sets its attributes.
        return_range: Lowest and highest episode return that scores tell apart.
        mastery: A task is mastered by an episode return above this.
        harder: Parameters along which tasks get harder; see :class:`teachenv.env.TaskEnv`.
        **kwargs: Passed to ``gymnasium.make`` when ``env`` is an id.

    The level seed becomes the ``seed`` of the inner reset, so task, level seed and actions fix
    an episode. ``info`` carries ``task``, ``level_seed``, ``is_success`` and ``progress``
    (score of the return so far), as for :class:`teachenv.env.TaskEnv`.

    Raises:
        ValueError: if the return range is not increasing or holds no mastery threshold.

    Example:
        >>> def pole(env, task): env.length = task["length"]
        >>> space = TaskSpace([Dim("length", 0.1, 2.0, default=0.5, unit="m")])
        >>> env = Parameterize("CartPole-v1", space, pole, return_range=(0, 500), mastery=475)
    """

    def __init__(
        self,
        env: Env | str,
        task_space: TaskSpace,
        apply: Callable[[Any, dict[str, Any]], None],
        *,
        return_range: tuple[float, float],
        mastery: float,
        harder: Mapping[str, int] = MappingProxyType({}),
        **kwargs: Any,
    ) -> None:
        super().__init__(gym.make(env, **kwargs) if isinstance(env, str) else env)
        if not return_range[0] < return_range[1] or not math.isfinite(mastery):
            raise ValueError(
                "Parameterize: expected return_range low < high and a finite mastery, "
                f"got {return_range} and {mastery}"
            )
        self.task_space = task_space
        self.return_range = return_range
        self.mastery = mastery
        self.harder = dict(harder)
        self._apply = apply
        self._level: Level | None = None
        self._return = 0.0
        self._level_rng = np.random.default_rng()

    @property
    def task(self) -> Task:
        """The current task; the default task before the first reset."""
        return self.task_space.default if self._level is None else self._level.task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Apply the task and reset the inner environment, seeded by the level seed."""
        task, level_seed = read_level(self.task_space, options, self.task)
        if seed is not None:
            self._level_rng = np.random.default_rng(seed)
        if level_seed is None:
            level_seed = int(self._level_rng.integers(2**31))
        self._level = Level(task, level_seed)
        self._return = 0.0
        self._apply(self.env.unwrapped, self.task_space.to_dict(task))
        observation, info = self.env.reset(seed=level_seed)
        return observation, self._annotate(info)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one step.

        Raises:
            ValueError: for something that is no action; nothing has moved then.
        """
        check_action(self.action_space, action)
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._return += float(reward)
        return observation, reward, terminated, truncated, self._annotate(info)

    def _annotate(self, info: dict[str, Any]) -> dict[str, Any]:
        assert self._level is not None
        info["task"], info["level_seed"] = self._level
        info["is_success"] = self._return > self.mastery
        info["progress"] = to_score(self._return, self.return_range)
        return info


def _finite(observation: Any) -> bool:
    if isinstance(observation, np.ndarray):
        return observation.dtype.kind != "f" or bool(np.isfinite(observation).all())
    if isinstance(observation, dict):
        return all(map(_finite, observation.values()))
    if isinstance(observation, tuple):
        return all(map(_finite, observation))
    return True


def _zero_bad(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {key: _zero_bad(value) for key, value in observation.items()}
    if isinstance(observation, tuple):
        return tuple(map(_zero_bad, observation))
    if isinstance(observation, np.ndarray) and observation.dtype.kind == "f":
        return np.nan_to_num(observation, nan=0.0, posinf=0.0, neginf=0.0)
    return observation
