"""Driving a run to its end, whatever ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from types import FrameType
from typing import Protocol

from teachenv.errors import UserError, shortened
from teachenv.experiments.store import RunFolder, read_status
from teachenv.protocols import State


class Loop(Protocol):
    """What is driven."""

    round: int

    @property
    def step(self) -> int:
        """Steps taken so far."""

    @property
    def finished(self) -> bool:
        """Whether all is done."""

    def advance(self) -> None:
        """Play one round."""

    def finish(self) -> None:
        """End what is still going on when all is done."""

    def announce(self) -> None:
        """Tell whoever follows the run where it is."""

    def load_state_dict(self, state: State) -> None:
        """Continue from a checkpoint."""

    def close(self) -> None:
        """Release what it holds."""


def drive(folder: RunFolder, load: Callable[[], Loop]) -> None:
    """Advance a loop to its end; see :func:`rounds`. SIGTERM ends a run as Ctrl-C does.

    Args:
        folder: The open run folder; closed at the end.
        load: Makes the loop, ready to advance.
    """
    with terminate_as_interrupt(), closing(rounds(folder, load)) as played:
        for _ in played:
            pass


def rounds(folder: RunFolder, load: Callable[[], Loop]) -> Generator[Loop]:
    """Advance a loop to its end, keeping ``status.json`` true whatever happens.

    The status stays what it was when ``load`` is interrupted or refuses: nothing ran. Why a run
    ended is raised even where the disk takes no status any more.

    Args:
        folder: The open run folder; closed at the end.
        load: Makes the loop, ready to advance.

    Yields:
        The loop, after every round. Closing the generator interrupts the run.
    """
    loop: Loop | None = None
    previous = read_status(folder.path)

    def write(status: str, reason: str = "") -> None:
        at = {"round": previous["round"], "step": previous["step"]}
        if loop is not None:
            at = {"round": loop.round, "step": loop.step}
        folder.write_json("status.json", {"status": status, "reason": reason, **at})

    try:
        loop = load()
        loop.announce()
        write("running")
        while not loop.finished:
            loop.advance()
            write("running")
            yield loop
        loop.finish()
        write("finished")
    except (KeyboardInterrupt, GeneratorExit):
        with suppress(OSError):
            if loop is not None:
                write("interrupted", "stopped by a signal")
        raise
    except BaseException as error:
        if loop is not None or not isinstance(error, UserError):
            said = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
            with suppress(OSError):
                write("failed", shortened("; ".join(said)))
        raise
    finally:
        try:
            if loop is not None:
                loop.close()
        finally:
            folder.close()


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end what runs here as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
