"""Pictures of synthetic runs: real teachers driving an analytic student."""

from __future__ import annotations

import io
import itertools
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.text import Text
from PIL import Image

import teachers
from teachenv.errors import UserError
from teachenv.experiments.config import RunConfig
from teachenv.experiments.files import StoreError
from teachenv.experiments.plot import animate_run, draw, load_run, plot_run
from teachenv.experiments.plot_animation import N_FRAMES, animation_frames
from teachenv.experiments.plot_competence import _outline
from teachenv.experiments.plot_data import Belief, run_title
from teachenv.experiments.plot_progress import _by_mastering
from teachenv.experiments.plot_style import INK, draw_belief
from teachenv.experiments.store import RunFolder, read_run
from teachenv.experiments.testsets import TestSet
from teachenv.protocols import Outcome, Trial
from teachenv.space import Dim, TaskSpace

RETURNS = (-150.0, 350.0)
MASTERY = 230.0

STUMPS = TaskSpace(
    [
        Dim("stump_height", 0.0, 3.0, unit="terrain steps"),
        Dim("stump_spacing", 0.0, 6.0, default=6.0, unit="m"),
    ]
)


class AnalyticStudent:
    """Competence that spreads from easy tasks to the neighbours of practised ones."""

    def __init__(self, space: TaskSpace, seed: int) -> None:
        self.space = space
        self.rng = np.random.default_rng(seed)
        self.reach = 0.12

    def ability(self, task: Any) -> float:
        u = self.space.to_unit(task)
        difficulty = float(u[0] * (1.25 - 0.5 * u[-1]) if len(u) > 1 else u[0])
        return float(1 / (1 + np.exp((difficulty - self.reach) / 0.06)))

    def play(self, task: Any) -> float:
        """Return the episode return; practice near the border of ability teaches most."""
        ability = self.ability(task)
        self.reach += 0.0022 * ability * (1 - ability)
        value = -110 + 420 * ability + self.rng.normal(0, 30)
        return float(np.clip(value, -160, 340))


def write_run(
    folder: Path,
    space: TaskSpace = STUMPS,
    teacher: str = "alp-gmm",
    n_rounds: int = 20,
    per_round: int = 100,
    test_sets: dict[str, np.ndarray] | None = None,
    eval_every: int = 2,
    seed: int = 0,
    **teacher_args: Any,
) -> Path:
    """Write a run folder in which a real teacher drives the analytic student."""
    guide = teachers.make(teacher, space, seed=seed, **teacher_args)
    student = AnalyticStudent(space, seed)
    if test_sets is None:
        test_sets = {"grid-v1": space.grid(10) if space.dim == 2 else space.grid(2)[:100]}
    run = _create(folder, space, teacher, seed, test_sets)
    step = 0
    for k in range(n_rounds):
        rows = []
        for n in range(per_round):
            trial = guide.ask()
            if n == per_round - 1:  # the episode that the end of a round cuts off
                value, outcome = 0.0, Outcome.lost()
            else:
                step += int(300 + 600 * student.ability(trial.task))
                value = student.play(trial.task)
                outcome = _outcome(value)
            guide.tell(trial, outcome)
            rows.append(_episode_row(trial, outcome, k, step))
        run.append("episodes.jsonl", rows)
        believed = json.loads(json.dumps(guide.describe(), default=np.ndarray.tolist))
        run.append("teacher.jsonl", [{"round": k, "step": step, "describe": believed}])
        if eval_every and k % eval_every == eval_every - 1:
            rows = [_eval_row(student, name, tasks) for name, tasks in test_sets.items()]
            run.append("evals.jsonl", [{"round": k, "step": step, **row} for row in rows])
    run.close()
    return folder


def _create(
    folder: Path, space: TaskSpace, teacher: str, seed: int, test_sets: dict[str, np.ndarray]
) -> RunFolder:
    config = RunConfig("teachenv/StumpTracks-v0", teacher, seed=seed)
    header = {
        "config": config.to_json(),
        "task_space": json.loads(space.to_json()),
        "return_range": RETURNS,
        "mastery": MASTERY,
        "versions": {},
    }
    sets = [TestSet(name, tasks, tuple(range(len(tasks)))) for name, tasks in test_sets.items()]
    return RunFolder.create(folder, header, sets)


def _episode_row(trial: Trial, outcome: Outcome, k: int, step: int) -> dict[str, Any]:
    return {
        "trial": trial.id,
        "task": trial.task.tolist(),
        "train": trial.train,
        "score": outcome.score,
        "episode_return": outcome.episode_return,
        "episode_length": outcome.episode_length,
        "status": outcome.status,
        "signals": {},
        "round": k,
        "step": step,
    }


