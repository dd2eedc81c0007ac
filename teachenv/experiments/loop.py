"""Starting and resuming runs: what is checked, which loop plays them, in which folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from teachenv.errors import UserError
from teachenv.experiments import testsets
from teachenv.experiments.checkpoint import newest_checkpoint, numbers, prune
from teachenv.experiments.config import ConfigError, RunConfig, describe_env
from teachenv.experiments.data_loop import DataLoop
from teachenv.experiments.data_parts import check_data, teaches_data
from teachenv.experiments.drive import Loop, drive
from teachenv.experiments.files import StoreError
from teachenv.experiments.parts import check_parts, resolve
from teachenv.experiments.run_state import FREE, Watcher, refuse_change, versions
from teachenv.experiments.store import RunFolder, read_header, read_status
from teachenv.experiments.task_loop import RunLoop
from teachenv.experiments.testsets import TestSet
from teachenv.protocols import State
from teachenv.space import TaskSpace

Opened = tuple[RunFolder, Callable[[], Loop]]
"""An open run folder and what makes its loop, for :mod:`teachenv.experiments.drive`."""


def start(config: RunConfig, out: Path, watcher: Watcher | None = None) -> None:
    """Run a configuration into a new folder.

    Args:
        config: What to run.
        out: The run folder; must not exist.
        watcher: Follows the run, if given.

    Raises:
        UserError: if the configuration or the folder is refused; nothing is left behind then.
        KeyboardInterrupt: after an interrupt, with the folder resumable.
    """
    drive(*open_new(config, out, watcher))


def resume(out: Path, watcher: Watcher | None = None, **changes: Any) -> list[str]:
    """Continue a run where its newest intact checkpoint left it.

    Args:
        out: The run folder.
        watcher: Follows the run, if given.
        **changes: Fields of the configuration to change for good, among ``run_state.FREE``:
            ``steps``, which may only grow, ``on_env_error`` and ``env_timeout_s``.

    Returns:
        Why newer checkpoints were skipped, if any were.

    Raises:
        UserError: if the folder is not a run, is running, was changed, or would be shortened, or
            a change is refused; it is as before then.
        KeyboardInterrupt: after an interrupt, with the folder resumable.
    """
    skipped: list[str] = []
    drive(*open_again(out, watcher, changes, skipped))
    return skipped


def check(config: RunConfig) -> tuple[RunConfig, dict[str, Any], list[TestSet]]:
    """Return what a run will be: resolved, its environment's contract, and its test sets.

    Raises:
        UserError: if any of it is refused.
    """
    _check_policy(config)
    if teaches_data(config):
        return check_data(config)
    contract = describe_env(config)
    config = resolve(config)
    space = TaskSpace.from_json(json.dumps(contract["task_space"]))
    names = config.test_sets or testsets.default_names(config.env, space)
    test_sets = [testsets.load(name, space) for name in names]
    check_parts(config, space)
    return config, contract, test_sets


def open_new(config: RunConfig, out: Path, watcher: Watcher | None = None) -> Opened:
    """Make the folder of :func:`start`, which see."""
    config, contract, test_sets = check(config)
    header = {"config": config.to_json(), **contract, "versions": versions()}
    folder = RunFolder.create(out, header, test_sets)

    def load() -> Loop:
        try:
            return _make(config, folder, watcher)
        except UserError:
            folder.discard()
            raise

    return folder, load


def open_again(
    out: Path,
    watcher: Watcher | None = None,
    changes: Mapping[str, Any] = MappingProxyType({}),
    skipped: list[str] | None = None,
) -> Opened:
    """Open the folder of :func:`resume`, which see; ``skipped`` is extended by what it returns."""
    folder = RunFolder.open(out)

    def load() -> Loop:
        written = read_header(out).config
        config = _changed(written, changes)
        state: State | None = None
        if numbers(out / "checkpoints"):
            _, state, reasons = newest_checkpoint(out / "checkpoints", folder.check)
            if skipped is not None:
                skipped.extend(reasons)
            refuse_change(out, config, state)
        elif (played := read_status(out)["round"]) > 0:
            raise StoreError(
                f"{out}: {played} rounds were played, but checkpoints/ is gone or empty; put it "
                "back, or start a new run in another folder"
            )
        if "on_env_error" in changes:
            _check_policy(config)
        loop = _make(config, folder, watcher)
        try:
            if state is None:
                folder.cut(dict.fromkeys(folder.offsets(), 0))
            else:
                loop.load_state_dict(state)
                prune(out / "checkpoints")
            if config != written:
                folder.write_config(config)
        except BaseException:
            loop.close()
            raise
        return loop

    return folder, load


def _make(config: RunConfig, folder: RunFolder, watcher: Watcher | None) -> Loop:
    kind = RunLoop if read_header(folder.path).data is None else DataLoop
    return kind(config, folder, watcher)


def _changed(config: RunConfig, changes: Mapping[str, Any]) -> RunConfig:
    foreign = [name for name in changes if name not in FREE]
    if foreign:
        raise UserError(f"resume: only {', '.join(FREE)} may change, not {', '.join(foreign)}")
    changed = RunConfig.from_json({**config.to_json(), **changes})
    if changed.steps < config.steps:
        raise UserError(
            f"--steps {changed.steps}: the run already has {config.steps}; it can only grow"
        )
    return changed


def _check_policy(config: RunConfig) -> None:
    """Refuse to go on in a new environment where none is made anew."""
    from students.hyper import comes_as_vector

    if config.on_env_error == "fail":
        return
    if teaches_data(config):
        kind = "teaches data"
    elif comes_as_vector(config.make_env):
        kind = "is native, one engine for all lanes"
    else:
        return
    raise ConfigError(
        f"on_env_error: {config.on_env_error!r}, but {config.env} {kind}: an error always ends "
        "the run; leave it at 'fail'"
    )
