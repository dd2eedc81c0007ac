"""The growing grid: opening, mastering, reviewing and losing cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypercubes import Hypercubes

from teachenv.protocols import Outcome
from teachenv.space import Dim, TaskSpace
from teachers.grid import Grid

PLANE = TaskSpace([Dim("x", 0.0, 10.0), Dim("y", 0.0, 10.0)])


def make(space=PLANE, **hyper):
    return Grid(space, **{"n_cells": 5, "n_outcomes": 4, "success_rate": 0.75, **hyper})


def play(teacher, n, success):
    for _ in range(n):
        trial = teacher.ask()
        good = success(teacher.space.to_unit(trial.task))
        teacher.tell(trial, Outcome(float(good), 0.0, 1, bool(good)))


def cells(teacher, key=None):
    """The open (or so marked) cells as pairs of indices."""
    found = teacher.describe()["cells"]
    low = np.round(found["low"] * 5).astype(int)
    return {tuple(cell) for cell in (low if key is None else low[found[key]]).tolist()}


def test_only_the_cell_of_the_easiest_task_is_open_at_first():
    assert cells(make()) == {(0, 0)}
    assert cells(make(harder={"x": -1, "y": 1})) == {(4, 0)}
    assert cells(make(harder={"x": -1}, start={"y": 5.0})) == {(4, 2)}
    tasks = np.array([make(start={"x": 5.0, "y": 9.0}, seed=i).ask().task for i in range(200)])
    assert tasks.min(axis=0) == pytest.approx([4.0, 8.0], abs=0.1)
    assert tasks.max(axis=0) == pytest.approx([6.0, 10.0], abs=0.1)


def test_neighbours_open_up_once_enough_of_the_last_outcomes_are_successes():
    teacher = make(start={"x": 5.0, "y": 5.0})
    outcomes = iter([True, False, False, True, True])
    play(teacher, 5, lambda u: next(outcomes))
    assert cells(teacher) == {(2, 2)}
    play(teacher, 1, lambda u: True)  # three of the last four
    assert cells(teacher, "mastered") == {(2, 2)}
    assert cells(teacher) == {(2, 2), (1, 2), (3, 2), (2, 1), (2, 3)}


def test_a_cell_that_is_forgotten_is_practised_again():
    teacher = make(review=1.0)
    play(teacher, 4, lambda u: True)
    assert cells(teacher, "mastered") == {(0, 0)}
    play(teacher, 2, lambda u: False)
    assert cells(teacher, "mastered") == set()
    assert cells(teacher) == {(0, 0), (1, 0), (0, 1)}
    reasons = {teacher.ask().reason for _ in range(100)}
    assert reasons == {"frontier cell 0", "frontier cell 1", "frontier cell 2"}


def test_review_gets_its_share_and_cells_are_equally_likely():
    teacher = make(review=0.3)
    play(teacher, 60, lambda u: u.sum() < 0.6)
    mastered = cells(teacher, "mastered")
    n_open = len(cells(teacher))
    assert 1 < len(mastered) < n_open
    reasons = [teacher.ask().reason for _ in range(6000)]
    for kind, share, n in (("review", 0.3, len(mastered)), ("front", 0.7, n_open - len(mastered))):
        mine = [reason for reason in reasons if reason.startswith(kind)]
        assert len(mine) / 6000 == pytest.approx(share, abs=0.03)
        counts = [mine.count(reason) for reason in set(mine)]
        assert len(counts) == n
        np.testing.assert_allclose(np.array(counts) / len(mine), 1 / n, rtol=0.25)


def test_all_mastered_means_review_only():
    teacher = make(n_cells=2)
    play(teacher, 200, lambda u: True)
    assert teacher.describe()["n_mastered"] == 4
    assert all(teacher.ask().reason.startswith("review") for _ in range(50))


def test_what_cannot_be_mastered_stops_the_growth():
    teacher = make()
    play(teacher, 400, lambda u: u[0] < 0.6)
    assert cells(teacher, "mastered") == {(i, j) for i in range(3) for j in range(5)}
    assert cells(teacher) == {(i, j) for i in range(4) for j in range(5)}


def test_whole_numbers_have_a_cell_per_value():
    space = TaskSpace([Dim("n", 2, 4, kind="int"), Dim("one", 7, 7, kind="int")])
    teacher = make(space, n_cells=5)
    play(teacher, 100, lambda u: True)
    assert teacher.describe()["n_open"] == 3
    assert {teacher.ask().task[0] for _ in range(100)} == {2, 3, 4}


def test_open_cells_are_bounded_in_many_dimensions():
    space = TaskSpace([Dim(f"x{i}") for i in range(20)])
    teacher = make(space, max_cells=30)
    play(teacher, 500, lambda u: True)
    assert teacher.describe()["n_open"] == 30


def test_bad_hyper_parameters_are_named():
    with pytest.raises(ValueError, match=r"grid: n_cells: .*; review: .*; harder: 'z' is not one"):
        Grid(PLANE, n_cells=0, review=2, harder={"z": 1})
    with pytest.raises(ValueError, match="x"):
        Grid(PLANE, start={"x": 11.0})


def test_grid_masters_every_hypercube():
    cubes = Hypercubes(2, 5)
    assert cubes.learn_from(Grid(PLANE, n_cells=5), 4000) == 100.0
