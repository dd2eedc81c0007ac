"""Words in and out of the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, NoReturn

import typer

from teachenv.errors import UserError
from teachenv.terminal import Terminal

__all__ = ["console", "interrupted", "names", "pairs", "say"]

console = Terminal(highlight=False, emoji=False)  # "a:x:" is no picture


def say(line: str) -> None:
    """Print a line as it is: no markup, and no breaks, so that paths can be copied."""
    console.print(line, markup=False, soft_wrap=True)


def interrupted(folder: Path, begun: bool) -> NoReturn:
    """Say how to continue what was interrupted, where anything has ``begun``; exit with 130."""
    if begun:
        say(f"interrupted; continue with: teachenv resume {shlex.quote(str(folder))}")
    else:
        say("interrupted before anything ran")
    raise typer.Exit(130)


def pairs(option: str, texts: list[str] | None) -> dict[str, Any]:
    """Read ``name=value`` texts; values are JSON where they can be, text otherwise.

    Raises:
        UserError: naming the option, for a text of another form.
    """
    found: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"{option}: expected NAME=VALUE, got {text!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def names(texts: list[str] | None) -> list[str] | None:
    """Read names separated by commas; ``None`` if there are none."""
    found = [name.strip() for text in texts or () for name in text.split(",")]
    return [name for name in found if name] or None
