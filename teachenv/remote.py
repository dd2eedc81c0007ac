"""A broker for environments in other processes: one socket, JSON messages, no prefetch.

The broker and its teacher stay in the process of the run; a thread there answers each worker.
A worker that dies closes its connection, which ends its running trials as lost at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Client, Connection, Listener
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
    """A picklable trial source that talks to a served broker.

    Args:
        address: ``(host, port)`` of :func:`serve`.
        key: Shared secret of the connection, hexadecimal.

    Raises:
        ConnectionError: from any call, when the broker's process is gone.
    """

    address: tuple[str, int]
    key: str = field(repr=False)
    _connection: Connection[Any, Any] | None = field(default=None, init=False, repr=False)
    _pid: int = field(default=0, init=False, repr=False)
    _name: str = field(default="", init=False, repr=False)

    def ask(self, lane: str = "0") -> Trial:
        """Issue a trial; see :meth:`Broker.ask`."""
        row = self._call("ask", lane)
        task = np.array(row.pop("task"), dtype=np.float64)
        task.flags.writeable = False
        return Trial(task=task, **row)

    def tell(self, trial_id: int, outcome: Outcome, message: str = "") -> None:
        """Report an outcome; see :meth:`Broker.tell`."""
        row = {**asdict(outcome), "signals": dict(outcome.signals)}
        self._call("tell", trial_id, row, message)

    def signal(self, trial_id: int, signals: dict[str, float]) -> None:
        """Add signals; see :meth:`Broker.signal`."""
        self._call("signal", trial_id, signals)

    def close(self) -> None:
        """Close this process's connection; trials it still plays are lost."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(self, method: str, *args: Any) -> Any:
        if self._connection is None or self._pid != os.getpid():
            self._pid, self._name = os.getpid(), uuid.uuid4().hex
            self._connection = Client(self.address, authkey=bytes.fromhex(self.key))
        connection = self._connection
        if method == "ask":
            args = (f"{self._name}/{args[0]}",)
        try:
            connection.send_bytes(json.dumps([self._name, method, args]).encode())
            kind, value = json.loads(connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise ConnectionError(
                f"the broker at {self.address} is gone ({error!r}): its run has ended or died"
            ) from error
        if kind == "error":
            name, text = value
            raise _ERRORS.get(name, RuntimeError)(text)
        return value

    def __getstate__(self) -> dict[str, Any]:
        return {"address": self.address, "key": self.key}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


@contextlib.contextmanager
def serve(broker: Broker, host: str = "127.0.0.1") -> Iterator[BrokerClient]:
    """Serve a broker to other processes while the context lasts.

    Args:
        broker: The broker; calls reach it one at a time, in order of arrival.
        host: Address to listen on; for runners on other machines, this machine's address.

    Yields:
        A client to hand to workers (picklable, also useful in this process).
    """
    key = secrets.token_hex(16)
    listener = Listener((host, 0), backlog=64, authkey=bytes.fromhex(key))
    stop = threading.Event()
    connections: list[Connection[Any, Any]] = []

    def accept() -> None:
        while not stop.is_set():
            try:
                connection = listener.accept()
            except Exception:  # noqa: BLE001  a stranger without the key, or closing
                continue
            connections.append(connection)
            threading.Thread(target=_answer, args=(broker, connection), daemon=True).start()

    thread = threading.Thread(target=accept, name="teachenv-broker", daemon=True)
    thread.start()
    address = cast(tuple[str, int], listener.address)
    client = BrokerClient((address[0], address[1]), key)
    try:
        yield client
    finally:
        stop.set()
        client.close()
        with contextlib.suppress(Exception):  # wakes the accepting thread
            Client(address, authkey=bytes.fromhex(key)).close()
        thread.join(timeout=5)
        listener.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.close()


def _answer(broker: Broker, connection: Connection[Any, Any]) -> None:
    name = ""
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, method, args = json.loads(connection.recv_bytes())
            try:
                reply = ["ok", _dispatch(broker, method, args)]
            except Exception as error:  # noqa: BLE001  travels to the caller
                reply = ["error", [type(error).__name__, str(error)]]
            connection.send_bytes(json.dumps(reply).encode())
    if name:
        broker.lose(f"{name}/")


def _dispatch(broker: Broker, method: str, args: list[Any]) -> Any:
    if method == "ask":
        trial = broker.ask(args[0])
        return {**asdict(trial), "task": trial.task.tolist()}
    if method == "tell":
        return broker.tell(args[0], Outcome(**args[1]), args[2])
    if method == "signal":
        return broker.signal(args[0], args[1])
    raise ValueError(f"unknown request {method!r}")
