"""Same level, same actions, same bits: whatever the batch, the threads, the instruction set."""

import numpy as np
import pytest
from native_walkers import ISAS, make_script, record

TRACKS = ("easy", "hardcore", "dense stumps")
CALLS = 800


def script_of(track, calls):
    rng = np.random.default_rng(7)
    if track == "dense stumps":
        tasks = np.column_stack([rng.uniform(0.0, 3.0, 64), rng.uniform(0.0, 0.3, 64)])
        return make_script("stump_tracks", tasks, calls)
    return make_script("stock", np.full((64, 1), float(track == "hardcore")), calls)


def assert_same_bits(script, expected, rows, **settings):
    different = (record(script, rows, **settings) != expected[rows]).any(axis=(1, 2))
    assert not different.any(), f"other bits in lanes {np.flatnonzero(different)}"


@pytest.mark.parametrize("calls", [200, pytest.param(CALLS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("track", TRACKS)
def test_results_depend_on_level_and_actions_only(track, calls):
    script = script_of(track, calls)
    rng = np.random.default_rng(0)
    everyone = np.arange(64)
    expected = record(script, everyone)
    assert len(np.unique(expected.reshape(64, -1), axis=0)) == 64
    for isa in ISAS[:-1]:
        assert_same_bits(script, expected, everyone, isa=isa)
    for alone in (0, 63):
        assert_same_bits(script, expected, np.array([alone]))
    assert_same_bits(script, expected, rng.permutation(64)[:7])
    assert_same_bits(script, expected, rng.permutation(np.arange(130) % 64))
    assert_same_bits(script, expected, rng.permutation(64), pauses=rng)


@pytest.mark.parametrize("calls", [60, pytest.param(CALLS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("num_threads", [2, 3])
def test_results_do_not_depend_on_threads(num_threads, calls):
    script = script_of("hardcore", calls)
    expected = record(script, np.arange(64))
    rows = np.random.default_rng(num_threads).permutation(np.arange(400) % 64)
    assert_same_bits(script, expected, rows, num_threads=num_threads)
    assert_same_bits(script, expected, rows, num_threads=num_threads, isa=ISAS[0])


def test_more_threads_than_walkers():
    script = script_of("easy", 20)
    expected = record(script, np.arange(64))
    assert_same_bits(script, expected, np.arange(5), num_threads=50)
