"""A served broker: workers in other processes, dying workers, strangers and endings."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bars import Bar
from toys import LADDER, LaneMaker, Recorder

from teachenv import remote
from teachenv.broker import Broker, TooManyFailuresError
from teachenv.protocols import Outcome
from teachenv.remote import BrokerClient, serve

SPAWN = multiprocessing.get_context("spawn")


def ok(value: float = 1.0) -> Outcome:
    return Outcome(0.5, value, 10, True)


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def play(client: BrokerClient, n: int, results: Any) -> None:
    played = []
    for _ in range(n):
        trial = client.ask("0")
        played.append((trial.id, trial.task.tolist(), trial.level_seed))
        client.tell(trial.id, ok(float(trial.id)))
        client.signal(trial.id, {"worker": float(os.getpid())})
    results.put((os.getpid(), played))


def hold(client: BrokerClient, ready: Any) -> None:
    client.tell(client.ask("0").id, ok())
    ready.put([client.ask("0").id, client.ask("1").id])
    time.sleep(60)


def test_two_processes_share_one_teacher() -> None:
    teacher = Recorder()
    broker = Broker(teacher, seed=4)
    with serve(broker) as client:
        results = SPAWN.Queue()
        workers = [SPAWN.Process(target=play, args=(client, 40, results)) for _ in range(2)]
        for worker in workers:
            worker.start()
        heard = [results.get(timeout=60) for _ in workers]
        for worker in workers:
            worker.join(60)
    rows = {row["trial"]: row for row in broker.close_round()}
    assert sorted(rows) == list(range(80))
    for pid, played in heard:
        assert len(played) == 40
        for trial_id, task, level_seed in played:
            assert task == teacher.issued[trial_id].tolist()
            row = rows[trial_id]
            assert (row["status"], row["episode_return"]) == ("ok", float(trial_id))
            assert (row["level_seed"], row["signals"]) == (level_seed, {"worker": float(pid)})


def test_a_killed_worker_loses_its_running_trials_and_nothing_else() -> None:
    broker = Broker(Recorder())
    with serve(broker) as client:
        mine = client.ask("0")
        ready = SPAWN.Queue()
        worker = SPAWN.Process(target=hold, args=(client, ready))
        worker.start()
        theirs = ready.get(timeout=60)
        os.kill(worker.pid or 0, signal.SIGKILL)
        wait_until(lambda: broker.counts["lost"] == 2)
        worker.join(60)
        assert [trial.id for trial in broker.outstanding] == [mine.id]
        client.tell(mine.id, ok())
    rows = broker.close_round()
    assert {row["trial"] for row in rows if row["status"] == "lost"} == set(theirs)
    assert broker.counts == {"asked": 4, "ok": 2, "failed": 0, "lost": 2}


def test_errors_of_the_broker_reach_the_worker_by_kind() -> None:
    broker = Broker(Recorder(), max_failed=1)
    with serve(broker) as client:
        trial = client.ask()
        with pytest.raises(ValueError, match="trial 9 is not outstanding"):
            client.tell(9, ok())
        client.tell(trial.id, Outcome.failed(), "boom")
        with pytest.raises(TooManyFailuresError, match="boom"):
            client.ask()


class Broken(Recorder):
    def ask(self) -> Any:
        raise KeyError("mixture")


def test_errors_of_the_teacher_reach_the_worker_with_their_name() -> None:
    with serve(Broker(Broken())) as client, pytest.raises(RuntimeError, match=r"KeyError.*mixture"):
        client.ask()


def test_trials_cross_unchanged_and_read_only() -> None:
    teacher = Recorder()
    with serve(Broker(teacher)) as client:
        for _ in range(20):
            trial = client.ask()
            assert trial.task.tobytes() == teacher.issued[trial.id].tobytes()
            assert not trial.task.flags.writeable
            assert (trial.reason, trial.train) == ("drawn", True)


def test_a_wrong_key_is_refused_and_changes_nothing() -> None:
    broker = Broker(Recorder())
    with serve(broker) as client:
        stranger = BrokerClient(client.address, "00" * 16)
        with pytest.raises(ConnectionError, match="refused the key"):
            stranger.ask()
        assert client.ask().id == 0
    assert broker.counts["asked"] == 1


def test_silent_and_babbling_strangers_block_nobody() -> None:
    broker = Broker(Recorder())
    with serve(broker) as client:
        silent = [socket.create_connection(client.address) for _ in range(5)]
        babbling = socket.create_connection(client.address)
        babbling.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        started = time.monotonic()
        assert [client.ask(str(i)).id for i in range(3)] == [0, 1, 2]
        assert time.monotonic() - started < 2
        started = time.monotonic()
    assert time.monotonic() - started < 2  # nor the end
    for stranger in [*silent, babbling]:
        stranger.close()


@pytest.mark.parametrize("why", ["another machine's address", "no free port"])
def test_where_it_cannot_listen_the_broker_says_what_to_do(
    why: str, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    host = "192.0.2.1"  # reserved for documentation: nobody's
    if why == "no free port":
        host = "127.0.0.1"

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

        monkeypatch.setattr(remote, "Listener", full)
    message = rf"cannot listen on {host}: .*; expected .*free port: close programs"
    with pytest.raises(ConnectionError, match=message), serve(Broker(Recorder()), host):
        pass
    bar("W5", messages=1)


def test_the_key_is_not_shown() -> None:
    with serve(Broker(Recorder())) as client:
        assert client.key not in repr(client)
        assert pickle.loads(pickle.dumps(client)).key == client.key  # noqa: S301


def test_after_the_run_workers_are_told_that_the_broker_is_gone() -> None:
    broker = Broker(Recorder())
    with serve(broker) as client:
        worker = BrokerClient(client.address, client.key)
        trial = worker.ask()
    with pytest.raises(ConnectionError, match=r"127.0.0.1.*is gone"):
        worker.tell(trial.id, ok())
    with pytest.raises(ConnectionError, match="is gone"):
        BrokerClient(client.address, client.key).ask()
    worker.close()
    assert broker.counts == {"asked": 1, "ok": 0, "failed": 0, "lost": 1}
    broker.close_round()


def test_a_worker_that_waits_when_the_run_ends_does_not_hang() -> None:
    """Nor does its request reach the broker after the end."""

    class Waits(Recorder):
        def ask(self) -> Any:
            time.sleep(0.3)
            return super().ask()

    broker = Broker(Waits())
    caught: list[BaseException] = []

    def work(worker: BrokerClient) -> None:
        try:
            while True:
                worker.ask()
        except ConnectionError as error:
            caught.append(error)

    with serve(broker) as client:
        workers = [BrokerClient(client.address, client.key) for _ in range(3)]
        threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
    asked = broker.counts["asked"]
    for thread in threads:
        thread.join(10)
    assert len(caught) == 3
    assert broker.counts["asked"] == asked
    assert broker.outstanding == ()


def test_a_lost_connection_after_the_round_closed_is_no_news() -> None:
    broker = Broker(Recorder())
    with serve(broker) as client:
        env = LaneMaker(BrokerClient(client.address, client.key), 0)()
        env.reset()
        rows = broker.close_round()
        env.close()
        env.close()
    assert [row["status"] for row in rows] == ["lost"]
    assert broker.close_round() == []


def test_wrappers_close_quietly_after_the_broker_is_gone() -> None:
    with serve(Broker(Recorder())) as client:
        env = LaneMaker(BrokerClient(client.address, client.key), 0)()
        env.reset()
    env.close()


def test_many_threads_share_one_client() -> None:
    teacher = Recorder()
    broker = Broker(teacher)
    errors: list[BaseException] = []

    def work(client: BrokerClient, lane: str) -> None:
        try:
            for _ in range(25):
                trial = client.ask(lane)
                assert np.array_equal(trial.task, teacher.issued[trial.id])
                client.tell(trial.id, ok(float(trial.id)))
        except BaseException as error:  # noqa: BLE001  handed to the test's thread
            errors.append(error)

    with serve(broker) as client:
        threads = [threading.Thread(target=work, args=(client, str(i))) for i in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert errors == []
    rows = broker.close_round()
    assert all(row["episode_return"] == row["trial"] for row in rows)
    assert broker.counts == {"asked": 800, "ok": 800, "failed": 0, "lost": 0}


def test_many_clients_at_once() -> None:
    broker = Broker(Recorder())
    with serve(broker) as client:
        clients = [BrokerClient(client.address, client.key) for _ in range(40)]
        ids = [worker.ask("0").id for worker in clients]  # equal lane names, other processes
        assert ids == list(range(40))
        for worker in clients[:25]:
            worker.close()
        wait_until(lambda: broker.counts["lost"] == 25)
        assert [trial.id for trial in broker.outstanding] == ids[25:]


def fork_child(client: BrokerClient, lane: str) -> int:
    """Play one trial in a forked child; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            trial = client.ask(lane)
            client.tell(trial.id, ok(2.0))
            client.close()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_does_not_disturb_its_parent() -> None:
    broker = Broker(Recorder())
    with serve(broker) as server:
        client = BrokerClient(server.address, server.key)
        mine = client.ask("0")
        with client._lock:  # another thread of the parent is in a call while it forks
            assert fork_child(client, "0") == 0
        assert [trial.id for trial in broker.outstanding] == [mine.id]
        client.tell(mine.id, ok())
    assert broker.counts == {"asked": 2, "ok": 2, "failed": 0, "lost": 0}


def test_an_interrupted_call_never_reads_the_answer_to_another() -> None:
    teacher = Recorder()
    broker = Broker(teacher)
    with serve(broker) as server:
        client = BrokerClient(server.address, server.key)
        client.ask("0")

        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            with broker._lock:  # the answer is held back until the signal has come
                signal.setitimer(signal.ITIMER_REAL, 0.2)
                with pytest.raises(KeyboardInterrupt):
                    client.ask("1")
        finally:
            signal.signal(signal.SIGALRM, before)
        for _ in range(3):
            trial = client.ask("0")
            assert np.array_equal(trial.task, teacher.issued[trial.id])
        wait_until(lambda: len(broker.outstanding) == 1)
    assert LADDER.contains(trial.task)
