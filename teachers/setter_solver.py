"""Setter-Solver: a flow that makes tasks of a wanted feasibility."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, Knowledge, Pick
from teachers.networks import require_torch
from teachers.recent import Recent
from teachers.signal import IN_UNIT, Signal, signal_of, signal_problems
from teachers.values import number_problems, refuse, whole_problems

Floats = NDArray[np.float64]

LEAST_FEASIBILITY = 1e-8


class SetterSolver(BaseTeacher):
    """Setter-Solver (Racaniere, Lampinen, Santoro, Reichert, Firoiu and Lillicrap, ICLR 2020).

    The setter, an invertible network given a feasibility f, turns normal noise into a task; f
    is drawn uniformly for every task. A judge predicts the student's success at a task. Every
    ``update_every`` outcomes the judge is trained on the outcomes, and the setter on the sum of
    three losses: validity, ``-log p(reached task + noise | f)``; feasibility, the squared
    difference between the judge's logit at a made task and the logit of f; and coverage,
    ``log p(made task | f)``, which is minus the entropy.

    Deviations: while nothing was reached the validity loss is left out; a score in between
    counts as a task reached in part; noise goes both ways; gradients are clipped to a norm of
    10; batches come from the last ``window`` outcomes and there may be several per update.
    TeachMyAgent (Romac et al., ICML 2021) takes the losses at latents inferred from past tasks,
    noise of one sign, and a judge that lost two layers; these are not offered, and with them
    its figures cannot be had exactly.

    Needs torch.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        signal: "score" or "success" (as published).
        update_every: Outcomes between two updates, at most ``window``.
        window: Outcomes batches are drawn from; memory is ``16 * window * (dim + 1)`` bytes.
        n_steps: Batches of an update.
        batch: Tasks in a batch; all of the window if it holds no more.
        noise: Half the width of the noise added to reached tasks, as a share of each range.
        hidden: Units of the setter's hidden layers.

    Raises:
        ValueError: for values out of range, all named at once.
        UserError: without torch.
    """

    id = "setter-solver"
    knowledge: ClassVar[Knowledge] = "thresholds"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teachmyagent": {
            "signal": "success",
            "update_every": 50,
            "window": 50,
            "n_steps": 1,
            "batch": 50,
            "noise": 0.1,
            "hidden": 64,
        }
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        signal: Signal = "score",
        update_every: int = 50,
        window: int = 500,
        n_steps: int = 5,
        batch: int = 128,
        noise: float = 0.05,
        hidden: int = 64,
    ) -> None:
        super().__init__(space, seed=seed)
        whole = {"window": window, "n_steps": n_steps, "batch": batch, "hidden": hidden}
        problems = [
            *signal_problems(signal, IN_UNIT),
            *whole_problems(1, update_every=update_every, **whole),
            *number_problems(0.0, 1.0, noise=noise),
        ]
        if not problems and update_every > window:
            problems.append(f"expected update_every <= window, got {update_every} and {window}")
        refuse(self.id, problems)
        require_torch(self.id)
        from teachers.networks.flow import SetterAndJudge

        self._signal, self._update_every = signal, update_every
        self._n_steps, self._batch = n_steps, batch
        self._networks = SetterAndJudge(space.dim, hidden, float(noise), self._rng)
        self._recent = Recent(space.dim, window)
        self._pool = np.zeros((0, space.dim + 1))  # a feasibility and a task for it
        self._until = update_every
        self._n_updates = 0

    def _sample(self) -> Pick:
        if not len(self._pool):
            wanted = np.maximum(self._rng.random(self._update_every), LEAST_FEASIBILITY)
            tasks = self._networks.tasks(wanted, self._rng)
            self._pool = np.column_stack([wanted, tasks])
        (feasibility, *point), self._pool = self._pool[0], self._pool[1:].copy()
        return Pick(np.array(point), f"feasibility {feasibility:.2f}")

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        self._recent.add(pick.point, signal_of(outcome, self._signal))
        self._until -= 1
        if self._until == 0:
            self._until = self._update_every
            points, signals = self._recent.points, self._recent.values
            self._networks.train(points, signals, self._n_steps, self._batch, self._rng)
            self._pool = self._pool[:0].copy()
            self._n_updates += 1

    def _describe(self) -> dict[str, Any]:
        recent = self._recent.points.copy()
        return {
            "recent": recent,
            "feasibility": self._networks.feasibility(recent),
            "n_updates": self._n_updates,
        }

    def _state(self) -> State:
        return {
            "networks": self._networks.state_dict(),
            "recent": self._recent.state_dict(),
            "pool": self._pool,
            "until": self._until,
            "n_updates": self._n_updates,
        }

    def _load_state(self, state: State) -> None:
        until, n_updates = int(state["until"]), int(state["n_updates"])
        self._recent.load_state_dict(state["recent"])
        self._networks.load_state_dict(state["networks"])
        self._pool, self._until, self._n_updates = state["pool"], until, n_updates
