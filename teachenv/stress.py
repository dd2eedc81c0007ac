"""Stress: environments and analytic students whose tasks are deformed, or who forget everything.

The deformations are those of :mod:`teachenv.deform`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsFloat

import gymnasium as gym
from numpy.typing import NDArray

from teachenv.deform import STRESSES, Deformation, Ending, deform
from teachenv.env import Level, task_contract
from teachenv.envs.toy.learner import Learner
from teachenv.errors import at_least
from teachenv.protocols import State
from teachenv.space import Task

__all__ = [
    "STRESSES",
    "Deformation",
    "NewStudents",
    "Stressed",
    "StressedLearner",
    "deform",
    "make_stressed",
]

Env = gym.Env[Any, Any]


class Stressed(gym.Wrapper[Any, Any, Any, Any]):
    """An environment in a deformed task space.

    A made-up task is played on the nearest real one, with its rewards held back until the end of
    the episode; there comes the lowest return of the environment's range (unfeasible) or the
    highest (trivial) instead of them. Test sets drawn from the task space hold made-up tasks as
    well.

    Args:
        env: An environment with tasks, its time limit included.
        stress: A name of :data:`STRESSES`.
        how: Arguments of the deformation, see :func:`deform`. ``harder`` among them replaces the
            environment's own.

    Raises:
        TypeError: if the environment declares no tasks.
        UserError: if the deformation does not fit it.
    """

    def __init__(self, env: Env, stress: str, **how: Any) -> None:
        super().__init__(env)
        space, self.return_range, self.mastery = task_contract(env)
        declared = env.get_wrapper_attr("harder") if env.has_wrapper_attr("harder") else {}
        self._deformation = deform(stress, space, how.pop("harder", declared), **how)
        self.task_space = self._deformation.task_space
        self.harder = self._deformation.harder
        inert = env.get_wrapper_attr("inert") if env.has_wrapper_attr("inert") else frozenset()
        self.inert: frozenset[str] = inert | self._deformation.inert
        self.task: Task = self.task_space.default
        self._ending: Ending = "real"
        self._return = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode on ``options["task"]``, or on the current task."""
        given = dict(options or {})
        asked = given.pop("task", None)
        task = self.task if asked is None else self.task_space.task(asked)
        real, ending = self._deformation.place(task)
        observation, info = self.env.reset(seed=seed, options={**given, "task": real})
        self.task, self._ending, self._return = task, ending, 0.0
        return observation, self._annotate(info)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._ending != "real":
            reward = 0.0
            if terminated or truncated:
                reward = self.return_range[self._ending == "trivial"]
        self._return += float(reward)
        return observation, reward, terminated, truncated, self._annotate(info)

    def played(self, level: Level) -> Level:
        """Return the level of the environment that is played for one of the task space."""
        return Level(self._deformation.place(level.task).task, level.level_seed)

    def fingerprint(self, level: Level) -> bytes | None:
        """Return bytes that differ where levels do; see :class:`teachenv.env.TaskEnv`."""
        if not self.env.has_wrapper_attr("fingerprint"):
            return None
        found = self.env.get_wrapper_attr("fingerprint")(self.played(level))
        ending = self._deformation.place(level.task).ending
        return None if found is None else found + ending.encode()

    def _annotate(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "task": self.task, "is_success": self._return > self.mastery}


def make_stressed(
    env: str = "teachenv/PointMass-v0",
    stress: str = "mostly-unfeasible",
    how: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Env:
    """Make an environment by id and deform its task space: ``teachenv/Stressed-v0``.

    Args:
        env: Gymnasium id of an environment with tasks.
        stress: A name of :data:`STRESSES`.
        how: Arguments of the deformation, see :func:`deform`.
        kwargs: For ``gymnasium.make(env)``.
    """
    return Stressed(gym.make(env, **kwargs), stress, **(how or {}))


class StressedLearner(Learner):
    """An analytic student in a deformed task space; made-up tasks score 0 or 1, untaught.

    Args:
        learner: The student.
        stress: A name of :data:`STRESSES`.
        how: Arguments of the deformation, see :func:`deform`.

    Raises:
        UserError: if the deformation does not fit the student.
    """

    def __init__(self, learner: Learner, stress: str, **how: Any) -> None:
        self._learner = learner
        self._deformation = deform(stress, learner.task_space, learner.harder, **how)
        self.task_space = self._deformation.task_space
        self.harder = self._deformation.harder
        self._made_up: float | None = None

    def play(self, task: NDArray[Any], train: bool = True) -> tuple[float, bool]:
        """Play one episode; see :meth:`Learner.play`."""
        real, ending = self._deformation.place(task)
        if ending == "real":
            self._made_up = None
            return self._learner.play(real, train)
        self._made_up = float(ending == "trivial")
        return self._made_up, ending == "trivial"

    @property
    def mastered_share(self) -> float:
        """Share of the real tasks."""
        return self._learner.mastered_share

    def best_task(self) -> Task:
        """Return the student's own best task, as it is shown."""
        return self._deformation.show(self._learner.best_task())

    def signals(self) -> dict[str, float]:
        """Return what a perfect critic would say; see :meth:`Learner.signals`."""
        if self._made_up is None:
            return self._learner.signals()
        nothing = dict.fromkeys(self.provides, 0.0)
        return {**nothing, "value_start": self._made_up, "value_mean": self._made_up}

    def restart(self, seed: int | None = None) -> None:
        """Become a new student."""
        self._learner.restart(seed)
        self._made_up = None

    def state_dict(self) -> State:
        """Return the student's state, and how its last task ended if that was made up."""
        return {"learner": self._learner.state_dict(), "made_up": self._made_up}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self._learner.load_state_dict(state["learner"])
        self._made_up = state["made_up"]


class NewStudents(Learner):
    """An analytic student that is replaced by a new one, unannounced, every so many episodes.

    Args:
        learner: The student.
        every: Episodes after which a new one takes its place.

    Raises:
        ValueError: if ``every`` is not positive.
    """

    def __init__(self, learner: Learner, every: int) -> None:
        self._learner = learner
        self.every = at_least(1, "every", every)
        self.task_space, self.harder = learner.task_space, learner.harder
        self._n_played = 0

    def play(self, task: NDArray[Any], train: bool = True) -> tuple[float, bool]:
        """Play one episode; see :meth:`Learner.play`."""
        if self._n_played and self._n_played % self.every == 0:
            self._learner.restart()
        self._n_played += 1
        return self._learner.play(task, train)

    @property
    def mastered_share(self) -> float:
        """Share of what there is to master."""
        return self._learner.mastered_share

    def best_task(self) -> Task:
        """Return the student's own best task."""
        return self._learner.best_task()

    def signals(self) -> dict[str, float]:
        """Return what a perfect critic would say; see :meth:`Learner.signals`."""
        return self._learner.signals()

    def restart(self, seed: int | None = None) -> None:
        """Begin again with a new student."""
        self._n_played = 0
        self._learner.restart(seed)

    def state_dict(self) -> State:
        """Return everything the future depends on, as JSON values."""
        return {"n_played": self._n_played, "learner": self._learner.state_dict()}

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self._learner.load_state_dict(state["learner"])
        self._n_played = int(state["n_played"])
