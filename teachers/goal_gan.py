"""GoalGAN: a generator of tasks of intermediate difficulty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, Pick
from teachers.networks import require_torch
from teachers.recent import Recent
from teachers.signal import IN_UNIT, Signal, signal_of, signal_problems
from teachers.values import flag_problems, number_problems, refuse, whole_problems

if TYPE_CHECKING:
    from teachers.networks.gan import Gan

Floats = NDArray[np.float64]

MAX_GROUPS = 10_000
"""Tasks whose rollouts are awaited; beyond it the oldest are given up."""

MAX_OLD = 2_000
"""Mastered tasks kept to be played again; beyond it the oldest go."""

N_PRETRAINING = 1_000
POOL = 64


class GoalGan(BaseTeacher):
    """GoalGAN (Florensa, Held, Geng and Abbeel, ICML 2018, algorithm 1).

    Each task is played ``n_rollouts`` times. It is good if the mean of the signal lies in
    [``least``, ``greatest``]; above, it is kept to be played again if it is far from those
    kept. After ``update_size`` tasks, if any is good, a least-squares GAN
    (:class:`teachers.networks.gan.Gan`) is trained on them. A new task comes from the generator,
    or with probability ``p_old`` from the kept ones, and Gaussian noise is added.

    Until the first good task, and whenever ``update_size`` tasks hold no good one, tasks are
    uniform, or ones around ``start``. The generator is trained on such tasks before it first
    sees labels.

    Deviations: as published the generator, trained on uniform tasks, is used at once and
    always, and may leave out whole parts of the cube, good tasks among them, for ever
    (``keep_generator`` for the latter); rollouts are matched by the task they belong to
    and come back in any order; a task one of whose rollouts is lost is not labelled; at most
    ``MAX_OLD`` mastered tasks are kept; hidden layers have 64 units instead of 256 for speed;
    "score" may stand for success. Traps of TeachMyAgent (Romac et al., ICML 2021), as flags: it
    stretches the generator to twice the cube and clips, so that tasks pile up on the borders
    (``stretched``), and does not label tasks played again (``label_old=False``, then played
    once).

    Needs torch.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score" or "success" (as published).
        least: Least mean signal of a good task (R_min), in [0, 1].
        greatest: Greatest one (R_max), in [0, 1].
        n_rollouts: Times a task is played.
        update_size: Labelled tasks between two trainings.
        p_old: Share of tasks mastered before, in [0, 1].
        noise: Standard deviation added to tasks, as a share of each range.
        n_iterations: Batches of a training.
        n_pretraining: Batches of the training before the first labels.
        hidden: Units of the generator's hidden layers.
        generator_target: What the discriminator should say of a generated task.
        label_old: Whether tasks played again are labelled.
        stretched: Parity: stretch the generator to twice the cube.
        keep_generator: Parity: go on with the generator where it makes no good task.
        start: An easy task, ``{name: value}``.
        start_std: Standard deviation around it, as a share of each range.

    Raises:
        ValueError: for values out of range, all named at once.
        UserError: without torch.
    """

    id = "goal-gan"
    knowledge: ClassVar[Knowledge] = "thresholds"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"signal": "success", "least": 0.1, "greatest": 0.9},
        "teachmyagent": {
            "signal": "success",
            "least": 0.25,
            "greatest": 0.75,
            "n_rollouts": 2,
            "update_size": 100,
            "p_old": 0.1,
            "noise": 0.1,
            "generator_target": 1.0,
            "label_old": False,
            "stretched": True,
            "keep_generator": True,
            "hidden": 256,
            "n_pretraining": 500,
        },
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        least: float = 0.1,
        greatest: float = 0.9,
        n_rollouts: int = 2,
        update_size: int = 100,
        p_old: float = 0.1,
        noise: float = 0.05,
        n_iterations: int = 250,
        n_pretraining: int = 100,
        hidden: int = 64,
        generator_target: float = 0.0,
        label_old: bool = True,
        stretched: bool = False,
        keep_generator: bool = False,
        start: Mapping[str, Any] | None = None,
        start_std: float = 0.1,
    ) -> None:
        super().__init__(space, seed=seed)
        shares = {"least": least, "greatest": greatest, "p_old": p_old}
        counts = {"n_rollouts": n_rollouts, "update_size": update_size, "hidden": hidden}
        problems = [
            *signal_problems(signal, IN_UNIT),
            *number_problems(0.0, 1.0, **shares),
            *whole_problems(1, **counts),
            *whole_problems(0, n_iterations=n_iterations, n_pretraining=n_pretraining),
            *number_problems(0.0, 10.0, noise=noise, start_std=start_std),
            *number_problems(-1.0, 1.0, generator_target=generator_target),
            *flag_problems(label_old=label_old, stretched=stretched, keep_generator=keep_generator),
        ]
        if not problems and least > greatest:
            problems.append(f"expected least <= greatest, got {least} and {greatest}")
        refuse(self.id, problems)
        require_torch(self.id)
        self._signal, self._least, self._greatest = signal, float(least), float(greatest)
        self._n_rollouts, self._p_old, self._noise = n_rollouts, float(p_old), float(noise)
        self._n_iterations, self._n_pretraining = n_iterations, n_pretraining
        self._hidden, self._generator_target = hidden, float(generator_target)
        self._label_old, self._half_width = label_old, 1.0 if stretched else 0.5
        self._keep_generator, self._astray = keep_generator, False
        self._start_std = float(start_std)
        self._start = None if start is None else space.to_unit(space.task(start))
        self._gan: Gan | None = None
        self._pool = np.zeros((0, space.dim))
        self._queue: list[tuple[Floats, str, int]] = []
        self._groups: dict[int, list[float]] = {}
        self._labelled = Recent(space.dim, update_size)
        self._old = Recent(space.dim, MAX_OLD)
        self._n_groups = self._n_trainings = self._n_skipped = 0

    # -- picking ---------------------------------------------------------------------------

    def _sample(self) -> Pick:
        if self._queue:
            point, reason, group = self._queue.pop()
            return Pick(point, reason, note=group)
        again = len(self._old) > 0 and self._rng.random() < self._p_old
        if again:
            centre, reason = self._old.points[self._rng.integers(len(self._old))], "mastered"
        else:
            centre, reason = self._generated(), self._source()
        noise = self._noise * self._rng.standard_normal(self.space.dim)
        point = np.clip(centre + noise, 0.0, 1.0)
        if again and not self._label_old:
            return Pick(point, reason)
        group = self._n_groups
        self._n_groups += 1
        if len(self._groups) == MAX_GROUPS:
            del self._groups[next(iter(self._groups))]
        self._groups[group] = [0.0, 0]
        self._queue = [(point, reason, group)] * (self._n_rollouts - 1)
        return Pick(point, reason, note=group)

    def _source(self) -> str:
        return "start" if self._gan is None or self._astray else "generator"

    def _generated(self) -> Floats:
        if not len(self._pool):
            if self._gan is None or self._astray:
                self._pool = self._initial(POOL)
            else:
                points = self._gan.generate(POOL, self._rng)
                self._pool = np.clip(0.5 + self._half_width * points, 0.0, 1.0)
        point: Floats = self._pool[0]
        self._pool = self._pool[1:].copy()
        return point

    def _initial(self, n: int) -> Floats:
        shape = (n, self.space.dim)
        if self._start is None:
            return self._rng.random(shape)
        noise = self._start_std * self._rng.standard_normal(shape)
        points: Floats = np.clip(self._start + noise, 0.0, 1.0)
        return points

    def _untrained(self) -> Gan:
        from teachers.networks.gan import Gan

        return Gan(self.space.dim, self._generator_target, self._hidden, self._rng)

    # -- learning --------------------------------------------------------------------------

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        group = self._groups.get(pick.note) if pick.note is not None else None
        if group is None:
            return
        group[0] += signal_of(outcome, self._signal)
        group[1] += 1
        if group[1] == self._n_rollouts:
            del self._groups[pick.note]
            self._label(pick.point, group[0] / self._n_rollouts)

    def _drop(self, pick: Pick, outcome: Outcome) -> None:
        self._groups.pop(pick.note, None)

    def _label(self, point: Floats, mean: float) -> None:
        if mean > self._greatest and self._is_far(point):
            self._old.add(point, mean)
        self._labelled.add(point, mean)
        if len(self._labelled) < self._labelled.window:
            return
        means = self._labelled.values
        good = (means >= self._least) & (means <= self._greatest)
        if good.any():
            if self._gan is None:
                self._gan = self._untrained()
                points = self._initial(N_PRETRAINING)
                everything = np.ones(N_PRETRAINING, dtype=np.bool_)
                self._train(self._gan, points, everything, self._n_pretraining)
            self._train(self._gan, self._labelled.points, good, self._n_iterations)
            self._n_trainings += 1
            self._astray = False
        else:
            self._n_skipped += 1
            if not self._astray and not self._keep_generator:
                self._astray, self._pool = True, self._pool[:0]
        self._labelled.clear()

    def _is_far(self, point: Floats) -> bool:
        if not len(self._old):
            return True
        squares = ((self._old.points - point) ** 2).sum(axis=1)
        return bool(squares.min() > (0.01 * math.sqrt(self.space.dim)) ** 2)

    def _train(self, gan: Gan, points: Floats, good: NDArray[np.bool_], n_iterations: int) -> None:
        gan.train((points - 0.5) / self._half_width, good, n_iterations, self._rng)
        self._pool = self._pool[:0]

    # -- looking in, saving, loading -------------------------------------------------------

    def _describe(self) -> dict[str, Any]:
        return {
            "generated": self._pool.copy(),
            "mastered": self._old.points.copy(),
            "n_trainings": self._n_trainings,
            "n_skipped_trainings": self._n_skipped,
        }

    def _state(self) -> State:
        return {
            "gan": None if self._gan is None else self._gan.state_dict(),
            "pool": self._pool,
            "queue": [[point.tolist(), reason, group] for point, reason, group in self._queue],
            "groups": [[number, total, n] for number, (total, n) in self._groups.items()],
            "labelled": self._labelled.state_dict(),
            "old": self._old.state_dict(),
            "astray": self._astray,
            "n_groups": self._n_groups,
            "n_trainings": self._n_trainings,
            "n_skipped": self._n_skipped,
        }

    def _load_state(self, state: State) -> None:
        gan = None
        if state["gan"] is not None:
            gan = self._untrained()
            gan.load_state_dict(state["gan"])
        queue = [(np.array(point), str(why), int(group)) for point, why, group in state["queue"]]
        groups = {int(number): [float(total), int(n)] for number, total, n in state["groups"]}
        counts = [int(state[name]) for name in ("n_groups", "n_trainings", "n_skipped")]
        astray = bool(state["astray"])
        self._labelled.load_state_dict(state["labelled"])
        self._old.load_state_dict(state["old"])
        self._gan, self._pool, self._queue, self._groups = gan, state["pool"], queue, groups
        self._n_groups, self._n_trainings, self._n_skipped = counts
        self._astray = astray
