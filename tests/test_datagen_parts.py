"""The parts of the data-generation environments: students' bases, skills, actions, engines."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_datagen_envs import even, flat, make, play, run

from teachenv.envs.datagen import bases, sources
from teachenv.envs.datagen.actions import decoder, rounded, signal_maps
from teachenv.envs.datagen.domain import make_domain
from teachenv.envs.datagen.engine import Engine
from teachenv.envs.datagen.profiles import known_cells
from teachenv.envs.datagen.skills import view_of
from teachenv.envs.datagen.split import PARTS, draw, part_of
from teachenv.errors import UserError
from teachenv.lesson import DataPlan, Reading, Syllabus
from teachenv.seeding import derive

# -- profiles and bases -------------------------------------------------------------------------


def test_profiles_say_what_is_known() -> None:
    domain = make_domain("digits", n_noise=1, n_known=1)

    def known(profile: Any, levels: int = 0) -> np.ndarray[Any, Any]:
        return known_cells(domain, profile, levels, derive(0, "profile"))

    assert np.argwhere(known("fresh")).tolist() == [[11, 0], [11, 1], [11, 2]]
    assert known("warm")[:10].tolist() == [[True, False, False]] * 10
    assert known("random", 3)[:10].sum() == 5 * 3
    assert np.argwhere(known(["digit 3"], 2)[:11]).tolist() == [[3, 0], [3, 1]]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "teachenv" / "bases"


def test_a_base_student_is_built_once_and_read_back_the_same(cache: Path) -> None:
    built = play(make(profile="warm"), 0)
    (file,) = cache.iterdir()
    before = file.stat().st_mtime_ns
    assert play(make(profile="warm"), 0) == built
    assert file.stat().st_mtime_ns == before
    play(make(profile="warm", base_samples=7), 0)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"not a zip", None])
def test_a_damaged_file_is_built_anew(cache: Path, damage: bytes | None) -> None:
    built = play(make(profile="warm"), 0)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage is None else damage)
    assert play(make(profile="warm"), 0) == built
    assert file.read_bytes() == content


def test_a_warm_student_has_passed_over_the_levels_it_is_told_to() -> None:
    found = {}
    for passes in (1, 3):
        env = make(profile="warm", warm_levels=2, base_epochs=passes, base_samples=4)
        env.reset(seed=0)
        base = env._newcomers.base(0, "warm", None)
        assert set(base.items.level.tolist()) == {0, 1}
        found[passes] = base.state["seen"] - 1.0  # samples, one by one
    assert found == {1: 10 * 2 * 4, 3: 3 * 10 * 2 * 4}


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    env = make(profile="warm")
    assert play(env, 0) == play(env, 0)


def test_states_with_lists_and_numbers_survive_the_file(tmp_path: Path) -> None:
    items = draw(make_domain("digits"), 0, 0, 4, "train", derive(0, "x"))
    state = {"a": {"b": [1, 2.5, {"c": None}], "d": np.arange(3)}, "seen": 7.0, "empty": {}}
    bases._save(tmp_path / "base.npz", bases.Base(state, items))
    read = bases._load(tmp_path / "base.npz")
    assert read is not None
    assert read.items is not None
    assert read.state["a"].pop("d").tolist() == state["a"].pop("d").tolist()  # type: ignore[attr-defined]
    assert read.state == state
    assert flat(dict(read.items.inputs)) == flat(dict(items.inputs))
    assert read.items.truth.dtype == items.truth.dtype


def test_restoring_a_student_takes_about_a_millisecond(cache: Path) -> None:
    env = make(profile="warm")
    env.reset(seed=0)
    base, seconds = env._newcomers.base(0, "warm", None), []
    for _ in range(5):
        start = time.perf_counter()
        env.classroom.student.load_state_dict(base.state)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005


def test_random_profiles_are_as_many_as_asked_for(cache: Path) -> None:
    env = make(n_profiles=2)
    for seed in range(8):
        env.reset(seed=seed)
    assert len(list(cache.iterdir())) == 2
    env.reset(seed=0, options={"student": 7})
    first = env.reading.accuracy
    env.reset(seed=0, options={"student": 7})
    assert np.array_equal(env.reading.accuracy, first)
    assert len(list(cache.iterdir())) == 3


@pytest.mark.parametrize(
    "module",
    [
        "teachenv.envs.datagen.split",
        "teachenv.envs.datagen.engine",
        "teachenv.envs.datagen.sandbox.expressions",
        "teachenv.envs.datagen.domains.code_programs",
        "students.data.network",
        "students.tensors",
        "teachenv.seeding",
    ],
)
def test_a_base_is_named_by_all_the_code_it_depends_on(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer = pytest.importorskip("students.data.transformer").Transformer
    domain, found = type(make_domain("code")), []
    read = sources._text
    for change in ("", "# changed"):
        monkeypatch.setattr(
            sources, "_text", lambda name, c=change: (read(name) or "") + c * (name == module)
        )
        found.append(sources.source_hash.__wrapped__(domain, transformer, bases.Bases))
    assert found[0] != found[1]


def test_sources_are_followed_into_packages_and_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "__init__.py": "",
        "kind.py": "import numpy\nclass Kind:\n    def f(self):\n        from . import box\n",
        "box/__init__.py": "from pupils.deep import x\nfrom .lid import y\nfrom ..above import z\n",
        "box/lid/__init__.py": "y = 1",
        "above.py": "z = 1",
        "lid.py": "y = 2",
        "box/run_as_a_script.py": "1",
        "deep.py": "x = 1",
        "beside.py": "x = 1",
    }
    for name, text in files.items():
        (tmp_path / "pupils" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pupils" / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = importlib.import_module("pupils.kind").Kind

    def changes(name: str) -> bool:
        before = sources.source_hash.__wrapped__(kind)
        with (tmp_path / "pupils" / name).open("a") as file:
            file.write("\n# changed\n")
        return bool(before != sources.source_hash.__wrapped__(kind))

    assert changes("box/run_as_a_script.py")
    assert all(map(changes, ("deep.py", "box/lid/__init__.py", "above.py")))
    assert not any(map(changes, ("beside.py", "lid.py")))
    assert "pupils.deep" not in sys.modules  # what is read is not run


# -- the split ----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_draws_keep_to_their_part(part: Any) -> None:
    domain = make_domain("digits")
    items = draw(domain, 3, 1, 100, part, derive(0, "draw"))
    assert len(items) == 100
    assert set(part_of(items.keys)) == {PARTS.index(part)}


# -- skills -------------------------------------------------------------------------------------


def purity(source: str) -> float:
    """Return the mean share of the commonest domain skill in a told cell."""
    view = view_of(make_domain("digits"), source)
    return 1.0 if view.shares is None else float(view.shares.max(axis=2).mean())


def test_inferred_skills_are_nearly_the_domains_and_shuffled_ones_are_not() -> None:
    assert purity("gold") == 1.0
    assert purity("inferred") > 0.6
    assert purity("shuffled") < 0.35


@pytest.mark.parametrize("source", ["gold", "inferred", "shuffled"])
def test_told_cells_are_generated_in_full_and_at_their_level(source: str) -> None:
    view = view_of(make_domain("digits"), source)
    counts = np.zeros(view.shape, dtype=np.int64)
    counts[2, 1], counts[4, 0] = 30, 5
    made = view.generated(counts, derive(0, "mixture"))
    assert made.sum(axis=0).tolist() == [5, 30, 0]


@pytest.mark.parametrize("source", ["inferred", "shuffled"])
def test_a_teacher_is_told_of_the_skills_that_were_found(source: str) -> None:
    env = make(skill_source=source, n_skills=6, n_samples=30)
    total, first, last = run(env, even(env, 18))
    assert env.syllabus.skills == tuple(f"skill {n}" for n in range(6))
    assert env.reading.accuracy.shape == (6, 3)
    assert last["taught"].sum() == 18
    assert total / 20.0 == pytest.approx(last["metric"] - first["metric"], abs=1e-12)
    learnable = env.privileged()["learnable"]
    assert ((learnable >= 0.0) & (learnable <= 1.0)).all()
    env.reset(seed=1)
    assert env.rehearse([]) == []


def test_a_cell_without_questions_this_time_has_not_changed() -> None:
    env, unseen = make(skill_source="shuffled", probe_size=1), 0
    env.reset(seed=0)
    for _ in range(4):
        before = env.reading
        env.step_plan(even(env, 8))
        twice = (before.visible > 0) & (env.reading.visible > 0)
        change = env.reading.accuracy - before.accuracy
        assert np.array_equal(env.reading.delta, np.where(twice, change, 0.0))
        unseen += np.count_nonzero(change[~twice])
    assert unseen


def test_a_rehearsal_changes_nothing_in_a_cell_without_questions_this_time() -> None:
    env, unseen = make(skill_source="shuffled", probe_size=1), 0
    env.reset(seed=0)
    for _ in range(4):
        before, plan = env.reading, even(env, 8)
        (change,) = env.rehearse([plan])
        env.step_plan(plan)
        np.testing.assert_allclose(change, env.reading.delta)
        unseen += np.count_nonzero((env.reading.accuracy - before.accuracy)[change == 0.0])
    assert unseen


def test_open_ended_tells_of_no_skills_that_others_found() -> None:
    with pytest.raises(UserError, match="gold"):
        make("OpenEnded", skill_source="inferred")


# -- actions ------------------------------------------------------------------------------------


def reading(**arrays: Any) -> Reading:
    zero = np.zeros((2, 2))
    names = ("accuracy", "delta", "loss", "confidence", "data_share", "last_alloc", "visible")
    return Reading(**{**dict.fromkeys(names, zero), **arrays}, step=0, budget_left=1.0)


SYLLABUS = Syllabus(("a", "b"), 2, n_steps=3, n_samples=100)


def decode(mode: str, action: Any, n: int = 100, **arrays: Any) -> list[list[int]]:
    decoded = decoder(mode, SYLLABUS)(action, reading(**arrays), n, derive(0, "action"))
    assert decoded.total <= n
    counts: list[list[int]] = decoded.counts(SYLLABUS.shape).tolist()
    return counts


def test_every_action_becomes_samples_of_cells() -> None:
    assert decode("cell", 2) == [[0, 0], [100, 0]]
    assert decode("point", np.array([0.9, -0.9])) == [[0, 0], [100, 0]]
    assert decode("point", np.array([-1.0, 1.0])) == [[0, 100], [0, 0]]
    assert decode("counts", np.array([0, 2, 1, 0])) == [[0, 50], [25, 0]]
    assert decode("counts", np.array([4, 0, 0, 4])) == [[50, 0], [0, 50]]
    counts = np.array(decode("alloc", np.array([1.0, -1.0, -1.0, -1.0]), 10_000))
    expected = 0.95 * np.exp(4.0) / (np.exp(4.0) + 3.0) + 0.05 / 4  # TEMPERATURE, FLOOR
    assert counts[0, 0] / 10_000 == pytest.approx(expected, abs=0.01)


def test_mixing_follows_the_signals() -> None:
    accuracy = np.array([[1.0, 0.5], [0.0, 1.0]])
    weak = np.array(decode("mix", np.array([1.0, 0.0, 0.0, 0.0]), accuracy=accuracy))
    assert weak.argmax() == 2
    middle = np.array(decode("mix", np.array([0.0, 0.0, 1.0, 0.0]), accuracy=accuracy))
    assert middle.argmax() == 1
    even_ = np.array(decode("mix", np.zeros(4), accuracy=accuracy))
    assert even_.min() > 10


def test_signals_are_those_of_their_formulas() -> None:
    accuracy = np.array([[1.0, 0.5], [0.0, 0.9]])
    delta = np.array([[0.0, -0.4], [0.2, 0.0]])
    share = np.array([[0.5, 0.25], [0.25, 0.0]])
    needs = np.zeros((4, 4), dtype=np.bool_)
    needs[1, 0], needs[3, 1], needs[3, 2] = True, True, True
    maps = signal_maps(reading(accuracy=accuracy, delta=delta, data_share=share), needs)
    assert maps.shape == (5, 2, 2)
    assert maps[0].tolist() == (1.0 - accuracy).tolist()
    assert maps[1] == pytest.approx(np.array([[0.0, 1.0], [0.5, 0.0]]))
    assert maps[2] == pytest.approx(np.array([[0.0, 1.0], [0.0, 0.36]]))
    assert maps[3] == pytest.approx(np.array([[0.0, 0.5], [0.5, 1.0]]))
    assert maps[4].tolist() == [[1.0, 1.0], [1.0, 0.0]]


def test_rounding_keeps_the_sum() -> None:
    assert rounded(np.array([1.5, 1.5, 2.0]), 10).tolist() == [2, 1, 2]
    assert rounded(np.array([30.0, 10.0]), 10).tolist() == [8, 2]
    assert rounded(np.zeros(3), 10).tolist() == [0, 0, 0]


# -- classroom and engine -----------------------------------------------------------------------


def test_an_engine_can_leave_out_repeated_questions() -> None:
    domain = make_domain("digits")
    counts = np.zeros(domain.kinds.shape, dtype=np.int64)
    counts[0, 0] = 500
    made = Engine(domain, deduplicate=True).make(DataPlan.of_counts(counts), derive(0, "data"))
    assert made.items is not None
    assert len(made.items) == len(set(made.items.keys.tolist()))
    assert made.made.sum() + made.rejected.sum() == 500


def test_cells_are_locked_until_their_prerequisites_are_met() -> None:
    env = make(locked_below=0.5, n_samples=60, profile="fresh")
    needs = np.zeros((30, 30), dtype=np.bool_)
    needs[[7, 10], [6, 9]] = True  # level 1 of digits 2 and 3 needs their level 0
    env.domain.prerequisites = needs
    env.reset(seed=0)
    assert env.classroom.locked()[2:4].tolist() == [[False, True, False]] * 2
    assert env.privileged()["learnable"][2:4].tolist() == [[1.0, 0.0, 1.0]] * 2
    counts = np.zeros((10, 3), dtype=np.int64)
    counts[2:4, 0] = 30
    env.step_plan(DataPlan.of_counts(counts))
    assert not env.classroom.locked()[2:4].any()


def test_nothing_can_be_made_of_answers_in_a_locked_cell() -> None:
    domain = make_domain("math", skills=["add"])
    counts = np.full(domain.kinds.shape, 100)
    locked = np.zeros(domain.kinds.shape, dtype=np.bool_)
    locked[0, 3] = True
    made = Engine(domain).make(DataPlan.of_counts(counts), derive(0, "data"), locked)
    assert made.items is not None
    right = domain.grade(made.items, made.items.answers)
    assert right[made.items.level != 3].all()
    assert right[made.items.level == 3].mean() < 0.1


@pytest.mark.parametrize(("domain", "n"), [("digits", 20), ("digits", 1), ("math", 1)])
def test_equal_answers_in_a_locked_cell_are_wrong_ones(domain: str, n: int) -> None:
    made_of = make_domain(domain)
    counts = np.zeros(made_of.kinds.shape, dtype=np.int64)
    counts[0, 0] = n
    made = Engine(made_of).make(DataPlan.of_counts(counts), derive(0, "data"), counts > 0)
    assert made.items is not None
    assert not made_of.grade(made.items, made.items.answers).any()


def test_replay_mixes_in_as_much_of_the_past() -> None:
    env = make(train_mode="replay", n_samples=30, profile="fresh")
    env.reset(seed=0)
    trained: list[int] = []
    student = env.classroom.student
    train = student.train

    def counted(items: Any, **options: Any) -> None:
        trained.append(len(items))
        train(items, **options)

    student.train = counted
    for _ in range(3):
        env.step_plan(even(env, 30))
    assert trained == [30, 60, 60]


@pytest.mark.parametrize("mode", ["retrain", "continual"])
def test_the_order_of_lessons_only_matters_where_training_goes_on(mode: str) -> None:
    """Retraining sees the composition alone; training on is shaped by what came last."""
    env = make(
        train_mode=mode, n_steps=2, n_samples=300, profile="fresh", fresh_probe=False, epochs=5
    )
    halves = np.zeros((2, 10, 3), dtype=np.int64)
    halves[0, :5], halves[1, 5:] = 20, 20

    def ends(order: tuple[int, int]) -> np.ndarray[Any, Any]:
        env.reset(seed=0)
        for half in order:
            env.step_plan(DataPlan.of_counts(halves[half]))
        return np.asarray(env.evaluate("validation", 20).accuracy)

    first, second = ends((0, 1)), ends((1, 0))
    apart = abs((first[:5] - second[:5]).mean()) + abs((first[5:] - second[5:]).mean())
    assert (apart < 0.15) == (mode == "retrain")
