"""What pictures need of a run folder, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import shorten
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from teachenv.experiments.config import RunConfig
from teachenv.experiments.files import StoreError
from teachenv.experiments.store import Run, read_run
from teachenv.seeding import derive
from teachenv.space import TaskSpace

Floats = NDArray[np.float64]

MAX_ARGS = 50
"""Letters of an environment's arguments in a title."""


@dataclass(frozen=True)
class Belief:
    """Where a teacher meant to sample, in task units.

    Attributes:
        step: Environment steps after which it held.
        means: Component means, shape ``(k, dim)``; ``k`` is 0 without a mixture.
        covariances: Shape ``(k, dim, dim)``.
        shares: Share of each component among the draws from the mixture, shape ``(k,)``.
        window: Low and high corner of a sampling window, if the teacher has one.
    """

    step: int
    means: Floats
    covariances: Floats
    shares: Floats
    window: tuple[Floats, Floats] | None


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: the returns of every task of a test set, shape ``(n_tasks,)``."""

    step: int
    returns: Floats
    share_mastered: float


@dataclass(frozen=True)
class RunView:
    """A run as pictures see it.

    Attributes:
        title: Teacher, environment and seed in a few words.
        space: The task space.
        return_range: Episode returns of score 0 and 1.
        mastery: Episode return above which a task is mastered.
        tasks: Played tasks in the order of their outcomes, shape ``(n, dim)``, task units.
        scores: Their scores, shape ``(n,)``; trials that failed or were lost are left out.
        returns: Their episode returns, shape ``(n,)``.
        steps: Environment steps at their end, shape ``(n,)``.
        beliefs: The teacher's distribution over time.
        evaluations: By test set, in the order of steps.
        test_tasks: Tasks of each test set, shape ``(n_tasks, dim)``.
        new_students: Environment steps at which a new student took the last one's place.
    """

    title: str
    space: TaskSpace
    return_range: tuple[float, float]
    mastery: float
    tasks: Floats
    scores: Floats
    returns: Floats
    steps: Floats
    beliefs: tuple[Belief, ...]
    evaluations: Mapping[str, tuple[Evaluation, ...]]
    test_tasks: Mapping[str, Floats]
    new_students: tuple[int, ...] = ()

    @property
    def mastery_score(self) -> float:
        """The mastery threshold as a score; outside [0, 1] if the range does not hold it."""
        low, high = self.return_range
        return (self.mastery - low) / (high - low)

    @property
    def last_step(self) -> float:
        """Environment steps seen so far, at least 1."""
        evaluated = [rows[-1].step for rows in self.evaluations.values()]
        believed = [belief.step for belief in self.beliefs[-1:]]
        return float(max([1.0, *self.steps[-1:], *evaluated, *believed]))

    def score(self, returns: Floats) -> Floats:
        """Map episode returns to scores in [0, 1]."""
        low, high = self.return_range
        return np.clip((returns - low) / (high - low), 0.0, 1.0)

    def belief_at(self, step: float) -> Belief | None:
        """Return the last belief written up to ``step``."""
        known = [belief for belief in self.beliefs if belief.step <= step]
        return known[-1] if known else None

    def scattered_tasks(self) -> Floats:
        """Return the tasks with whole-number parameters spread over their bins, to be seen."""
        whole = np.array([dim.kind != "float" for dim in self.space])
        shift = derive(0, "plot jitter").uniform(-0.3, 0.3, self.tasks.shape)
        return self.tasks + np.where(whole, shift, 0.0)

    def last_quarter(self) -> NDArray[np.bool_]:
        """Return which episodes ended in the last quarter of the steps, shape ``(n,)``."""
        return self.steps > 0.75 * self.last_step

    def steered_most(self, n: int) -> list[int]:
        """Return up to ``n`` dimensions whose sampling is least uniform, in their own order.

        Measured by the Kolmogorov-Smirnov distance from the uniform distribution, averaged
        over eight stretches of training.
        """
        if self.space.dim <= n or not len(self.tasks):
            return list(range(min(n, self.space.dim)))
        offset, scale = unit_to_axis(self.space)
        unit = (self.scattered_tasks() - offset) / scale
        distances = [_distance(part) for part in np.array_split(unit, 8) if len(part)]
        order = np.argsort(-np.mean(distances, axis=0), kind="stable")
        return sorted(order[:n].tolist())


def unit_to_axis(space: TaskSpace) -> tuple[Floats, Floats]:
    """Return ``(offset, scale)``, each of shape ``(dim,)``, from unit cube to axis positions.

    Values of whole-number parameters are the middles of their bins, so that bins reach half a
    value past the bounds.
    """
    whole = np.array([dim.kind != "float" for dim in space])
    half = np.where(whole, 0.5, 0.0)
    return space.low - half, space.high - space.low + 2 * half


def run_title(config: RunConfig) -> str:
    """Return teacher, environment with its arguments, and seed in a few words.

    The physics' ``backend`` is left out: it changes the speed, not the tasks.
    """
    given = (f"{name}={value}" for name, value in config.env_args.items() if name != "backend")
    args = shorten(", ".join(given), MAX_ARGS, placeholder=" ...")
    env = config.env.split("/")[-1] + (f" ({args})" if args else "")
    return f"{config.teacher} on {env}, seed {config.seed}"


def load_run(folder: str | Path) -> RunView:
    """Read a run folder for drawing; a run that is still going on is fine.

    Raises:
        StoreError: if it is not a run folder, or a file in it is damaged.
    """
    run = read_run(Path(folder))
    played = [row for row in run.episodes if row["status"] == "ok"]
    tasks = np.array([row["task"] for row in played], dtype=np.float64)
    space = run.task_space
    return RunView(
        title=run_title(run.config),
        space=space,
        return_range=run.return_range,
        mastery=run.mastery,
        tasks=tasks.reshape(-1, space.dim),
        scores=_column(played, "score"),
        returns=_column(played, "episode_return"),
        steps=_column(played, "step"),
        beliefs=_beliefs(run),
        evaluations=_evaluations(run.evals),
        test_tasks={name: test_set.tasks for name, test_set in run.test_sets.items()},
        new_students=tuple(
            int(before["step"])
            for before, after in pairwise(run.teacher)
            if before.get("student", 0) != after.get("student", 0)
        ),
    )


def _column(rows: list[dict[str, Any]], key: str) -> Floats:
    return np.array([row[key] for row in rows], dtype=np.float64)


def _beliefs(run: Run) -> tuple[Belief, ...]:
    try:
        return tuple(_belief(row, run.task_space) for row in run.teacher)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise StoreError(
            f"{run.folder / 'teacher.jsonl'}: what the teacher says of itself cannot be drawn "
            f"({error!r}); the file is damaged"
        ) from None


def _belief(row: Mapping[str, Any], space: TaskSpace) -> Belief:
    offset, scale = unit_to_axis(space)
    mixture, window = row["describe"].get("mixture"), row["describe"].get("window")
    means, covariances, shares = np.empty((0, space.dim)), np.empty((0,) * 3), np.empty(0)
    if mixture:
        shares = _finite(mixture["weights"], (len(mixture["weights"]),))
        means = offset + _finite(mixture["means"], (len(shares), space.dim)) * scale
        shape = (len(shares), space.dim, space.dim)
        covariances = _finite(mixture["covariances"], shape) * np.outer(scale, scale)
    box = None
    if window:
        low, high = (_finite(window[name], (space.dim,)) for name in ("low", "high"))
        box = (offset + low * scale, offset + high * scale)
    return Belief(int(row["step"]), means, covariances, shares, box)


def _finite(values: Any, shape: tuple[int, ...]) -> Floats:
    """Return numbers of a file as an array of that shape.

    Raises:
        OverflowError, TypeError, ValueError: if they are something else.
    """
    found = np.array(values, dtype=np.float64)
    if found.shape != shape or not np.isfinite(found).all():
        raise ValueError(f"expected finite numbers of shape {shape}, got shape {found.shape}")
    return found


def _evaluations(rows: list[dict[str, Any]]) -> dict[str, tuple[Evaluation, ...]]:
    found: dict[str, list[Evaluation]] = {}
    for row in rows:
        if row["status"] == "ok":
            returns = np.array(row["returns"], dtype=np.float64)
            evaluation = Evaluation(int(row["step"]), returns, float(row["share_mastered"]))
            found.setdefault(row["test_set"], []).append(evaluation)
    return {name: tuple(evaluations) for name, evaluations in found.items()}


def _distance(unit: Floats) -> Floats:
    """Kolmogorov-Smirnov distance of each column of ``(n, dim)`` from the uniform."""
    n = len(unit)
    ordered, ranks = np.sort(unit, axis=0), np.arange(n + 1)[:, None] / n
    gaps = np.maximum(ranks[1:] - ordered, ordered - ranks[:-1])
    return cast(Floats, gaps.max(axis=0))
