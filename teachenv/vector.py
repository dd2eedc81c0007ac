"""Trials for vector environments that can be told what each lane plays next."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol, cast

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from teachenv.env import to_score
from teachenv.errors import shortened
from teachenv.protocols import Outcome, State, Trial, TrialSource
from teachenv.space import TaskSpace
from teachenv.vector_infos import Infos, mix_lanes, pick_lane, select_lanes, stack_lanes

__all__ = ["CurriculumVector", "Infos", "StepReturn", "TaskVector", "select_lanes"]

StepReturn = tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_], NDArray[np.bool_], Infos]


class TaskVector(Protocol):
    """What :class:`CurriculumVector` needs of the environment it wraps.

    Its infos hold ``is_success`` in every step.

    Attributes:
        task_space, return_range, mastery: See :class:`teachenv.env.TaskEnv`.
        autoreset_mode: When lanes begin their next episode; may be set between calls.
    """

    task_space: TaskSpace
    return_range: tuple[float, float]
    mastery: float
    autoreset_mode: AutoresetMode

    def set_next(self, lane: int, task: Any, level_seed: int | None = None) -> None:
        """Say what a lane plays from its next restart on."""

    def truncate(self, lane: int) -> None:
        """End a lane's episode from outside: its next step begins the next one."""