def _eval_row(student: AnalyticStudent, name: str, tasks: np.ndarray) -> dict[str, Any]:
    returns = [student.ability(task) * 420 - 110 for task in tasks]
    share = float(np.mean(np.array(returns) > MASTERY))
    return {
        "test_set": name,
        "status": "ok",
        "share_mastered": share,
        "mean_return": float(np.mean(returns)),
        "returns": returns,
        "lengths": [500] * len(returns),
        "success": [value > MASTERY for value in returns],
    }


def _outcome(value: float) -> Outcome:
    score = float(np.clip((value - RETURNS[0]) / (RETURNS[1] - RETURNS[0]), 0, 1))
    return Outcome(score, value, 500, value > MASTERY)


BODIES = TaskSpace(
    [
        Dim("height", 0.0, 3.0, unit="m"),
        Dim("gap", 0.0, 2.0, unit="m"),
        Dim("n_rooms", 2, 6, kind="int"),
        Dim("floor", kind="choice", choices=("ice", "grass", "sand")),
        Dim("slope", -1.0, 1.0, unit="rad"),
    ]
)
LINE = TaskSpace([Dim("length", 0.1, 2.0, unit="m")])
ROOMS = TaskSpace([BODIES.dims[2], BODIES.dims[3]])
HEXAGON = TaskSpace([Dim(f"vertex_{i}", 0.0, 4.0) for i in range(12)])


@pytest.fixture(scope="module")
def stump_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "alp", n_rounds=8)


@pytest.fixture(scope="module")
def stump_figures(stump_run: Path) -> dict[str, Figure]:
    return draw(load_run(stump_run))


def artists(figure: Figure, kind: type) -> list[Any]:
    return [artist for ax in figure.axes for artist in ax.findobj(kind)]


def points(figure: Figure) -> int:
    return sum(len(c.get_offsets()) for c in artists(figure, PathCollection))


def png(figure: Figure) -> bytes:
    """Return a small picture, laid out in a hurry; any warning on the way is an error."""
    file = io.BytesIO()
    figure.set_layout_engine("none")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(file, dpi=40)
    return file.getvalue()


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_titles_tell_what_sets_the_environment_apart(stump_run: Path) -> None:
    config = read_run(stump_run).config
    assert run_title(config) == "alp-gmm on StumpTracks-v0, seed 0"
    short = replace(config, env_args={"body": "short", "backend": "native"}, seed=3)
    assert run_title(short) == "alp-gmm on StumpTracks-v0 (body=short), seed 3"
    long = replace(config, env_args={f"argument_{i}": i for i in range(30)})
    assert len(run_title(long)) < 90


def test_the_mastery_threshold_is_seen_on_the_colours_of_scores(
    stump_figures: dict[str, Figure],
) -> None:
    bar = stump_figures["curriculum"].axes[-1]
    below, above = (line.get_color() for line in bar.lines)
    assert (below, above) == ("white", INK)
    assert {line.get_ydata()[0] for line in bar.lines} == {0.76}


def test_writes_large_pngs_into_the_run_folder(stump_run: Path) -> None:
    paths = plot_run(stump_run)
    assert [path.name for path in paths] == ["curriculum.png", "competence.png", "progress.png"]
    assert {path.parent for path in paths} == {stump_run / "plots"}
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert pixels.shape[1] == 1800
        assert len(np.unique(pixels.reshape(-1, 3)[::7], axis=0)) > 100


def test_same_run_same_pixels_and_another_run_others(
    stump_run: Path, stump_figures: dict[str, Figure], tmp_path: Path
) -> None:
    other = write_run(tmp_path / "other", n_rounds=8, seed=1)
    again, others = draw(load_run(stump_run)), draw(load_run(other))
    for name in ("curriculum", "competence"):
        assert png(stump_figures[name]) == png(again[name]) != png(others[name])


def test_leaves_matplotlib_as_it_was(stump_run: Path) -> None:
    before = dict(matplotlib.rcParams)
    draw(load_run(stump_run))
    assert dict(matplotlib.rcParams) == before


def test_every_played_task_is_one_point(stump_run: Path, stump_figures: dict[str, Figure]) -> None:
    played = [row for row in read_run(stump_run).episodes if row["status"] == "ok"]
    assert len(played) == 8 * 99
    assert points(stump_figures["curriculum"]) == len(played)
    scores = np.concatenate(
        [c.get_array() for c in artists(stump_figures["curriculum"], PathCollection)]
    )
    assert sorted(scores) == sorted(row["score"] for row in played)


