"""The run loop: rounds of learning, each ending in rows, sometimes an evaluation, a checkpoint.

Every round derives its seeds from ``(run seed, role, round)``, in uninterrupted runs as well, and
starts fresh episodes, unless the student carries those being played in its state; a run resumed
at a round's boundary therefore continues bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from teachenv.broker import Broker
from teachenv.errors import UserError, shortened
from teachenv.experiments import testsets
from teachenv.experiments.checkpoint import newest_checkpoint, numbers, prune, save_checkpoint
from teachenv.experiments.config import RunConfig, describe_env
from teachenv.experiments.data_loop import DataLoop
from teachenv.experiments.data_parts import check_data, teaches_data
from teachenv.experiments.drive import Loop, drive
from teachenv.experiments.evaluate import evaluate
from teachenv.experiments.parts import check_parts, make_student, make_teacher, resolve
from teachenv.experiments.run_state import (
    Clock,
    Watcher,
    as_json,
    fitting,
    fixed,
    refuse_change,
    versions,
)
from teachenv.experiments.store import RunFolder, read_run
from teachenv.experiments.testsets import TestSet
from teachenv.protocols import State
from teachenv.seeding import derive_int
from teachenv.space import TaskSpace


class RunLoop:
    """One run: its teacher, broker, student and folder.

    Args:
        config: What to run.
        folder: The open run folder.
        watcher: Follows the run, if given.

    Raises:
        ConfigError: if teacher or student refuse their arguments, or the teacher needs signals
            the student does not provide.
    """

    def __init__(
        self, config: RunConfig, folder: RunFolder, watcher: Watcher | None = None
    ) -> None:
        self.config = config
        self.folder = folder
        self.round = 0
        self._watcher = watcher
        run = read_run(folder.path)
        self.test_sets = list(run.test_sets.values())
        self.teacher = make_teacher(config, run.task_space)
        self.broker = Broker(
            self.teacher,
            seed=config.seed,
            max_failed=config.max_failed,
            on_env_error=config.on_env_error,
        )
        self.student = make_student(config, self.broker)
        self._generation = 0
        if watcher is not None:
            self.broker.listener = watcher.steps

    @property
    def step(self) -> int:
        """Environment steps taken so far."""
        return self.broker.step

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken."""
        return self.step >= self.config.steps

    def announce(self) -> None:
        """Tell the watcher where the run is."""
        self.broker.advance(self.step)

    def close(self) -> None:
        """Release the student's environments and processes."""
        self.student.close()

    def advance(self) -> None:
        """Play one round: learn, write rows, evaluate when due, save a checkpoint."""
        start, clock = self.broker.step, Clock(self.broker.step)
        self._change_student()
        clock.learning(self.student)
        n_steps = min(self.config.round_steps, self.config.steps - start)
        seed = derive_int(self.config.seed, "learn", self.round)
        carry = self.student.carries
        taken = self.student.learn(n_steps, seed=seed, carry=carry)
        if taken < n_steps:
            raise RuntimeError(f"the student took {taken} of {n_steps} steps")
        self.broker.advance(start + taken)
        rows = self.broker.close_round(carry=carry)
        clock.learned()
        described = {
            "round": self.round,
            "step": self.broker.step,
            "student": self._generation,
            "describe": as_json(self.broker.describe()),
        }
        self.folder.append("episodes.jsonl", rows)
        self.folder.append("teacher.jsonl", [described])
        if self._evaluation_due():
            self.folder.append("evals.jsonl", self._evaluate())
        self.folder.append("times.jsonl", [clock.row(self.round, self.broker.step, rows)])
        self.round += 1
        self.save()

    def finish(self) -> None:
        """End the trials still being played as lost.

        That is not part of the checkpoint: a run that is extended goes on with them.
        """
        rows = [{**row, "round": self.round - 1} for row in self.broker.close_round()]
        self.folder.append("episodes.jsonl", rows)

    def save(self) -> None:
        """Write a checkpoint of the boundary before round :attr:`round`."""
        save_checkpoint(self.folder.path / "checkpoints", self.round, self.state_dict())

    def state_dict(self) -> State:
        """Return everything the future depends on; only at a round boundary."""
        return {
            "config": fixed(self.config),
            "round": self.round,
            "offsets": self.folder.offsets(),
            "broker": self.broker.state_dict(),
            "teacher": self.teacher.state_dict(),
            "student": self.student.state_dict(),
            "generation": self._generation,
        }

    def load_state_dict(self, state: State) -> None:
        """Continue from a checkpoint: loads every part and cuts the row files.

        Raises:
            UserError: if the checkpoint does not fit these parts; the row files are as before
                then.
        """
        with fitting(self.folder.path):
            self.round = int(state["round"])
            self.broker.load_state_dict(state["broker"])
            self.teacher.load_state_dict(state["teacher"])
            self.student.load_state_dict(state["student"])
            self._generation = int(state.get("generation", 0))
            self.folder.cut(state["offsets"])

    def _change_student(self) -> None:
        """Put a new student in the place of the one there is, if one is due by now."""
        every = self.config.new_student_every
        due = self.broker.step // every if every else 0
        if due > self._generation:
            self.student.close()
            self.student = make_student(self.config, self.broker, due)
            self._generation = due

    def _evaluation_due(self) -> bool:
        every = self.config.eval_every
        return every > 0 and ((self.round + 1) % every == 0 or self.finished)

    def _evaluate(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of an evaluation; the later test sets wait for the end of the run."""
        for test_set in self.test_sets if self.finished else self.test_sets[:1]:
            try:
                row = evaluate(self.student.act, self.config.make_env, test_set).row()
            except Exception as error:  # noqa: BLE001  an environment may raise anything
                row = {
                    "test_set": test_set.name,
                    "status": "failed",
                    "error": shortened(repr(error)),
                }
            if self._watcher is not None:
                self._watcher.evaluated(row)
            yield {"round": self.round, "step": self.broker.step, **row}


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


def resume(out: Path, watcher: Watcher | None = None, steps: int | None = None) -> list[str]:
    """Continue a run where its newest intact checkpoint left it.

    Args:
        out: The run folder.
        watcher: Follows the run, if given.
        steps: Extend the run to this many steps.

    Returns:
        Why newer checkpoints were skipped, if any were.

    Raises:
        UserError: if the folder is not a run, is running, was changed, or would be shortened;
            it is as before then.
        KeyboardInterrupt: after an interrupt, with the folder resumable.
    """
    skipped: list[str] = []
    drive(*open_again(out, watcher, steps, skipped))
    return skipped


def check(config: RunConfig) -> tuple[RunConfig, dict[str, Any], list[TestSet]]:
    """Return what a run will be: resolved, its environment's contract, and its test sets.

    Raises:
        UserError: if any of it is refused.
    """
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
    steps: int | None = None,
    skipped: list[str] | None = None,
) -> Opened:
    """Open the folder of :func:`resume`, which see; ``skipped`` is extended by what it returns."""
    folder = RunFolder.open(out)

    def load() -> Loop:
        written = read_run(out).config
        config = written if steps is None else _longer(written, steps)
        state: State | None = None
        if numbers(out / "checkpoints"):
            _, state, reasons = newest_checkpoint(out / "checkpoints", folder.check)
            if skipped is not None:
                skipped.extend(reasons)
            refuse_change(out, config, state)
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
    kind = RunLoop if read_run(folder.path).data is None else DataLoop
    return kind(config, folder, watcher)


def _longer(config: RunConfig, steps: int) -> RunConfig:
    if steps < config.steps:
        raise UserError(f"--steps {steps}: the run already has {config.steps}; it can only grow")
    return RunConfig.from_json({**config.to_json(), "steps": steps})
