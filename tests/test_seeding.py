"""Seeds: named streams that neither collide nor depend on the process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from teachenv.seeding import MAX_SEED, derive, derive_int


def test_streams_differ_by_seed_role_and_path() -> None:
    paths = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    names: list[tuple[Any, ...]] = [
        (seed, role, *path) for seed in (0, 1, MAX_SEED) for role in ("a", "b") for path in paths
    ]
    draws = {derive(*name).integers(2**63) for name in names}
    assert len(draws) == len(names)
    assert len({derive_int(3, "level", i) for i in range(10_000)}) > 9_990


def test_small_seeds_stay_small() -> None:
    seeds = [derive_int(0, "level", i) for i in range(1000)]
    assert min(seeds) >= 0
    assert max(seeds) < 2**31


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 1.0, True, None, "1", np.float64(1)])
def test_bad_seeds_are_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        derive(seed, "role")


def test_numpy_integers_are_seeds() -> None:
    assert derive_int(np.int64(4), "role") == derive_int(4, "role")


def test_other_processes_and_hash_seeds_draw_the_same() -> None:
    code = "from teachenv.seeding import derive; print(derive(0, 'teacher', 3).random().hex())"
    here = derive(0, "teacher", 3).random().hex()
    for hash_seed in ("0", "12345"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        told = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == here
