"""Selectors of items to label: each rule by hand, and what they do to a student."""

from __future__ import annotations

import numpy as np
import pytest

from teachenv.envs.datagen.pool import Pool
from teachenv.envs.datagen.split import PARTS, part_of
from teachenv.errors import UserError
from teachenv.lesson import PoolView, Selection
from teachers.data.games import GAMES, make
from teachers.data.selectors import Rad, margin_gain, robust_distribution


def view(student: list[list[float]], mentor: list[list[float]], taken: list[int]) -> PoolView:
    flags = np.zeros(len(student), dtype=np.bool_)
    flags[taken] = True
    return PoolView(np.array(student), np.array(mentor), flags)


def random_view(n: int = 60, n_taken: int = 15) -> PoolView:
    rng = np.random.default_rng(0)
    student, mentor = rng.dirichlet(np.ones(4), (2, n))
    return PoolView(student, mentor, np.arange(n) < n_taken)


def chosen(id: str, seen: PoolView, n: int) -> list[int]:
    return make("pool", id, seed=0).select(seen, n).index.tolist()


@pytest.mark.parametrize("id", GAMES["pool"])
def test_selections_are_free_different_and_fixed_by_the_seed(id: str) -> None:
    seen = random_view()
    first = make("pool", id, seed=1).select(seen, 20).index
    assert len(np.unique(first)) == 20
    assert (first >= 15).all()
    np.testing.assert_array_equal(first, make("pool", id, seed=1).select(seen, 20).index)
    rest = make("pool", id, seed=1).select(seen, 100).index
    assert sorted(rest.tolist()) == list(range(15, 60))


@pytest.mark.parametrize("id", GAMES["pool"])
def test_a_blank_student_is_no_obstacle(id: str) -> None:
    even = np.full((30, 3), 1.0 / 3.0)
    seen = PoolView(even, even, np.zeros(30, dtype=np.bool_))
    assert len(set(chosen(id, seen, 10))) == 10


def test_single_signals_take_the_extreme_items() -> None:
    student = [[0.5, 0.4, 0.1], [0.45, 0.3, 0.25], [0.9, 0.1, 0.0], [0.34, 0.33, 0.33]]
    mentor = [[0.6, 0.4, 0.0], [0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]
    seen = view(student, mentor, [3])
    assert chosen("confidence", seen, 2) == [1, 0]
    assert chosen("uncertainty", seen, 2) == [1, 0]
    assert chosen("margin", seen, 2) == [0, 1]
    np.testing.assert_allclose(margin_gain(seen.student), [0.9, 0.85, 0.2, 0.99])


def test_llkd_wants_a_sure_mentor_and_an_unsure_student_class_by_class() -> None:
    mentor = [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.3, 0.7]]
    student = [[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.5, 0.5], [0.6, 0.4], [0.0, 1.0]]
    selection = make("pool", "llkd", seed=0).select(view(student, mentor, []), 2)
    assert sorted(selection.index.tolist()) == [1, 4]  # above their class's mean in both
    assert selection.weights is not None
    by_item = dict(zip(selection.index.tolist(), selection.weights, strict=True))
    assert by_item[1] / by_item[4] == pytest.approx((0.8 * 0.4) / (0.9 * 0.4))
    assert selection.weights.mean() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("n_wrong", "expected"),
    [(0.0, [0, 1, 0]), (0.4, [0, 1 / 3, 2 / 3]), (1.0, [4 / 7, 1 / 7, 2 / 7])],
)
def test_the_robust_distribution_by_hand(n_wrong: float, expected: list[float]) -> None:
    found = robust_distribution(np.array([0.25, 1.0, 0.5]), n_wrong)
    np.testing.assert_allclose(found, expected)


def test_the_robust_distribution_is_the_best_of_many_against_the_worst_errors() -> None:
    rng = np.random.default_rng(2)
    gains, n_wrong = rng.random(8), 2

    def worst(q: np.ndarray) -> float:
        each = np.sort(q * gains)[::-1]
        return float(each.sum() - 2 * each[:n_wrong].sum())

    best = worst(robust_distribution(gains, n_wrong))
    assert best > 0.0
    assert all(worst(q) <= best + 1e-12 for q in rng.dirichlet(np.full(8, 0.7), 5000))


