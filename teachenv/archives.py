"""Reading arrays from files that others may have written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an uncompressed ``npz`` archive, never objects.

    Raises:
        ValueError: if they claim more bytes than the file has, or are objects. Damaged archives
            raise nearly anything.
    """
    _check_sizes(path)
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _check_sizes(path: Path) -> None:
    with ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError(f"{path.name} unpacks to more than its size")
        for member in members:
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = _HEADERS.get(version)
                if read is None:
                    raise ValueError(f"{path.name}: {member.filename}: npy version {version}")
                shape, _, dtype = read(file)
                if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
                    raise ValueError(f"{path.name}: {member.filename} is not of the size it says")
