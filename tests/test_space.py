"""Task spaces: round trips, bounds, and refusals that say what was wrong."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from bars import Bar
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from teachenv.dim import MAX_WHOLE
from teachenv.space import MAX_DIM, Dim, TaskError, TaskSpace

MIXED = TaskSpace(
    [
        Dim("height", 0.0, 3.0, default=0.5, unit="m"),
        Dim("count", 2, 7, default=4, kind="int"),
        Dim("ground", kind="choice", choices=("grass", "ice", "sand")),
    ]
)

EXAMPLES = settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # bar counts the examples
)

finite = st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False)
unit = st.floats(0.0, 1.0)


@st.composite
def dims(draw: st.DrawFn, name: str) -> Dim:
    kind = draw(st.sampled_from(["float", "int", "choice"]))
    if kind == "choice":
        labels = draw(
            st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=6, unique=True)
        )
        return Dim(name, kind="choice", choices=tuple(labels))
    if kind == "int":
        low = draw(st.integers(-MAX_WHOLE, MAX_WHOLE))
        high = draw(st.integers(low, min(MAX_WHOLE, low + draw(st.sampled_from([0, 9, 2**40])))))
        return Dim(name, low, high, default=draw(st.integers(low, high)), kind="int")
    low, high = sorted(draw(st.tuples(finite, finite).filter(lambda pair: pair[0] != pair[1])))
    return Dim(name, low, high, default=draw(st.floats(low, high)), unit=draw(st.text(max_size=3)))


@st.composite
def task_spaces(draw: st.DrawFn) -> TaskSpace:
    n = draw(st.integers(1, 4))
    return TaskSpace([draw(dims(f"x{i}")) for i in range(n)])


@st.composite
def spaces_and_points(draw: st.DrawFn) -> tuple[TaskSpace, np.ndarray]:
    space = draw(task_spaces())
    return space, np.array([draw(unit) for _ in range(space.dim)])


def ulps(space: TaskSpace) -> np.ndarray:
    """What rounding may cost on the way through a space's units, as a share of the cube."""
    size = np.maximum(np.abs(space.low), np.abs(space.high))
    span = np.where(space.high > space.low, space.high - space.low, 1.0)
    with np.errstate(over="ignore"):
        return 8 * np.finfo(float).eps * (2 + size / span)


@EXAMPLES
@given(spaces_and_points())
def test_unit_points_become_tasks_inside_and_come_back(
    bar: Bar, case: tuple[TaskSpace, np.ndarray]
) -> None:
    space, point = case
    task = space.from_unit(point)
    assert space.contains(task)
    assert (space.low <= task).all()
    assert (task <= space.high).all()
    back = space.to_unit(task)
    assert (back >= 0).all()
    assert (back <= 1).all()
    again = space.from_unit(back)
    for i, dim in enumerate(space):
        if dim.kind == "float":
            assert abs(back[i] - point[i]) <= ulps(space)[i]
        else:
            assert again[i] == task[i]
            assert abs(back[i] - point[i]) <= 0.5 / (dim.n_values or 1) + 1e-9
    bar("B5", unit_round_trips=1)


@EXAMPLES
@given(spaces_and_points())
def test_tasks_survive_dictionaries_and_json_exactly(
    bar: Bar, case: tuple[TaskSpace, np.ndarray]
) -> None:
    space, point = case
    task = space.from_unit(point)
    text = json.dumps(space.to_dict(task), allow_nan=False)
    np.testing.assert_array_equal(space.task(json.loads(text)), task)
    np.testing.assert_array_equal(space.task(json.loads(json.dumps(task.tolist()))), task)
    bar("B5", dictionary_and_json_round_trips=1)


@EXAMPLES
@given(task_spaces())
def test_spaces_survive_json_copies_and_pickle(bar: Bar, space: TaskSpace) -> None:
    for other in (
        TaskSpace.from_json(space.to_json()),
        copy.deepcopy(space),
        pickle.loads(pickle.dumps(space)),  # noqa: S301
    ):
        assert other == space
        assert hash(other) == hash(space)
        assert other.dims == space.dims
        assert not other.default.flags.writeable
        assert not other.low.flags.writeable
    bar("B5", spaces_through_json=1)


