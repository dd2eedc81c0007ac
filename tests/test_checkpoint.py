from __future__ import annotations

import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachenv.experiments import checkpoint
from teachenv.experiments.checkpoint import (
    CheckpointError,
    load_checkpoint,
    newest_checkpoint,
    numbers,
    save_checkpoint,
)


def state(number: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    return {
        "number": number,
        "nested": {"weights": rng.random((5, 3)).astype(np.float32), "list": [1, None, "x"]},
        "rng": np.random.PCG64(number).state,
        "floats": rng.random(20).tolist(),
        "empty": {},
        "flags": np.array([True, False]),
    }


def same(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return set(left) == set(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return bool(left == right)


def test_state_comes_back_exactly(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "c", 3, state(3))
    assert same(load_checkpoint(folder), state(3))


def test_the_last_two_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    for number in range(1, 6):
        save_checkpoint(tmp_path / "c", number, state(number))
    assert numbers(tmp_path / "c") == [4, 5]
    number, found, skipped = newest_checkpoint(tmp_path / "c")
    assert (number, skipped) == (5, [])
    assert same(found, state(5))


def test_objects_and_infinities_are_refused_before_anything_is_replaced(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c", 1, state(1))
    bad: list[dict[str, Any]] = [
        {"a": np.array([object()])},
        {"a": float("nan")},
        {1: "number as key"},  # type: ignore[dict-item]
        {"a": object()},
    ]
    for value in bad:
        with pytest.raises((TypeError, ValueError)):
            save_checkpoint(tmp_path / "c", 1, value)
        assert same(load_checkpoint(tmp_path / "c" / "00000001"), state(1))


def test_flipped_bits_never_give_wrong_data(tmp_path: Path) -> None:
    parent = tmp_path / "c"
    save_checkpoint(parent, 1, state(1))
    save_checkpoint(parent, 2, state(2))
    rng = random.Random(0)
    files = ["state.json", "arrays.npz", "manifest.json"]
    skipped_newest = 0
    for _ in range(200):
        path = parent / "00000002" / rng.choice(files)
        good = path.read_bytes()
        bit = rng.randrange(len(good) * 8)
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(bad))
        number, found, _ = newest_checkpoint(parent)
        assert same(found, state(number))
        skipped_newest += number == 1
        path.write_bytes(good)
    assert skipped_newest > 150  # the flips did reach the files


def test_nothing_intact_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        newest_checkpoint(tmp_path / "none")
    folder = save_checkpoint(tmp_path / "c", 1, state(1))
    (folder / "arrays.npz").unlink()
    with pytest.raises(CheckpointError, match=r"arrays\.npz"):
        newest_checkpoint(tmp_path / "c")


def test_a_crash_at_any_operation_keeps_a_readable_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the n-th flush, rename or write: the previous checkpoint is intact."""
    parent = tmp_path / "c"
    save_checkpoint(parent, 1, state(1))
    crashes = 0
    for n in range(40):
        left = [n]

        def failing(real: Callable[..., Any], left: list[int] = left) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                if left[0] == 0:
                    raise OSError("disk gone")
                left[0] -= 1
                return real(*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.os, "fsync", failing(os.fsync))
            patch.setattr(Path, "rename", failing(Path.rename))
            patch.setattr(Path, "write_text", failing(Path.write_text))
            patch.setattr(checkpoint.np, "savez", failing(np.savez))
            try:
                save_checkpoint(parent, 2, state(2))
            except OSError:
                crashes += 1
        number, found, _ = newest_checkpoint(parent)
        assert same(found, state(number))
        if left[0] > 0:
            break
        save_checkpoint(parent, 1, state(1))
    assert number == 2
    assert crashes >= 8


def test_archives_that_claim_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "c", 1, state(1))

    def replace(name: str, write: Callable[[Path], Any]) -> None:
        write(folder / name)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][name] = checkpoint._digest(folder / name)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    def huge(path: Path) -> None:
        header = io.BytesIO()
        shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(header, shape)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", header.getvalue())

    def bomb(path: Path) -> None:
        np.savez_compressed(path, a=np.zeros(10**6))

    for write, message in ((huge, "not of the size"), (bomb, "more than its size")):
        replace("arrays.npz", write)
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(folder)
    replace("arrays.npz", lambda path: np.savez(path))
    replace("state.json", lambda path: path.write_text("[" * 100_000))
    with pytest.raises(CheckpointError, match="RecursionError"):
        load_checkpoint(folder)
