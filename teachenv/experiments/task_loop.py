"""The run loop of environments with tasks: rounds that end in rows, evaluations, a checkpoint.

Every round derives its seeds from ``(run seed, role, round)``, in uninterrupted runs as well, and
starts fresh episodes, unless the student carries those being played in its state; a run resumed
at a round's boundary therefore continues bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from teachenv.broker import Broker
from teachenv.errors import shortened
from teachenv.experiments.checkpoint import save_checkpoint
from teachenv.experiments.config import RunConfig
from teachenv.experiments.evaluate import evaluate
from teachenv.experiments.parts import make_student, make_teacher
from teachenv.experiments.run_state import Clock, Watcher, as_json, fitting, fixed
from teachenv.experiments.store import RunFolder, read_header
from teachenv.protocols import State
from teachenv.seeding import derive_int


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
        run = read_header(folder.path)
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
        self._clock = Clock()
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
        start, clock = self.broker.step, self._clock
        clock.start(start, self.broker.teacher_s)
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
        times = clock.row(self.round, self.broker.step, rows, self.broker.teacher_s)
        self.folder.append("times.jsonl", [times])
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