@EXAMPLES
@given(st.data())
def test_clip_gives_the_nearest_task(bar: Bar, data: st.DataObject) -> None:
    space = data.draw(task_spaces())
    vector = np.array([data.draw(finite) for _ in range(space.dim)])
    task = space.clip(vector)
    assert space.contains(task)
    np.testing.assert_array_equal(space.clip(task), task)
    for i, dim in enumerate(space):
        inside = min(max(vector[i], dim.low), dim.high)
        assert abs(task[i] - inside) <= (0 if dim.kind == "float" else 0.5)
    bar("B5", clipped_vectors=1)


@settings(EXAMPLES, max_examples=300)
@given(task_spaces())
def test_gymnasium_spaces_keep_names_order_and_bounds(bar: Bar, space: TaskSpace) -> None:
    there = space.to_gymnasium()
    there.seed(3)
    assert space.contains(there.sample())
    back = TaskSpace.from_gymnasium(there)
    assert back.names == space.names
    np.testing.assert_array_equal(back.low, space.low)
    np.testing.assert_array_equal(back.high, space.high)
    assert [d.kind == "float" for d in back] == [d.kind == "float" for d in space]
    bar("B5", spaces_through_gymnasium=1)


def unclipped(space: TaskSpace, unit: Any) -> np.ndarray:
    """``from_unit`` as one would write it first: rounding can leave the bounds."""
    return space.low + np.asarray(unit) * (space.high - space.low)


def rounded(space: TaskSpace, task: Any) -> dict[str, Any]:
    """``to_dict`` for people."""
    return {name: round(value, 9) for name, value in zip(space.names, task, strict=True)}


@pytest.mark.parametrize(
    ("method", "broken", "shown_by", "drawn"),
    [
        (
            *("from_unit", unclipped),
            *(test_unit_points_become_tasks_inside_and_come_back, spaces_and_points()),
        ),
        (
            *("to_dict", rounded),
            *(test_tasks_survive_dictionaries_and_json_exactly, spaces_and_points()),
        ),
        (
            *("__hash__", object.__hash__),
            *(test_spaces_survive_json_copies_and_pickle, task_spaces()),
        ),
        ("clip", lambda space, _: space.default, test_clip_gives_the_nearest_task, st.data()),
    ],
    ids=["from_unit", "to_dict", "hash", "clip"],
)
def test_broken_task_spaces_are_found(
    method: str,
    broken: Any,
    shown_by: Any,
    drawn: st.SearchStrategy[Any],
    monkeypatch: pytest.MonkeyPatch,
    bar: Bar,
) -> None:
    monkeypatch.setattr(TaskSpace, method, broken)
    generate = settings(EXAMPLES, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises((AssertionError, TaskError)):
        generate(given(drawn)(shown_by.hypothesis.inner_test))(lambda *_, **__: None)
    bar("B5", broken_spaces_found=1)


def test_gymnasium_dicts_are_not_sorted_by_name() -> None:
    space = TaskSpace([Dim("z"), Dim("a", 2, 3, kind="int")])
    assert tuple(space.to_gymnasium().spaces) == ("z", "a")
    assert TaskSpace.from_gymnasium(space.to_gymnasium()).names == ("z", "a")


def test_other_gymnasium_spaces_convert() -> None:
    box = gym.spaces.Box(np.array([0, -1], np.float32), np.array([1, 2], np.float32))
    assert TaskSpace.from_gymnasium(box) == TaskSpace([Dim("x0", 0, 1), Dim("x1", -1, 2)])
    named = TaskSpace.from_gymnasium(gym.spaces.Box(0, 5, (1,), np.int64), names=["n"])
    assert named == TaskSpace([Dim("n", 0, 5, kind="int")])
    discrete = TaskSpace.from_gymnasium(gym.spaces.Discrete(4, start=-1))
    assert discrete == TaskSpace([Dim("x0", -1, 2, kind="int")])


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Box(-np.inf, np.inf, (2,)),
        gym.spaces.Box(0, 1, (2, 2)),
        gym.spaces.Dict({"a": gym.spaces.Box(0, 1, (3,))}),
        gym.spaces.MultiBinary(3),
        "Box",
    ],
)
def test_gymnasium_spaces_that_are_no_task_space_are_refused(space: Any) -> None:
    with pytest.raises(TaskError):
        TaskSpace.from_gymnasium(space)