class CurriculumVector(VectorWrapper):
    """Plays trials in the lanes of a vector environment.

    The counterpart of :class:`teachenv.wrap.CurriculumWrapper` for single environments. A lane's
    trial is asked for right before its episode begins and reported when it ends, both in the
    order of the lanes, and all reports of a step before the next question. Infos gain ``trial``
    (the id), ``train`` (False; only where a trial says so) and, in an episode's last step,
    ``outcome``; each with its mask.

    An episode that is reset before its end is reported as lost. If the environment raises, all
    running trials are reported as failed and the exception is raised on. A lane that returns a
    number that is not finite is reported as failed and truncated, with 0 in its place, and
    ``failed`` in its infos says why.

    Args:
        env: A vector environment with ``Box`` observations whose base is a :class:`TaskVector`,
            in mode ``NEXT_STEP`` or ``SAME_STEP``. In the latter, this wrapper does the
            restarts from now on, so that a trial is asked for knowing all that went before.
        source: A broker, or a client of one.
        prefix: Put before the number of a lane to name it; names must be unique among those of
            one source and process.

    Attributes:
        played: The trial that the last step of each lane belonged to (its first observation
            included), ``None`` without one; replaced by every change, never written.

    Raises:
        TypeError: if the environment is none of that kind.
        ValueError: if its autoreset is disabled.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], source: TrialSource, prefix: str = ""
    ) -> None:
        super().__init__(env)
        needed = (*TaskVector.__annotations__, "set_next", "truncate")
        missing = [name for name in needed if not hasattr(env.unwrapped, name)]
        if missing or not isinstance(env.single_observation_space, spaces.Box):
            raise TypeError(
                f"{env}: expected a vector environment with Box observations and with "
                f"{', '.join(needed)}; missing: {missing}. Others take a CurriculumWrapper in "
                "each lane"
            )
        self._base = cast(TaskVector, env.unwrapped)
        if self._base.autoreset_mode is AutoresetMode.DISABLED:
            raise ValueError(f"{env}: expected autoreset mode NEXT_STEP or SAME_STEP, not DISABLED")
        self._same_step = self._base.autoreset_mode is AutoresetMode.SAME_STEP
        if self._same_step:
            self._base.autoreset_mode = AutoresetMode.DISABLED
            self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        self._source = source
        self._names = [f"{prefix}{lane}" for lane in range(self.num_envs)]
        self._everyone = np.ones(self.num_envs, np.bool_)
        self._everyone.flags.writeable = False  # infos hold it
        self._trials: list[Trial | None] = [None] * self.num_envs
        self.played = self._trials
        self._running = np.zeros(self.num_envs, np.bool_)
        self._over = np.zeros(self.num_envs, np.bool_)  # begins its next trial in the next step
        self._ids = np.full(self.num_envs, -1)
        self._kept_out = np.zeros(self.num_envs, np.bool_)  # trials that are not for training
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, np.int64)

    @property
    def playing(self) -> list[Trial | None]:
        """The trial each lane plays now; one that ended until its successor begins."""
        return self._trials

    def reset(  # type: ignore[override]
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], Infos]:
        """Ask for a trial for each lane (of ``options["reset_mask"]``) and start its episode.

        ``task`` and ``level_seed`` come from the trials, whatever the options say.
        """
        options = {k: v for k, v in (options or {}).items() if k not in ("task", "level_seed")}
        mask = options.get("reset_mask", self._everyone)
        fine = isinstance(mask, np.ndarray) and mask.dtype == np.bool_
        if not fine or mask.shape != (self.num_envs,):
            raise ValueError(
                f"reset_mask: expected a bool array of shape ({self.num_envs},), got {mask!r:.80}"
            )
        self._over = self._over & ~mask
        self._deal(mask)
        observations, infos = self._restart(mask, seed, options)
        self.played = self._trials
        return observations, {**infos, **self._labels(mask)}

    def step(self, actions: Any) -> StepReturn:  # type: ignore[override]
        """Play one step; report the outcomes of episodes it ends.

        Raises:
            ResetNeeded: if a lane plays no trial.
        """
        restarted = self._over
        if not (self._running | restarted).all():
            raise ResetNeeded("CurriculumVector: there are lanes without an episode; call reset")
        if restarted.any():
            self._deal(restarted)
        self.played = self._trials
        try:
            observations, rewards, terminated, truncated, infos = self.env.step(actions)
        except Exception as error:
            self._fail(self._running, f"step raised {shortened(repr(error))}")
            self._over = np.zeros(self.num_envs, np.bool_)
            raise
        infos.update(self._labels(self._everyone))
        self._returns += rewards
        self._lengths += ~restarted
        bad = ~(np.isfinite(rewards) & _finite(observations))
        if bad.any():
            observations, rewards = observations.copy(), rewards.copy()
            terminated, truncated = terminated & ~bad, truncated | bad
            self._drop(bad, observations, rewards, infos)
        ended = terminated | truncated
        self._over = ended & (not self._same_step)
        if ended.any():
            self._report(ended & ~bad, infos)
            if self._same_step:
                observations, infos = self._begin_next(ended, observations, infos)
        return observations, rewards, terminated, truncated, infos

    def abandon(self) -> None:
        """Report all running trials as lost; the environment must be reset before its next step."""
        for lane in np.flatnonzero(self._running).tolist():
            self._finish(lane, Outcome.lost())
        self._over = np.zeros(self.num_envs, np.bool_)

    def close(self, **kwargs: Any) -> None:
        """Report all running trials as lost and close the environment."""
        # The run may have ended, or closed the round, before us.
        with contextlib.suppress(ConnectionError, ValueError):
            self.abandon()
        self.env.close(**kwargs)

    @property
    def carries(self) -> bool:
        """Whether the environment can be taken up where it was left (:meth:`state_dict`)."""
        return self._same_step and hasattr(self.unwrapped, "get_state")

    def state_dict(self) -> State:
        """Return the trials being played and where their episodes are, as JSON and arrays.

        Raises:
            ResetNeeded: if a lane plays no trial.
        """
        if not self._running.all():
            raise ResetNeeded("CurriculumVector: there are lanes without an episode; call reset")
        lanes: Any = self.unwrapped
        return {
            "trials": [cast(Trial, trial).to_json() for trial in self._trials],
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "lanes": stack_lanes([lanes.get_state(lane) for lane in range(self.num_envs)]),
        }

    def load_state_dict(self, state: State) -> None:
        """Go on with the episodes of :meth:`state_dict`.

        The source must know their trials as being played.

        Raises:
            ValueError: if the state has another number of lanes, or is of another environment.
        """
        if len(state["trials"]) != self.num_envs:
            raise ValueError(f"state: expected {self.num_envs} lanes, got {len(state['trials'])}")
        lanes: Any = self.unwrapped
        for lane in range(self.num_envs):
            lanes.set_state(lane, pick_lane(state["lanes"], lane))
        trials = [Trial.from_json(row) for row in state["trials"]]
        self._trials = self.played = list(trials)
        self._running = np.ones(self.num_envs, np.bool_)
        self._ids = np.array([trial.id for trial in trials])
        self._kept_out = np.array([not trial.train for trial in trials])
        self._returns = np.array(state["returns"], dtype=np.float64)
        self._lengths = np.array(state["lengths"], dtype=np.int64)

    # -- pieces ----------------------------------------------------------------------------

    def _deal(self, mask: NDArray[np.bool_]) -> None:
        """Ask for the next trials of lanes; what they still play ends as lost."""
        self._trials = list(self._trials)
        for lane in np.flatnonzero(mask).tolist():
            self._running[lane] = False  # asking ends a trial that is still played as lost
            self._trials[lane] = trial = self._source.ask(self._names[lane])
            self._running[lane] = True
            self._ids[lane], self._kept_out[lane] = trial.id, not trial.train
            self._base.set_next(lane, trial.task, trial.level_seed)
        self._returns[mask] = 0.0
        self._lengths[mask] = 0

    def _restart(
        self, mask: NDArray[np.bool_], seed: Any, options: dict[str, Any]
    ) -> tuple[NDArray[Any], Infos]:
        """Reset lanes; trials that break at once fail."""
        try:
            observations, infos = self.env.reset(seed=seed, options=options)
        except Exception as error:
            self._fail(mask, f"reset raised {shortened(repr(error))}")
            raise
        bad = mask & ~_finite(observations)
        if bad.any():
            message = "observation of reset is not finite"
            self._fail(bad, message)
            raise ValueError(self._where(np.flatnonzero(bad).item(0), message))
        return observations, infos

    def _begin_next(
        self, ended: NDArray[np.bool_], observations: NDArray[Any], infos: Infos
    ) -> tuple[NDArray[Any], Infos]:
        """Begin the next episodes in the step that ended the last ones."""
        final = np.full(self.num_envs, None, object)
        for lane in np.flatnonzero(ended).tolist():
            final[lane] = observations[lane].copy()
        final_info = select_lanes(infos, ended)
        for key in ("outcome", "failed", "train"):
            infos.pop(key, None)
            infos.pop(f"_{key}", None)
        self._deal(ended)
        observations, fresh = self._restart(ended, None, {"reset_mask": ended})
        others = {key: value for key, value in infos.items() if key not in fresh}
        infos = select_lanes(others, ~ended) | mix_lanes(infos, fresh, ended)
        infos |= {"final_obs": final, "_final_obs": ended}
        infos |= {"final_info": final_info, "_final_info": ended}
        return observations, infos | self._labels(self._everyone)

    def _labels(self, mask: NDArray[np.bool_]) -> Infos:
        labels: Infos = {"trial": self._ids * mask, "_trial": mask}
        kept_out = self._kept_out & mask
        if kept_out.any():
            labels |= {"train": np.zeros(self.num_envs, np.bool_), "_train": kept_out}
        return labels

    def _report(self, mask: NDArray[np.bool_], infos: Infos) -> None:
        """Tell the outcomes of episodes that were played to their end."""
        if not mask.any():
            return
        outcomes = np.full(self.num_envs, None, object)
        for lane in np.flatnonzero(mask).tolist():
            value = float(self._returns[lane])
            outcomes[lane] = Outcome(
                score=to_score(value, self._base.return_range),
                episode_return=value,
                episode_length=int(self._lengths[lane]),
                success=value > self._base.mastery,
            )
            self._finish(lane, outcomes[lane])
        infos |= {"outcome": outcomes, "_outcome": mask}

    def _drop(
        self,
        bad: NDArray[np.bool_],
        observations: NDArray[Any],
        rewards: NDArray[Any],
        infos: Infos,
    ) -> None:
        """Report lanes with numbers that are not finite as failed, and clean up after them."""
        messages = np.full(self.num_envs, None, object)
        for lane in np.flatnonzero(bad).tolist():
            what = f"reward {rewards[lane]} or observation is not finite"
            messages[lane] = self._where(lane, what)
            self._finish(lane, Outcome.failed(), messages[lane])
            self._base.truncate(lane)
        rewards[bad] = 0.0
        observations[bad] = np.nan_to_num(observations[bad], nan=0.0, posinf=0.0, neginf=0.0)
        infos |= {"failed": messages, "_failed": bad, "is_success": infos["is_success"] & ~bad}

    def _fail(self, mask: NDArray[np.bool_], what: str) -> None:
        for lane in np.flatnonzero(mask).tolist():
            trial, self._running[lane] = self._trials[lane], False
            if trial is not None:
                message = self._where(lane, what)
                self._source.tell(trial.id, Outcome.failed(), message, raised=True)

    def _finish(self, lane: int, outcome: Outcome, message: str = "") -> None:
        trial = self._trials[lane]
        self._running[lane] = False
        if trial is not None:
            self._source.tell(trial.id, outcome, message)

    def _where(self, lane: int, what: str) -> str:
        trial = self._trials[lane]
        task = None if trial is None else trial.task.tolist()
        return (
            f"{self.env}: lane {lane}: {what} "
            f"(task {task}, level seed {trial and trial.level_seed}, step {self._lengths[lane]})"
        )


def _finite(observations: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows hold finite numbers only, shape ``(n,)``."""
    finite = np.isfinite(observations)
    if finite.all():
        return np.ones(len(observations), np.bool_)
    rows: NDArray[np.bool_] = finite.reshape(len(finite), -1).all(axis=1)
    return rows
