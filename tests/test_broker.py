"""The ledger: every trial ends exactly once, whatever the order and whoever breaks."""

from __future__ import annotations

import copy
import json
import math
import random
import threading
from typing import Any

import numpy as np
import pytest
from toys import LADDER, Recorder

import teachers
from teachenv.broker import Broker, TooManyFailuresError
from teachenv.env import FIRST_TEST_LEVEL
from teachenv.protocols import Outcome, Trial

NEEDY = frozenset({"regret"})


def ok(value: float = 1.0, **signals: float) -> Outcome:
    return Outcome(0.5, value, 10, True, signals=signals)


def picture(broker: Broker) -> Any:
    """Everything a refused call must leave alone."""
    told = getattr(broker.teacher, "told", {})
    return copy.deepcopy(
        (broker.outstanding, broker.counts, broker._rows, broker._failed_in_a_row, list(told))
    )


def same(one: Any, two: Any) -> bool:
    return repr(one) == repr(two)


def test_rows_tell_the_whole_story_of_a_trial() -> None:
    teacher = Recorder()
    broker = Broker(teacher, seed=3)
    broker.advance(40)
    trial = broker.ask("a")
    broker.tell(trial.id, ok(7.5, novelty=0.25))
    (row,) = broker.close_round()
    assert row == {
        "trial": 0,
        "task": teacher.issued[0].tolist(),
        "reason": "drawn",
        "level_seed": trial.level_seed,
        "train": True,
        "score": 0.5,
        "episode_return": 7.5,
        "episode_length": 10,
        "success": True,
        "status": "ok",
        "signals": {"novelty": 0.25},
        "round": 0,
        "step": 40,
    }
    json.dumps(row, allow_nan=False)


def test_level_seeds_come_from_the_run_seed_and_the_id() -> None:
    seeds = [[broker.ask(str(i)).level_seed for i in range(50)]
             for broker in (Broker(Recorder(), seed=s) for s in (0, 0, 1))]  # fmt: skip
    assert seeds[0] == seeds[1]
    assert len({*seeds[0], *seeds[2]}) == 100


class FixedLevel(Recorder):
    level_seed = 77

    def ask(self) -> Trial:
        trial = super().ask()
        return Trial(trial.id, trial.task, "replay", level_seed=self.level_seed, train=False)


def test_the_teachers_own_level_seed_wins() -> None:
    broker = Broker(FixedLevel())
    trial = broker.ask()
    assert (trial.level_seed, trial.train) == (77, False)
    (row,) = broker.close_round()
    assert (row["level_seed"], row["train"]) == (77, False)


def test_level_seeds_of_test_sets_are_never_issued() -> None:
    teacher = FixedLevel()
    teacher.level_seed = FIRST_TEST_LEVEL
    with pytest.raises(ValueError, match="belongs to test sets"):
        Broker(teacher).ask()


@pytest.mark.parametrize("needs", [frozenset(), NEEDY])
def test_unknown_and_repeated_ids_are_refused_and_change_nothing(needs: frozenset[str]) -> None:
    broker = Broker(Recorder(needs=needs))
    first, _second = broker.ask("a"), broker.ask("b")
    broker.tell(first.id, ok())
    before = picture(broker)
    for trial_id in (first.id, 2, -1, 10**9):
        for outcome in (ok(), Outcome.lost(), Outcome.failed()):
            with pytest.raises(ValueError, match="not outstanding"):
                broker.tell(trial_id, outcome)
    assert same(picture(broker), before)