def test_missing_names_take_defaults_or_the_base() -> None:
    np.testing.assert_array_equal(MIXED.task({"height": 1.0}), [1.0, 4.0, 0.0])
    base = MIXED.task([2.0, 6.0, 2.0])
    np.testing.assert_array_equal(MIXED.task({"ground": "ice"}, base), [2.0, 6.0, 1.0])
    np.testing.assert_array_equal(MIXED.task({}), MIXED.default)


def test_tasks_are_read_only_and_independent_of_what_they_were_made_from() -> None:
    source = np.array([1.0, 3.0, 1.0])
    task = MIXED.task(source)
    source[0] = 2.0
    assert task[0] == 1.0
    for value in (task, MIXED.sample(np.random.default_rng(0)), MIXED.clip(source), MIXED.default):
        with pytest.raises(ValueError, match="read-only"):
            value[0] = 0.0


BAD_TASKS: list[tuple[Any, list[str]]] = [
    ({"height": 3.5}, ["height", "3.5", "[0, 3] m"]),
    ({"height": -1e-12}, ["height", "-1e-12", "[0, 3]"]),
    ({"height": math.nan}, ["height", "nan", "[0, 3]"]),
    ({"height": math.inf}, ["height", "inf", "[0, 3]"]),
    ({"height": -math.inf}, ["height", "-inf", "[0, 3]"]),
    ({"height": None}, ["height", "None", "[0, 3]"]),
    ({"height": "1.0"}, ["height", "'1.0'", "[0, 3]"]),
    ({"height": b"1"}, ["height", "b'1'"]),
    ({"height": True}, ["height", "True", "[0, 3]"]),
    ({"height": np.bool_(True)}, ["height", "[0, 3]"]),
    ({"height": 1j}, ["height", "1j"]),
    ({"height": [1.0]}, ["height", "[1.0]"]),
    ({"height": np.array([1.0])}, ["height", "array([1.])"]),
    ({"height": 10**400}, ["height", "1000", "[0, 3]"]),
    ({"height": {}}, ["height", "{}"]),
    ({"count": 2.5}, ["count", "2.5", "whole", "[2, 7]"]),
    ({"count": 8}, ["count", "8", "[2, 7]"]),
    ({"count": 1}, ["count", "1", "[2, 7]"]),
    ({"count": "four"}, ["count", "'four'", "[2, 7]"]),
    ({"ground": "mud"}, ["ground", "'mud'", "grass", "ice", "sand"]),
    ({"ground": 3}, ["ground", "3", "[0, 2]"]),
    ({"ground": 0.5}, ["ground", "0.5", "whole"]),
    ({"hieght": 1.0}, ["'hieght'", "did you mean 'height'", "count"]),
    ({3: 1.0}, ["3", "height, count, ground"]),
    ({"height": 9, "count": 9}, ["height", "count", "9"]),
    ([1.0, 2.0], ["3 numbers", "(2,)"]),
    ([[1.0, 2.0, 0.0]], ["3 numbers", "(1, 3)"]),
    ([1.0, 2.0, 0.0, 0.0], ["3 numbers", "(4,)"]),
    ([1.0, [2.0], 0.0], ["3 numbers"]),
    ([1.0, math.nan, 0.0], ["count", "nan"]),
    ([4.0, 9.0, 9.0], ["height", "count", "ground"]),
    ([True, True, False], ["bool"]),
    (["1", "2", "0"], ["dtype"]),
    ([1j, 2, 0], ["complex"]),
    ([1.0, 10**400, 0.0], ["dtype object"]),
    (None, ["3 numbers"]),
    ("height", ["3 numbers"]),
    (1.0, ["shape ()"]),
]


