"""ACCEL: levels are edited, and the children that the student learns from are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from teachenv.protocols import Outcome, State, Task
from teachenv.space import TaskSpace
from teachers.base import Knowledge, Pick, UnitPoint
from teachers.robust_plr import RobustPlr
from teachers.values import number_problems, one_of_problems, refuse, whole_problems

Parents = Literal["top", "bottom", "first", "all"]
PARENTS: tuple[Parents, ...] = get_args(Parents)


class Accel(RobustPlr):
    """ACCEL (Parker-Holder et al., ICML 2022, "Evolving Curricula", algorithm 1).

    Robust prioritized level replay whose new levels are easy, and which edits: after every
    ``batch`` outcomes of replayed levels, with probability ``edit_rate``, parents are chosen
    among them and as many children as the batch has levels are made, each by ``n_edits``
    mutations of its parent's task (:meth:`teachenv.space.TaskSpace.edit`) and a new level seed.
    Children are played next, with ``train=False``, and enter the buffer by its rule.

    Parents: "top" takes the ``n_parents`` levels with the largest episode return minus absolute
    score (solved, with little left to learn), as the paper describes; "bottom" those with the
    smallest, as its published code does since September 2023; "first" always the batch's first,
    as the code with which the published figures were made; each has the same number of
    children. "all" gives every level of the batch one child.

    Deviations: as of :class:`teachers.plr.Plr`; children waiting to be played are at most as
    many as levels are held, the oldest go; parents are chosen by scores that are not clipped; new
    levels come from the easy end of the task space, where the published start is a line of it.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        score: See :class:`teachers.plr.Plr`, as for the next five.
        capacity: See there.
        replay_rate: See there.
        min_filled: See there.
        temperature: See there.
        staleness: See there.
        parents: Which of a batch are edited: "top", "bottom", "first" or "all".
        edit_rate: Probability that a batch is edited, in [0, 1].
        n_edits: Mutations of a child, at least 1.
        batch: Replayed levels that parents are chosen among, at least 1.
        n_parents: How many are chosen, from 1 to ``batch``.
        harder: Parameter name -> +1 where larger values are harder, -1 where smaller ones are;
            an environment's ``harder``. Parameters left out are drawn from their whole range.
        easy_width: New levels are drawn from this share of the range of the parameters in
            ``harder``, at its easy end, in (0, 1]; 1 draws them from the whole space (the
            paper's "DR generator").

    Raises:
        ValueError: for values out of range.
    """

    id = "accel"
    knowledge: ClassVar[Knowledge] = "initial distribution"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "bipedal": {
            "score": "positive_value_loss",
            "capacity": 1000,
            "replay_rate": 0.9,
            "min_filled": 0.5,
            "temperature": 0.1,
            "staleness": 0.5,
            "edit_rate": 1.0,
            "n_edits": 3,
        },
    }

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        score: str = "positive_value_loss",
        capacity: int = 1000,
        replay_rate: float = 0.9,
        min_filled: float = 0.5,
        temperature: float = 0.1,
        staleness: float = 0.5,
        parents: Parents = "top",
        edit_rate: float = 1.0,
        n_edits: int = 3,
        batch: int = 16,
        n_parents: int = 4,
        harder: Mapping[str, int] | None = None,
        easy_width: float = 0.1,
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            score=score,
            capacity=capacity,
            replay_rate=replay_rate,
            min_filled=min_filled,
            temperature=temperature,
            staleness=staleness,
        )
        problems = [
            *one_of_problems("parents", parents, PARENTS),
            *number_problems(0.0, 1.0, edit_rate=edit_rate),
            *number_problems(1e-9, 1.0, easy_width=easy_width),
            *whole_problems(1, n_edits=n_edits, batch=batch, n_parents=n_parents),
        ]
        if not problems and n_parents > batch:
            problems.append(f"n_parents: expected at most batch={batch}, got {n_parents}")
        refuse(self.id, [*problems, *_harder_problems(space, harder)])
        self._parents, self._edit_rate, self._n_edits = parents, edit_rate, n_edits
        self._batch, self._n_parents = batch, n_parents
        signs = np.array([(harder or {}).get(name, 0) for name in space.names])
        self._easy_low = np.where(signs < 0, 1.0 - easy_width, 0.0)
        self._easy_width = np.where(signs == 0, 1.0, easy_width)
        self._replayed: list[tuple[Task, float]] = []
        self._children: deque[Task] = deque(maxlen=capacity)
        self._n_children = 0

    def _sample(self) -> Pick:
        if not self._children:
            return super()._sample()
        child = self._children.popleft()
        self._n_children += 1
        return Pick(child, "edited level", self._new_level_seed(), False, child, self._now)

    def _new_point(self) -> UnitPoint:
        return np.asarray(self._easy_low + self._easy_width * self._rng.random(self.space.dim))

    def _learn(self, pick: Pick, outcome: Outcome) -> None:
        super()._learn(pick, outcome)
        if not pick.train:
            return
        assert pick.task is not None
        worth = outcome.episode_return - abs(outcome.signals[self._score])
        self._replayed.append((pick.task, float(worth)))
        if len(self._replayed) == self._batch:
            if self._rng.random() < self._edit_rate:
                self._edit()
            self._replayed.clear()

    def _edit(self) -> None:
        for parent in self._chosen([worth for _, worth in self._replayed]):
            task = self._replayed[parent][0]
            self._children.append(self.space.edit(task, self._rng, self._n_edits))

    def _chosen(self, worth: Sequence[float]) -> NDArray[np.intp]:
        """Return which of the batch are edited, a child each; the latest of equals is the top."""
        n = len(worth)
        if self._parents == "all":
            return np.arange(n)
        rising = np.argsort(worth, kind="stable")
        chosen = {
            "top": rising[::-1][: self._n_parents],
            "bottom": rising[: self._n_parents],
            "first": np.zeros(self._n_parents, dtype=np.intp),
        }[self._parents]
        return np.resize(chosen, n)

    def _describe(self) -> dict[str, Any]:
        return {
            **super()._describe(),
            "n_children": self._n_children,
            "n_waiting": len(self._children),
        }

    def _state(self) -> State:
        dim = self.space.dim
        return {
            **super()._state(),
            "replayed": np.reshape([task for task, _ in self._replayed], (-1, dim)),
            "worth": np.array([worth for _, worth in self._replayed], dtype=np.float64),
            "children": np.reshape(self._children, (-1, dim)),
            "n_children": self._n_children,
        }

    def _load_state(self, state: State) -> None:
        super()._load_state(state)
        worth = state["worth"].tolist()
        self._replayed = list(zip(list(state["replayed"]), worth, strict=True))
        self._children = deque(state["children"], maxlen=self._children.maxlen)
        self._n_children = int(state["n_children"])


def _harder_problems(space: TaskSpace, harder: Mapping[str, int] | None) -> list[str]:
    if not isinstance(harder, Mapping | None):
        return [f"harder: expected parameter name -> +1 or -1, got {harder!r:.80}"]
    return [
        f"harder: expected names of {', '.join(space.names[:8])} with +1 or -1, "
        f"got {name!r}: {sign!r:.80}"
        for name, sign in (harder or {}).items()
        if name not in space.names or isinstance(sign, bool) or sign not in (1, -1)
    ]
