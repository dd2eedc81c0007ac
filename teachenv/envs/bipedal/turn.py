"""A guard for objects that serve one call at a time."""

from __future__ import annotations

import threading

from gymnasium.error import ClosedEnvironmentError


def closed() -> ClosedEnvironmentError:
    """Return what every call of a closed environment raises."""
    return ClosedEnvironmentError("the environment has been closed; make a new one")


class Turn:
    """Lets one call of an environment in at a time, and none after it was closed."""

    def __init__(self) -> None:
        self.closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if self.closed:
            raise closed()
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "another thread is in a call of this environment; use one environment per thread"
            )

    def __exit__(self, *exception: object) -> None:
        self._lock.release()