def test_ellipses_are_the_mixture_in_task_units(
    stump_run: Path, stump_figures: dict[str, Figure]
) -> None:
    last = read_run(stump_run).teacher[-1]["describe"]["mixture"]
    panel = [ax for ax in stump_figures["curriculum"].axes if ax.findobj(Ellipse)][-1]
    ellipses = panel.findobj(Ellipse)
    centres = [ellipse.center for ellipse in ellipses]
    np.testing.assert_allclose(centres, np.array(last["means"]) * [3.0, 6.0])
    areas = [np.pi / 4 * ellipse.width * ellipse.height for ellipse in ellipses]
    determinants = np.linalg.det(np.array(last["covariances"]) * np.outer([3, 6], [3, 6]))
    np.testing.assert_allclose(areas, 4 * np.pi * np.sqrt(determinants))
    heavy = int(np.argmax(last["weights"]))
    assert max(ellipses, key=lambda e: e.get_linewidth()) is ellipses[heavy]


def test_ellipse_contains_what_the_covariance_says() -> None:
    covariance = np.array([[[0.04, 0.018], [0.018, 0.01]]])
    belief = Belief(0, np.array([[0.5, 0.5]]), covariance, np.ones(1), None)
    ax = Figure().subplots()
    draw_belief(ax, belief, 0, 1)
    (ellipse,) = ax.findobj(Ellipse)
    draws = np.random.default_rng(0).multivariate_normal([0.5, 0.5], covariance[0], 20_000)
    inside = ellipse.get_path().transformed(ellipse.get_patch_transform()).contains_points(draws)
    assert inside.mean() == pytest.approx(1 - np.exp(-2), abs=0.01)


def test_uniform_teacher_is_drawn_without_ellipses(tmp_path: Path) -> None:
    figures = draw(load_run(write_run(tmp_path / "run", teacher="uniform", n_rounds=2)))
    assert not artists(figures["curriculum"], Ellipse)
    assert "Ellipses" not in words(figures["curriculum"])


