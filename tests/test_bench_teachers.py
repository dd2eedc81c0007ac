"""The bench: its worlds, what it keeps, its statistics, and what it shows."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

import teachers
from teachenv.cli import app
from teachenv.errors import UserError
from teachenv.experiments import bench_play, bench_reference, bench_table, bench_teachers
from teachenv.experiments.bench_play import BEST, CannotTeachError, World, play
from teachenv.experiments.bench_reference import SHIPPED, Kept, fingerprint, load, save
from teachenv.experiments.bench_stats import make_rows
from teachenv.experiments.bench_teachers import bench
from teachenv.experiments.bench_worlds import WORLDS
from teachenv.experiments.plot_bench import plot_bench
from teachers.uniform import Uniform

TINY = World("one skill", "teachenv.envs.toy.skill_grid:SkillGrid", {"n_cells": 1}, n_episodes=80)
SHORT = World(
    "four skills", "teachenv.envs.toy.skill_grid:SkillGrid", {"n_cells": 2}, n_episodes=600
)


@pytest.fixture
def tiny(monkeypatch):
    """Two small worlds and two teachers."""
    monkeypatch.setattr(bench_teachers, "WORLDS", {"tiny": TINY, "short": SHORT})
    table = {id: teachers.TEACHERS[id] for id in ("uniform", "oracle")}
    monkeypatch.setattr(teachers, "TEACHERS", table)


def here(ids=None, **how):
    return bench(ids, **{"n_seeds": 2, "n_workers": 1, "reference": None, **how})


def row(verdict, teacher):
    return next(row for row in verdict.rows if row.teacher == teacher)


# -- worlds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORLDS)
def test_in_every_world_the_best_curriculum_masters_all_and_uniform_little(name):
    world = WORLDS[name]
    assert play(BEST, world, 0).share == 1.0
    assert play("uniform", world, 0).share <= 0.25


def test_games_repeat_and_seeds_differ():
    world = WORLDS["noisy"]
    learners = [world.make(seed) for seed in (1, 1, 2)]
    noise = [[learner.play(np.zeros(2))[0] for _ in range(5)] for learner in learners]
    assert noise[0] == noise[1] != noise[2]
    shares = [play("uniform", SHORT, seed).share for seed in (0, 0, 1, 2, 3)]
    assert shares[0] == shares[1]
    assert len(set(shares)) > 1


def test_the_clock_counts_ask_and_tell():
    assert 2 < play("uniform", SHORT, 0).us < 2000


# -- what teachers are given -----------------------------------------------------------------


def test_teachers_are_told_mastery_and_order_where_they_take_them():
    oracle = bench_play.make_teacher("oracle", WORLDS["grid"].make(0), 0)
    assert oracle.describe()["teacher"] == "oracle"
    with pytest.raises(CannotTeachError, match="no order of difficulty"):
        bench_play.make_teacher("oracle", WORLDS["stones"].make(0), 0)


def test_teachers_whose_signals_no_critic_can_give_are_left_out(monkeypatch):
    monkeypatch.setattr(Uniform, "needs", frozenset({"value_start", "ensemble_spread"}))
    with pytest.raises(CannotTeachError, match="needs the signals ensemble_spread of a real"):
        play("uniform", TINY, 0)
    monkeypatch.setattr(Uniform, "needs", frozenset({"value_start"}))
    assert play("uniform", TINY, 0).share == 1.0


# -- the bench -------------------------------------------------------------------------------


@pytest.mark.usefixtures("tiny")
def test_all_teachers_play_all_worlds_and_the_best_comes_first():
    verdict = here()
    assert verdict.rows[0].teacher == BEST
    assert {row.teacher for row in verdict.rows} == {BEST, "uniform", "oracle"}
    uniform = row(verdict, "uniform")
    assert list(uniform.shares) == ["tiny", "short"]
    expected = [play("uniform", SHORT, seed).share for seed in range(2)]
    assert uniform.shares["short"].tolist() == expected
    assert uniform.mean == pytest.approx((1.0 + np.mean(expected)) / 2)
    assert uniform.beats is None
    assert not verdict.failed


@pytest.mark.usefixtures("tiny")
def test_processes_play_the_same_games(monkeypatch):
    alone, together = here(["uniform"]), here(["uniform"], n_workers=2)
    for one, two in zip(alone.rows, together.rows, strict=True):
        assert one.teacher == two.teacher
        assert {k: v.tolist() for k, v in one.shares.items()} == {
            k: v.tolist() for k, v in two.shares.items()
        }


@pytest.mark.usefixtures("tiny")
def test_kept_results_are_used_only_while_the_code_is_the_same(tmp_path, monkeypatch):
    here(out=tmp_path)
    reference = tmp_path / "results.json"
    games = []
    monkeypatch.setattr(bench_teachers, "play", lambda *job: games.append(job) or play(*job))
    again = here(reference=reference)
    assert games == []
    assert all(row.kept for row in again.rows)
    here(["oracle"], reference=reference)
    assert {game[0] for game in games} == {"oracle"}

    games.clear()
    code = bench_reference._code
    monkeypatch.setattr(
        bench_reference, "_code", lambda name: code(name) + "x" * (name == "teachers.oracle")
    )
    verdict = here(["uniform"], reference=reference)
    assert [(t, w) for t, w, _ in verdict.left_out] == [("oracle", "")]
    assert "no earlier results of this code" in verdict.left_out[0][2]
    here(reference=reference)
    assert {game[0] for game in games} == {"uniform", "oracle"}

    games.clear()
    here(reference=reference, n_seeds=3)
    assert {game[0] for game in games} == {"uniform", "oracle", BEST}


@pytest.mark.usefixtures("tiny")
def test_a_teacher_that_breaks_is_reported_and_the_others_go_on(monkeypatch):
    def broken(self):
        raise ZeroDivisionError("no weights")

    monkeypatch.setattr("teachers.oracle.Oracle._sample", broken)
    verdict = here()
    assert {(t, w) for t, w, _ in verdict.failed} == {("oracle", "tiny"), ("oracle", "short")}
    assert verdict.failed[0][2] == "ZeroDivisionError: no weights"
    assert row(verdict, "uniform")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ids": ["unform"]}, "unknown teacher 'unform'.*did you mean 'uniform'"),
        ({"worlds": ["grit"]}, "unknown world 'grit'.*did you mean 'grid'"),
        ({"n_seeds": 0}, "seeds: expected a whole number of at least 1"),
    ],
)
def test_unknown_names_are_refused(given, message):
    with pytest.raises(UserError, match=message):
        here(**given)


# -- what is kept ----------------------------------------------------------------------------


def test_the_fingerprint_is_of_what_decides(monkeypatch, tmp_path):
    world = WORLDS["grid"]
    before = fingerprint("alp-gmm", world)
    assert fingerprint("alp-gmm", WORLDS["rugged"]) != before
    assert fingerprint("uniform", world) != before
    for module in ("teachers.nearest", "teachenv.space", "teachenv.deform"):
        code = bench_reference._code
        with monkeypatch.context() as patch:
            patch.setattr(
                bench_reference, "_code", lambda n, m=module, c=code: c(n) + "x" * (n == m)
            )
            assert fingerprint("alp-gmm", world) != before
    assert fingerprint("alp-gmm", world) == before


def test_comments_docstrings_and_layout_do_not_count():
    one = 'def f(x: int) -> int:\n    """Add."""\n    return x + 1\n'
    two = "def f(x):  # adds\n\n    return (x +\n        1)\n"
    three = "def f(x):\n    return x + 2\n"
    plain = [bench_reference._plain(bench_reference.ast.parse(text)) for text in (one, two, three)]
    assert plain[0] == plain[1] != plain[2]


def test_what_a_teacher_imports_is_found():
    found = bench_reference._closure("teachers.alp_gmm")
    assert {"teachers.alp_gmm", "teachers.nearest", "teachers.base", "teachenv.space"} <= found
    assert "teachers.riac" not in found
    assert "teachenv.env" not in found


def test_results_go_through_a_file(tmp_path):
    results = {("uniform", "grid"): Kept("abc", (0.25, 0.5), 12.5)}
    save(tmp_path / "r.json", results, {"python": "3"})
    assert load(tmp_path / "r.json") == results
    with pytest.raises(UserError, match=r"not results of bench-teachers: FileNotFoundError"):
        load(tmp_path / "missing.json")
    (tmp_path / "r.json").write_text('{"format": 2}')
    with pytest.raises(UserError, match=r"not results of bench-teachers: .*format 2"):
        load(tmp_path / "r.json")


def test_shipped_results_are_those_of_the_code_where_they_claim_to_be():
    """Played again for the teachers that need no fitting; another result is a wrong claim."""
    for teacher in ("uniform", BEST):
        for name in ("grid-3d", "noisy"):
            kept = load(SHIPPED).get((teacher, name))
            if kept is not None and kept.fingerprint == fingerprint(teacher, WORLDS[name]):
                assert kept.shares[0] == play(teacher, WORLDS[name], 0).share


# -- statistics ------------------------------------------------------------------------------


def test_means_over_fewer_worlds_come_last():
    rows = make_rows(
        {
            ("some", "a"): Kept("", (0.9, 0.9), 1.0),
            ("all", "a"): Kept("", (0.5, 0.5), 1.0),
            ("all", "b"): Kept("", (0.1, 0.1), 1.0),
        },
        set(),
        ["a", "b"],
        2,
    )
    assert [row.teacher for row in rows] == ["all", "some"]


def test_beating_the_baseline_counts_seeds_pairwise_and_ties_half():
    shares = {
        ("uniform", "grid"): (0.2, 0.4, 0.2, 0.4),
        ("a", "grid"): (0.3, 0.3, 0.2, 0.5),
    }
    results = {pair: Kept("", values, 1.0) for pair, values in shares.items()}
    rows = make_rows(results, set(), ["grid"], 4)
    assert next(row for row in rows if row.teacher == "a").beats == (1 + 0 + 0.5 + 1) / 4


# -- what is shown ---------------------------------------------------------------------------


@pytest.mark.usefixtures("tiny")
def test_command_prints_and_draws(tmp_path):
    given = ["bench-teachers", "--seeds", "2", "--workers", "1", "--out", str(tmp_path), "--fresh"]
    done = CliRunner().invoke(app, [*given, "--teachers", "oracle, uniform", "--worlds", "short"])
    assert done.exit_code == 0, done.output
    assert "oracle" in done.output
    assert "took" in done.output
    text = (tmp_path / "table.md").read_text()
    assert "| uniform | " in text
    assert "- 1 short: four skills; 600 episodes" in text
    picture = matplotlib.image.imread(tmp_path / "bench.png")
    assert picture.std() > 0.05
    assert set(json.loads((tmp_path / "results.json").read_text())["results"]["oracle"]) == {
        "short"
    }


@pytest.mark.usefixtures("tiny")
def test_command_fails_where_a_teacher_breaks(tmp_path, monkeypatch):
    monkeypatch.setattr("teachers.oracle.Oracle._sample", lambda self: 1 / 0)
    given = ["bench-teachers", "--seeds", "1", "--workers", "1", "--out", str(tmp_path), "--fresh"]
    done = CliRunner().invoke(app, [*given, "--teachers", "oracle"])
    assert done.exit_code == 1
    assert "FAILED: oracle (tiny, short): ZeroDivisionError" in done.output


@pytest.mark.usefixtures("tiny")
def test_missing_worlds_are_marked(tmp_path, monkeypatch):
    stones = World("", "teachenv.envs.toy.stepping_stones:SteppingStones", n_episodes=200)
    monkeypatch.setattr(bench_teachers, "WORLDS", {"tiny": TINY, "stones": stones})
    verdict = here()
    text = bench_table.markdown(verdict)
    assert "(1 of 2)" in text
    assert "not run: oracle (stones): oracle: harder: no order of difficulty" in text
    plot_bench(verdict, Path(tmp_path / "bench.png"))
    assert (tmp_path / "bench.png").stat().st_size > 10_000
