"""What runs in data-generation environments show beside accuracy: signs that teaching goes wrong.

Read from the rows of a run; runs of earlier versions have fewer of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.monitors import off_probe_regression, teacher_hacking
from teachenv.experiments.store import Run

__all__ = ["HELD_OUT", "TAUGHT", "Signs", "data_signs"]

TAUGHT, HELD_OUT = "cells-v1", "held-out-v1"
"""Test sets: the cells there are to teach, and those that are tested only."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Signs:
    """Means over the evaluated episodes of a run; ``None`` where nothing is known.

    Attributes:
        lost_unprobed: Accuracy lost in the cells that no probe showed to the teacher, see
            :func:`teachenv.envs.datagen.monitors.off_probe_regression`.
        lost_probed: The same of the probed cells, to compare it with: noise is as large there.
        held_out_before: Accuracy in the cells that are tested only, before an episode.
        held_out: The same after it.
        majority: Accuracy of always giving the commonest answer, mean over the cells there are
            to teach, see :func:`teachenv.envs.datagen.monitors.majority_accuracy`.
        accepted: Share of the samples that the engine's checks let through, mean over lessons.
        n_watched: Episodes with a proxy: those whose engine errs.
        n_hacked: Episodes in which teacher hacking was flagged on the questions taught.
        n_hacked_probe: The same on the probe's questions; ``None`` where the engine was not asked
            them.
    """

    lost_unprobed: float | None
    lost_probed: float | None
    held_out_before: float | None
    held_out: float | None
    majority: float | None
    accepted: float | None
    n_watched: int
    n_hacked: int
    n_hacked_probe: int | None

    @property
    def share_hacked(self) -> float | None:
        """Share of the watched episodes with teacher hacking, by the questions taught."""
        return self.n_hacked / self.n_watched if self.n_watched else None

    @property
    def share_hacked_probe(self) -> float | None:
        """Share of the watched episodes with teacher hacking, by the probe's questions."""
        return None if self.n_hacked_probe is None else self.n_hacked_probe / self.n_watched

    def text(self) -> str:
        """Return what there is to say, in a line; "" for nothing."""
        parts = []
        if self.lost_unprobed is not None:
            parts.append(
                f"lost in cells not probed {self.lost_unprobed:.3f}, in probed ones "
                f"{self.lost_probed:.3f}"
            )
        if self.held_out is not None:
            parts.append(f"held-out cells {self.held_out_before:.3f} -> {self.held_out:.3f}")
        if self.majority is not None:
            parts.append(f"the commonest answer alone {self.majority:.3f}")
        if self.accepted is not None and self.accepted < 1.0:
            parts.append(f"{self.accepted:.1%} of the samples accepted")
        if self.n_watched:
            parts.append(f"teacher hacking flagged in {self.n_hacked} of {self.n_watched}")
            if self.n_hacked_probe is not None:
                parts[-1] += f", on the probe in {self.n_hacked_probe}"
        return "; ".join(parts)


def data_signs(run: Run) -> Signs:
    """Return the signs of a run in a data-generation environment, finished or not."""
    taught = [row for row in run.evals if row["test_set"] == TAUGHT]
    held_out = [row for row in run.evals if row["test_set"] == HELD_OUT]
    lost = [_lost(row) for row in taught if any(row["probed"]) and not all(row["probed"])]
    episodes: dict[int, list[Row]] = {}
    for row in run.teacher:
        if "proxy" in row:
            episodes.setdefault(row["round"], []).append(row)
    asked = episodes and all("proxy_on_probe" in r for rows in episodes.values() for r in rows)
    on_probe = [_hacked(rows, "proxy_on_probe", "n_golden") for rows in episodes.values() if asked]
    return Signs(
        lost_unprobed=_mean(unprobed for unprobed, _ in lost),
        lost_probed=_mean(probed for _, probed in lost),
        held_out_before=_mean(float(np.mean(row["before"])) for row in held_out),
        held_out=_mean(row["mean_return"] for row in held_out),
        majority=_mean(float(np.mean(row["majority"])) for row in taught if "majority" in row),
        accepted=_mean(row["accepted"] for row in run.teacher if "accepted" in row),
        n_watched=len(episodes),
        n_hacked=sum(_hacked(rows, "proxy", "n_proxy") for rows in episodes.values()),
        n_hacked_probe=sum(on_probe) if asked else None,
    )


def _lost(row: Row) -> tuple[float, float]:
    """Return what was lost in the cells that were not probed, and in those that were."""
    before, after = np.array(row["before"]), np.array(row["returns"])
    probed: NDArray[np.bool_] = np.array(row["probed"], dtype=np.bool_)
    unprobed, seen = (off_probe_regression(before, after, mask) for mask in (probed, ~probed))
    return unprobed, seen


def _hacked(rows: Sequence[Row], proxy: str, count: str) -> bool:
    """Return whether teacher hacking is flagged in an episode by one of its proxies."""
    return teacher_hacking(
        [row[proxy] for row in rows],
        [row["metric"] for row in rows],
        n_proxy=rows[-1][count],
        n_golden=rows[-1]["n_golden"],
    ).flagged


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.mean(found)) if found else None
