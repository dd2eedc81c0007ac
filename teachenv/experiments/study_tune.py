"""Conducting a study with Ray Tune: processes, machines, restarts, early stopping."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.variant_generator import generate_variants

from teachenv.errors import UserError
from teachenv.experiments.study import Search
from teachenv.experiments.study_board import Board
from teachenv.experiments.study_pack import Pack, n_runners
from teachenv.experiments.study_trial import SCORE, CellTrial, read_reports
from teachenv.ray_start import init_ray
from teachenv.seeding import derive

OBJECT_STORE_BYTES = 200 << 20
"""Memory of a local Ray for objects that processes exchange; cells exchange none to speak of."""

_FOREVER = 10**9


@contextmanager
def session(address: str | None, n_cpus: int) -> Iterator[None]:
    """Use the Ray that runs in this process, that at ``address``, or one of our own.

    Args:
        address: Of a cluster; ``None`` starts a Ray here, which ends with the session.
        n_cpus: Cores that a Ray started here gives to cells.

    Raises:
        UserError: if there is no Ray at the address, or none can be started here.
    """
    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        quiet |= {"num_cpus": n_cpus, "include_dashboard": False}
        quiet |= {"object_store_memory": OBJECT_STORE_BYTES}
    try:
        init_ray(address=address or "local", **quiet)
    except RuntimeError as error:
        raise UserError(str(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def n_slots(cpus: float, gpus: float, runners: int) -> int:
    """Return how many cells the Ray of this session can play at once.

    Args:
        cpus: Cores of a cell, which a machine must have; ``gpus`` likewise.
        gpus: Share of an accelerator.
        runners: Processes with a core each, on any machines.

    Raises:
        UserError: if it can play none, and would wait for ever.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
    hosts = sum(min(int(has.get(name, 0) / n) for name, n in wanted.items()) for has in machines)
    all_cpus = sum(has.get("CPU", 0) for has in machines)
    slots = min(hosts, int(all_cpus / (cpus + runners)))
    if slots < 1:
        each = sorted(f"{has.get('CPU', 0):g}/{has.get('GPU', 0):g}" for has in machines)
        raise UserError(
            f"a cell takes {cpus:g} CPUs and {gpus:g} GPUs of one machine and {runners} CPUs for "
            f"its runners, but the machines of this Ray have (CPUs/GPUs): {', '.join(each)}; "
            f"change --cpus, --gpus or num_env_runners, or add machines"
        )
    return slots


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

    Raises:
        KeyboardInterrupt: after SIGINT or SIGTERM, once every trial has ended: at the end of
            its round or after five seconds.
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

    follow = _Follow(board)
    tuner = tune.Tuner(
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
            callbacks=[follow],
            verbose=0,
        ),
    )
    try:
        with follow.signals():
            tuner.fit()
    except _StoppedError:
        raise KeyboardInterrupt from None


def draw(search: Search, seed: int) -> list[dict[str, Any]]:
    """Draw the settings of a search's samples."""
    domains = {name: _domain(values) for name, values in search.space.items()}
    rng = derive(seed, "search")
    drawn = (next(generate_variants(domains, random_state=rng))[1] for _ in range(search.samples))
    return [json.loads(json.dumps(row, default=lambda value: value.item())) for row in drawn]


def _domain(values: Any) -> Any:
    if isinstance(values, list | tuple):
        return tune.choice(list(values))
    low, high, log = values["low"], values["high"], values.get("log", False)
    if isinstance(low, int) and isinstance(high, int):
        return tune.lograndint(low, high + 1) if log else tune.randint(low, high + 1)
    return tune.loguniform(low, high) if log else tune.uniform(low, high)


class _StoppedError(Exception):
    """Ends Tune in the one way in which it cleans up after itself."""


class _Follow(tune.Callback):
    """Tells the board what Tune hears from trials, and Tune when to end."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._stopped = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave out everything: Tune keeps a copy that is never used."""
        return {}

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the study; a second one ends it at once."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in numbers}

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        def stop(number: int, frame: FrameType | None) -> None:
            self._stopped = True
            restore()

        for number in numbers:
            signal.signal(number, stop)
        try:
            yield
        finally:
            restore()

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        if self._stopped:
            raise _StoppedError

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
        self._board.end(_names(trial))


def _names(trial: Trial) -> list[str]:
    return [cell.name for cell in Pack.from_text(trial.config["pack"]).cells]
