"""The run loop of data-generation environments: a round is an episode with a new student.

Everything random in an episode derives from ``(run seed, "episode", round)``; only the teacher
goes on from one to the next, so that a run resumed at a round's boundary continues bit for bit.
"""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.classroom import Scores
from teachenv.envs.datagen.monitors import majority_accuracy, proxy_accuracy
from teachenv.experiments.checkpoint import save_checkpoint
from teachenv.experiments.config import RunConfig
from teachenv.experiments.data_parts import cells_test_sets, data_env, data_teacher
from teachenv.experiments.run_state import Clock, Watcher, as_json, fitting, fixed
from teachenv.experiments.store import RunFolder
from teachenv.experiments.testsets import TestSet
from teachenv.lesson import DataPlan, Lesson, Reading, Syllabus
from teachenv.protocols import Outcome, State
from teachenv.seeding import derive_int

__all__ = ["TEST_SIZE", "DataLoop", "measure_data"]

TEST_SIZE = 100
"""Hidden test questions per cell."""

MEASURED_LESSONS = 2


class DataLoop:
    """One run: its teacher, its environment and its folder.

    ``episodes.jsonl`` gets a row per lesson and cell that was trained on: the cell as task, its
    samples as length, the probed accuracy after the lesson as score and return; "lost" where the
    cell is not probed. ``evals.jsonl``: accuracy on the hidden test per cell, before an episode
    and after it, then of the student that the environment's setting ``iterate`` means.
    ``teacher.jsonl``: a row per lesson, with the samples rehearsed so far, the skill trees if
    there are any, and where the engine errs the proxy of
    :mod:`teachenv.envs.datagen.monitors`. Steps are training samples; rehearsed ones are none, but
    their gradient steps count in ``times.jsonl``.

    Args:
        config: What to run, resolved.
        folder: The open run folder.
        watcher: Follows the run, if given.

    Raises:
        ConfigError: if environment, student or teacher refuse their arguments.
    """

    def __init__(
        self, config: RunConfig, folder: RunFolder, watcher: Watcher | None = None
    ) -> None:
        self.config = config
        self.folder = folder
        self.round = 0
        self.step = 0
        self.recent: deque[Outcome] = deque(maxlen=100)
        self._n_trials = 0
        self._watcher = watcher
        self._clock = Clock()
        self._teacher_s = 0.0
        self._env = data_env(config)
        self._teacher = data_teacher(config, self._env)
        self._test_sets = cells_test_sets(self._env)

    @property
    def finished(self) -> bool:
        """Whether all samples have been taught."""
        return self.step >= self.config.steps

    def announce(self) -> None:
        """Tell the watcher where the run is."""
        if self._watcher is not None:
            self._watcher.steps(self)

    def close(self) -> None:
        """Release the environment."""
        self._env.close()  # type: ignore[no-untyped-call]

    def advance(self) -> None:
        """Play one episode: lessons, rows, evaluation if due, a checkpoint."""
        clock = self._clock
        clock.start(self.step, self._teacher_s)
        seed = derive_int(self.config.seed, "episode", self.round)
        self._env.reset(seed=seed)
        clock.learning(self._env.classroom.student)
        due = self._evaluation_due()
        before = self._env.evaluate("test", TEST_SIZE) if due else None
        trials, lessons = self._play(seed)
        clock.learned()
        self.folder.append("episodes.jsonl", trials)
        self.folder.append("teacher.jsonl", lessons)
        if before is not None:
            also = {"probe": lessons[-1]["metric"], "iterate": self._env.iterate}
            after = self._env.evaluate("test", TEST_SIZE)
            rows = [self._evaluation(each, before, after) | also for each in self._test_sets]
            if self._watcher is not None:
                for row in rows:
                    self._watcher.evaluated(row)
            self.folder.append("evals.jsonl", rows)
        self.folder.append(
            "times.jsonl", [clock.row(self.round, self.step, trials, self._teacher_s)]
        )
        self.round += 1
        self.save()

    def finish(self) -> None:
        """Nothing goes on beyond an episode."""

    def save(self) -> None:
        """Write a checkpoint of the boundary before round :attr:`round`."""
        save_checkpoint(self.folder.path / "checkpoints", self.round, self.state_dict())

    def state_dict(self) -> State:
        """Return everything the future depends on; only at a round boundary."""
        return {
            "config": fixed(self.config),
            "round": self.round,
            "step": self.step,
            "trials": self._n_trials,
            "offsets": self.folder.offsets(),
            "teacher": self._teacher.state_dict(),
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from a checkpoint and cut the row files.

        Raises:
            UserError: if the checkpoint does not fit; the row files are as before then.
        """
        with fitting(self.folder.path):
            self.round, self.step = int(state["round"]), int(state["step"])
            self._n_trials = int(state["trials"])
            self._teacher.load_state_dict(state["teacher"])
            self.folder.cut(state["offsets"])

    # -- an episode --------------------------------------------------------------------------

    def _evaluation_due(self) -> bool:
        every = self.config.eval_every
        last = self.step + self._env.budget >= self.config.steps
        return every > 0 and ((self.round + 1) % every == 0 or last)

    def _play(self, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Play the episode that was reset; return the rows of its cells and of its lessons."""
        env, teacher = self._env, self._teacher
        trials: list[dict[str, Any]] = []
        lessons: list[dict[str, Any]] = []
        teacher.begin(env.rehearse if "rehearsal" in teacher.needs else None)
        first = _shown(env.classroom.last)
        reading, over = self._reading(), False
        while not over:
            began = time.perf_counter()
            plan = teacher.plan(reading)
            self._teacher_s += time.perf_counter() - began
            _, reward, terminated, truncated, info = env.step_plan(plan)
            over, reading = terminated or truncated, self._reading()
            unscaled = reward / env.settings.reward_scale
            began = time.perf_counter()
            teacher.tell(Lesson(plan, info["taught"], reading, unscaled, over))
            self._teacher_s += time.perf_counter() - began
            self.step += max(int(info["spent"]), 1)
            trials += self._trial_rows(seed, plan, len(lessons))
            row = self._lesson_row(unscaled, info, len(lessons))
            lessons.append(row if lessons else {**row, "accuracy_before": first})
            self.recent.append(Outcome(0.0, float(info["metric"]), 1, False))
            self.announce()
        return trials, lessons

    def _reading(self) -> Reading:
        """Return the reading, with what the teacher is privileged to know."""
        needs = self._teacher.needs - {"rehearsal"}
        if not needs:
            return self._env.reading
        known = self._env.privileged()
        privileged = {name: known[name] for name in sorted(needs & set(known))}
        return dataclasses.replace(self._env.reading, privileged=privileged)

    def _trial_rows(self, seed: int, plan: DataPlan, lesson: int) -> list[dict[str, Any]]:
        made, scores = self._env.classroom.made, self._env.classroom.last
        if made is None:
            return []
        cells = _probed(scores, made.made.shape)
        rows = []
        for skill, level in np.argwhere(made.made > 0).tolist():
            probed, accuracy = bool(cells[skill, level]), float(scores.accuracy[skill, level])
            score = accuracy if probed else 0.0
            rows.append(
                {
                    "trial": self._n_trials,
                    "task": [float(skill), float(level)],
                    "reason": plan.reason,
                    "level_seed": seed,
                    "train": True,
                    "score": score,
                    "episode_return": score,
                    "episode_length": int(made.made[skill, level]),
                    "success": probed and accuracy > self._env.mastery,
                    "status": "ok" if probed else "lost",
                    "signals": {},
                    "round": self.round,
                    "step": self.step,
                    "lesson": lesson,
                }
            )
            self._n_trials += 1
        return rows

    def _lesson_row(self, reward: float, info: dict[str, Any], lesson: int) -> dict[str, Any]:
        row = {
            "round": self.round,
            "step": self.step,
            "student": self.round,
            "lesson": lesson,
            "reward": reward,
            "metric": float(info["metric"]),
            "malformed": int(info["malformed"]),
            "accepted": float(info["accepted"]),
            "rehearsed": self._env.classroom.n_rehearsed,
            "asked": _asked_for(self._env.plan, self._env.syllabus),
            "accuracy": _shown(self._env.classroom.last),
            "describe": as_json(self._teacher.describe()),
        }
        if "trees" in info["report"]:
            row["trees"] = info["report"]["trees"]
        room, on_probe = self._env.classroom, self._env.proxy()
        if room.engine.errs and room.made and room.made.items:
            items = room.made.items
            row["proxy"] = proxy_accuracy(items, room.student.predict(items))
            row["n_proxy"], row["n_golden"] = len(items), int(info["n_asked"])
        if on_probe is not None:
            row["proxy_on_probe"] = on_probe
        return row

    def _evaluation(self, test_set: TestSet, before: Scores, after: Scores) -> dict[str, Any]:
        cells = tuple(test_set.tasks.astype(np.int64).T)
        returns = after.accuracy[cells]
        mastered = returns > self._env.mastery
        probed = _probed(self._env.classroom.last, after.accuracy.shape)[cells]
        return {
            "round": self.round,
            "step": self.step,
            "test_set": test_set.name,
            "status": "ok",
            "share_mastered": float(mastered.mean()),
            "mean_return": float(np.mean(returns)),
            "returns": returns.tolist(),
            "lengths": [TEST_SIZE] * len(returns),
            "success": mastered.tolist(),
            "before": before.accuracy[cells].tolist(),
            "probed": probed.tolist(),
            "majority": majority_accuracy(after.items, after.accuracy.shape)[cells].tolist(),
        }


def _asked_for(plan: DataPlan, syllabus: Syllabus) -> list[list[int]]:
    """Return the samples a plan asks for per told cell; items that are none are left out."""
    n_skills, n_levels = syllabus.shape
    fine = [i for i in plan.items if i.skill in range(n_skills) and i.level in range(n_levels)]
    counts: list[list[int]] = DataPlan(tuple(fine)).counts(syllabus.shape).tolist()
    return counts


def _shown(scores: Scores) -> list[list[float | None]]:
    """Return the probed accuracy of every cell, ``None`` where it is not probed."""
    probed = _probed(scores, scores.accuracy.shape)
    rows = zip(scores.accuracy.tolist(), probed.tolist(), strict=True)
    return [[a if p else None for a, p in zip(*row, strict=True)] for row in rows]


def _probed(scores: Scores, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the cells that a probe asked about."""
    probed = np.zeros(shape, dtype=np.bool_)
    probed[scores.items.skill, scores.items.level] = True
    return probed


def measure_data(config: RunConfig) -> float:
    """Return seconds per training sample of a run here: two even lessons, with a clock."""
    env = data_env(config)
    try:
        env.reset(seed=0)
        even = np.full(env.syllabus.shape, env.syllabus.n_samples // env.syllabus.n_cells)
        even.reshape(-1)[: env.syllabus.n_samples - even.sum()] += 1
        began, spent = time.perf_counter(), 0
        for _ in range(min(MEASURED_LESSONS, env.syllabus.n_steps)):
            *_, info = env.step_plan(DataPlan.of_counts(even, "measured"))
            spent += int(info["spent"])
        return (time.perf_counter() - began) / max(spent, 1)
    finally:
        env.close()  # type: ignore[no-untyped-call]
