from __future__ import annotations

import io
import json
import random
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bars import Bar
from disks import crashes, linux

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


def wrong_after_flips(parent: Path, n: int) -> tuple[int, int]:
    """Flip single bits of the newest checkpoint; return wrong readings, and how often it was used.

    A reading is wrong if it is not what was saved under its number, or there is none at all.
    """
    save_checkpoint(parent, 1, state(1))
    save_checkpoint(parent, 2, state(2))
    rng = random.Random(0)
    wrong = newest = 0
    for _ in range(n):
        path = parent / "00000002" / rng.choice(checkpoint.NAMES)
        good = path.read_bytes()
        bit = rng.randrange(len(good) * 8)
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(bad))
        try:
            number, found, _ = newest_checkpoint(parent)
            wrong += not same(found, state(number))
            newest += number == 2
        except Exception:  # noqa: BLE001  whatever it is, a state was there to read
            wrong += 1
        path.write_bytes(good)
    return wrong, newest


def test_flipped_bits_never_give_wrong_data(tmp_path: Path, bar: Bar) -> None:
    wrong, newest = wrong_after_flips(tmp_path / "c", 1000)
    assert wrong == 0
    assert newest < 300  # the flips did reach the files
    bar("S3", bit_flips=1000, wrong_data=wrong)


def test_flipped_bits_are_seen_where_nothing_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control."""
    monkeypatch.setattr(checkpoint, "_digest", lambda path: {"sha256": "any"})
    wrong, _ = wrong_after_flips(tmp_path / "c", 200)
    assert wrong > 20
    bar("S3", f"without hashes {wrong} of 200 flips give wrong data")


def test_nothing_intact_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        newest_checkpoint(tmp_path / "none")
    folder = save_checkpoint(tmp_path / "c", 1, state(1))
    (folder / "arrays.npz").unlink()
    with pytest.raises(CheckpointError, match=r"arrays\.npz"):
        newest_checkpoint(tmp_path / "c")


def lost_in_crashes(tmp_path: Path) -> tuple[int, list[str]]:
    """Save checkpoint 3 after 1 and 2, with a crash at any operation; return how many, which lost.

    A crash lost something if neither 2 nor 3 can be read as it was saved, if 3 cannot though it
    was saved, or if the next one cannot be saved.
    """
    parent = tmp_path / "run" / "c"
    (tmp_path / "run").mkdir()
    for number in (1, 2):
        save_checkpoint(parent, number, state(number))
    found = crashes(tmp_path / "run", lambda: save_checkpoint(parent, 3, state(3)))
    lost, folder = [], tmp_path / "crashed"
    for crash in found:
        shutil.rmtree(folder, ignore_errors=True)
        crash.lay_out(folder)
        try:
            number, read, _ = newest_checkpoint(folder / "c")
            fine = number in ((3,) if crash.before == "end" else (2, 3)) and same(
                read, state(number)
            )
            save_checkpoint(folder / "c", number + 1, state(number + 1))
            fine &= same(newest_checkpoint(folder / "c")[1], state(number + 1))
            fine &= len(list((folder / "c").iterdir())) == checkpoint.KEPT
        except CheckpointError:
            fine = False
        if not fine:
            lost.append(f"{crash.form} before {crash.before}")
    return len(found), lost


@linux
def test_a_crash_at_any_operation_keeps_a_readable_checkpoint(tmp_path: Path, bar: Bar) -> None:
    n_crashes, lost = lost_in_crashes(tmp_path)
    assert n_crashes >= 12 * 4
    assert lost == []
    bar("S1", checkpoint_crashes=n_crashes, lost=len(lost))


def copies(temporary: Path, final: Path) -> None:
    shutil.copytree(temporary, final)
    shutil.rmtree(temporary)


def prunes_first(parent: Path, *rest: Any) -> None:
    for number in numbers(parent):
        shutil.rmtree(parent / f"{number:08d}")
    checkpoint.save_checkpoint(parent, *rest)


CARELESS: dict[str, tuple[Any, str, Any]] = {
    "nothing is flushed": (checkpoint, "_sync", lambda path: None),
    "copied to its place": (Path, "rename", copies),
    "old ones deleted first": (sys.modules[__name__], "save_checkpoint", prunes_first),
}


@linux
@pytest.mark.parametrize("mutation", CARELESS)
def test_careless_writing_is_found_to_lose_checkpoints(
    mutation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bar: Bar
) -> None:
    """Negative control."""
    monkeypatch.setattr(*CARELESS[mutation])
    _, lost = lost_in_crashes(tmp_path)
    assert lost
    bar("S1", f"{mutation}: found")


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
