"""Pictures of what tasks look like: levels laid out over an environment's task space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from teachenv.env import Level, MakeEnv, task_contract
from teachenv.envs import ENVS
from teachenv.envs.bipedal.bodies import BODIES
from teachenv.envs.bipedal.terrain import Terrain
from teachenv.errors import UserError
from teachenv.experiments.plot import DPI
from teachenv.experiments.plot_data import Floats, RunView, load_run
from teachenv.experiments.plot_style import (
    FAINT,
    SCORE_MAP,
    SCORES,
    dim_label,
    new_figure,
    score_bar,
    style,
)
from teachenv.experiments.store import read_header
from teachenv.space import Dim, Task, TaskSpace

_GROUND, _OBSTACLE, _SKY = "#5b7f4b", "#8a6f55", "#eef4fb"
_GREYS = ("#8c8c8c", "#1a1a1a")
"""Ground and obstacles under a coloured sky."""
_SHOWN_X = (8.0, 30.0)
"""What part of a track a picture shows, in metres; the first obstacle stands at 9.3 m."""


def draw_gallery(
    out: Path,
    *,
    env_ids: Sequence[str] = (),
    env_args: Mapping[str, Any] = MappingProxyType({}),
    run: Path | None = None,
    n: int = 6,
    level_seed: int = 0,
) -> list[Path]:
    """Write a picture of each environment, and one of the walkers' bodies.

    Args:
        out: Folder for the pictures, made if needed.
        env_ids: Environments; if empty, the run's, or all of ours that can be drawn and the
            bodies.
        env_args: Keyword arguments of ``gymnasium.make``; the run's if there is a run.
        run: A run folder, whose evaluations colour the pictures.
        n: See :func:`gallery_figure`.
        level_seed: See :func:`gallery_figure`.

    Returns:
        The files written.

    Raises:
        UserError: if an environment that was asked for cannot be made or drawn.
        StoreError: if ``run`` is not a run folder, or is damaged.
    """
    view, asked = None, bool(env_ids or run)
    if run is not None:
        config = read_header(run).config
        view, env_ids, env_args = load_run(run), env_ids or [config.env], config.env_args
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for env_id in env_ids or filter(_has_pictures, ENVS):
        if not _has_pictures(env_id, env_args):
            raise UserError(f"gallery: {env_id} draws no picture")
        env = MakeEnv(env_id, {**env_args, "render_mode": "rgb_array"})()
        try:
            figure = gallery_figure(env, n=n, level_seed=level_seed, view=view)
        finally:
            env.close()
        paths.append(out / f"{env_id.split('/')[-1].split(':')[-1]}.png")
        figure.savefig(paths[-1], dpi=DPI)
    if not asked:
        paths.append(out / "bodies.png")
        bodies_figure().savefig(paths[-1], dpi=DPI)
    return paths


def _has_pictures(env_id: str, env_args: Mapping[str, Any] = MappingProxyType({})) -> bool:
    env = MakeEnv(env_id, env_args)()
    env.close()
    return "rgb_array" in env.metadata["render_modes"]


def bodies_figure(columns: int = 4) -> Figure:
    """Draw every body of the walkers, standing on flat ground."""
    rows = -(-len(BODIES) // columns)
    with style():
        note = "Half a second after the start, without torque. All to the same scale."
        figure = new_figure(rows * 2.3 + 0.7, "Bodies", note)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes:
            ax.set_axis_off()
        for ax, name in zip(axes, BODIES, strict=False):
            env = MakeEnv("teachenv/Walker-v0", {"body": name, "render_mode": "rgb_array"})()
            observation, _ = env.reset(seed=0)
            still = np.zeros_like(env.action_space.sample())
            for _ in range(25):
                env.step(still)
            picture: Any = env.render()
            ax.imshow(picture[120:400, :320])
            shape = f"{len(observation)} numbers observed, {len(still)} motors"
            ax.set_title(f"{name}\n{shape}", loc="left")
            env.close()
    return figure


Rgb = tuple[float, float, float]


class Cell(NamedTuple):
    """One picture: its place, counted from the top left, and the tasks it stands for."""

    row: int
    column: int
    task: Task
    low: Task
    high: Task


def gallery_figure(
    env: gym.Env[Any, Any], *, n: int = 6, level_seed: int = 0, view: RunView | None = None
) -> Figure:
    """Draw levels over the task space: a grid of two parameters, or a row for each of more.

    Args:
        env: With a task space; walkers are drawn as profiles of their terrain, others as they
            render themselves (``render_mode="rgb_array"``).
        n: Levels along a parameter.
        level_seed: Of every level.
        view: A run on the same task space: colours the sky by the mean score of the latest
            evaluation on the tasks nearest to each level.

    Raises:
        UserError: if the environment cannot be drawn, or the run is on another task space.
    """
    space = task_contract(env)[0]
    if view is not None and view.space != space:
        raise UserError("gallery: the run is on another task space than the environment")
    cells = list(_cells(space, n))
    rows, columns = 1 + max(c.row for c in cells), 1 + max(c.column for c in cells)
    unwrapped: Any = env.unwrapped
    profile = hasattr(unwrapped, "track")
    height = rows * (9.0 / columns) * (0.36 if profile else 0.75) + 1.0
    with style():
        figure = new_figure(height, _title(env), _note(space, level_seed, view))
        axes = figure.subplots(rows, columns, squeeze=False)
        for ax in axes.ravel():
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        for cell in cells:
            ax = axes[cell.row, cell.column]
            sky = _sky(view, space, cell)
            if profile:
                level = Level(cell.task, level_seed)
                if env.has_wrapper_attr("played"):  # by a deformed task space
                    level = env.get_wrapper_attr("played")(level)
                inks = (_GROUND, _OBSTACLE) if view is None else _GREYS
                _draw_terrain(ax, unwrapped.track.start(level).terrain, sky, *inks)
            else:
                _draw_picture(ax, env, cell.task, level_seed, sky)
        _label(axes, space, cells)
        if view is not None and view.evaluations:
            score_bar(figure, axes, view)
    return figure


def _title(env: gym.Env[Any, Any]) -> str:
    spec = env.unwrapped.spec or env.spec
    options = ", ".join(f"{k}={v}" for k, v in (spec.kwargs if spec else {}).items() if k in _SHOWN)
    return f"{spec.id if spec else type(env.unwrapped).__name__} {options}".strip()


_SHOWN = ("body", "subspace", "stairs", "height", "spacing", "width", "rotation")


def _note(space: TaskSpace, level_seed: int, view: RunView | None) -> str:
    note = f"Level seed {level_seed}."
    if space.dim > 2:
        note += " Each row varies one parameter and leaves the others at their defaults."
    if view is not None:
        note += " Sky: score of the latest evaluation there; white where nothing was tested."
    return note


# -- which tasks -----------------------------------------------------------------------------


def _values(dim: Dim, n: int) -> Floats:
    count = n if dim.n_values is None else min(n, dim.n_values)
    values = np.linspace(dim.low, dim.high, count)
    return values if dim.kind == "float" else np.round(values)


def _cells(space: TaskSpace, n: int) -> Iterator[Cell]:
    """Yield the cells of the picture, each with the part of the space that it stands for."""
    if space.dim == 2:
        x, y = (_values(dim, n) for dim in space.dims)
        for row, b in enumerate(y[::-1]):
            for column, a in enumerate(x):
                yield _cell(space, row, column, {0: (a, x), 1: (b, y)})
        return
    for i, dim in enumerate(space.dims):
        values = _values(dim, n)
        for column, value in enumerate(values):
            yield _cell(space, i, column, {i: (value, values)})


def _cell(space: TaskSpace, row: int, column: int, given: dict[int, tuple[float, Floats]]) -> Cell:
    task, low, high = space.default.copy(), space.low.copy(), space.high.copy()
    for i, (value, values) in given.items():
        half = (space.high[i] - space.low[i]) / max(1, len(values) - 1) / 2
        task[i], low[i], high[i] = value, value - half, value + half
    return Cell(row, column, space.task(task), low, high)


def _sky(view: RunView | None, space: TaskSpace, cell: Cell) -> Rgb:
    """Return the colour of the mean score on the tested tasks that the cell stands for."""
    if view is None:
        return to_rgb(_SKY)
    scores = []
    for name, rows in view.evaluations.items():
        tasks = view.test_tasks.get(name)
        if tasks is not None and len(tasks) == len(rows[-1].returns):
            inside = ((tasks >= cell.low - 1e-9) & (tasks <= cell.high + 1e-9)).all(axis=1)
            scores += view.score(rows[-1].returns)[inside].tolist()
    if not scores:
        return (1.0, 1.0, 1.0)
    return to_rgb(SCORE_MAP(SCORES(float(np.mean(scores)))))


# -- drawing ---------------------------------------------------------------------------------


def _draw_terrain(ax: Axes, terrain: Terrain, sky: Rgb, ground: str, obstacle: str) -> None:
    """Draw a part of a terrain, to scale."""
    x, y = terrain.ground.T
    left, right = _SHOWN_X
    shown = (x > left) & (x < right)
    middle = float(np.median(y[shown])) if shown.any() else float(np.interp(left, x, y))
    ax.fill_between(x, y, middle - 50, color=ground, lw=0)
    ax.add_collection(PolyCollection(list(terrain.polygons), facecolors=obstacle, lw=0))
    ax.set(xlim=_SHOWN_X, ylim=(middle - 2.4, middle + 3.6), aspect="equal", facecolor=sky)


def _draw_picture(
    ax: Axes, env: gym.Env[Any, Any], task: Task, level_seed: int, frame: Rgb
) -> None:
    """Draw how an environment renders the start of a level, in a frame."""
    if env.render_mode != "rgb_array":
        raise UserError(
            "gallery: the environment draws no picture; make it with render_mode='rgb_array', if "
            "it has that"
        )
    env.reset(seed=level_seed, options={"task": task, "level_seed": level_seed})
    picture: Any = env.render()
    ax.imshow(picture)
    for side in ax.spines.values():
        side.set(visible=True, color=frame, linewidth=3)


def _label(axes: Any, space: TaskSpace, cells: Sequence[Cell]) -> None:
    """Write values above columns, or above single pictures where rows are parameters."""
    if space.dim == 2:
        x, y = space.dims
        for cell in cells:
            ax = axes[cell.row, cell.column]
            if cell.row == len(axes) - 1:
                ax.set_xlabel(_value(x, cell.task[0]), labelpad=2)
            if cell.column == 0:
                ax.set_ylabel(_value(y, cell.task[1]), rotation=0, ha="right", va="center")
        figure = axes[0, 0].figure
        figure.supxlabel(dim_label(x), size=9)
        figure.supylabel(dim_label(y), size=9)
        return
    for cell in cells:
        ax = axes[cell.row, cell.column]
        ax.set_title(_value(space.dims[cell.row], cell.task[cell.row]), size=8, color=FAINT, pad=2)
        if cell.column == 0:
            label = dim_label(space.dims[cell.row]).replace(" (", "\n(")
            ax.set_ylabel(label, rotation=0, ha="right", va="center", size=8)


def _value(dim: Dim, value: float) -> str:
    return dim.choices[int(value)] if dim.kind == "choice" else f"{value:.3g}"
