"""Conducting a study with Ray Tune: processes, machines, restarts, early stopping."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.variant_generator import generate_variants

from teachenv.experiments.study import Search
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_pack import Pack, n_runners
from teachenv.experiments.study_trial import SCORE, CellTrial, read_reports
from teachenv.seeding import derive_int

OBJECT_STORE_BYTES = 200 << 20
"""Memory of a local Ray for objects that processes exchange; cells exchange none to speak of."""

_FOREVER = 10**9


@contextmanager
def session(address: str | None, n_cpus: int) -> Iterator[None]:
    """Use the Ray that runs in this process, that at ``address``, or one of our own.

    Args:
        address: Of a cluster; ``None`` starts a Ray here, which ends with the session.
        n_cpus: Cores that a Ray started here gives to cells.
    """
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        quiet |= {"num_cpus": n_cpus, "include_dashboard": False}
        quiet |= {"object_store_memory": OBJECT_STORE_BYTES}
    ray.init(address=address or "local", **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def n_slots(cpus: float) -> int:
    """Return how many cells of so many cores the Ray of this session can play at once."""
    return max(int(ray.cluster_resources().get("CPU", 1) / cpus), 1)


def conduct(
    packs: Sequence[Pack],
    board: Board,
    scratch: Path,
    *,
    cpus: float,
    gpus: float,
    at_once: int,
    max_failures: int,
    search: Search | None,
) -> None:
    """Play packs until every cell is finished, failed or stopped.

    Args:
        packs: What to play.
        board: Told of everything that happens.
        scratch: Folder for Tune's own records, of no use afterwards.
        cpus: Cores of a trial, ``gpus`` likewise.
        gpus: Share of an accelerator.
        at_once: Trials at once.
        max_failures: Deaths of a process that a cell survives.
        search: Its rules for stopping early, if this is one.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # the board tells of failures
    longest = max(len(pack.cells) for pack in packs)
    scheduler = None
    if search is not None:
        scheduler = ASHAScheduler(
            metric=SCORE,
            mode="max",
            max_t=_FOREVER,
            grace_period=search.grace,
            reduction_factor=search.reduction,
        )

    def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        runners = n_runners(Pack.from_text(config["pack"]).cells[0])
        return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": gpus}] + runners * [{"CPU": 1}])

    tune.Tuner(
        tune.with_resources(CellTrial, resources),
        param_space={"pack": tune.grid_search([pack.to_text() for pack in packs])},
        tune_config=tune.TuneConfig(
            scheduler=scheduler,
            max_concurrent_trials=at_once,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            failure_config=tune.FailureConfig(max_failures=(max_failures + 1) * longest),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[_Follow(board)],
            verbose=0,
        ),
    ).fit()


def draw(search: Search, seed: int) -> list[dict[str, Any]]:
    """Draw the settings of a search's samples."""
    domains = {name: _domain(values) for name, values in search.space.items()}
    drawn = []
    for number in range(search.samples):
        state = tune.search.variant_generator._BackwardsCompatibleNumpyRng(
            derive_int(seed, "search", number)
        )
        _, settings = next(generate_variants(domains, random_state=state))
        drawn.append(json.loads(json.dumps(settings, default=lambda value: value.item())))
    return drawn


def _domain(values: Any) -> Any:
    if isinstance(values, list | tuple):
        return tune.choice(list(values))
    low, high, log = values["low"], values["high"], values.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return tune.lograndint(low, high + 1) if log else tune.randint(low, high + 1)
    return tune.loguniform(low, high) if log else tune.uniform(low, high)


class _Follow(tune.Callback):
    """Tells the board what Tune hears from trials."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        for report in read_reports(result):
            self._board.report(report)

    def on_trial_recover(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        trial.config["given_up"] = self._board.died(_names(trial))

    def on_trial_error(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        error = trial.get_error()
        lines = str(error or "its trial could not be started").strip().splitlines()
        self._board.give_up(_names(trial), lines[-1])

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **info: Any
    ) -> None:
        self._board.give_up(_names(trial), "lagged behind in the search", "stopped")


def _names(trial: Trial) -> list[str]:
    return [cell.name for cell in Pack.from_text(trial.config["pack"]).cells]
