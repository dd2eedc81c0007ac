"""One run seed, many independent streams.

``derive(seed, role, *path)`` names a stream by what it is for and where it is used, so that no
two objects share random numbers and nothing depends on the order of construction.
"""

from __future__ import annotations

import hashlib

import numpy as np

MAX_SEED = 2**63
"""Seeds are whole numbers in [0, MAX_SEED]."""


def check_seed(seed: int, name: str = "seed") -> int:
    """Return ``seed`` as an ``int``.

    Raises:
        ValueError: if it is not a whole number in [0, ``MAX_SEED``].
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise ValueError(f"{name}: expected a whole number, got {seed!r}")
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"{name}: expected a whole number in [0, 2**63], got {seed}")
    return int(seed)


def sequence(seed: int, role: str, *path: int) -> np.random.SeedSequence:
    """Return the seed sequence of a role; ``path`` tells rounds, lanes and so on apart."""
    digest = hashlib.blake2b(role.encode(), digest_size=8).digest()
    words = [check_seed(seed), int.from_bytes(digest, "little"), len(path), *path]
    return np.random.SeedSequence(words)  # the length, because trailing zeros would not count


def derive(seed: int, role: str, *path: int) -> np.random.Generator:
    """Return the generator of a role (PCG64)."""
    return np.random.Generator(np.random.PCG64(sequence(seed, role, *path)))


def derive_int(seed: int, role: str, *path: int) -> int:
    """Return a seed in [0, 2**31) for libraries that want a small whole number."""
    return int(sequence(seed, role, *path).generate_state(1, np.uint32)[0] & 0x7FFFFFFF)
