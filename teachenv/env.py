"""The contract of an environment that knows tasks."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar, cast

import gymnasium as gym
import numpy as np

from teachenv.patience import Patience, Watched
from teachenv.space import Task, TaskError, TaskSpace

ObsType = TypeVar("ObsType")
ActType = TypeVar("ActType")

MAX_LEVEL_SEED = 2**53
"""Level seeds are whole numbers in [0, 2**53): exact in JSON, in C++ and in doubles."""

FIRST_TEST_LEVEL = 2**40
"""Level seeds from here on belong to test sets; none of them is ever issued for training."""


class Level(NamedTuple):
    """What fixes an episode besides the actions: the task and the level seed."""

    task: Task
    level_seed: int


def read_level(
    task_space: TaskSpace,
    options: Mapping[str, Any] | None,
    current: Task,
    extra: frozenset[str] = frozenset(),
) -> tuple[Task, int | None]:
    """Read ``task`` and ``level_seed`` from reset options; changes nothing.

    Args:
        task_space: Space the task must lie in.
        options: Options given to ``reset``; ``None`` for none.
        current: Task kept when the options name none.
        extra: Further option names the environment understands.

    Returns:
        The task to play and the level seed asked for, if any.

    Raises:
        TaskError: for unknown options, a bad task or a bad level seed.
    """
    if options is None:
        return current, None
    known = {"task", "level_seed", *extra}
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TaskError(f"reset: unknown options {unknown}; known: {sorted(known)}")
    given = options.get("task")
    task = current if given is None else task_space.task(given)
    seed = options.get("level_seed")
    return task, None if seed is None else read_level_seed(seed)


def read_level_seed(given: Any, name: str = "level_seed") -> int:
    """Return a level seed, checked.

    Args:
        given: The level seed.
        name: What messages call it.

    Raises:
        TaskError: if it is not a whole number in [0, 2**53).
    """
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    if not whole or not 0 <= given < MAX_LEVEL_SEED:
        raise TaskError(f"{name}: expected a whole number in [0, 2**53), got {given!r:.80}")
    return int(given)


def check_action(space: gym.Space[Any], action: Any) -> None:
    """Refuse what is no action: another label or shape, or a number that is not finite.

    Numbers beyond the bounds of a ``Box`` are left to the environment, which clips them, and so
    are dictionaries and tuples.

    Raises:
        ValueError: naming the action and the space.
    """
    if isinstance(space, gym.spaces.Box):
        try:
            good = np.shape(action) == space.shape and bool(np.isfinite(action).all())
        except TypeError:
            good = False
    elif isinstance(space, gym.spaces.Dict | gym.spaces.Tuple):
        return
    else:
        good = space.contains(action)
    if not good:
        raise ValueError(f"action: expected one of {space}, got {action!r:.80}")


def to_score(episode_return: float, return_range: tuple[float, float]) -> float:
    """Map an episode return to a score in [0, 1] by the environment's return range."""
    low, high = return_range
    return min(1.0, max(0.0, (episode_return - low) / (high - low)))