def test_window_is_drawn_as_a_box_in_task_units(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", teacher="uniform", n_rounds=1, per_round=10)
    window = {"low": [0.25, 0.5], "high": [0.5, 1.0]}
    row = {"round": 0, "step": 10_000, "describe": {"window": window}}
    (run / "teacher.jsonl").write_text(json.dumps(row) + "\n")
    figure = draw(load_run(run))["curriculum"]
    boxes = [box.get_bbox().bounds for box in figure.axes[0].findobj(Rectangle)]
    assert (0.75, 3.0, 0.75, 3.0) in boxes


def test_axes_name_parameters_and_units(stump_figures: dict[str, Figure]) -> None:
    for name in ("curriculum", "competence"):
        said = words(stump_figures[name])
        assert "stump_height (terrain steps)" in said
        assert "stump_spacing (m)" in said
        assert "alp-gmm on StumpTracks-v0, seed 0" in said


def test_competence_map_shows_the_latest_grid(
    stump_run: Path, stump_figures: dict[str, Figure]
) -> None:
    last = read_run(stump_run).evals[-1]
    mesh = artists(stump_figures["competence"], QuadMesh)[0]
    expected = (np.reshape(last["returns"], (10, 10)).T + 150) / 500  # rows are spacings
    np.testing.assert_allclose(mesh.get_array().reshape(10, 10), expected)
    n_mastered = sum(value > MASTERY for value in last["returns"])
    assert f"{n_mastered} of 100 tasks mastered" in words(stump_figures["competence"])


def test_outline_encloses_the_mastered_cells() -> None:
    mask = np.array([[True, True], [False, True]])
    segments = _outline(mask, np.arange(3.0), np.arange(3.0))
    drawn = {tuple(sorted(segment)) for segment in segments}
    assert drawn == {
        ((0, 0), (1, 0)), ((1, 0), (2, 0)), ((0, 1), (1, 1)), ((1, 2), (2, 2)),
        ((0, 0), (0, 1)), ((2, 0), (2, 1)), ((1, 1), (1, 2)), ((2, 1), (2, 2)),
    }  # fmt: skip


def test_scattered_test_set_is_drawn_as_points(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tasks = np.stack([STUMPS.sample(rng) for _ in range(50)])
    figures = draw(load_run(write_run(tmp_path / "run", test_sets={"s": tasks}, n_rounds=2)))
    collection = artists(figures["competence"], PathCollection)[0]
    np.testing.assert_allclose(collection.get_offsets(), tasks[np.lexsort(tasks.T[::-1])])


def test_progress_shows_every_evaluation_of_every_test_set(tmp_path: Path) -> None:
    sets = {"grid": STUMPS.grid(4), "easy": STUMPS.grid(3) * [0.2, 1.0]}
    run = write_run(tmp_path / "run", test_sets=sets, n_rounds=4, eval_every=1)
    figure = draw(load_run(run))["progress"]
    shares = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    evals = read_run(run).evals
    for name, n_tasks in (("grid", 16), ("easy", 9)):
        expected = [row["share_mastered"] for row in evals if row["test_set"] == name]
        assert list(shares[f"{name} ({n_tasks} tasks)"]) == expected
    (mesh,) = figure.axes[2].findobj(QuadMesh)
    assert mesh.get_array().shape == (16, 4)


def test_task_rows_are_sorted_by_first_mastering() -> None:
    returns = np.array([[0.0, 0.0], [0.0, 300.0], [300.0, 0.0], [10.0, 0.0]])
    assert _by_mastering(returns, MASTERY).tolist() == [2, 1, 3, 0]


def test_finds_the_dimension_that_the_teacher_steers(tmp_path: Path) -> None:
    view = load_run(write_run(tmp_path / "run", HEXAGON, teacher="uniform", n_rounds=4))
    tasks = view.tasks.copy()
    tasks[:, 7] = tasks[:, 7] / 2
    assert replace(view, tasks=tasks).steered_most(1) == [7]


@pytest.mark.parametrize("space", [LINE, ROOMS, BODIES, HEXAGON], ids=["1", "mixed", "5", "12"])
@pytest.mark.parametrize("teacher", ["alp-gmm", pytest.param("oracle", marks=pytest.mark.slow)])
def test_draws_any_task_space(space: TaskSpace, teacher: str, tmp_path: Path) -> None:
    hyper = {"mastery": 0.0, "harder": {space.names[0]: 1}} if teacher == "oracle" else {}
    run = write_run(tmp_path / "run", space, teacher, n_rounds=4, **hyper)
    figures = draw(load_run(run))
    assert ("pairs" in figures) == (space.dim > 2)
    assert points(figures["curriculum"]) == 4 * 99 * (1 if space.dim == 2 else space.dim)
    for figure in figures.values():
        png(figure)


@pytest.mark.parametrize(
    ("n_rounds", "per_round", "eval_every"),
    [(0, 0, 0), (1, 1, 0), (1, 2, 1), (1, 9, 1), (3, 30, 0)],
    ids=["empty", "only lost", "one episode", "one evaluation", "no evaluation"],
)
@pytest.mark.parametrize(
    "space",
    [LINE, STUMPS, pytest.param(BODIES, marks=pytest.mark.slow)],
    ids=["1", "2", "5"],
)
def test_short_runs_give_a_picture(
    space: TaskSpace, n_rounds: int, per_round: int, eval_every: int, tmp_path: Path
) -> None:
    run = write_run(
        tmp_path / "run", space, n_rounds=n_rounds, per_round=per_round, eval_every=eval_every
    )
    figures = draw(load_run(run))
    for figure in figures.values():
        png(figure)
    if per_round < 2:
        assert "No finished episodes yet" in words(figures["curriculum"])
    if not eval_every:
        assert "no evaluation yet" in words(figures["progress"])


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run folder"):
        plot_run(tmp_path)
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("space", [LINE, STUMPS, BODIES], ids=["1", "2", "5"])
def test_animation_frames_change_and_show_recent_tasks(space: TaskSpace, tmp_path: Path) -> None:
    view = load_run(write_run(tmp_path / "run", space, n_rounds=4))
    frames = list(itertools.islice(animation_frames(view), 3))
    assert {(frame.shape, frame.dtype) for frame in frames} == {((430, 800, 3), np.dtype("u1"))}
    assert all((a != b).any() for a, b in itertools.pairwise(frames))


@pytest.mark.slow
def test_gif_is_small_and_loops(stump_run: Path, tmp_path: Path) -> None:
    path = animate_run(stump_run, tmp_path)
    assert path == tmp_path / "curriculum.gif"
    assert path.stat().st_size < 3_000_000
    with Image.open(path) as image:
        assert image.n_frames == N_FRAMES
        assert image.info["loop"] == 0


def test_animating_refuses_an_empty_run_and_unknown_formats(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", n_rounds=0)
    with pytest.raises(UserError, match="no finished episodes"):
        animate_run(run)
    with pytest.raises(UserError, match="'gif' or 'mp4', got 'webm'"):
        animate_run(run, fmt="webm")  # type: ignore[arg-type]