@pytest.mark.parametrize(("value", "words"), BAD_TASKS, ids=[repr(v)[:30] for v, _ in BAD_TASKS])
def test_bad_tasks_are_refused_with_field_bounds_and_value(value: Any, words: list[str]) -> None:
    assert not MIXED.contains(value)
    with pytest.raises(TaskError) as caught:
        MIXED.task(value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": 3},
        {"name": "x", "low": 1.0, "high": 1.0},
        {"name": "x", "low": 2.0, "high": 1.0},
        {"name": "x", "low": math.nan},
        {"name": "x", "high": math.inf},
        {"name": "x", "low": "0"},
        {"name": "x", "low": None},
        {"name": "x", "high": True},
        {"name": "x", "high": 10**400},
        {"name": "x", "low": -1.7e308, "high": 1.7e308},
        {"name": "x", "default": 2.0},
        {"name": "x", "default": math.nan},
        {"name": "x", "default": "half"},
        {"name": "x", "kind": "bool"},
        {"name": "x", "kind": "int", "high": 1.5},
        {"name": "x", "kind": "int", "high": 4, "default": 2.5},
        {"name": "x", "kind": "int", "high": 2**60},
        {"name": "x", "kind": "choice"},
        {"name": "x", "choices": ("a", "b")},
        {"name": "x", "kind": "choice", "choices": ("a", "b"), "default": 2},
    ],
    ids=repr,
)
def test_bad_dimensions_are_refused_by_name(arguments: dict[str, Any]) -> None:
    with pytest.raises(TaskError, match="Dim"):
        Dim(**arguments)


def test_bad_spaces_are_refused() -> None:
    with pytest.raises(TaskError, match="got 0"):
        TaskSpace([])
    with pytest.raises(TaskError, match=r"repeated names \['a'\]"):
        TaskSpace([Dim("a"), Dim("b"), Dim("a")])
    with pytest.raises(TaskError, match=f"1 to {MAX_DIM}"):
        TaskSpace([Dim("a")] * 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "3", "[]", "[3]", "{}", "[" * 100_000),
        '[{"low": 0}]',
        '[{"name": "x", "low": NaN}]',
        '[{"name": "x", "depth": 1}]',
        '[{"name": "x", "high": 1' + "0" * 400 + "}]",
    ],
    ids=lambda text: text[:20],
)
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(TaskError):
        TaskSpace.from_json(text)


# -- edits ---------------------------------------------------------------------------------

EDITED = TaskSpace(
    [
        Dim("roughness", 0.0, 10.0, edit=(0.0, 0.6)),
        Dim("pit", 0.0, 10.0, edit=(0.4, 0.4)),
        Dim("steps", 1, 9, kind="int", edit=(1, 2)),
        Dim("spacing", -2.0, 4.0),
        Dim("count", 0, 50, kind="int"),
        Dim("ground", kind="choice", choices=("grass", "ice", "sand")),
    ]
)
MIDDLE = [5.0, 5.0, 5, 1.0, 25, 1]


def test_one_edit_moves_one_dimension_by_its_size_up_down_or_not_at_all() -> None:
    rng = np.random.default_rng(0)
    moves = np.array([EDITED.edit(MIDDLE, rng) - MIDDLE for _ in range(3000)])
    assert ((moves != 0).sum(axis=1) <= 1).all()
    assert 0.3 < (moves == 0).all(axis=1).mean() < 0.37  # a third of the edits do nothing
    rough, pit, steps, spacing, count, ground = moves.T
    assert 0.55 < np.abs(rough).max() <= 0.6
    assert len(np.unique(rough)) > 200
    assert set(np.round(pit, 12)) == {-0.4, 0.0, 0.4}
    assert set(steps) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert set(np.round(spacing, 12)) == {-0.6, 0.0, 0.6}
    assert set(count) == {-5.0, 0.0, 5.0}
    assert set(ground) == {-1.0, 0.0, 1.0}
    shares = (moves > 0).mean(axis=0), (moves < 0).mean(axis=0)
    np.testing.assert_allclose(shares, 1 / 18, atol=0.015)


def test_edits_up_and_down_only_always_move_something() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        assert (EDITED.edit(MIDDLE, rng, directions=(-1, 1)) != MIDDLE).sum() == 1


