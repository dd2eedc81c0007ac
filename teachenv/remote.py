"""A broker for environments in other processes: one socket, JSON messages, no prefetch.

The broker and its teacher stay in the process of the run; a thread there answers each worker.
A worker that dies closes its connection, which ends its running trials as lost at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import (
    Client,
    Connection,
    Listener,
    answer_challenge,
    deliver_challenge,
)
from typing import Any, cast

import numpy as np

from teachenv.broker import Broker, TooManyFailuresError
from teachenv.protocols import Outcome, Trial

_ERRORS: dict[str, type[Exception]] = {
    "ValueError": ValueError,
    "TooManyFailuresError": TooManyFailuresError,
}


@dataclass
class BrokerClient:
    """A picklable trial source that talks to a served broker; safe to share between threads.

    Every process has its own connection, opened by its first call; closing it ends the trials
    that the process still plays as lost.

    Args:
        address: ``(host, port)`` of :func:`serve`.
        key: Shared secret of the connection, hexadecimal.
        on_env_error: See :class:`teachenv.broker.Broker`.

    Raises:
        ConnectionError: from any call, when the broker's process is gone or the key is wrong.
    """

    address: tuple[str, int]
    key: str = field(repr=False)
    on_env_error: str = "fail"
    _connection: Connection[Any, Any] | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _pid: int = field(default_factory=os.getpid, init=False, repr=False)
    _name: str = field(default="", init=False, repr=False)

    def ask(self, lane: str = "0") -> Trial:
        """Issue a trial; see :meth:`Broker.ask`."""
        row = self._call("ask", lane)
        task = np.array(row.pop("task"), dtype=np.float64)
        task.flags.writeable = False
        return Trial(task=task, **row)

    def tell(
        self, trial_id: int, outcome: Outcome, message: str = "", *, raised: bool = False
    ) -> None:
        """Report an outcome; see :meth:`Broker.tell`."""
        row = {**asdict(outcome), "signals": dict(outcome.signals)}
        self._call("tell", trial_id, row, message, raised)

    def signal(self, trial_id: int, signals: Mapping[str, float]) -> None:
        """Add signals; see :meth:`Broker.signal`."""
        self._call("signal", trial_id, dict(signals))

    def close(self) -> None:
        """Close this process's connection; trials it still plays are lost."""
        with self._own_lock():
            self._disconnect()

    def _call(self, method: str, *args: Any) -> Any:
        with self._own_lock():
            try:
                kind, value = self._exchange(method, args)
            except AuthenticationError as error:
                raise ConnectionError(
                    f"the broker at {self.address} refused the key of this client"
                ) from error
            except (EOFError, OSError) as error:
                raise ConnectionError(
                    f"the broker at {self.address} is gone ({error!r}): its run has ended or died"
                ) from error
        if kind == "error":
            name, text = value
            raise _ERRORS[name](text) if name in _ERRORS else RuntimeError(f"{name}: {text}")
        return value

    def _exchange(self, method: str, args: tuple[Any, ...]) -> Any:
        if self._connection is None:
            self._name = uuid.uuid4().hex
            self._connection = Client(self.address, authkey=bytes.fromhex(self.key))
        if method == "ask":
            args = (f"{self._name}/{args[0]}",)
        request = json.dumps([self._name, method, args]).encode()
        try:
            self._connection.send_bytes(request)
            return json.loads(self._connection.recv_bytes())
        except BaseException:  # interrupted half-way: the next answer would not be ours
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _own_lock(self) -> threading.Lock:
        if self._pid != os.getpid():  # forked: lock and connection belong to the parent
            self._pid, self._lock, self._connection = os.getpid(), threading.Lock(), None
        return self._lock

    def __getstate__(self) -> dict[str, Any]:
        return {"address": self.address, "key": self.key, "on_env_error": self.on_env_error}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


@contextlib.contextmanager
def serve(broker: Broker, host: str = "127.0.0.1") -> Iterator[BrokerClient]:
    """Serve a broker to other processes while the context lasts.

    Once the context has ended, no call of a worker reaches the broker any more.

    Args:
        broker: The broker; calls reach it one at a time, in order of arrival.
        host: Address to listen on; for runners on other machines, this machine's address.

    Yields:
        A client to hand to workers (picklable, also useful in this process).

    Raises:
        ConnectionError: if no port of the address can be listened on.
    """
    key = secrets.token_hex(16)
    try:
        listener = Listener((host, 0), backlog=128)
    except OSError as error:
        raise ConnectionError(
            f"the broker cannot listen on {host}: {error}; expected an address of this machine "
            "with a free port: close programs that hold many ports, or check its network"
        ) from error
    stop = threading.Event()
    answering: dict[threading.Thread, Connection[Any, Any]] = {}

    def accept() -> None:
        while not stop.is_set():
            try:
                connection = listener.accept()
            except OSError:
                time.sleep(0.05)  # out of file handles, or a stranger gone already
                continue
            for thread in [thread for thread in answering if not thread.is_alive()]:
                answering.pop(thread).close()
            thread = threading.Thread(target=_answer, args=(broker, connection, key), daemon=True)
            answering[thread] = connection
            thread.start()

    accepting = threading.Thread(target=accept, name="teachenv-broker", daemon=True)
    accepting.start()
    address = cast(tuple[str, int], listener.address)
    client = BrokerClient((address[0], address[1]), key, broker.on_env_error)
    try:
        yield client
    finally:
        stop.set()
        client.close()
        with contextlib.suppress(OSError):  # wakes the accepting thread
            socket.create_connection(address, timeout=1).close()
        accepting.join()
        listener.close()
        for connection in answering.values():
            _hang_up(connection)
        for thread, connection in answering.items():
            thread.join()
            connection.close()


def _answer(broker: Broker, connection: Connection[Any, Any], key: str) -> None:
    """Answer one worker until it hangs up; the handshake is here so that it blocks nobody."""
    name = ""
    try:
        deliver_challenge(connection, bytes.fromhex(key))
        answer_challenge(connection, bytes.fromhex(key))
        while True:
            name, method, args = json.loads(connection.recv_bytes())
            try:
                reply = ["ok", _dispatch(broker, method, args)]
            except Exception as error:  # noqa: BLE001  travels to the caller
                reply = ["error", [type(error).__name__, str(error)]]
            connection.send_bytes(json.dumps(reply).encode())
    except (EOFError, OSError, AuthenticationError):
        pass  # the worker is done, died, or was a stranger without the key
    finally:
        _hang_up(connection)
        if name:
            broker.lose(f"{name}/")


def _hang_up(connection: Connection[Any, Any]) -> None:
    """End a connection for both sides, also under a thread that is reading from it."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _dispatch(broker: Broker, method: str, args: list[Any]) -> Any:
    if method == "ask":
        trial = broker.ask(args[0])
        return {**asdict(trial), "task": trial.task.tolist()}
    if method == "tell":
        return broker.tell(args[0], Outcome(**args[1]), args[2], raised=args[3])
    if method == "signal":
        return broker.signal(args[0], args[1])
    raise ValueError(f"unknown request {method!r}")
