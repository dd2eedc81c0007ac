"""Teacher hacking and off-probe regression."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachenv.envs.datagen.monitors import off_probe_regression, teacher_hacking

RISING = np.linspace(0.3, 0.9, 30)
HILL = np.concatenate([np.linspace(0.3, 0.8, 15), np.linspace(0.8, 0.6, 15)])


def found(proxy: np.ndarray, golden: np.ndarray, n: int = 400):
    return teacher_hacking(proxy.tolist(), golden.tolist(), n_proxy=n, n_golden=n)


def test_a_rising_proxy_over_a_falling_truth_is_flagged() -> None:
    verdict = found(RISING, HILL)
    assert verdict.flagged
    assert 13 <= verdict.since <= 16
    assert verdict.golden_fall == pytest.approx(0.18, abs=0.03)
    assert verdict.proxy_rise == pytest.approx(0.29, abs=0.04)


def test_learning_and_forgetting_are_not() -> None:
    assert not found(RISING, RISING).flagged
    assert not found(HILL, HILL).flagged
    assert not found(HILL, RISING).flagged


def test_changes_within_noise_are_not() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        curves = rng.binomial(100, 0.7, (2, 30)) / 100
        assert not found(curves[0], curves[1], 100).flagged
    assert not found(RISING, HILL, 10).flagged


def test_too_short_a_training_says_nothing() -> None:
    assert not found(RISING[:3], HILL[:3]).flagged
    with pytest.raises(ValueError, match="equally many readings, got 4 and 3"):
        found(RISING[:4], HILL[:3])


def test_without_questions_nothing_is_flagged() -> None:
    assert not teacher_hacking([0.1] * 5, [0.0] * 5, n_proxy=8, n_golden=0).flagged


def test_off_probe_regression_counts_losses_of_unseen_cells() -> None:
    before, after = np.array([[0.9, 0.5], [0.8, 0.4]]), np.array([[0.1, 0.2], [0.9, 0.3]])
    probed = np.array([[True, False], [False, False]])
    assert off_probe_regression(before, after, probed) == pytest.approx((0.3 + 0.0 + 0.1) / 3)
    assert off_probe_regression(before, after, np.ones((2, 2), dtype=np.bool_)) == 0.0


@pytest.fixture
def hacking(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks" / "datagen"))
    sys.modules.pop("hacking", None)
    return importlib.import_module("hacking")


@pytest.mark.slow
def test_hacking_shows_on_a_fixed_set_and_not_on_fresh_data(hacking: Any) -> None:
    fixed, fresh = ([hacking.train(each, 0.2, seed) for seed in (0, 1)] for each in (True, False))
    assert all(found.by_taught.flagged for found in fixed)
    assert not any(found.by_taught.flagged for found in fresh)
    assert not any(found.by_probe.flagged for found in (*fixed, *fresh))


@pytest.mark.slow
def test_an_error_that_can_be_learnt_shows_on_the_probe_with_fresh_data(hacking: Any) -> None:
    assert all(hacking.train_on_the_same_error(seed).by_probe.flagged for seed in (0, 1))
