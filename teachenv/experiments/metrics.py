"""What became of one run, in figures: read from its folder, never from live objects."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teachenv.experiments.data_signs import Signs, data_signs
from teachenv.experiments.store import Run
from teachenv.space import TaskSpace

Floats = NDArray[np.float64]
T = TypeVar("T", int, float)

THRESHOLD = 0.5
"""Share mastered that "steps to threshold" waits for, unless said otherwise."""

TAIL = 0.1
"""Share of the test tasks that counts as the worst."""

N_CELLS = 100
"""Cells that sampled tasks are counted in: 100 along a single parameter, 10 x 10 for two."""


@dataclass(frozen=True)
class Curve:
    """Evaluations on a test set over training.

    Attributes:
        steps: Environment steps taken before each, increasing.
        share_mastered: Share of the tasks mastered, in [0, 1].
        mean_return: Mean episode return.
        mean_score: Mean score, in [0, 1].
    """

    steps: tuple[int, ...]
    share_mastered: tuple[float, ...]
    mean_return: tuple[float, ...]
    mean_score: tuple[float, ...]


@dataclass(frozen=True)
class SetMetrics:
    """What a student reached on one test set.

    Attributes:
        hash: Of the test set; only equal ones compare.
        curve: All evaluations; the next four are of the last one.
        share_mastered: Share of the tasks mastered, in [0, 1].
        mean_return: Mean episode return.
        mean_score: Mean score (return on the environment's return range), in [0, 1].
        worst_tenth: Mean score of the worst tenth of the tasks (CVaR), in [0, 1]. The tasks are
            the worst of this very evaluation: the figure is that of the test set, and too low for
            the worst tenth of all tasks.
        area_mastered: Area under the curve of the share mastered, over the steps, in [0, 1]: the
            mean share during training. Trapezoids, from a share of 0 at step 0. ``None`` with a
            single evaluation.
        area_score: The same of the mean score; from a score of 0, though an untrained student may
            have more: as much for every teacher.
        steps_to_threshold: Steps before the first evaluation with a share mastered of at least
            the threshold; ``None`` if there was none (censored at the run's steps).
        forgetting: Best score of a task in any evaluation minus that in the last one, averaged
            over tasks, in [0, 1]; since the last new student. Noise makes it larger: the best of
            many is taken. ``None`` with a single evaluation.
    """

    hash: str
    curve: Curve
    share_mastered: float
    mean_return: float
    mean_score: float
    worst_tenth: float
    area_mastered: float | None
    area_score: float | None
    steps_to_threshold: int | None
    forgetting: float | None


@dataclass(frozen=True)
class Sampled:
    """Where the tasks were that a student was taught.

    Tasks of trials with ``train=False`` are left out. They are counted in the cells of every pair
    of parameters (of the one there is), in the unit cube: 10 x 10 cells (100), fewer for
    whole-number parameters of fewer values; figures are means over pairs.

    Attributes:
        n_trials: Trials counted, lost and failed ones too.
        coverage: Share of cells with a task. ``n`` uniform draws reach ``1 - (1 - 1/100)^n``.
        entropy: Of the shares of the cells, over its maximum: 1 is uniform, 0 a single cell. Too
            low by about ``99 / (2 n ln 100)`` for ``n`` spread-out trials.
    """

    n_trials: int
    coverage: float
    entropy: float


@dataclass(frozen=True)
class Budget:
    """What a run cost.

    Attributes:
        steps: Environment steps of training, all of them: also those of trials that were lost,
            or played with ``train=False``. Evaluations are no part of it.
        untaught_steps: Those of them in played-out trials with ``train=False``.
        gradient_steps: Gradient steps of the student; ``None`` if it does not count them.
        cpu_s: CPU-seconds of the run's process, evaluations included; not those of RLlib's
            environment runners. ``None`` for runs that did not record them.
        wall_s: Seconds it took, without interruptions.
        teacher_s: Seconds of them in the teacher's ask and tell; for data teachers in plan, with
            the rehearsals it asks for, and tell. ``None`` for runs that did not record them.
        teacher_us: The same per trial, or per lesson of a data teacher, in microseconds.
    """

    steps: int
    untaught_steps: int
    gradient_steps: int | None
    cpu_s: float | None
    wall_s: float
    teacher_s: float | None = None
    teacher_us: float | None = None


@dataclass(frozen=True)
class RunMetrics:
    """All figures of a run.

    Attributes:
        env: Gymnasium id of the environment.
        teacher: Id of the teacher.
        student: Id of the student.
        seed: Seed of the run.
        complete: Whether it finished, with an evaluation on every test set at the end. Figures of
            other runs are of the last evaluations there are, and do not compare.
        budget: What it cost.
        sampled: Where the tasks were.
        test_sets: By name; those with an evaluation.
        signs: Of teaching with data; ``None`` for other runs, and in references that lack it.
    """

    env: str
    teacher: str
    student: str
    seed: int
    complete: bool
    budget: Budget
    sampled: Sampled
    test_sets: Mapping[str, SetMetrics]
    signs: Signs | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return dataclasses.asdict(self)


def run_metrics(run: Run, threshold: float = THRESHOLD) -> RunMetrics:
    """Return the figures of a run, finished or not.

    Args:
        run: The run, of :func:`teachenv.experiments.store.read_run`.
        threshold: Share mastered that ``steps_to_threshold`` waits for, in (0, 1].
    """
    rows = {name: [row for row in run.evals if row["test_set"] == name] for name in run.test_sets}
    good = {name: [row for row in mine if row["status"] == "ok"] for name, mine in rows.items()}
    steps = int(run.teacher[-1]["step"]) if run.teacher else 0
    return RunMetrics(
        env=run.config.env,
        teacher=run.config.teacher,
        student=run.config.student,
        seed=run.config.seed,
        complete=run.status["status"] == "finished"
        and all(mine and mine[-1]["step"] == steps for mine in good.values()),
        budget=_budget(run, steps),
        sampled=sampling([row["task"] for row in run.episodes if row["train"]], run.task_space),
        test_sets={
            name: _set_metrics(run, name, mine, threshold) for name, mine in good.items() if mine
        },
        signs=None if run.data is None else data_signs(run),
    )


def worst_mean(scores: ArrayLike, tail: float = TAIL) -> float:
    """Return the mean of the worst scores (conditional value at risk).

    Args:
        scores: One per task, shape ``(n,)``.
        tail: Share of them that counts as the worst, in (0, 1]; a score may count in part.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    n = tail * len(ordered)
    weights = np.clip(n - np.arange(len(ordered)), 0.0, 1.0)
    return float(weights @ ordered / n)


def area_under_curve(steps: Sequence[int], values: Sequence[float]) -> float:
    """Return the mean height of a curve from step 0, where it is 0, to its last step."""
    x, y = np.array([0, *steps], dtype=np.float64), np.array([0.0, *values])
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / x[-1])


def sampling(tasks: Sequence[ArrayLike], space: TaskSpace) -> Sampled:
    """Return where tasks are; see :class:`Sampled`.

    Args:
        tasks: Tasks of the space, each of shape ``(dim,)``.
        space: The task space.
    """
    if not tasks:
        return Sampled(0, 0.0, 0.0)
    unit = space.to_unit(np.array(tasks, dtype=np.float64))
    along = N_CELLS if space.dim == 1 else math.isqrt(N_CELLS)
    counts = np.array([min(along, dim.n_values or along) for dim in space])
    cells = np.minimum((unit * counts).astype(np.int64), counts - 1)
    pairs = list(itertools.combinations(range(space.dim), 2)) or [(0, 0)]
    figures = []
    for i, j in pairs:
        one = cells[:, i] if i == j else cells[:, i] * counts[j] + cells[:, j]
        n_cells = int(counts[i] if i == j else counts[i] * counts[j])
        figures.append(_spread(np.bincount(one, minlength=n_cells)))
    coverage, entropy = np.mean(figures, axis=0).tolist()
    return Sampled(len(tasks), coverage, entropy)


def _spread(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Return the share of cells that hold something, and the entropy over its maximum."""
    if len(counts) == 1:
        return 1.0, 1.0
    shares = counts[counts > 0] / counts.sum()
    entropy = -float((shares * np.log(shares)).sum()) / math.log(len(counts))
    return len(shares) / len(counts), abs(entropy)


def _set_metrics(
    run: Run, name: str, rows: Sequence[Mapping[str, Any]], threshold: float
) -> SetMetrics:
    low, high = run.return_range
    returns = np.array([row["returns"] for row in rows], dtype=np.float64)
    scores = np.clip((returns - low) / (high - low), 0.0, 1.0)
    curve = Curve(
        tuple(int(row["step"]) for row in rows),
        tuple(float(row["share_mastered"]) for row in rows),
        tuple(returns.mean(axis=1).tolist()),
        tuple(scores.mean(axis=1).tolist()),
    )
    reached = (
        step
        for step, share in zip(curve.steps, curve.share_mastered, strict=True)
        if share >= threshold
    )
    several = len(rows) > 1
    same_student = scores[[row["round"] >= _first_round(run) for row in rows]]
    return SetMetrics(
        hash=run.test_sets[name].hash,
        curve=curve,
        share_mastered=curve.share_mastered[-1],
        mean_return=curve.mean_return[-1],
        mean_score=curve.mean_score[-1],
        worst_tenth=worst_mean(scores[-1]),
        area_mastered=area_under_curve(curve.steps, curve.share_mastered) if several else None,
        area_score=area_under_curve(curve.steps, curve.mean_score) if several else None,
        steps_to_threshold=next(reached, None),
        forgetting=_forgetting(same_student) if len(same_student) > 1 else None,
    )


def _forgetting(scores: Floats) -> float:
    """Return the mean over tasks of the best score minus the last, of ``(n, n_tasks)`` scores."""
    return float((scores.max(axis=0) - scores[-1]).mean())


def _first_round(run: Run) -> int:
    """Return the first round of the student that the run has now."""
    students = [(row["round"], row.get("student", 0)) for row in run.teacher]
    return min((number for number, student in students if student == students[-1][1]), default=0)


def _budget(run: Run, steps: int) -> Budget:
    untaught = [row["episode_length"] for row in run.episodes if not row["train"]]
    teacher_s = _total(run.times, "teacher_s", float)
    n_told = len(run.episodes) if run.data is None else len(run.teacher)
    return Budget(
        steps=steps,
        untaught_steps=int(sum(untaught)),
        gradient_steps=_total(run.times, "gradient_steps", int),
        cpu_s=_total(run.times, "cpu_s", float),
        wall_s=math.fsum(row["total_s"] for row in run.times),
        teacher_s=teacher_s,
        teacher_us=None if teacher_s is None or not n_told else 1e6 * teacher_s / n_told,
    )


def _total(rows: Sequence[Mapping[str, Any]], key: str, kind: Callable[[float], T]) -> T | None:
    """Return the sum over rows, or ``None`` unless all of them have a number."""
    found = [float(row[key]) for row in rows if row.get(key) is not None]
    return kind(math.fsum(found)) if found and len(found) == len(rows) else None
