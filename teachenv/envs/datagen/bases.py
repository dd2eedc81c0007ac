"""Students trained beforehand: built once, kept in memory and in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from teachenv.envs.datagen.domain import Domain
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.items import Items
from teachenv.envs.datagen.sources import source_hash
from teachenv.lesson import DataPlan
from teachenv.protocols import State
from teachenv.seeding import derive, derive_int

if TYPE_CHECKING:
    from students.data.base import DataStudent

__all__ = ["Base", "Bases", "cache_folder"]

VERSION = 1
"""Changes when the same settings shall give other base students."""

MAX_IN_MEMORY = 32


class Base(NamedTuple):
    """A student before its first lesson.

    Attributes:
        state: Its state.
        items: What it was trained on; ``None`` for nothing.
    """

    state: State
    items: Items | None


def cache_folder() -> Path:
    """Return the user's cache folder for base students (``XDG_CACHE_HOME`` is respected)."""
    parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent) / "teachenv" / "bases"


class Bases:
    """Gives base students of one kind.

    A base is named by the hash of :data:`VERSION`, the domain, the student (ids, options and all
    of our code that they and this class import), what is known and how it was trained. At most
    :data:`MAX_IN_MEMORY` stay in memory. A file that cannot be read is built anew; a folder that
    cannot be written is done without.

    Args:
        domain: Where training data come from.
        student: The class of the students.
        samples: Training samples per known cell.
        epochs: Passes over them.
        options: What else tells this kind from others (ids and options), JSON values.
    """

    def __init__(
        self,
        domain: Domain,
        student: type,
        *,
        samples: int,
        epochs: int,
        options: Mapping[str, Any],
    ) -> None:
        self._engine = Engine(domain)
        self._samples, self._epochs = samples, epochs
        source = source_hash(type(domain), student, Bases)
        self._kind = json.dumps([VERSION, samples, epochs, dict(options), source], sort_keys=True)
        self._kept: OrderedDict[str, Base] = OrderedDict()

    def get(
        self,
        known: NDArray[np.bool_],
        new_student: Callable[[int], DataStudent],
        seed: int,
        store: bool,
    ) -> Base:
        """Return the base student that knows some cells.

        Args:
            known: Cells it is trained on, bool of shape ``(n_skills, n_levels)``.
            new_student: Makes an untrained student for a seed.
            seed: Of the student, its data and training.
            store: Whether it will be asked for again.
        """
        if not known.any() or self._samples == 0:
            return Base(new_student(seed).state_dict(), None)
        if not store:
            return self._build(known, new_student(seed), seed)
        name = hashlib.sha256(f"{self._kind} {seed} {known.tolist()}".encode()).hexdigest()[:32]
        if name not in self._kept:
            base = _load(cache_folder() / f"{name}.npz")
            if base is None:
                base = self._build(known, new_student(seed), seed)
                _save(cache_folder() / f"{name}.npz", base)
            self._kept[name] = base
            if len(self._kept) > MAX_IN_MEMORY:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]

    def _build(self, known: NDArray[np.bool_], student: DataStudent, seed: int) -> Base:
        plan = DataPlan.of_counts(known * self._samples)
        items = self._engine.make(plan, derive(seed, "base data")).items
        assert items is not None
        student.train(items, seed=derive_int(seed, "base training"), epochs=self._epochs)
        return Base(student.state_dict(), items)


# -- files -------------------------------------------------------------------------------------

_ITEM_ARRAYS = ("answers", "truth", "skill", "level", "keys")


def _save(path: Path, base: Base) -> None:
    """Write a base student as one npz file: arrays, and the rest of the state as JSON."""
    assert base.items is not None
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_without_arrays(base.state, "state", arrays))
    arrays["json"] = np.frombuffer(text.encode(), dtype=np.uint8)
    arrays |= {name: getattr(base.items, name) for name in _ITEM_ARRAYS}
    arrays |= {f"input {name}": array for name, array in base.items.inputs.items()}
    arrays |= {f"extra {name}": array for name, array in base.items.extra.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(file.name, path)
    except OSError:
        return


def _load(path: Path) -> Base | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = _with_arrays(json.loads(arrays["json"].tobytes()), arrays)
        inputs, extra = (
            {name[6:]: a for name, a in arrays.items() if name.startswith(prefix)}
            for prefix in ("input ", "extra ")
        )
        own = {name: arrays[name] for name in _ITEM_ARRAYS}
        return Base(state, Items(inputs=inputs, extra=extra, **own))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _without_arrays(value: Any, place: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return {"array": place}
    if isinstance(value, Mapping):
        parts = {k: _without_arrays(v, f"{place}/{k}", arrays) for k, v in value.items()}
        return {"mapping": parts}
    if isinstance(value, list | tuple):
        return {"list": [_without_arrays(v, f"{place}/{i}", arrays) for i, v in enumerate(value)]}
    return {"value": value}


def _with_arrays(value: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "mapping":
        return {k: _with_arrays(v, arrays) for k, v in content.items()}
    if kind == "list":
        return [_with_arrays(v, arrays) for v in content]
    return content
