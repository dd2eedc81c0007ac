"""The ledger between a teacher and the environments: every trial ends exactly once."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from teachenv.env import FIRST_TEST_LEVEL
from teachenv.protocols import Outcome, State, Teacher, Trial
from teachenv.seeding import derive_int

RECENT = 100
"""Outcomes averaged for the progress figures."""


ON_ENV_ERROR = ("fail", "retry", "skip")
"""What may follow when an environment raises; see :class:`teachenv.wrap.CurriculumWrapper`."""


class TooManyFailuresError(RuntimeError):
    """The environment broke in too many trials in a row."""


@dataclass
class _Open:
    trial: Trial  # as the teacher issued it
    level_seed: int
    lane: str
    outcome: Outcome | None = None  # finished, but signals the teacher needs are missing


class Broker:
    """Carries trials out and outcomes back, in one process; thread-safe.

    A trial is *outstanding* from :meth:`ask` until its one outcome reached the teacher. When
    the teacher needs signals, a finished trial waits for them (:meth:`signal`); otherwise its
    outcome is told at once and later signals only complete its row. :meth:`close_round` ends
    everything that is left as "lost".

    Args:
        teacher: Who picks the tasks.
        seed: Run seed, for the level seeds of trials whose teacher gives none.
        max_failed: Failed trials in a row after which :meth:`ask` raises.
        on_env_error: What lanes do when their environment raises, one of ``ON_ENV_ERROR``.
    """

    def __init__(
        self,
        teacher: Teacher,
        *,
        seed: int = 0,
        max_failed: int = 10,
        on_env_error: str = "fail",
    ) -> None:
        self.teacher = teacher
        self.on_env_error = on_env_error
        self.step = 0
        """Environment steps of the run so far; set by :meth:`advance`."""
        self.listener: Callable[[Broker], None] | None = None
        """Called after every :meth:`advance`, for progress bars."""
        self.recent: deque[Outcome] = deque(maxlen=RECENT)
        self.teacher_s = 0.0
        """Seconds in the teacher's ask and tell since this broker was made, by the wall clock:
        it is cheap to read, and counts whatever threads and servers a teacher waits for."""
        self._seed = seed
        self._max_failed = max_failed
        self._failed_in_a_row = 0
        self._last_failure = ""
        self._raised = ""
        self._open: dict[int, _Open] = {}
        self._rows: list[dict[str, Any]] = []
        self._row_of: dict[int, dict[str, Any]] = {}
        self._round = 0
        self._counts = {"asked": 0, "ok": 0, "failed": 0, "lost": 0}
        self._lock = threading.RLock()

    # -- environments ----------------------------------------------------------------------

    def ask(self, lane: str = "0") -> Trial:
        """Issue a trial to ``lane``; a trial that lane still plays is ended as lost.

        Raises:
            TooManyFailuresError: after ``max_failed`` failed trials in a row.
        """
        with self._lock:
            if self._failed_in_a_row >= self._max_failed:
                raise TooManyFailuresError(
                    f"the environment broke in {self._failed_in_a_row} trials in a row; "
                    f"the last one: {self._last_failure}"
                )
            for entry in [e for e in self._open.values() if e.lane == lane and not e.outcome]:
                self._end(entry, Outcome.lost())
            began = time.perf_counter()
            trial = self.teacher.ask()
            self.teacher_s += time.perf_counter() - began
            if trial.id in self._open or trial.id in self._row_of:
                raise ValueError(f"teacher issued trial id {trial.id} twice")
            if trial.level_seed is not None and trial.level_seed >= FIRST_TEST_LEVEL:
                raise ValueError(
                    f"trial {trial.id}: level seed {trial.level_seed} belongs to test sets; "
                    f"teachers issue level seeds below {FIRST_TEST_LEVEL}"
                )
            level_seed = trial.level_seed
            if level_seed is None:
                level_seed = derive_int(self._seed, "level", trial.id)
            self._open[trial.id] = _Open(trial, level_seed, lane)
            self._counts["asked"] += 1
            return replace(trial, level_seed=level_seed)

    def tell(
        self, trial_id: int, outcome: Outcome, message: str = "", *, raised: bool = False
    ) -> None:
        """Report how an outstanding trial ended.

        Args:
            trial_id: Id of the trial.
            outcome: How it ended.
            message: For status "failed": what broke.
            raised: Whether it broke by raising.

        Raises:
            ValueError: if no such trial is outstanding; the ledger is unchanged.
        """
        with self._lock:
            entry = self._open.get(trial_id)
            if entry is None or entry.outcome is not None:
                raise ValueError(
                    f"tell: trial {trial_id} is not outstanding (unknown, or already told)"
                )
            if outcome.status == "ok" and not self.teacher.needs <= set(outcome.signals):
                entry.outcome = outcome
            else:
                self._end(entry, outcome, message)
            if outcome.status == "failed":
                self._failed_in_a_row += 1
                self._last_failure = message or "no message"
                if raised:
                    self._raised = self._last_failure
            elif outcome.status == "ok":
                self._failed_in_a_row = 0

    def lose(self, lane_prefix: str) -> int:
        """End all unfinished trials of lanes whose name starts with ``lane_prefix`` as lost."""
        with self._lock:
            mine = [
                entry
                for entry in self._open.values()
                if entry.lane.startswith(lane_prefix) and entry.outcome is None
            ]
            for entry in mine:
                self._end(entry, Outcome.lost())
            return len(mine)

    # -- students --------------------------------------------------------------------------

    def signal(self, trial_id: int, signals: Mapping[str, float]) -> None:
        """Add signals to a finished trial of this round; the teacher is told if it waited.

        Raises:
            ValueError: if the trial did not finish in this round or a signal is not finite; the
                ledger is unchanged.
        """
        bad = {name: value for name, value in signals.items() if not math.isfinite(value)}
        if bad:
            raise ValueError(f"signal: trial {trial_id}: expected finite numbers, got {bad}")
        with self._lock:
            entry = self._open.get(trial_id)
            if entry is not None and entry.outcome is not None:
                merged = {**entry.outcome.signals, **signals}
                outcome = replace(entry.outcome, signals=merged)
                if self.teacher.needs <= set(merged):
                    self._end(entry, outcome)
                else:
                    entry.outcome = outcome
            elif trial_id in self._row_of:
                self._row_of[trial_id]["signals"].update(signals)
            else:
                raise ValueError(f"signal: trial {trial_id} did not finish in this round")

    def advance(self, step: int) -> None:
        """Say how many environment steps the run has taken."""
        self.step = step
        if self.listener is not None:
            self.listener(self)

    # -- the loop --------------------------------------------------------------------------

    @property
    def outstanding(self) -> tuple[Trial, ...]:
        """Trials issued and not yet told to the teacher."""
        with self._lock:
            return tuple(entry.trial for entry in self._open.values())

    def close_round(self, *, carry: bool = False) -> list[dict[str, Any]]:
        """Return the rows of the round, in order of ending.

        Args:
            carry: Whether trials still being played go on in the next round; otherwise they end
                as lost, as do those that wait for signals.
        """
        with self._lock:
            for entry in list(self._open.values()):
                if not carry or entry.outcome is not None:
                    self._end(entry, Outcome.lost())
            rows, self._rows = self._rows, []
            self._row_of.clear()
            self._round += 1
            self._raised = ""
            return rows

    @property
    def last_failure(self) -> str:
        """What broke in the trial that failed last; empty if none did."""
        return self._last_failure

    @property
    def raised(self) -> str:
        """What raised in the trial that failed last by raising; empty if none did this round."""
        return self._raised

    @property
    def counts(self) -> dict[str, int]:
        """How many trials were asked, and ended as ok, failed and lost."""
        with self._lock:
            return dict(self._counts)

    def describe(self) -> dict[str, Any]:
        """Return what the teacher believes, with no ask or tell in between."""
        with self._lock:
            return self.teacher.describe()

    def state_dict(self) -> State:
        """Return the ledger's counters and the trials being played; only at a round boundary.

        Raises:
            RuntimeError: while outcomes have been told that no round has collected.
        """
        with self._lock:
            if self._rows or any(entry.outcome for entry in self._open.values()):
                raise RuntimeError("Broker.state_dict: close the round first")
            return {
                "step": self.step,
                "round": self._round,
                "failed_in_a_row": self._failed_in_a_row,
                "counts": dict(self._counts),
                "open": [
                    {"trial": e.trial.to_json(), "level_seed": e.level_seed, "lane": e.lane}
                    for e in self._open.values()
                ],
            }

    def load_state_dict(self, state: State) -> None:
        """Continue from :meth:`state_dict`."""
        self.step = int(state["step"])
        self._round = int(state["round"])
        self._failed_in_a_row = int(state["failed_in_a_row"])
        self._counts = {key: int(value) for key, value in state["counts"].items()}
        opened = [
            _Open(Trial.from_json(row["trial"]), int(row["level_seed"]), str(row["lane"]))
            for row in state.get("open", ())
        ]
        self._open = {entry.trial.id: entry for entry in opened}

    def _end(self, entry: _Open, outcome: Outcome, message: str = "") -> None:
        trial = entry.trial
        began = time.perf_counter()
        self.teacher.tell(trial, outcome)
        self.teacher_s += time.perf_counter() - began
        del self._open[trial.id]
        self._counts[outcome.status] += 1
        if outcome.status == "ok":
            self.recent.append(outcome)
        row = {
            "trial": trial.id,
            "task": trial.task.tolist(),
            "reason": trial.reason,
            "level_seed": entry.level_seed,
            "train": trial.train,
            "score": outcome.score,
            "episode_return": outcome.episode_return,
            "episode_length": outcome.episode_length,
            "success": outcome.success,
            "status": outcome.status,
            "signals": dict(outcome.signals),
            "round": self._round,
            "step": self.step,
        }
        if message:
            row["message"] = message
        self._rows.append(row)
        self._row_of[trial.id] = row
