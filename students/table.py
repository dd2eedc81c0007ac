"""Classes by id, from tables whose modules load when first needed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from teachenv.errors import UserError, unknown

__all__ = ["load"]


def load(kind: str, id: str, table: Mapping[str, str], extra: str) -> type:
    """Return the class behind an id.

    Args:
        kind: What the table holds, for messages.
        id: The id.
        table: Id to ``"module:Class"``.
        extra: The extra of teachenv that its libraries are in.

    Raises:
        UserError: for an unknown id, or if a library is not installed.
    """
    if id not in table:
        raise UserError(unknown(kind, str(id), table))
    module, _, name = table[id].partition(":")
    try:
        return cast(type, getattr(importlib.import_module(module), name))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("students", "teachenv"):
            raise
        raise UserError(
            f"{kind} {id!r} needs {error.name!r}, which is not installed: "
            f'pip install "teachenv[{extra}]"'
        ) from error
