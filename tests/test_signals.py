"""Signals computed from values, against hand-worked numbers."""

import json

import numpy as np
import pytest

from students.signals import SIGNALS, EpisodeSignals, level_key

LEVEL = level_key(np.array([0.5, 1.0]), 7)
ADVANTAGES = np.array([1.0, -2.0, 3.0, 0.0])
VALUES = np.array([4.0, 3.0, 2.0, 1.0])
GAMMA = 0.5


def rewards(discounted_return: float) -> np.ndarray:
    """Four rewards that come to the discounted return: r0 + r1/2 + r2/4 + r3/8."""
    return np.array([discounted_return - 7.0, 6.0, 8.0, 16.0])


def whole_episode(signals: EpisodeSignals, trial: int, discounted_return: float, level=LEVEL):
    signals.add(trial, ADVANTAGES, VALUES, rewards(discounted_return))
    return signals.finish(trial, level)


def test_signals_equal_the_hand_worked_case():
    found = whole_episode(EpisodeSignals(GAMMA), 0, 10.0)
    assert found == {
        "positive_value_loss": 1.0,  # (1 + 3) / 4
        "value_l1": 1.5,  # (1 + 2 + 3) / 4
        "max_monte_carlo": 7.5,  # 10 - (4 + 3 + 2 + 1) / 4
        "value_mean": 2.5,
        "value_start": 4.0,
    }
    assert set(found) == SIGNALS


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_an_episode_in_pieces_gives_the_signals_of_the_whole(cut):
    signals = EpisodeSignals(GAMMA)
    signals.add(5, ADVANTAGES[:cut], VALUES[:cut], rewards(10.0)[:cut])
    signals.add(6, np.full(9, 100.0), np.full(9, -50.0), np.ones(9))  # another lane, in between
    signals.add(5, ADVANTAGES[cut:], VALUES[cut:], rewards(10.0)[cut:])
    assert signals.finish(5, LEVEL) == whole_episode(EpisodeSignals(GAMMA), 0, 10.0)


def test_the_best_return_of_a_level_is_remembered_and_only_of_that_level():
    signals = EpisodeSignals(GAMMA)
    other = level_key(np.array([0.5, 1.0]), 8)
    regrets = [
        whole_episode(signals, 0, 10.0)["max_monte_carlo"],
        whole_episode(signals, 1, 2.0)["max_monte_carlo"],
        whole_episode(signals, 2, 2.0, other)["max_monte_carlo"],
        whole_episode(signals, 3, 12.0)["max_monte_carlo"],
    ]
    assert regrets == [7.5, 7.5, -0.5, 9.5]


def test_the_levels_not_played_for_longest_are_forgotten():
    signals = EpisodeSignals(GAMMA, max_levels=2)
    a, b, c = (level_key(np.array([x]), 0) for x in (1.0, 2.0, 3.0))
    for trial, level in enumerate((a, b, a, c)):  # b is the oldest when c comes
        whole_episode(signals, trial, 10.0, level)
    assert len(signals.state_dict()["best"]) == 2
    assert whole_episode(signals, 4, 0.0, a)["max_monte_carlo"] == 7.5
    assert whole_episode(signals, 5, 0.0, b)["max_monte_carlo"] == -2.5


def test_level_keys_tell_tasks_and_seeds_apart():
    keys = [
        level_key(np.array(task), seed)
        for task in ([0.0, 1.0], [1.0, 0.0], [0.0], [0.0, np.nextafter(1.0, 2.0)])
        for seed in (None, 0, 1, 2**53 - 1)
    ]
    assert len(set(keys)) == len(keys)
    assert level_key(np.array([0.5, 1.0], dtype=">f8"), 7) == LEVEL


def test_dropped_and_cleared_trials_leave_nothing():
    signals = EpisodeSignals(GAMMA)
    signals.add(0, ADVANTAGES, VALUES, VALUES)
    signals.add(1, ADVANTAGES, VALUES, VALUES)
    signals.drop(0)
    signals.drop(99)
    with pytest.raises(KeyError, match="trial 0"):
        signals.finish(0, LEVEL)
    signals.clear()
    with pytest.raises(KeyError, match="trial 1"):
        signals.finish(1, LEVEL)


@pytest.mark.parametrize("shapes", [[(3,), (4,), (3,)], [(3,), (3,), (4,)], [(2, 2)] * 3, [()] * 3])
def test_pieces_of_wrong_shape_are_refused(shapes):
    with pytest.raises(ValueError, match="one shape"):
        EpisodeSignals(GAMMA).add(0, *map(np.zeros, shapes))


def test_best_returns_survive_a_trip_through_plain_data():
    signals, other = EpisodeSignals(GAMMA, max_levels=3), EpisodeSignals(GAMMA, max_levels=3)
    for trial in range(5):
        whole_episode(signals, trial, 10.0 + trial, level_key(np.array([trial]), trial))
    state = signals.state_dict()
    other.load_state_dict(
        {k: np.array(json.loads(json.dumps(v.tolist()))) for k, v in state.items()}
    )
    for trial in (3, 0, 4, 2):
        level = level_key(np.array([trial]), trial)
        assert whole_episode(other, trial, 0.0, level) == whole_episode(signals, trial, 0.0, level)


def test_an_empty_memory_can_be_saved():
    other = EpisodeSignals(GAMMA)
    other.load_state_dict(EpisodeSignals(GAMMA).state_dict())
    assert whole_episode(other, 0, 10.0)["max_monte_carlo"] == 7.5
