"""What Ray Tune runs: a pack of cells as one trial. Only this and ``study_tune`` load Ray."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from threadpoolctl import threadpool_limits

from teachenv.experiments.cells import Report, past_scores, play, play_together
from teachenv.experiments.mirror import Mirror
from teachenv.experiments.study import Cell
from teachenv.experiments.study_pack import Pack

SCORE = "score"
"""Name of a search's score in Tune's results."""


class CellTrial(tune.Trainable):
    """Advances the cells of a pack by a round (in a search: by an evaluation) per step.

    Needs no checkpoints from Tune: the run folders are the state, so a trial that is started
    again goes on where they are. Its ``config`` has "pack", see :class:`Pack`, and "given_up",
    names of cells not to be played any more.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take up a pack."""
        pack = Pack.from_text(config["pack"])
        _limit_threads(pack.threads)
        given_up = config.get("given_up", ())
        cells = [cell for cell in pack.cells if cell.name not in given_up]
        self._results = _results(pack, cells)

    def step(self) -> dict[str, Any]:
        """Play a round; the last result has ``done`` and nothing else to tell."""
        return next(self._results, {"done": True})

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another pack in the same process."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Interrupt what is being played; it can be continued."""
        self._results.close()


def _limit_threads(threads: int) -> None:
    """Limit the threads of numeric libraries, of those loaded later as well."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    threadpool_limits(threads)


def _results(pack: Pack, cells: Sequence[Cell]) -> Generator[dict[str, Any]]:
    mirror = Mirror(pack.storage) if pack.storage is not None else None
    how: dict[str, Any] = {"retries": pack.retries, "mirror": mirror}
    if pack.score is None:
        for report in play(cells, Path(pack.runs), **how):
            yield {"reports": [vars(report)]}
        return
    if pack.stopped:
        for score in past_scores([Path(pack.runs) / cell.name for cell in cells], pack.score):
            yield {SCORE: score}
        return
    for reports, score in play_together(cells, Path(pack.runs), score=pack.score, **how):
        rows = [vars(report) for report in reports]
        yield {"reports": rows, **({} if math.isnan(score) else {SCORE: score})}


def read_reports(result: dict[str, Any]) -> list[Report]:
    """Return the reports in a result of :class:`CellTrial`."""
    return [Report(**row) for row in result.get("reports", ())]
