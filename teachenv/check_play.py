"""Playing an environment to check it: its episodes, and what every step of them must hold."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from teachenv.findings import Finding
from teachenv.rollouts import Env, Episode, Step, collect, global_seed, global_state, play
from teachenv.seeding import derive_int
from teachenv.space import Task

clock = time.perf_counter

_BLURRED = {"not-deterministic", "global-rng", "state-leak"}
"""After one of these, a difference between two episodes proves nothing else."""


class Player:
    """Plays numbered episodes of an environment and notes what is wrong with their steps.

    Args:
        make_env: Makes a fresh environment.
        seed: Fixes level seeds and actions.
        limit: Steps after which an episode is given up.

    Attributes:
        tasks: The tasks that are played; to be set first.
        findings: What was noted, the first of every code.
        quickest_s: What the quickest step took so far, in seconds.
    """

    tasks: list[Task]

    def __init__(self, make_env: Callable[[], Env], seed: int, limit: int) -> None:
        self.make_env = make_env
        self.seed = seed
        self.limit = limit
        self.findings: dict[str, Finding] = {}
        self.quickest_s = math.inf

    def report(
        self, code: str, message: str, severity: Literal["error", "warning"] = "error"
    ) -> None:
        """Note a finding, unless there is one of that code."""
        self.findings.setdefault(code, Finding(code, severity, message))

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Env]:
        """Lend a new environment and close it, come what may."""
        env = self.make_env()
        try:
            yield env
        finally:
            with contextlib.suppress(Exception):
                env.close()

    def steps(self, env: Env, k: int, task: Task | None = None) -> Iterator[Step]:
        """Play episode ``k``: its task, level seed and actions; every third one rests."""
        options = {
            "task": self.tasks[k % len(self.tasks)] if task is None else task,
            "level_seed": derive_int(self.seed, "check-level", k),
        }
        played = play(env, seed=k, options=options, actions_seed=self.seed + k, rest=k % 3 == 2)
        yield next(played)
        while True:
            start = clock()
            step = next(played, None)
            if step is None:
                return
            self.quickest_s = min(self.quickest_s, clock() - start)
            yield step

    def play(self, env: Env, k: int, limit: int | None = None) -> Episode:
        """Return episode ``k``, its steps checked."""
        task = self.tasks[k % len(self.tasks)]
        return self.checked(collect(task, self.steps(env, k), limit or self.limit), env)

    def play_fresh(self, k: int, generator_seed: int) -> Episode:
        """Return it from a new environment, with the global generators seeded and watched."""
        with self.fresh() as env, global_seed(generator_seed):
            before = global_state()
            episode = self.play(env, k)
            if global_state() != before:
                self.report(
                    "global-rng",
                    "Python's or NumPy's global generator was used on task "
                    f"{episode.task.tolist()}; draw from self.np_random or the level seed",
                )
        return episode

    def checked(self, episode: Episode, env: Env) -> Episode:
        """Return an episode after a look at each of its steps."""
        for i, step in enumerate(episode.steps):
            at = f"step {i} on task {episode.task.tolist()}"
            if not step.finite:
                self.report("not-finite", f"observation or reward is not finite at {at}")
            elif not env.observation_space.contains(step.observation):
                message = f"{step.observation!r:.200} is outside the observation space at {at}"
                self.report("observation-space", message)
            task, progress = step.info.get("task"), step.info.get("progress")
            if not isinstance(task, np.ndarray) or task.shape != episode.task.shape:
                self.report("info-task", f"expected the task, got {task!r:.80} at {at}")
            elif not np.array_equal(task, episode.task):
                self.report("task-ignored", f"info['task'] is {task.tolist()} at {at}")
            if not isinstance(progress, float | np.floating) or not 0 <= progress <= 1:
                self.report("info-progress", f"expected 0.0 to 1.0, got {progress!r:.80} at {at}")
        return episode

    def compare(self, code: str, what: str, one: Episode, two: Episode) -> None:
        """Note under a code how two episodes differ that should not."""
        difference = one.difference(two)
        if difference is not None and not _BLURRED & set(self.findings):
            self.report(code, f"{what}: {difference}")
