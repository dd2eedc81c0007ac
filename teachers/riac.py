"""RIAC: cut the task space into regions that differ in learning progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from teachenv.protocols import Outcome, State
from teachenv.space import TaskSpace
from teachers.base import BaseTeacher, UnitPoint
from teachers.regions import Floats, Regions, absolute_progress
from teachers.values import flag_problems, number_problems, refuse, whole_problems

FLUSH = 0.25
"""Share of a leaf's outcomes, the oldest, given up when it cannot be split."""

MARGIN = 1e-5
"""How far inside its region a mutated task stays."""

PARITY: Mapping[str, Any] = {
    "constant_split_score": True,
    "last_attempt_alp": True,
    "mutation": 0.1,
    "raw_mutation": True,
}
"""The traps of the published code, which TeachMyAgent took over."""


class Riac(BaseTeacher):
    """Robust intelligent adaptive curiosity (Baranes and Oudeyer, 2009), as SAGG-RIAC picks goals.

    In the form of Portelas et al. (CoRL 2019, section 4). The unit cube is the root of a binary
    tree of boxes; each keeps the latest outcomes inside it, and its absolute learning progress
    (ALP) is the difference between the mean scores of the older and of the newer half of the
    last ``alp_window``. A leaf with more than ``max_region_size`` outcomes is split: of
    ``n_split_attempts`` random cuts that leave at least ``max_region_size / 20`` outcomes and
    sides of at least ``min_side`` on either side, the one with the largest ``n1 * n2 * |ALP1 -
    ALP2|`` is made. Without a valid cut the leaf forgets its oldest quarter.

    Tasks: 70 % uniform in a box chosen in proportion to ALP among all boxes, 20 % uniform, 10 %
    by mutation (normal noise) of the lowest-scoring task in a box chosen likewise.

    Deviations from the published code, each a trap there: the number of outcomes on either side
    counts in the score of a cut (there it was a constant: ``constant_split_score``); new boxes
    start with their own ALP (there with that of the last cut tried: ``last_attempt_alp``); boxes
    stay bounded after forgetting; cuts are drawn directly from those with enough outcomes on
    either side, by their share in the original's draws, where the original drew until it found
    one, for ever if all tasks were equal in a parameter. Also: tasks live in the unit cube, which
    is the scale of ``mutation`` too (there it was the parameters' own, whatever their ranges:
    ``raw_mutation``), and once there are ``max_regions`` boxes, leaves forget instead of splitting.
    That TeachMyAgent did not scale returns changes nothing here: only ratios of progress count.

    Cost: about 0.2 ms for ask and tell (2 to 12 dimensions), whatever the history.

    Args:
        space: The tasks to pick from.
        seed: Whole number in [0, 2**63].
        max_region_size: Outcomes above which a leaf is split.
        alp_window: Outcomes of a box that ALP looks at; ``max_region_size`` if ``None``.
        n_split_attempts: Cuts tried.
        min_side: Shortest side of a box as a share of the range, in (0, 1].
        mutation: Standard deviation of the noise, as a share of the range, in [0, 1].
        leaves_only: Choose among leaves only.
        max_regions: Boxes there may be, for bounded memory (taken at construction).
        constant_split_score: Parity flag, see above.
        last_attempt_alp: Parity flag, see above.
        raw_mutation: Parity flag, see above: ``mutation`` is in the units of each parameter.

    Raises:
        ValueError: for values out of range, all named at once.
    """

    id = "riac"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "teachdeeprl": {
            "max_region_size": 200,
            "n_split_attempts": 50,
            "min_side": 1 / 15,
            **PARITY,
        },
        "teachmyagent": {
            "max_region_size": 150,
            "n_split_attempts": 75,
            "min_side": 0.1,
            **PARITY,
        },
    }
    """As published: by Portelas et al. and their code, whose numbers are the defaults, and in the
    benchmark runs of TeachMyAgent (Romac et al., ICML 2021). Both with the traps of that code."""

    def __init__(
        self,
        space: TaskSpace,
        *,
        seed: int = 0,
        max_region_size: int = 200,
        alp_window: int | None = None,
        n_split_attempts: int = 50,
        min_side: float = 1 / 15,
        mutation: float = 0.1,
        leaves_only: bool = False,
        max_regions: int = 1000,
        constant_split_score: bool = False,
        last_attempt_alp: bool = False,
        raw_mutation: bool = False,
    ) -> None:
        super().__init__(space, seed=seed)
        window = max_region_size if alp_window is None else alp_window
        problems = [
            *whole_problems(2, max_region_size=max_region_size, alp_window=window),
            *whole_problems(1, n_split_attempts=n_split_attempts, max_regions=max_regions),
            *number_problems(0.0, 1.0, min_side=min_side),
            *number_problems(0.0, math.inf if raw_mutation is True else 1.0, mutation=mutation),
            *flag_problems(leaves_only=leaves_only, constant_split_score=constant_split_score),
            *flag_problems(last_attempt_alp=last_attempt_alp, raw_mutation=raw_mutation),
        ]
        refuse(self.id, problems)
        self._size, self._window = max_region_size, window
        self._min_outcomes = math.ceil(max_region_size / 20)
        self._n_attempts, self._min_side = n_split_attempts, min_side
        self._mutation = mutation / (space.widths if raw_mutation else np.ones(space.dim))
        self._leaves_only = leaves_only
        self._constant_score, self._last_alp = constant_split_score, last_attempt_alp
        self._regions = Regions(space.dim, max_region_size + 1, max_regions)
        self._n_flushes = 0

    # -- sampling --------------------------------------------------------------------------

    def _sample(self) -> tuple[UnitPoint, str]:
        mode = self._rng.random()
        if mode < 0.2:
            return self._rng.random(self.space.dim), "explore"
        region = self._choose()
        low, high = self._regions.low[region], self._regions.high[region]
        if mode < 0.3 and self._regions.size(region):
            return self._mutate(region), f"mutate the worst of region {region}"
        return low + (high - low) * self._rng.random(self.space.dim), f"region {region}"

    def _candidates(self) -> tuple[Any, Floats]:
        """Return the boxes to choose among and the probability of each."""
        regions = self._regions
        nodes = regions.leaves() if self._leaves_only else np.arange(regions.n)
        alp = regions.alp[nodes]
        total = float(alp.sum())
        return nodes, alp / total if total > 0.0 else np.full(len(nodes), 1.0 / len(nodes))

    def _choose(self) -> int:
        nodes, weights = self._candidates()
        cumulative = np.cumsum(weights)
        place = np.searchsorted(cumulative, self._rng.random() * cumulative[-1], side="right")
        return int(nodes[place])

    def _mutate(self, region: int) -> UnitPoint:
        points, scores = self._regions.outcomes(region)
        worst = points[int(scores.argmin())]
        noisy = worst + self._mutation * self._rng.standard_normal(self.space.dim)
        low, high = self._regions.low[region], self._regions.high[region]
        inside: UnitPoint = np.clip(noisy, low + MARGIN, high - MARGIN)
        return inside

    # -- learning --------------------------------------------------------------------------

    def _update(self, point: UnitPoint, outcome: Outcome) -> None:
        path = self._regions.path(point)
        for node in path:
            self._regions.add(node, point, float(outcome.score))
        leaf = path[-1]
        if self._regions.size(leaf) > self._size:
            self._split(leaf)
        for node in path:
            self._regions.alp[node] = self._alp(self._regions.scores(node))

    def _alp(self, scores: Floats) -> float:
        return absolute_progress(scores[-self._window :])

    def _split(self, leaf: int) -> None:
        points, scores = self._regions.outcomes(leaf)
        best_score, best, alp = 0.0, None, (0.0, 0.0)
        for dim, threshold in self._cuts(leaf, points):
            lower = points[:, dim] <= threshold
            alp = self._alp(scores[lower]), self._alp(scores[~lower])
            n_lower = int(lower.sum())
            weight = 1 if self._constant_score else n_lower * (len(points) - n_lower)
            score = weight * abs(alp[0] - alp[1])
            if score >= best_score and self._sides_long_enough(leaf, dim, threshold):
                best_score, best = score, (dim, threshold, alp)
        if best is None:
            self._regions.forget(leaf, int(self._size * FLUSH))
            self._n_flushes += 1
        else:
            dim, threshold, own_alp = best
            self._regions.split(leaf, dim, threshold, alp if self._last_alp else own_alp)

    def _cuts(self, leaf: int, points: Floats) -> list[tuple[int, float]]:
        """Draw cuts with enough outcomes on either side, evenly over the box."""
        ordered = np.sort(points, axis=0)
        first, last = ordered[self._min_outcomes - 1], ordered[-self._min_outcomes]
        share = (last - first) / (self._regions.high[leaf] - self._regions.low[leaf])
        if self._regions.full or not share.any():
            return []
        dims = self._rng.choice(len(share), self._n_attempts, p=share / share.sum())
        where = first[dims] + (last - first)[dims] * self._rng.random(self._n_attempts)
        return list(zip(dims.tolist(), where.tolist(), strict=True))

    def _sides_long_enough(self, leaf: int, dim: int, threshold: float) -> bool:
        low, high = self._regions.low[leaf, dim], self._regions.high[leaf, dim]
        return bool(min(threshold - low, high - threshold) >= self._min_side)

    # -- looking in, saving, loading -------------------------------------------------------

    def _describe(self) -> dict[str, Any]:
        nodes, weights = self._candidates()
        regions = self._regions
        return {
            "regions": {
                "low": regions.low[nodes].copy(),
                "high": regions.high[nodes].copy(),
                "alp": regions.alp[nodes].copy(),
                "weights": weights,
                "leaf": np.isin(nodes, regions.leaves()),
            },
            "n_flushes": self._n_flushes,
        }

    def _state(self) -> State:
        return {"regions": self._regions.state_dict(), "n_flushes": self._n_flushes}

    def _load_state(self, state: State) -> None:
        n_flushes = int(state["n_flushes"])
        self._regions.load_state_dict(state["regions"])
        self._n_flushes = n_flushes
