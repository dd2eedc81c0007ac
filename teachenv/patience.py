"""A time limit for calls of environments, which may hang.

A call that takes too long is made to raise, if the main thread makes it: then it is an error like
any other. One that does not raise even so (elsewhere than in the main thread, or in C code that
looks at no signal) ends the process. The stacks of all threads are printed before either.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import gymnasium as gym

GRACE_S = 5.0
"""Seconds that a call which is out of time gets to raise, before its process is ended."""

_POLL_S = 0.25
_STDERR = 2


class EnvTimeoutError(TimeoutError):
    """A call of an environment took too long."""


class _Watchdog(threading.Thread):
    """Looks after the calls of this process; one for all."""

    def __init__(self) -> None:
        super().__init__(name="teachenv-watchdog", daemon=True)
        self.clock = 0.0
        """Seconds that this process has run; while it was stopped, no call grew older."""
        self.calls: dict[int, Patience] = {}
        """The call being watched in each thread."""

    def run(self) -> None:
        """Watch for as long as the process lasts."""
        before = time.monotonic()
        while True:
            time.sleep(_POLL_S)
            now = time.monotonic()
            self.clock += min(now - before, 2 * _POLL_S)
            before = now
            for thread, call in list(self.calls.items()):
                if self.clock > call.deadline:
                    self._end(thread, call)

    def _end(self, thread: int, call: Patience) -> None:
        if not call.told:
            call.told = True
            os.write(_STDERR, f"teachenv: {call.message}; this process is here:\n".encode())
            faulthandler.dump_traceback(_STDERR)
        if self.clock > call.deadline + GRACE_S:
            os.write(_STDERR, f"teachenv: {call.message} and cannot be stopped\n".encode())
            os._exit(1)
        ours = signal.getsignal(signal.SIGALRM) is _raise  # otherwise it would end the process
        if ours and thread == threading.main_thread().ident:
            signal.pthread_kill(thread, signal.SIGALRM)


_watchdog: _Watchdog | None = None


def _forget() -> None:
    """Begin anew in a forked process, which has no thread but its own."""
    global _watchdog
    _watchdog = None


os.register_at_fork(after_in_child=_forget)


def _started() -> _Watchdog:
    """Return the watchdog of this process; it is started when first needed."""
    global _watchdog
    if _watchdog is None:
        _watchdog = _Watchdog()
        _watchdog.start()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, _raise)
    return _watchdog


class Patience:
    """A context that may last only so long; entered in one thread at a time, and not nested.

    Args:
        seconds: How long.
        what: What is waited for, for the message.

    Raises:
        EnvTimeoutError: inside the context, if it is entered in the main thread.
    """

    def __init__(self, seconds: float, what: str) -> None:
        self.message = f"{what} took longer than {seconds:g} s"
        self.deadline = 0.0
        self.told = False
        self._seconds = seconds
        _started()

    def __enter__(self) -> None:
        watchdog = _watchdog or _started()
        self.told = False
        self.deadline = watchdog.clock + self._seconds
        watchdog.calls[threading.get_ident()] = self

    def __exit__(self, *error: object) -> None:
        if _watchdog is not None:
            _watchdog.calls.pop(threading.get_ident(), None)


_BOOKKEEPING = (Patience.__enter__.__code__, Patience.__exit__.__code__)


def _raise(number: int, frame: FrameType | None) -> None:
    """Take the watchdog's signal: raise in the call it is for, unless that has just ended."""
    watchdog = _started()
    call = watchdog.calls.get(threading.get_ident())  # signals are taken by the main thread
    if call is None or watchdog.clock <= call.deadline:
        return
    if frame is None or frame.f_code not in _BOOKKEEPING:
        raise EnvTimeoutError(call.message)


class Watched(gym.Wrapper[Any, Any, Any, Any]):
    """An environment whose ``reset``, ``step`` and ``close`` may take only so long.

    Args:
        env: The environment.
        timeout_s: Seconds that each call may take.
    """

    def __init__(self, env: gym.Env[Any, Any], timeout_s: float) -> None:
        super().__init__(env)
        name = env.spec.id if env.spec else str(env)
        self._reset = Patience(timeout_s, f"reset of {name}")
        self._step = Patience(timeout_s, f"step of {name}")
        self._close = Patience(timeout_s, f"close of {name}")

    def reset(self, **kwargs: Any) -> Any:
        """See :meth:`gymnasium.Env.reset`."""
        with self._reset:
            return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        """See :meth:`gymnasium.Env.step`."""
        with self._step:
            return self.env.step(action)

    def close(self) -> None:
        """See :meth:`gymnasium.Env.close`."""
        with self._close:
            self.env.close()