@settings(max_examples=200, deadline=None, derandomize=True)
@given(spaces_and_points(), st.integers(0, 30), st.integers(0, 2**32))
def test_edited_tasks_stay_inside_and_repeat(
    case: tuple[TaskSpace, np.ndarray], n_edits: int, seed: int
) -> None:
    space, point = case
    task = space.from_unit(point)
    before = task.copy()
    edited = space.edit(task, np.random.default_rng(seed), n_edits)
    assert space.contains(edited)
    assert not edited.flags.writeable
    np.testing.assert_array_equal(task, before)
    np.testing.assert_array_equal(space.edit(task, np.random.default_rng(seed), n_edits), edited)
    if n_edits == 0:
        np.testing.assert_array_equal(edited, task)


def test_json_carries_edits_and_stays_as_it_was_without() -> None:
    again = TaskSpace.from_json(EDITED.to_json())
    assert again == EDITED
    assert again.dims[0].edit == (0.0, 0.6)
    assert hash(again) == hash(EDITED)
    assert "edit" not in MIXED.to_json()


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        *[((0.5, 0.1), "float"), ((-0.1, 0.1), "float"), ((0.0, 0.0), "float")],
        *[((0.0, math.inf), "float"), ((math.nan, 1.0), "float"), ((0.1,), "float")],
        *[(0.1, "float"), (("a", "b"), "float"), ((0.5, 1.0), "int")],
    ],
    ids=repr,
)
def test_bad_edits_are_refused(edit: Any, kind: Any) -> None:
    with pytest.raises(TaskError, match=r"Dim 'x'.*edit"):
        Dim("x", 0, 9, kind=kind, edit=edit)


def test_edit_refuses_foreign_tasks_negative_counts_and_no_directions() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(TaskError, match="pit"):
        EDITED.edit([5.0, 50.0, 5, 1.0, 25, 1], rng)
    with pytest.raises(TaskError, match="n_edits >= 0"):
        EDITED.edit(MIDDLE, rng, -1)
    with pytest.raises(TaskError, match="direction"):
        EDITED.edit(MIDDLE, rng, 1, ())


@pytest.mark.parametrize("method", ["to_unit", "from_unit", "clip"])
@pytest.mark.parametrize("value", [[math.nan, 3, 0], [0.5, 3], 0.5, []], ids=repr)
def test_maps_refuse_nan_and_wrong_shapes(method: str, value: Any) -> None:
    with pytest.raises(TaskError):
        getattr(MIXED, method)(value)


def test_batches_map_row_by_row() -> None:
    cube = np.random.default_rng(0).random((50, 3))
    tasks = MIXED.from_unit(cube)
    for point, task in zip(cube, tasks, strict=True):
        np.testing.assert_array_equal(MIXED.from_unit(point), task)
    np.testing.assert_array_equal(MIXED.from_unit(MIXED.to_unit(tasks))[:, 1:], tasks[:, 1:])


def test_whole_numbers_and_choices_are_drawn_evenly() -> None:
    rng = np.random.default_rng(1)
    tasks = np.array([MIXED.sample(rng) for _ in range(6000)])
    counts = np.unique(tasks[:, 1], return_counts=True)[1]
    assert len(counts) == 6
    assert (abs(counts - 1000) < 120).all()
    assert (abs(np.unique(tasks[:, 2], return_counts=True)[1] - 2000) < 160).all()


def test_grid_includes_the_ends_and_only_tasks() -> None:
    grid = MIXED.grid([3, 4, 9])
    assert grid.shape == (3 * 4 * 3, 3)
    assert all(MIXED.contains(task) for task in grid)
    np.testing.assert_array_equal(grid[0], MIXED.low)
    np.testing.assert_array_equal(grid[-1], MIXED.high)
    np.testing.assert_array_equal(MIXED.grid(1), [[1.5, 4.0, 1.0]])
    assert MIXED.grid(np.int64(2)).shape == (8, 3)
    for bad in (0, [2, 2], [2, 2, 0]):
        with pytest.raises(TaskError, match="grid"):
            MIXED.grid(bad)
