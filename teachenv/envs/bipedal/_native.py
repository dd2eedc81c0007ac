"""The compiled engine: one module for each instruction set, all of the C++ in ``native/``.

Importing this where nothing was built raises ModuleNotFoundError.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from teachenv.envs.bipedal._native_baseline import ISAS, terrain
from teachenv.errors import one_of

__all__ = ["ISAS", "load", "terrain"]


def load(isa: str = "auto") -> ModuleType:
    """Return the module built for an instruction set; ``_native_baseline.pyi`` lists its content.

    Args:
        isa: One of ``ISAS``, or "auto" for the fastest; results do not depend on it.

    Raises:
        UserError: if this processor cannot run it.
    """
    one_of("isa", isa, ("auto", *ISAS))
    return importlib.import_module(
        f"teachenv.envs.bipedal._native_{ISAS[-1] if isa == 'auto' else isa}"
    )
