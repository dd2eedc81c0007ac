"""A terminal that shows what it is told to print, and obeys none of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

__all__ = ["Terminal"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal(Console):
    """A console that prints control characters as escapes.

    What is printed may come from files of others: names, reasons, messages.
    """

    def render(self, *args: Any, **kwargs: Any) -> Iterable[Segment]:
        """Yield what rich makes of a renderable, its text made harmless."""
        for segment in super().render(*args, **kwargs):
            if segment.control or not _CONTROL.search(segment.text):
                yield segment
            else:
                yield Segment(_CONTROL.sub(_escape, segment.text), segment.style)


def _escape(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"