class TaskEnv(gym.Env[ObsType, ActType], Generic[ObsType, ActType]):
    """A Gymnasium environment whose episodes are played on a task.

    The task comes through ``reset(options={"task": vector or {name: value}})``; names left out
    of a mapping take their defaults, and without a task the current one stays.
    ``options={"level_seed": n}`` fixes everything random in the level; without it a level seed
    is drawn from ``self.np_random``. A refused option raises :class:`TaskError` and leaves the
    environment as it was.

    Every ``info`` carries ``task`` (float64, read-only), ``level_seed`` (int), ``is_success``
    (bool: episode return so far above ``mastery``) and ``progress`` (float in [0, 1]). The
    values of the last ``info`` of an episode are the episode's, whoever ended it.

    Subclasses set the attributes below and implement :meth:`_start`, :meth:`_advance` and
    :attr:`progress`.

    Attributes:
        task_space: The tasks.
        return_range: Lowest and highest episode return that scores tell apart.
        mastery: A task is mastered by an episode return above this.
        harder: For hand-made curricula: +1 where larger values of a parameter are harder, -1
            where smaller ones are; parameters left out are not known to be ordered.
        inert: Parameters that published spaces have although they change nothing.
    """

    task_space: TaskSpace
    return_range: tuple[float, float]
    mastery: float
    harder: Mapping[str, int] = MappingProxyType({})
    inert: frozenset[str] = frozenset()
    reset_options: frozenset[str] = frozenset()
    """Further options ``reset`` understands."""

    _level: Level | None = None
    _episode_return: float = 0.0
    _episode: int = -1
    """How many episodes have begun since the last seed, the current one not counted."""

    @property
    def task(self) -> Task:
        """The current task; the default task before the first reset."""
        return self.task_space.default if self._level is None else self._level.task

    @property
    def level_seed(self) -> int:
        """The current level seed.

        Raises:
            TaskError: before the first reset.
        """
        if self._level is None:
            raise TaskError("level_seed: the environment has not been reset yet")
        return self._level.level_seed

    @property
    def progress(self) -> float:
        """How far the episode has come, in [0, 1]."""
        raise NotImplementedError

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        """Start an episode; see the class for the options.

        Raises:
            TaskError: if an option is refused; the environment keeps its task and episode.
        """
        task, level_seed = read_level(self.task_space, options, self.task, self.reset_options)
        self._check_options(options or {})
        super().reset(seed=seed)
        self._episode = 0 if seed is not None else self._episode + 1
        if level_seed is None:
            level_seed = self._draw_level_seed(seed)
        self._level = Level(task, level_seed)
        self._episode_return = 0.0
        observation = self._start(self._level, options or {})
        return observation, self._info()

    def step(self, action: ActType) -> tuple[ObsType, float, bool, bool, dict[str, Any]]:
        """Play one step; see :meth:`gymnasium.Env.step`.

        Raises:
            ValueError: for something that is no action; nothing has moved then.
        """
        self._check_action(action)
        observation, reward, terminated, truncated = self._advance(action)
        self._episode_return += reward
        return observation, reward, terminated, truncated, self._info()

    def _info(self) -> dict[str, Any]:
        task, level_seed = cast(Level, self._level)
        return {
            "task": task,
            "level_seed": level_seed,
            "is_success": self._episode_return > self.mastery,
            "progress": self.progress,
        }

    def fingerprint(self, level: Level) -> bytes | None:
        """Return bytes that differ where levels differ; ``None`` if only playing them tells.

        ``check_task_env`` asks for it where short random episodes on two levels are the same.
        """
        return None

    def _draw_level_seed(self, seed: int | None) -> int:
        return int(self.np_random.integers(2**32))

    def _check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse bad values of :attr:`reset_options`, before anything changes."""

    def _check_action(self, action: ActType) -> None:
        """Refuse what is no action, before anything changes; see :func:`check_action`."""
        check_action(self.action_space, action)

    def _start(self, level: Level, options: Mapping[str, Any]) -> ObsType:
        """Build the level and return the first observation."""
        raise NotImplementedError

    def _advance(self, action: ActType) -> tuple[ObsType, float, bool, bool]:
        """Play one step; return observation, reward, terminated, truncated."""
        raise NotImplementedError


@dataclass(frozen=True)
class MakeEnv:
    """A picklable recipe for environments of one kind.

    Args:
        env_id: Gymnasium id.
        kwargs: Keyword arguments for ``gymnasium.make``.
        timeout_s: Seconds that a call of an environment may take (:mod:`teachenv.patience`), its
            making included; 0: any time. Those made by :meth:`vector` are not watched.
    """

    env_id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 0.0

    def __call__(self) -> gym.Env[Any, Any]:
        """Make one environment, without Gymnasium's per-step checker."""
        import teachenv  # noqa: F401  (registers the ids, also in worker processes)

        if not self.timeout_s:
            return gym.make(self.env_id, disable_env_checker=True, **self.kwargs)
        with Patience(self.timeout_s, f"making {self.env_id}"):
            env = gym.make(self.env_id, disable_env_checker=True, **self.kwargs)
        return Watched(env, self.timeout_s)

    def vector(self, num_envs: int) -> gym.vector.VectorEnv[Any, Any, Any] | None:
        """Make many environments in one, where they have an implementation of their own.

        Args:
            num_envs: How many.

        Returns:
            A vector environment for :class:`teachenv.vector.CurriculumVector`; ``None`` if there
            is none: it would step single environments in turn, or cannot be told what each of
            its lanes plays.
        """
        import teachenv  # noqa: F401  (registers the ids, also in worker processes)

        module, _, name = self.env_id.rpartition(":")
        if module:
            importlib.import_module(module)
        spec = gym.registry.get(name)
        if spec is None or spec.vector_entry_point is None:
            return None
        vector = gym.make_vec(self.env_id, num_envs, **self.kwargs)
        if not hasattr(vector.unwrapped, "set_next"):
            vector.close()
            return None
        return vector


def task_contract(env: gym.Env[Any, Any]) -> tuple[TaskSpace, tuple[float, float], float]:
    """Return ``(task_space, return_range, mastery)`` of a possibly wrapped environment.

    Raises:
        TypeError: if the environment declares no task space.
    """
    try:
        return (
            env.get_wrapper_attr("task_space"),
            env.get_wrapper_attr("return_range"),
            env.get_wrapper_attr("mastery"),
        )
    except AttributeError as error:
        raise TypeError(
            f"{env}: expected an environment with task_space, return_range and mastery "
            f"(a TaskEnv, or teachenv.Parameterize around any environment): {error}"
        ) from None
