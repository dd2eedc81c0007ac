"""Starting Ray, or saying why it did not start."""

from __future__ import annotations

import signal
import threading
from typing import Any


def init_ray(**options: Any) -> None:
    """Call ``ray.init``, and keep the process's own answer to SIGTERM.

    Ray puts an answer of its own in its place, and an alarm that ends the process some seconds
    later, so that nothing could be saved.

    Args:
        options: For ``ray.init``.

    Raises:
        RuntimeError: if Ray does not start or is not found, with what to do.
    """
    import ray

    own = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except Exception as error:
        raise RuntimeError(
            f"Ray did not start: {error} -- it takes 300 MB of free memory (its object store "
            "75 MB of it), free ports, and on a busy machine more than the half minute it waits "
            "for itself: close what fills the machine and try again. Its own account is in "
            "/tmp/ray/session_latest/logs"
        ) from error
    finally:
        if callable(own) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, own)