def test_pcoreset_takes_what_is_farthest_from_all_that_is_taken() -> None:
    student = [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]]
    assert set(chosen("pcoreset", view(student, student, [0]), 2)) == {2, 4}
    assert chosen("pcoreset", view(student, student, [0, 2, 4]), 1) == [3]


def test_curriculum_labelling_serves_every_class_its_surest() -> None:
    mentor = [[0.99, 0.01], [0.98, 0.02], [0.97, 0.03], [0.4, 0.6], [0.3, 0.7]]
    assert set(chosen("curriculum-labelling", view(mentor, mentor, []), 2)) == {0, 4}
    assert set(chosen("confidence", view(mentor, mentor, []), 2)) == {0, 1}


def test_rad_refuses_errors_it_cannot_defend_against() -> None:
    with pytest.raises(ValueError, match="error_rate"):
        Rad(error_rate=0.5)


@pytest.mark.parametrize("id", GAMES["pool"])
def test_a_pool_repeats_itself(id: str) -> None:
    runs = [
        Pool(3, n_items=100).run(make("pool", id, seed=3).select, n_rounds=2, n_labels=10)
        for _ in "ab"
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].accuracy) == 2


def test_a_pool_keeps_its_parts_apart() -> None:
    pool = Pool(3, n_items=300)
    assert {PARTS[p] for p in part_of(pool.items.keys)} == {"train"}
    assert {PARTS[p] for p in part_of(pool._test.keys)} == {"test"}
    assert len(np.unique(pool.items.keys)) == len(pool.items)


def test_mentors_err_as_told() -> None:
    assert Pool(0, errors="uniform", error_rate=0.0).mentor_accuracy == 1.0
    assert Pool(0, errors="uniform", error_rate=0.25).mentor_accuracy == pytest.approx(
        0.75, abs=0.05
    )
    assert 0.6 < Pool(0).mentor_accuracy < 0.9
    with pytest.raises(UserError, match="errors"):
        Pool(0, errors="none")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="error_rate: expected in"):
        Pool(0, errors="uniform", error_rate=1.5)
    with pytest.raises(UserError, match="mentor_items"):
        Pool(0, mentor_items=0)


@pytest.mark.parametrize("index", [[0, 0], [0, 1, 2], [5, 700000]])
def test_a_bad_selection_is_refused(index: list[int]) -> None:
    with pytest.raises((ValueError, IndexError)):
        Pool(0, n_items=50).run(lambda _, n: Selection(np.array(index)), n_rounds=1, n_labels=2)


def test_taken_items_cannot_be_taken_again() -> None:
    with pytest.raises(ValueError, match="not taken"):
        Pool(0, n_items=50).run(lambda _, n: Selection(np.arange(2)), n_rounds=2, n_labels=2)


def last(id: str, pool: Pool, seed: int) -> float:
    return pool.run(make("pool", id, seed=seed).select).accuracy[-1]


def test_confidence_alone_harms_and_class_balance_mends_it() -> None:
    pools = [Pool(seed) for seed in range(4)]
    means = {
        id: np.mean([last(id, pool, seed) for seed, pool in enumerate(pools)])
        for id in ("confidence", "random", "llkd", "curriculum-labelling")
    }
    assert all(means["confidence"] < means[id] - 0.03 for id in means if id != "confidence")


def test_distilling_a_certain_mentor_is_learning_its_answers() -> None:
    pools = [Pool(seed, errors="uniform", error_rate=0.0) for seed in range(3)]
    distilled, labelled = (
        np.mean([last(id, pool, seed) for seed, pool in enumerate(pools)])
        for id in ("random-distillation", "random")
    )
    assert distilled == pytest.approx(labelled, abs=0.03)


def test_rad_beats_margin_where_errors_are_placed_to_harm() -> None:
    pools = [Pool(seed, errors="adversarial") for seed in range(3)]
    rad, margin = (
        np.mean([last(id, pool, seed) for seed, pool in enumerate(pools)])
        for id in ("rad", "margin")
    )
    assert rad > margin + 0.2
