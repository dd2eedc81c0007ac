"""Data teachers against weights computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from teachenv.errors import UserError
from teachenv.lesson import Lesson, Reading, Syllabus
from teachers.data import DATA_TEACHERS, hyper_parameters, make
from teachers.data.base import DataTeacher

SYLLABUS = Syllabus(("add", "sort"), 2, 10, 80)
ACCURACY = np.array([[0.9, 0.5], [0.2, 0.0]])


def reading(accuracy: np.ndarray = ACCURACY, **changes: object) -> Reading:
    zero = np.zeros(accuracy.shape)
    return replace(Reading(accuracy, *[zero] * 5, zero + 1.0, 0, 1.0), **changes)


def shares(teacher: DataTeacher, seen: Reading | None = None) -> np.ndarray:
    """Return the shares a teacher plans by for a student it has just met."""
    teacher.begin()
    teacher.plan(reading() if seen is None else seen)
    return teacher.describe()["shares"]


def teach(teacher: DataTeacher, *accuracies: np.ndarray, taught: int = 20) -> Reading:
    """Teach lessons after which the accuracies are read; the first is that before them."""
    teacher.begin()
    now = reading(accuracies[0])
    for number, accuracy in enumerate(accuracies[1:], start=1):
        plan = teacher.plan(now)
        now = reading(accuracy, delta=accuracy - now.accuracy, step=number)
        counts = np.full(accuracy.shape, taught)
        teacher.tell(Lesson(plan, counts, now, 0.0, False))
    return now


def normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def test_zpd_weighs_by_p_times_one_minus_p() -> None:
    expected = np.array([[0.09, 0.25], [0.16, 0.0]]) / 0.5
    np.testing.assert_allclose(shares(make("zpd", SYLLABUS, explore=0.0)), expected)


def test_exploration_is_spread_evenly() -> None:
    expected = 0.8 * np.array([[0.09, 0.25], [0.16, 0.0]]) / 0.5 + 0.2 / 4
    np.testing.assert_allclose(shares(make("zpd", SYLLABUS, explore=0.2)), expected)


def test_weights_that_are_all_zero_mean_evenly() -> None:
    seen = reading(np.ones((2, 2)))
    np.testing.assert_allclose(shares(make("zpd", SYLLABUS, explore=0.0), seen), 0.25)


def test_weakness_weighs_by_misses() -> None:
    expected = np.array([[0.1, 0.5], [0.8, 1.0]]) / 2.4
    np.testing.assert_allclose(shares(make("weakness", SYLLABUS, explore=0.0)), expected)


def test_anti_weighs_by_accuracy() -> None:
    np.testing.assert_allclose(shares(make("anti", SYLLABUS)), ACCURACY / 1.6)


def test_oracle_teaches_what_can_be_learnt() -> None:
    seen = reading(privileged={"learnable": np.array([[1.0, 1.0], [0.0, 0.0]])})
    expected = np.array([[0.1, 0.5], [0.0, 0.0]]) / 0.6
    np.testing.assert_allclose(shares(make("oracle", SYLLABUS), seen), expected)


def test_oracle_reviews_once_all_is_known() -> None:
    seen = reading(np.ones((2, 2)), privileged={"learnable": np.array([[1.0, 1.0], [0.0, 0.0]])})
    expected = np.array([[0.5, 0.5], [0.0, 0.0]])
    np.testing.assert_allclose(shares(make("oracle", SYLLABUS), seen), expected)


def test_alp_follows_absolute_changes() -> None:
    teacher = make("alp", SYLLABUS, explore=0.0, rate=0.5)
    later = np.array([[0.7, 0.5], [0.6, 0.0]])
    last = np.array([[0.7, 0.7], [0.6, 0.0]])
    now = teach(teacher, ACCURACY, later, last)
    teacher.plan(now)
    # Q: 0.5 * change, halved by the second lesson; -0.2, +0.4 at first, +0.2 then.
    expected = normalised(np.array([[0.05, 0.1], [0.1, 0.0]]))
    np.testing.assert_allclose(teacher.describe()["shares"], expected)


def test_alp_starts_evenly_with_every_student() -> None:
    teacher = make("alp", SYLLABUS, explore=0.0)
    teach(teacher, ACCURACY, ACCURACY[::-1].copy())
    np.testing.assert_allclose(shares(teacher), 0.25)


def test_mastery_teaches_the_next_cell_and_reviews() -> None:
    found = shares(make("mastery", SYLLABUS, mastered=0.8, review=0.2))
    np.testing.assert_allclose(found, [[0.2, 0.4], [0.4, 0.0]])


def test_mastery_waits_for_prerequisites() -> None:
    needs = np.zeros((4, 4), dtype=np.bool_)
    needs[2, 1] = True  # sort 0 needs add 1
    found = shares(make("mastery", replace(SYLLABUS, prerequisites=needs), review=0.2))
    np.testing.assert_allclose(found, [[0.2, 0.8], [0.0, 0.0]])


def test_missing_skill_guard_halves_what_does_not_improve() -> None:
    teacher = make("missing-skill", SYLLABUS, explore=0.0, patience=2.0)
    later = np.array([[0.9, 0.6], [0.2, 0.02]])  # only the second cell rises by 0.05
    now = teach(teacher, ACCURACY, later, later, taught=20)
    teacher.plan(now)
    # An even lesson is 20 samples a cell; 40 and 20 since the last rise, patience is 40.
    guard = np.array([[0.5, 1 / 1.5], [0.5, 0.5]])
    expected = normalised((1.0 - later) * guard)
    np.testing.assert_allclose(teacher.describe()["shares"], expected)


def test_missing_skill_lays_misses_to_prerequisites() -> None:
    needs = np.zeros((4, 4), dtype=np.bool_)
    needs[3, 2], needs[2, 1], needs[3, 0] = True, True, True
    syllabus = replace(SYLLABUS, prerequisites=needs)
    found = shares(make("missing-skill", syllabus, explore=0.0, guard=False))
    # add 0 is mastered, so that sort 1 and sort 0 both fall to add 1.
    np.testing.assert_allclose(found, np.array([[0.1, 0.5 + 0.8 + 1.0], [0.0, 0.0]]) / 2.4)


def test_missing_skill_sel_keeps_the_levels_of_the_data_so_far() -> None:
    seen = reading(data_share=np.array([[0.3, 0.1], [0.0, 0.0]]))
    found = shares(make("missing-skill", SYLLABUS, explore=0.0, mode="sel", guard=False), seen)
    np.testing.assert_allclose(found, np.array([[0.45, 0.15], [0.9, 0.9]]) / 2.4)


def test_target_success_prefers_the_target() -> None:
    found = shares(make("target-success", SYLLABUS, explore=0.0, temperature=0.1))
    expected = normalised(np.exp(-np.array([[0.4, 0.0], [0.3, 0.5]]) / 0.1))
    np.testing.assert_allclose(found, expected)


def test_target_success_goes_through_its_targets() -> None:
    teacher = make("target-success", SYLLABUS, targets=(0.8, 0.2))
    best = [np.argmax(shares(teacher, reading(step=step))) for step in (0, 4, 5, 9)]
    assert best == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("easy-to-hard", [[0.5, 0.0], [0.25, 0.25]]),
        ("strict", [[0.5, 0.0], [0.0, 0.5]]),
        ("easy-only", [[0.5, 0.0], [0.5, 0.0]]),
        ("hard-only", [[0.0, 0.5], [0.0, 0.5]]),
    ],
)
def test_stages_follow_the_clock(order: str, expected: list[list[float]]) -> None:
    teacher = make("stages", SYLLABUS, order=order)
    for step, levels in zip((4, 5), expected, strict=True):
        np.testing.assert_allclose(shares(teacher, reading(step=step))[0], levels)


def test_random_does_not_look() -> None:
    plans = []
    for accuracy in (ACCURACY, 1.0 - ACCURACY):
        teacher = make("random", SYLLABUS, seed=3)
        teacher.begin()
        plans.append(teacher.plan(reading(accuracy)))
    assert plans[0] == plans[1]
    assert plans[0].counts(SYLLABUS.shape).std() > 0


def test_unprobed_cells_are_filled_by_their_level() -> None:
    visible = np.array([[1.0, 1.0], [1.0, 0.0]])
    teacher = make("weakness", SYLLABUS, explore=0.0, unprobed="average")
    found = shares(teacher, reading(visible=visible))
    np.testing.assert_allclose(found, np.array([[0.1, 0.5], [0.8, 0.5]]) / 1.9)


def test_counts_follow_the_shares() -> None:
    teacher = make("weakness", replace(SYLLABUS, n_samples=100_000), explore=0.0)
    teacher.begin()
    counts = teacher.plan(reading()).counts(SYLLABUS.shape)
    np.testing.assert_allclose(
        counts / 100_000, np.array([[0.1, 0.5], [0.8, 1.0]]) / 2.4, atol=0.01
    )


def test_bad_hyper_parameters_are_named_together() -> None:
    with pytest.raises(ValueError, match=r"mode.*guard.*patience"):
        make("missing-skill", SYLLABUS, mode="both", guard=1, patience=-1)
    with pytest.raises(UserError, match="did you mean 'explore'"):
        make("zpd", SYLLABUS, explor=0.1)
    with pytest.raises(UserError, match="did you mean 'zpd'"):
        make("zpdd", SYLLABUS)


def test_the_table_lists_hyper_parameters() -> None:
    assert hyper_parameters("alp")["rate"] == 0.3
    for id in DATA_TEACHERS:
        assert "seed" not in hyper_parameters(id)