BAD = [
    Outcome(1.5, 1.0, 10, True),
    Outcome(math.nan, 1.0, 10, True),
    Outcome(0.5, math.inf, 10, True),
    Outcome(0.5, 1.0, 0, True),
    Outcome(0.5, 1.0, 10, True, status="late"),  # type: ignore[arg-type]
    Outcome(0.5, math.nan, 0, False, status="failed"),
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_outcomes_the_teacher_refuses_change_nothing(bad: Outcome) -> None:
    broker = Broker(teachers.make("uniform", LADDER, seed=0))
    trial = broker.ask()
    before = picture(broker)
    with pytest.raises((ValueError, TypeError)):
        broker.tell(trial.id, bad)
    assert same(picture(broker), before)
    broker.tell(trial.id, ok())
    assert broker.counts == {"asked": 1, "ok": 1, "failed": 0, "lost": 0}


def test_a_lane_that_asks_again_loses_its_old_trial_and_no_other() -> None:
    teacher = Recorder()
    broker = Broker(teacher)
    old, other = broker.ask("a"), broker.ask("b")
    new = broker.ask("a")
    assert [trial.id for trial in broker.outstanding] == [other.id, new.id]
    assert teacher.told[old.id].status == "lost"
    with pytest.raises(ValueError, match="not outstanding"):
        broker.tell(old.id, ok())


def test_losing_a_worker_ends_its_lanes_only() -> None:
    broker = Broker(Recorder())
    lanes = ["w1/0", "w1/1", "w10/0", "w2/0"]
    ids = [broker.ask(lane).id for lane in lanes]
    broker.tell(ids[1], ok())
    assert broker.lose("w1/") == 1
    assert [trial.id for trial in broker.outstanding] == ids[2:]
    assert broker.lose("w1/") == 0


def test_finished_trials_wait_for_the_signals_a_teacher_needs() -> None:
    teacher = Recorder(needs=frozenset({"regret", "value"}))
    broker = Broker(teacher)
    trial = broker.ask("a")
    broker.tell(trial.id, ok(3.0))
    broker.ask("a")  # the lane goes on; the finished trial is not lost
    broker.signal(trial.id, {"regret": 0.5})
    assert trial.id not in teacher.told
    broker.signal(trial.id, {"value": 2.0, "extra": 1.0})
    told = teacher.told[trial.id]
    assert (told.status, told.episode_return) == ("ok", 3.0)
    assert told.signals == {"regret": 0.5, "value": 2.0, "extra": 1.0}


def test_failed_and_lost_trials_do_not_wait() -> None:
    teacher = Recorder(needs=NEEDY)
    broker = Broker(teacher)
    for outcome in (Outcome.failed(), Outcome.lost()):
        broker.tell(broker.ask().id, outcome)
    assert [outcome.status for outcome in teacher.told.values()] == ["failed", "lost"]


def test_signals_that_arrive_with_the_outcome_suffice() -> None:
    teacher = Recorder(needs=NEEDY)
    broker = Broker(teacher)
    broker.tell(broker.ask().id, ok(regret=0.1))
    assert teacher.told[0].signals == {"regret": 0.1}


def test_late_signals_only_complete_the_row() -> None:
    teacher = Recorder()
    broker = Broker(teacher)
    broker.tell(broker.ask().id, ok(novelty=1.0))
    broker.signal(0, {"regret": 0.5})
    assert teacher.told[0].signals == {"novelty": 1.0}
    (row,) = broker.close_round()
    assert row["signals"] == {"novelty": 1.0, "regret": 0.5}
    with pytest.raises(ValueError, match="did not finish in this round"):
        broker.signal(0, {"regret": 0.5})


def test_signals_for_running_or_unknown_trials_are_refused() -> None:
    broker = Broker(Recorder(needs=NEEDY))
    broker.ask()
    before = picture(broker)
    for trial_id in (0, 1):
        with pytest.raises(ValueError, match="did not finish"):
            broker.signal(trial_id, {"regret": 0.5})
    assert same(picture(broker), before)


@pytest.mark.parametrize("needs", [frozenset(), NEEDY])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_signals_that_are_not_finite_are_refused(needs: frozenset[str], value: float) -> None:
    broker = Broker(Recorder(needs=needs))
    broker.tell(broker.ask().id, ok())
    before = picture(broker)
    with pytest.raises(ValueError, match="finite"):
        broker.signal(0, {"regret": value, "other": 1.0})
    assert same(picture(broker), before)


def test_closing_the_round_ends_everything() -> None:
    teacher = Recorder(needs=NEEDY)
    broker = Broker(teacher)
    running, waiting, told = (broker.ask(lane) for lane in "abc")
    broker.tell(waiting.id, ok())
    broker.tell(told.id, ok(regret=1.0))
    rows = broker.close_round()
    assert {row["trial"]: row["status"] for row in rows} == {
        running.id: "lost",
        waiting.id: "lost",
        told.id: "ok",
    }
    assert broker.outstanding == ()
    assert broker.close_round() == []
    assert set(teacher.told) == {0, 1, 2}
    broker.tell(broker.ask().id, ok(regret=1.0))
    assert [row["round"] for row in broker.close_round()] == [2]


def test_counts_add_up_under_random_use() -> None:
    rng = random.Random(0)
    teacher = Recorder(needs=NEEDY)
    broker = Broker(teacher, max_failed=10**9)
    running: list[int] = []
    rows: list[dict[str, Any]] = []
    for _ in range(3000):
        action = rng.random()
        if action < 0.5:
            running.append(broker.ask(str(rng.randrange(12))).id)
        elif action < 0.9 and running:
            trial_id = running.pop(rng.randrange(len(running)))
            outcome = rng.choice([ok(), ok(regret=1.0), Outcome.failed(), Outcome.lost()])
            open_ids = {trial.id for trial in broker.outstanding}
            if trial_id in open_ids:
                broker.tell(trial_id, outcome)
                if rng.random() < 0.5 and outcome.status == "ok" and not outcome.signals:
                    broker.signal(trial_id, {"regret": 2.0})
        elif action > 0.99:
            rows += broker.close_round()
            running.clear()
        counts = broker.counts
        ended = counts["ok"] + counts["failed"] + counts["lost"]
        assert counts["asked"] == ended + len(broker.outstanding)
    rows += broker.close_round()
    assert sorted(row["trial"] for row in rows) == list(range(broker.counts["asked"]))
    for status in ("ok", "failed", "lost"):
        assert sum(row["status"] == status for row in rows) == broker.counts[status]


def test_a_streak_of_failures_stops_the_run_with_the_last_cause() -> None:
    broker = Broker(Recorder(), max_failed=3)
    for _ in range(2):
        broker.tell(broker.ask().id, Outcome.failed(), "early")
    assert broker.raised == ""  # nobody said so
    broker.tell(broker.ask().id, ok())
    for cause in ("one", "two", "the wheel came off"):
        broker.tell(broker.ask().id, Outcome.lost())
        broker.tell(broker.ask().id, Outcome.failed(), cause)
    with pytest.raises(TooManyFailuresError, match=r"3 trials in a row.*the wheel came off"):
        broker.ask()
    assert broker.last_failure == "the wheel came off"
    failed = [row["message"] for row in broker.close_round() if row["status"] == "failed"]
    assert failed == ["early", "early", "one", "two", "the wheel came off"]


def test_progress_is_averaged_over_trials_that_were_played() -> None:
    broker = Broker(Recorder())
    for outcome in (ok(1.0), Outcome.lost(), Outcome.failed(), ok(2.0)):
        broker.tell(broker.ask().id, outcome)
    assert [outcome.episode_return for outcome in broker.recent] == [1.0, 2.0]


def test_carried_trials_stay_open_unless_they_wait_for_signals() -> None:
    broker = Broker(Recorder(needs=NEEDY))
    running, waiting = broker.ask("a"), broker.ask("b")
    broker.tell(waiting.id, ok())
    (row,) = broker.close_round(carry=True)
    assert (row["trial"], row["status"]) == (waiting.id, "lost")
    assert [trial.id for trial in broker.outstanding] == [running.id]
    broker.tell(running.id, ok())
    broker.signal(running.id, {"regret": 0.5})
    (row,) = broker.close_round()
    assert (row["trial"], row["status"], row["round"]) == (running.id, "ok", 1)


def test_the_signals_needed_suffice_without_others() -> None:
    broker = Broker(Recorder(needs=NEEDY))
    trial = broker.ask()
    broker.tell(trial.id, ok())
    broker.signal(trial.id, {"regret": 0.5})
    assert broker.counts["ok"] == 1
    assert broker.outstanding == ()


def test_state_survives_json_and_the_future_is_the_same() -> None:
    def run(broker: Broker, n: int) -> list[dict[str, Any]]:
        for k in range(n):
            broker.advance(broker.step + 10)
            broker.tell(broker.ask().id, Outcome.failed() if k % 3 else ok())
        return broker.close_round()

    one = Broker(teachers.make("uniform", LADDER, seed=1), seed=5)
    run(one, 20)
    state = json.loads(json.dumps(one.state_dict(), allow_nan=False))
    two = Broker(teachers.make("uniform", LADDER, seed=1), seed=5)
    two.teacher.load_state_dict(one.teacher.state_dict())
    two.load_state_dict(state)
    assert two.counts == one.counts
    assert run(two, 20) == run(one, 20)
    assert two.state_dict() == one.state_dict()


def test_state_is_refused_while_outcomes_wait_to_be_collected() -> None:
    broker = Broker(Recorder())
    trial = broker.ask()  # as a worker may that is late for the end of a round
    assert [row["trial"]["id"] for row in broker.state_dict()["open"]] == [trial.id]
    broker.tell(trial.id, ok())
    with pytest.raises(RuntimeError, match="close the round"):
        broker.state_dict()
    broker.close_round()
    broker.state_dict()


class Repeats(Recorder):
    def ask(self) -> Trial:
        return Trial(0, LADDER.default)


def test_a_teacher_that_repeats_an_id_is_caught() -> None:
    broker = Broker(Repeats())
    broker.ask("a")
    with pytest.raises(ValueError, match="id 0 twice"):
        broker.ask("b")


class Slow(Recorder):
    """Notices when it is asked, told or described by two threads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = threading.Lock()

    def _alone(self, call: Any, *args: Any) -> Any:
        assert self.busy.acquire(blocking=False), "two threads at once"
        try:
            return call(*args)
        finally:
            self.busy.release()

    def ask(self) -> Trial:
        return self._alone(super().ask)

    def tell(self, trial: Trial, outcome: Outcome) -> None:
        self._alone(super().tell, trial, outcome)

    def describe(self) -> dict[str, Any]:
        return self._alone(super().describe)


def test_threads_reach_the_teacher_one_at_a_time() -> None:
    teacher = Slow()
    broker = Broker(teacher)
    errors: list[BaseException] = []

    def work(lane: str) -> None:
        try:
            for _ in range(200):
                trial = broker.ask(lane)
                assert np.array_equal(trial.task, teacher.issued[trial.id])
                broker.describe()
                broker.tell(trial.id, ok())
        except BaseException as error:  # noqa: BLE001  handed to the test's thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert broker.counts == {"asked": 3200, "ok": 3200, "failed": 0, "lost": 0}
